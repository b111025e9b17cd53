"""One person's past as it is stored: what came, what was seen, decided, done and ordered.

Must live here: which rows make a timeline, and how an entry reads. Must not know: what is so now.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hooks.cli import places, text
from hooks.cli.lists import step_of
from hooks.core.report import REASONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from hooks.cli.text import Record
    from hooks.core.ids import OktaUserId
    from hooks.store.database import Tx
    from hooks.store.inbox import Place

#: Instant, kind, and the spaces behind them.
_BEHIND = 28


@dataclass(frozen=True)
class Stored:
    """Everything the store holds about one person: ``entries`` by instant, and what stands now."""

    entries: Sequence[tuple[int, Record]]
    look: tuple[int, Record] | None
    steps: Sequence[Record]
    holds: Sequence[Mapping[str, object]]
    refused: Sequence[Mapping[str, object]]
    place: Place | None
    known: bool


def stored(tx: Tx, user: OktaUserId, *, limit: int, since: datetime | None) -> Stored:
    """Read it; of each kind the newest ``limit``, then of all together, oldest first."""
    from hooks.store import holds, inbox, journal, known, looks, orders, refusals

    events = inbox.listed(tx, inbox.Wanted(subject=user, limit=limit))
    seen = looks.of(tx, user, limit=limit)
    steps = journal.list_steps(tx, user=user, limit=1000)  # what is so now rests on them too
    held = [each for each in holds.listed(tx, every=True) if each["user"] == user]
    ordered = orders.about(tx, [user, *(str(each["id"]) for each in held)])
    log = looks.log(tx, user).moments
    entries = [
        *((round(each.at.timestamp() * 1e6), _logged(each.what, each.app)) for each in log),
        *(
            (min(_us(each["published"]), _us(each["received"])), _event(each))
            for each in events[::-1]
        ),
        *((_us(each["at"]), _order(each)) for each in ordered),
        *((_us(each["at"]), {"kind": "step", **step_of(each)}) for each in reversed(steps)),
        *((_us(each["at"]), _hold(each)) for each in held),
        *((at, _look(told)) for at, told in seen),
    ]
    place = inbox.place(tx, user)
    heard_of = bool(entries or place or known.users(tx, [user]))
    first = since.timestamp() * 1e6 if since else 0
    entries = sorted((each for each in entries if each[0] >= first), key=lambda each: each[0])
    return Stored(
        [(at, {"at": text.instant(at), **record}) for at, record in entries[-limit:]],
        seen[-1] if seen else None,
        [step_of(each) for each in steps],
        [each for each in held if each["state"] in ("waiting", "rejected")],
        refusals.listed(tx, user=user),
        place,
        heard_of,
    )


def _us(value: object) -> int:
    return value if isinstance(value, int) else 0


# -- entries -----------------------------------------------------------------------------------


def _logged(what: str, app: str | None) -> Record:
    return {"kind": "log", "what": str(what), "app": app}


def _look(told: Record) -> Record:
    return {"kind": "look", "told": told}


def _event(row: Mapping[str, object]) -> Record:
    return {
        "kind": "event",
        "type": row["type"],
        "uuid": row["uuid"],
        "published": text.instant(row["published"]),
        "received": text.instant(row["received"]),
        "origin": row["origin"],
        "state": "settled" if row["settled"] else "waiting",
        "replayed": text.instant(row["replayed"]),
    }


def _order(row: Mapping[str, object]) -> Record:
    about = {"hold": int(str(row["ref"]))} if str(row["ref"]).isdigit() else {}
    came = {"result": row["result"] or None, "waits": row["done"] is None}
    said = {"who": row["who"], "why": row["why"]}
    return {"kind": "order", "order": row["kind"], **about, **said, **came}


def _hold(row: Mapping[str, object]) -> Record:
    steps = row["steps"]
    return {
        "kind": "hold",
        "id": row["id"],
        "class": row["brake_class"],
        "state": row["state"],
        "decided": text.instant(row["decided"]),
        "groups": [{"id": group, "name": name} for group, name, *_ in text.items(steps)],
    }


# -- words -------------------------------------------------------------------------------------


def lines(record: Record) -> Iterator[str]:
    """One entry for people."""
    head = f"{text.short(record['at']):<19}  {record['kind']:<5}  "
    for words in _WORDS[str(record["kind"])](record):
        yield from text.wrap(head + words, below=_BEHIND)
        head = " " * _BEHIND


def _of_log(record: Record) -> Iterator[str]:
    app = f" (app {record['app']})" if record["app"] else ""
    yield f"{record['what']}{app}, says Okta's System Log of before our first start"


def _of_event(record: Record) -> Iterator[str]:
    replayed = f", replayed {text.short(record['replayed'])}" if record["replayed"] else ""
    yield f"{record['type']}, {record['state']}{replayed}"
    yield f"{record['origin']} {record['uuid']}"


def _of_order(record: Record) -> Iterator[str]:
    about = f" hold {record['hold']}" if "hold" in record else ""
    yield f"{record['order']}{about}, by {record['who'] or 'unknown'}: {record['why']}"
    if record["result"] or record["waits"]:
        yield str(record["result"] or "waits for hooks serve")


def _of_hold(record: Record) -> Iterator[str]:
    groups = record["groups"]
    names = ", ".join(each["name"] for each in groups) if isinstance(groups, list) else ""
    decided = f" {text.short(record['decided'])}" if record["decided"] else ""
    yield f"{record['id']}: removals of class {record['class']}: {names}"
    yield f"{record['state']}{decided}"


def _of_step(record: Record) -> Iterator[str]:
    yield f"{record['id']}: {record['action']} {record['name']}, {record['directory']}"
    reason = str(record["reason"])
    yield f"{reason}: {_REASONS.get(reason, '')}"
    for each in text.items(record["outcomes"]):
        if each["state"] != "open":
            code = f" {each['code']}" if each["code"] else ""
            yield f"{each['state']}{code} {text.short(each['at'])}"


_REASONS = {each.value: words for each, words in REASONS.items()}


def _of_look(record: Record) -> Iterator[str]:
    told = record["told"]
    for name, place in places.of(told if isinstance(told, dict) else {}, {}):
        yield f"{name}: {place['standing']}{_statuses(place)}; {_verdicts(place)}"


def _statuses(place: Mapping[str, object]) -> str:
    if place.get("okta_user"):
        return f" (user {place['okta_user']}, assignment {place['app_user']})"
    return ""


def _verdicts(place: Mapping[str, object]) -> str:
    """``remove A, B; keep C``."""
    by_verdict: dict[str, list[str]] = {}
    for each in text.items(place.get("groups")):
        why = f" ({str(each['why']).partition(':')[0]})" if each["verdict"] == "refused" else ""
        by_verdict.setdefault(str(each["verdict"]), []).append(f"{each['name']}{why}")
    found = [f"{verdict} {', '.join(names)}" for verdict, names in by_verdict.items()]
    return "; ".join(found) or "no groups"


_WORDS = {
    "log": _of_log,
    "event": _of_event,
    "order": _of_order,
    "hold": _of_hold,
    "step": _of_step,
    "look": _of_look,
}
