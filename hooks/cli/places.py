"""What a look found in each place, in lines: planned, done, or remembered.

Must live here: how a standing, an account and a group read. Must not know: when it was found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hooks.cli import text
from hooks.core.ids import DirectoryName
from hooks.core.membership import ORGANIZATION, Mode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from hooks.cli.text import Record

#: Where what stands behind a heading begins.
_BEHIND = 12


def of(
    told: Mapping[str, object], modes: Mapping[DirectoryName, Mode]
) -> Iterator[tuple[str, Record]]:
    """Each directory, and the organization, with what a look told of it and its mode."""
    there = told.get("organization")
    found = [(str(each["directory"]), each) for each in text.items(told.get("directories"))]
    for name, place in [*found, (ORGANIZATION, there)] if isinstance(there, dict) else found:
        yield name, {**place, "mode": place.get("mode") or modes.get(DirectoryName(name))}


def show(
    told: Mapping[str, object], places: Iterable[tuple[str, Record]], *, evidence: bool = False
) -> None:
    """Print what a look told; ``evidence``: and what each verdict rests on."""
    if told.get("protected"):
        print("\nprotected by the policy: nothing is removed")
    for name, place in places:
        print()
        for line in _place(name, place, evidence=evidence):
            text.tell(line, below=_BEHIND)
    for each in text.items(told.get("contradictions")):
        then = "looked at again" if each.get("again") else "the reading wins"
        print()
        text.tell(f"event {each['event']} says {each['claim']}, the reading does not: {then}")
    if others := text.items(told.get("others")):
        print()
        text.tell(f"looked at besides: {', '.join(others)}", below=2)


def _place(name: str, place: Record, *, evidence: bool) -> Iterator[str]:
    observed = " (mode observe: nothing is sent)" if place["mode"] == Mode.OBSERVE else ""
    yield f"{'' if name == ORGANIZATION else 'directory '}{name}{observed}"
    yield f"  standing  {place['standing']}: {place['why']}"
    if place.get("okta_user"):
        yield f"  Okta      user {place['okta_user']}; assignment to the app {place['app_user']}"
    if place.get("scim_id"):
        active = {"True": "active", "False": "inactive"}.get(str(place["active"]))
        yield f"  SCIM      record {place['scim_id']}, {active or 'activity not shown'}"
    if place.get("account"):
        roles = ", ".join(text.items(place.get("roles")))
        status = place["account_status"] or "status not shown"
        yield f"  account   {place['account']}, {status}{', roles ' if roles else ''}{roles}"
    groups = text.items(place["groups"])
    if not groups:
        yield "  no groups"
    for each in groups:
        yield f"  {each.get('now') or each['verdict']:<9} {each['name']}"
        yield from (" " * _BEHIND + words for words in _behind(each, evidence=evidence))


def _behind(each: Mapping[str, Any], *, evidence: bool) -> Iterator[str]:
    """Why a group stays or goes, and what has become of it."""
    refused = each["verdict"] == "refused" and each.get("since")
    yield f"{each['why']} (since {text.short(each['since'])})" if refused else each["why"]
    if each.get("more"):
        yield each["more"]
    if evidence:
        yield from (f"rests on {one}" for one in text.items(each["evidence"]))
