"""What the service has stored, held against what really happened."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from hooks.core.log_event import LOG_TYPES
from hooks.sandbox.world import World

#: An outcome is written a moment after what it tells of was seen.
_SLACK = timedelta(seconds=1)
_STEPS = """
    SELECT step.id, step.action, step."group", step.name, step.at,
           COALESCE(step.account, step.scim_id) AS member, outcome.state, outcome.at AS seen
      FROM step JOIN outcome ON outcome.step = step.id ORDER BY outcome.id
"""
_ABOUT = """
    SELECT * FROM due WHERE subject = :user;
    SELECT directory, standing, standing_at, waiting_since, absent_since, returned, accounted
      FROM tie WHERE "user" = :user;
    SELECT directory, cause, "group", at, until FROM refused WHERE "user" = :user ORDER BY at;
    SELECT type, published, received, origin, settled FROM event WHERE subject = :user
     ORDER BY id;
    SELECT step.id, action, name, reason, step.at, state, code, outcome.at AS seen
      FROM step JOIN outcome ON outcome.step = step.id WHERE "user" = :user ORDER BY outcome.id
"""


@dataclass(frozen=True)
class Stored:
    """What the database holds. ``due``: how many are due some time, by kind."""

    uuids: Counter[str]
    due: Counter[str]
    dead: list[str]
    holds: int
    outcomes: list[Any]

    @property
    def open(self) -> list[str]:
        """Steps nobody knows the end of."""
        last = {each.id: each for each in self.outcomes}
        states = ("open", "submitted")
        return [f"{each.action} {each.name}" for each in last.values() if each.state in states]


class Judge:
    """Looks into one database from beside."""

    def __init__(self, url: str) -> None:
        driven = url.replace("postgresql://", "postgresql+psycopg://")
        self._engine = create_engine(driven, pool_size=1, pool_pre_ping=True)

    def close(self) -> None:
        self._engine.dispose()

    def read(self) -> Stored | None:
        """Everything there is; ``None`` while the database cannot be read."""
        try:
            with self._engine.connect() as tx:
                return _read(tx)
        except SQLAlchemyError:
            return None

    def about(self, user: str) -> list[str]:
        """What is stored of one person, for whoever has to find out why they are wrong."""
        found = []
        with self._engine.connect() as tx:
            for query in _ABOUT.split(";"):
                found += [
                    str(dict(row)) for row in tx.execute(text(query), {"user": user}).mappings()
                ]
        return found


def _read(tx: Connection) -> Stored:
    def ask(query: str) -> Any:
        return tx.execute(text(query))

    dead = ask("SELECT subject, dead FROM due WHERE dead IS NOT NULL")
    return Stored(
        uuids=Counter(ask("SELECT uuid FROM event").scalars()),
        due=Counter(ask("SELECT kind FROM due WHERE due_at IS NOT NULL").scalars()),
        dead=[f"{row.subject}: {row.dead}" for row in dead],
        holds=ask("SELECT count(*) FROM hold WHERE state <> 'over'").scalar_one(),
        outcomes=list(ask(_STEPS)),
    )


def happened(world: World) -> set[str]:
    """The uuids of all that the service is to know of, whether or not it was delivered."""
    return {str(each["uuid"]) for each in world.log.all() if each["eventType"] in LOG_TYPES}


def untrue(world: World, stored: Stored, *, clocks: bool) -> list[str]:
    """Outcomes that say settled of a membership which never was so meanwhile.

    ``clocks``: the service's clock was moved, and its instants tell nothing.
    """
    past = _past(world)
    found = []
    for each in stored.outcomes:
        if each.state != "settled":
            continue
        moments = past.get((each.group, each.member), [])
        now = _is_member(world, each.group, each.member)
        since = None if clocks else _instant(each.at) - _SLACK
        until = None if clocks else _instant(each.seen) + _SLACK
        if (each.action == "add") not in _states(moments, now, since, until):
            found.append(f"step {each.id}: {each.action} {each.name} was never so")
    return found


def _past(world: World) -> dict[tuple[str, str], list[tuple[datetime, bool]]]:
    """When each membership changed, and to what."""
    found: dict[tuple[str, str], list[tuple[datetime, bool]]] = {}
    for directory in world.directories.values():
        for change in directory.past.since(datetime.min.replace(tzinfo=UTC), "member"):
            found.setdefault(change.key, []).append((change.at, not change.old))
    for entry in world.organization.audit:
        key = (entry.group.id, entry.account.id)
        found.setdefault(key, []).append((entry.at, entry.action == "user_added_to_group"))
    return found


def _is_member(world: World, group: str, member: str) -> bool:
    synced = [
        each.groups[group].members for each in world.directories.values() if group in each.groups
    ]
    local = world.organization.groups.get(group)
    return any(member in each for each in synced) or (local is not None and member in local.members)


def _states(
    moments: list[tuple[datetime, bool]],
    now: bool,  # noqa: FBT001  # a state
    since: datetime | None,
    until: datetime | None,
) -> set[bool]:
    """What a membership was between two instants."""
    first = not moments[0][1] if moments else now
    before = [first, *(state for at, state in moments if since and at <= since)]
    within = [
        state
        for at, state in moments
        if (since is None or at > since) and (until is None or at <= until)
    ]
    return {before[-1], *within}


def _instant(microseconds: int) -> datetime:
    return datetime.fromtimestamp(microseconds / 1_000_000, UTC)
