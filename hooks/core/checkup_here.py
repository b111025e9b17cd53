"""What is seen on this side, judged: the secrets given, the store, the clock; and what to do.

Must live here: every sentence about it. Must not know: how the store is asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from hooks.core.access import not_given
from hooks.core.alarm import WAY_OUT, kind_of, public
from hooks.core.finding import Finding, Verdict, some
from hooks.core.membership import Mode
from hooks.core.report import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hooks.core.ids import DirectoryName

_DATABASE = "HOOKS_DATABASE_URL"
#: Free bytes below which somebody should look, and below which deliveries are soon refused.
LITTLE, TOO_LITTLE = 1 << 30, 100 << 20
#: Clocks that differ by more make events look young or old; by more still, Okta refuses an
#: assertion that lives five minutes.
APART, FAR_APART = timedelta(seconds=30), timedelta(minutes=4)


@dataclass(frozen=True, slots=True)
class Store:
    """What the store showed. ``schema`` is ``behind``, ``newer`` or empty.

    ``lost`` are the ids of sealing keys that are not given, ``strange`` that of the key the
    journal was begun with, if it is another one; ``unkept`` where no chain key is given.
    """

    schema: str = ""
    lost: tuple[str, ...] = ()
    strange: str | None = None
    unkept: bool = False
    free: int | None = None
    alarms: tuple[str, ...] = ()


def of_settings(modes: Mapping[DirectoryName, Mode], rules: int) -> Iterator[Finding]:
    """What kind of service this is."""
    observing = sorted(name for name, mode in modes.items() if mode is Mode.OBSERVE)
    about = f"read; {counted(len(modes), 'directory', 'directories')}, "
    about += counted(rules, "rule for local groups", "rules for local groups")
    yield Finding(Verdict.OK, "hooks.toml", about)
    if observing:
        about = f"observe in {some(observing)}: plans are kept and nothing is sent"
        yield Finding(Verdict.OK, "mode", about)


def of_secrets(missing: Sequence[str]) -> Iterator[Finding]:
    """Which secrets of a serving process are not given to this one."""
    for each in missing:
        yield not_given(each)


def of_store(store: Store | str) -> Iterator[Finding]:
    """Whether it is there, of this release, and can be read with the keys given."""
    if isinstance(store, str):
        remedy = f"check {_DATABASE}; where there is none yet, hooks migrate makes it"
        yield Finding(Verdict.FAIL, _DATABASE, store, remedy)
        return
    if store.schema == "behind":
        yield Finding(Verdict.FAIL, _DATABASE, "its schema is behind", "run hooks migrate")
        return
    if store.schema:
        about = "its schema is of a later release"
        yield Finding(Verdict.WARN, _DATABASE, about, "run this release no longer than needed")
    else:
        yield Finding(Verdict.OK, _DATABASE, "it answers, and its schema is up to date")
    yield from _of_keys(store)
    yield from _of_space(store.free)
    for each in store.alarms:
        kind = kind_of(each)
        remedy = WAY_OUT[kind] if kind else "hooks alarms"
        yield Finding(Verdict.WARN, "alarms", f"{public(each)} stands", remedy)


def _of_keys(store: Store) -> Iterator[Finding]:
    if store.lost:
        about = f"what keys {some(store.lost)} sealed does not open"
        remedy = "put them back behind the others, if they turn up; see the README on lost keys"
        yield Finding(Verdict.FAIL, "HOOKS_SEALING_KEYS", about, remedy)
    if store.strange:
        about = f"the journal was begun with key {store.strange}, and this is another one"
        yield Finding(Verdict.FAIL, "HOOKS_CHAIN_KEY", about, "give the key it was begun with")
    elif store.unkept:
        about = "not given, so the journal proves nothing"
        remedy = "hooks keys new makes one; give it to every process that works"
        yield Finding(Verdict.UNCHECKED, "HOOKS_CHAIN_KEY", about, remedy)
    else:
        yield Finding(Verdict.OK, "HOOKS_CHAIN_KEY", "it is the one the journal is proved with")


def _of_space(free: int | None) -> Iterator[Finding]:
    if free is None:
        return
    about = f"{free // (1 << 20):,} MiB are free for the database"
    if free >= LITTLE:
        yield Finding(Verdict.OK, "space", about)
        return
    verdict = Verdict.FAIL if free < TOO_LITTLE else Verdict.WARN
    yield Finding(verdict, "space", about, "make room, or hooks purge deletes what is over")


def of_clock(vendor: str, skew: timedelta | None) -> Finding:
    """Whether the clock here and a vendor's agree; ``skew``: by how much ours is ahead."""
    if skew is None:
        return Finding(Verdict.UNCHECKED, vendor, "what time it is there: it did not answer")
    seconds = round(skew.total_seconds())
    if abs(skew) < APART:
        return Finding(Verdict.OK, vendor, "its clock and the one here agree")
    about = f"the clock here is {abs(seconds)} seconds {'ahead' if seconds > 0 else 'behind'}"
    remedy = "keep the clock of this machine by NTP"
    return Finding(Verdict.FAIL if abs(skew) >= FAR_APART else Verdict.WARN, vendor, about, remedy)
