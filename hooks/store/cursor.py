"""Places in long reads, instants to remember, and the Okta groups the policy names."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, delete, select

from hooks.clock import moment
from hooks.core.ids import OktaGroupId
from hooks.core.membership import Mode
from hooks.store.tables import Cursor, Pin

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from sqlalchemy import Select

    from hooks.core.ids import DirectoryName, OktaAppId, OktaUserId
    from hooks.store.database import Tx

_cursor = Cursor.__table__  # type: ignore[attr-defined]
_pin = Pin.__table__  # type: ignore[attr-defined]


#: Where the System Log is read on, and when its end was last reached.
LOG_PLACE, LOG_REACHED = "log/place", "log/reached"
#: When the first process ever worked here.
FIRST_START = "first_start"


def get(tx: Tx, name: str, *, lock: bool = False) -> str | None:
    """The remembered value, or ``None``; ``lock``: nobody else puts one before this is over."""
    query = _value(lock=lock and tx.postgres)
    found: str | None = tx.execute(query, {"name": name}).scalar_one_or_none()
    return found


@cache
def _value(*, lock: bool) -> Select[tuple[str]]:
    query = select(_cursor.c.value).where(_cursor.c.name == bindparam("name"))
    return query.with_for_update() if lock else query


def at(tx: Tx, name: str) -> datetime | None:
    """When the value was last put, or ``None``."""
    found = tx.execute(select(_cursor.c.at).where(_cursor.c.name == name)).scalar_one_or_none()
    return None if found is None else moment(found)


def put(tx: Tx, name: str, value: str) -> None:
    """Remember a value."""
    insert = tx.insert(_cursor)
    tx.execute(
        insert.on_conflict_do_update(
            index_elements=["name"], set_={"value": insert.excluded.value, "at": tx.now}
        ),
        [{"name": name, "value": value, "at": tx.now}],
    )


def name_apps(tx: Tx, apps: Mapping[DirectoryName, OktaAppId]) -> None:
    """Remember which app each directory's name stands for, once and for all."""
    known = _values(tx, [f"app/{name}" for name in apps])
    for name, app in sorted(apps.items()):
        if f"app/{name}" not in known:
            put(tx, f"app/{name}", app)


def named_otherwise(tx: Tx, apps: Mapping[DirectoryName, OktaAppId]) -> list[DirectoryName]:
    """Directories whose name stood for another app.

    What is remembered of people under a name was true of that app, and proves nothing of another.
    """
    known = _values(tx, [f"app/{name}" for name in apps])
    return [name for name, app in sorted(apps.items()) if known.get(f"app/{name}", app) != app]


def watch(tx: Tx, modes: Mapping[DirectoryName, Mode]) -> bool:
    """Remember when we first started, and since when each directory's plans are sent.

    Whether plans are sent from now on that were only observed before.
    """
    names = [FIRST_START, *(f"mode/{name}" for name in modes)]
    # A directory taken out of the settings is not watched; put back, it begins anew.
    gone = _cursor.c.name.startswith("mode/") & _cursor.c.name.not_in(names)
    tx.execute(delete(_cursor).where(gone))
    known, enforced = _values(tx, names), False
    if FIRST_START not in known:
        put(tx, FIRST_START, str(tx.now))
    for name, mode in sorted(modes.items()):
        if known.get(f"mode/{name}", "").partition(" ")[0] != mode:
            put(tx, f"mode/{name}", f"{mode} {tx.now}")
            enforced = enforced or (mode is Mode.ENFORCE and f"mode/{name}" in known)
    return enforced


def watched_since(tx: Tx, modes: Mapping[DirectoryName, Mode]) -> datetime | None:
    """Since when absences have consequences: our first start, or the last switch to enforce."""
    known = _values(tx, [FIRST_START, *(f"mode/{name}" for name in modes)])
    instants = [int(known[FIRST_START])] if FIRST_START in known else []
    for name, mode in modes.items():
        was, _, at = known.get(f"mode/{name}", "").partition(" ")
        if mode is Mode.ENFORCE and was == mode:
            instants.append(int(at))
    return moment(max(instants)) if instants else None


#: Microseconds after which a doubt is another one; events are contradicted while they are young.
_PAUSE = 600_000_000


def _values(tx: Tx, names: Iterable[str]) -> dict[str, str]:
    rows = tx.execute(
        select(_cursor.c.name, _cursor.c.value).where(_cursor.c.name.in_(list(names)))
    )
    return {row.name: row.value for row in rows}


def doubted(tx: Tx, user: OktaUserId) -> datetime | None:
    """Since when events contradict what is read of a person, without a pause in between."""
    since, _, last = (get(tx, f"doubt/{user}") or "0 0").partition(" ")
    return moment(int(since)) if tx.now - int(last) < _PAUSE else None


def doubt(tx: Tx, user: OktaUserId, since: datetime | None) -> None:
    """Remember that a look was contradicted, as they were ``since``; ``None`` if it was not."""
    name = f"doubt/{user}"
    if since is None:
        tx.execute(delete(_cursor).where(_cursor.c.name == name))
        return
    put(tx, name, f"{round(since.timestamp() * 1_000_000)} {tx.now}")


def pins(tx: Tx, names: Iterable[str]) -> dict[str, OktaGroupId]:
    """Okta groups by the names under which the policy knows them, once resolved."""
    rows = tx.execute(select(_pin.c.name, _pin.c.okta_group).where(_pin.c.name.in_(list(names))))
    return {row.name: OktaGroupId(row.okta_group) for row in rows}


def pin(tx: Tx, name: str, group: OktaGroupId) -> None:
    """Remember which group a name meant; a later group of the same name changes nothing."""
    insert = tx.insert(_pin).on_conflict_do_nothing(index_elements=["name"])
    tx.execute(insert, [{"name": name, "okta_group": group, "at": tx.now}])
