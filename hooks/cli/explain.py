"""Why one person has the groups they have: what happened, oldest first, and what is so now.

Must live here: what is so now, from the newest look or a look of its own. Must not know: how an
entry of the past reads.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from hooks.cli import lists, look, opening, places, text, timeline
from hooks.cli.ends import FAILED, FailedError, UsageError
from hooks.cli.opening import Json, Since
from hooks.core import report
from hooks.core.ids import OktaUserId
from hooks.core.membership import State
from hooks.core.plan import Reason
from hooks.core.reading import Missing
from hooks.settings import Role

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from hooks.cli.text import Record
    from hooks.cli.timeline import Stored
    from hooks.wiring import House

Most = Annotated[
    int,
    typer.Option(
        "--limit", metavar="N", min=1, max=1000, help="At most so many entries, the newest."
    ),
]

#: What a membership that a look wanted removed, or a step removed, has come to.
_REMOVED = {State.SETTLED: "gone", State.SUBMITTED: "going"}
_ADDED = {State.SETTLED: "back", State.SUBMITTED: "coming"}


def explain(
    user: Annotated[
        str, typer.Argument(metavar="USER", help="Okta id; with --live a login will do.")
    ],
    *,
    live: Annotated[
        bool, typer.Option("--live", help="Read Okta and Atlassian now; change nothing.")
    ] = False,
    since: Since = None,
    limit: Most = 50,
    as_json: Json = False,
) -> None:
    """Tell one person's past, and why each group stays or goes.

    What is so now is what the newest look found; with --live it is read now, and exit code 1
    says that something could not be read.
    """
    if not user.strip() or not user.isprintable():
        raise UsageError("USER: write an Okta id, or with --live a login")
    first = opening.instant("--since", since)
    asyncio.run(_explain(user, live=live, since=first, limit=limit, as_json=as_json))


async def _explain(
    name: str, *, live: bool, since: datetime | None, limit: int, as_json: bool
) -> None:
    user = OktaUserId.maybe(name)
    if user is None and not live:
        raise UsageError("USER: write the Okta id, 20 letters and digits; or a login with --live")
    async with opening.opened(Role.LOOK if live else Role.STORE, vendors=live) as house:
        user = user or await look.resolved(house, name, "explain")
        told, at = await _live(house, user) if live else (None, None)
        stored = await house.database.read(
            lambda tx: timeline.stored(tx, user, limit=limit, since=since)
        )
        if not stored.known and (told is None or told["unknown"]):
            raise FailedError(_nobody(user, live=live))
        now = _now(house, stored, told, at)
    if as_json:
        past = [record for _, record in stored.entries]
        text.as_json({"user": user, "timeline": past, "now": now})
    else:
        _tell(user, stored, now, limit)
    if told and told["unread"]:
        raise typer.Exit(FAILED)


def _tell(user: OktaUserId, stored: Stored, now: Record, limit: int) -> None:
    print(f"user {user}\n")
    for _, record in stored.entries:
        for words in timeline.lines(record):
            print(words)
    if len(stored.entries) == limit:
        print("\nThere may be more: --limit")
    print()
    _show(now)


def _nobody(user: OktaUserId, *, live: bool) -> str:
    if live:
        return f"explain: Okta knows no user {user} and nothing is stored of one; check the id"
    return f"explain: nothing is stored of {user}; check the id, or read Okta now with --live"


async def _live(house: House, user: OktaUserId) -> tuple[Record, int]:
    at = house.clock.now_us()
    reading, plan, known = await look.planned(house, user)
    told = report.told(plan, known, reading=reading)
    unread = bool(look.unread(plan.refusals))
    return {**told, "unknown": isinstance(reading.user, Missing), "unread": unread}, at


# -- what is so now ----------------------------------------------------------------------------


def _now(house: House, stored: Stored, told: Record | None, at: int | None) -> Record:
    """What the newest look found, or one made now, with what has become of it since."""
    live = told is not None
    if told is None and stored.look:
        at, told = stored.look
    found = told or {}
    return {
        "read": text.instant(at),
        "live": live,
        "protected": found.get("protected"),
        "places": [
            {
                **{key: value for key, value in place.items() if key != "directory"},
                "place": name,
                "groups": [
                    *_judged(stored, name, text.items(place["groups"])),
                    *_taken(stored, name, text.items(place["groups"])),
                ],
            }
            for name, place in places.of(found, house.settings.modes)
        ],
        "contradictions": found.get("contradictions", []),
        "refused": [_refusal(row) for row in stored.refused],
        "next": _next(stored, house.clock.now_us()),
    }


def _judged(stored: Stored, place: str, groups: list[Record]) -> Iterator[Record]:
    """Each group a look judged, and what became of the judgement."""
    since = {(row["directory"], row["group"], row["cause"]): row["at"] for row in stored.refused}
    for each in groups:
        step = _step(stored, place, each["id"], each["verdict"])
        hold = _hold(stored, each) if each["verdict"] == "remove" else None
        now, more = _became(each, step, hold)
        cause = str(each["why"]).partition(":")[0]
        yield {
            **each,
            "now": now,
            "more": more,
            "since": text.instant(since.get((place, each["id"] or "", cause))),
            "step": step["id"] if step else None,
            "hold": hold,
        }


def _step(stored: Stored, place: str, group: object, verdict: object) -> Record | None:
    """The newest step that changed this membership so."""
    steps = (each for each in stored.steps if (each["directory"], each["group"]) == (place, group))
    newest = next(steps, None)
    return newest if newest and newest["action"] == verdict else None


def _hold(stored: Stored, each: Record) -> object:
    for hold in stored.holds:
        if any(group == each["id"] for group, *_ in text.items(hold["steps"])):
            return hold["id"]
    return None


def _became(each: Record, step: Record | None, hold: object) -> tuple[str, str]:
    """``stays``, ``gone`` and so on, and a sentence more where one is due."""
    verdict = str(each["verdict"])
    if verdict in ("keep", "unmanaged"):
        return "stays", ""
    if verdict == "refused":
        return "refused", ""
    if hold:
        return "held", f"hold {hold}; see: hooks held show {hold}"
    if step is None:
        return verdict, "wanted; nothing is sent yet"
    state = State(str(step["state"]))
    words = _REMOVED if verdict == "remove" else _ADDED
    code = f" {step['code']}" if step["code"] else ""
    return words.get(state, state.value), f"step {step['id']}{code}: {report.BECAME[state]}"


def _taken(stored: Stored, place: str, groups: list[Record]) -> Iterator[Record]:
    """What we took, and the look did not find there any more."""
    judged = {each["id"] for each in groups}
    for step in stored.steps:
        if step["directory"] != place or step["group"] in judged:
            continue
        judged.add(step["group"])
        state = State(str(step["state"]))
        if step["action"] == "remove" and state in _REMOVED:
            why = report.REASONS[Reason(str(step["reason"]))]
            yield {
                "id": step["group"],
                "name": step["name"],
                "verdict": "removed",
                "why": f"taken on {text.short(step['at'])}: {why}",
                "evidence": step["evidence"],
                "now": _REMOVED[state],
                "more": f"step {step['id']}: {report.BECAME[state]}",
                "since": step["at"],
                "step": step["id"],
                "hold": None,
            }


def _refusal(row: Mapping[str, object]) -> Record:
    return {
        "place": row["directory"],
        "group": row["group"] or None,
        "cause": row["cause"],
        "since": text.instant(row["at"]),
        "way_out": lists.way_out(row),
    }


def _next(stored: Stored, now: int) -> str:
    place = stored.place
    if place is None:
        return "nothing until an event comes"
    if place.dead:
        return "given up; see: hooks dead"
    if place.lease_until and place.lease_until > now:
        return "looked at right now"
    if place.due_at is None:
        return "nothing until an event comes"
    at = text.short(text.instant(place.due_at))
    return f"looked at by hooks serve {'now' if place.due_at <= now else f'at {at} UTC'}"


# -- for people --------------------------------------------------------------------------------


def _show(now: Record) -> None:
    if not now["read"]:
        print("now: nobody has looked yet; to read Okta and Atlassian: --live")
        for each in text.items(now["refused"]):
            text.tell(
                f"  refused   {each['place']} {each['group'] or ''} {each['cause']}", below=12
            )
    elif now["live"]:
        print("now, as Okta and Atlassian say; nothing was changed:")
    else:
        since = text.short(now["read"])
        print(f"now, as every look since {since} UTC found it (--live reads anew):")
    found = [(each["place"], each) for each in text.items(now["places"])]
    places.show(now, found, evidence=True)
    print(f"\nnext: {now['next']}")
