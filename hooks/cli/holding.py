"""Holds and incidents as commands choose and tell them.

Must live here: what an option means, and how a row reads. Must not know: what is decided.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hooks.cli import opening, text
from hooks.cli.ends import FailedError
from hooks.core.ids import DirectoryName, OktaUserId
from hooks.core.report import counted
from hooks.core.seats import Removal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from hooks.cli.text import Record
    from hooks.store.database import Tx


@dataclass(frozen=True, slots=True)
class Choice:
    """Which holds are meant: the named ones, or all of a person, a class or an incident."""

    ids: tuple[int, ...] = ()
    user: str | None = None
    kind: str | None = None
    incident: int | None = None

    @property
    def given(self) -> dict[str, str | int]:
        """What is given besides ids, as the store calls it."""
        user = opening.okta_id(self.user)
        wanted = {"user": user, "brake_class": self.kind, "incident": self.incident}
        return {name: value for name, value in wanted.items() if value is not None}

    def holds(self, tx: Tx, *, every: bool = False) -> list[Record]:
        """All that are meant, or all there are."""
        from hooks.store import holds

        return [_hold(row) for row in holds.listed(tx, every=every, **self.given)]

    def decidable(self, tx: Tx, *, yes: bool) -> list[Record]:
        """Those it can be decided about. Only naming a hold takes back what was decided."""
        if not self.ids:
            found = [each for each in self.holds(tx) if each["state"] == "waiting"]
            if not found and (yes or not self.lost(tx, [])):
                told = " ".join(f"{name} {value}" for name, value in self.given.items())
                what = told.replace("brake_class", "class")
                raise FailedError(f"held: nothing of {what} waits; see: hooks held")
            return found
        states = ("waiting", "rejected" if yes else "approved")
        open_ = {each["id"]: each for each in self.holds(tx) if each["state"] in states}
        if strange := sorted(set(self.ids) - open_.keys()):
            verb = "approved" if yes else "rejected"
            named = ", ".join(map(str, strange))
            raise FailedError(
                f"held: {named} cannot be {verb}; nothing was changed; see: hooks held"
            )
        return [open_[each] for each in sorted(set(self.ids))]

    def whole(self, chosen: Iterable[Record], *, yes: bool) -> list[int]:
        """The incidents meant as a whole; for a yes those in which it takes something back."""
        given = {self.incident} if self.incident else set()
        if self.kind or yes:
            given |= {int(str(each["incident"])) for each in chosen if each["incident"]}
        return sorted(each for each in given if each)

    def lost(self, tx: Tx, chosen: Iterable[Record]) -> set[str]:
        """Who lost something in incidents that are rejected whole, and is not excused yet."""
        from hooks.store import excuses

        found: set[str] = set()
        for incident in self.whole(chosen, yes=False):
            after = ""
            while some := excuses.lost(tx, incident, after=after):
                after = some[-1].user
                found |= set(excuses.excusable(tx, some))
        return found


def all_incidents(tx: Tx, *, every: bool) -> list[Record]:
    """Those that are not over, or all there were."""
    from hooks.store import incidents

    return [_incident(row) for row in incidents.listed(tx, every=every)]


def one_incident(tx: Tx, incident: int) -> Record:
    """One of them. Raises: FailedError if there is no such."""
    from hooks.store import incidents

    row = incidents.one(tx, incident)
    if row is None:
        raise FailedError(
            f"held: there is no incident {incident}; `hooks held incidents --all` lists them"
        )
    return _incident(row)


def held_in(tx: Tx, incident: int) -> list[Record]:
    """The holds of an incident; those that are over only once it is."""
    every = one_incident(tx, incident)["over"] is not None
    return Choice(incident=incident).holds(tx, every=every)


def _incident(row: Mapping[str, object]) -> Record:
    counts = {name: row[name] for name in ("waiting", "approved", "rejected", "done")}
    return {
        "id": row["id"],
        "class": row["brake_class"],
        "at": text.instant(row["at"]),
        "since": text.instant(row["since"]),
        "over": text.instant(row["over"]),
        "state": "open" if row["over"] is None else "over",
        "held": sum(int(str(counts[each])) for each in ("waiting", "approved", "rejected")),
        **counts,
    }


def _hold(row: Mapping[str, object]) -> Record:
    steps = row["steps"]
    return {
        "id": row["id"],
        "at": text.instant(row["at"]),
        "user": row["user"],
        "directory": row["directory"],
        "class": row["brake_class"],
        "incident": row["incident"],
        "state": row["state"],
        "decided": text.instant(row["decided"]),
        "steps": [
            {"id": group, "name": name, "reason": why[0] if why else None}
            for group, name, *why in text.items(steps)
        ],
    }


def steps(record: Mapping[str, object]) -> list[dict[str, str]]:
    """The removals a hold keeps back."""
    return text.items(record["steps"])


def removals(chosen: Iterable[Record]) -> dict[OktaUserId, list[Removal]]:
    """The same by person, for all of these holds."""
    found: dict[OktaUserId, list[Removal]] = {}
    for each in chosen:
        name = DirectoryName(str(each["directory"]))
        lost = [Removal(name, one["id"], one["name"]) for one in steps(each)]
        found.setdefault(OktaUserId(str(each["user"])), []).extend(lost)
    return found


def by_group(chosen: Iterable[Record]) -> Iterator[str]:
    """How many people are held from losing each group, the most first."""
    people = Counter((each["name"], each["id"]) for one in chosen for each in steps(one))
    for (name, group), number in sorted(people.items(), key=lambda each: (-each[1], each[0])):
        yield f"  {counted(number)}  remove  {text.clean(name)}  {group}"
