"""The story the product was made for, on this machine: who keeps what, without it and with it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from hooks.cli import text
from hooks.cli.ends import FAILED
from hooks.clock import elapsed
from hooks.core.report import REASONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hooks.cli.stage import Moment, Play

_STORY = """\
The story (Atlassian community: reactivation does not remove old groups):

  before  testexample is in Production-Confluence, which Okta pushes.
  away    An admin removes them from it, the last group that gives Atlassian.
          Okta tells Atlassian only: active = false. Every membership stays.
  back    They come back, into Production-StatusPage and nothing else.

And its comment of 2023: whoever is in jira-software-users, a group that is kept
in Atlassian itself (local), is in it again after HR has reactivated them.

Everything below happens on this machine: stand-ins for Okta and Atlassian, the
real service as a process of its own, HTTP on loopback, a database that is
deleted afterwards."""

_TITLES = {
    False: "removed from the last group",
    True: "deactivated in HR in between",
}


@dataclass(frozen=True)
class Check:
    """One thing that must be so in the stand-in for Atlassian."""

    right: bool
    words: str


def demo() -> None:
    """Play the story on this machine, without the service and with it; ends with a verdict."""
    started = elapsed()
    text.say(_STORY)
    before, after = asyncio.run(_played())
    for deactivates, play in enumerate(before):
        _heading(f"Without the service: {_TITLES[bool(deactivates)]}")
        _moments(play)
    for deactivates, play in enumerate(after):
        _heading(f"With the service: {_TITLES[bool(deactivates)]}")
        _moments(play)
        _journal(play)
    _heading("Checked in the stand-in for Atlassian, not in our own journal")
    checks = judged(before, after)
    for check in checks:
        text.say(f"  {'ok   ' if check.right else 'WRONG'}  {check.words}", _style(check.right))
    right = all(check.right for check in checks)
    words = (
        "Exactly what was stale was removed, and nothing else."
        if right
        else "The end is wrong; see the lines above."
    )
    text.say(f"\n{words} ({elapsed() - started:.1f} s)", f"bold {_style(right)}")
    if not right:
        raise typer.Exit(FAILED)


async def _played() -> tuple[list[Play], list[Play]]:
    from hooks.cli import stage

    before = [stage.without(deactivates=each) for each in _TITLES]
    turn = asyncio.Lock()
    after = await asyncio.gather(*(stage.beside(deactivates=each, turn=turn) for each in _TITLES))
    return before, list(after)


# -- the verdict -------------------------------------------------------------------------------


def judged(before: Sequence[Play], after: Sequence[Play]) -> list[Check]:
    """What must be so, each with the words for it."""
    found = []
    for deactivates, play in enumerate(before):
        last = play.moments[-1]
        kept = bool(last.groups - last.entitled) and last.local == play.moments[0].local
        words = f"without: whatever is stale is back, {_TITLES[bool(deactivates)]}"
        found.append(Check(kept, words))
    for deactivates, play in enumerate(after):
        right = len(play.moments) == _MOMENTS and not any(_stale(play, x) for x in play.moments)
        found.append(
            Check(right, f"with: never more than Okta implies, {_TITLES[bool(deactivates)]}")
        )
    local = [each.local for each in after[-1].moments]
    gone = bool(local[0]) and not any(local[1:])
    found.append(Check(gone, "with: the local group is gone, and does not come back"))
    moments = [each for play in (*before, *after) for each in play.moments]
    same = all(_same(play) for play in (*before, *after)) and bool(moments[0].colleague)
    found.append(Check(same, "the colleague kept their groups all the time"))
    minded = [each for play in after for each in play.violations]
    found.append(Check(not minded, "no call that a careful client never makes"))
    return found


_MOMENTS = 3


def _stale(play: Play, moment: Moment) -> frozenset[str]:
    """Synced groups Okta does not imply, and local ones from before they left."""
    first = play.moments[0]
    local = moment.local & first.local if moment is not first else frozenset()
    return (moment.groups - moment.entitled) | local


def _same(play: Play) -> bool:
    return len({each.colleague for each in play.moments}) == 1


# -- how it looks ------------------------------------------------------------------------------


def _style(right: bool) -> str:  # noqa: FBT001  # one switch, named by the function
    return "green" if right else "red"


def _heading(words: str) -> None:
    text.say(f"\n{words}\n{'-' * len(words)}", "bold")


def _moments(play: Play) -> None:
    rows = [["", "account", "groups of testexample in Atlassian", ""]]
    for each in play.moments:
        stale = _stale(play, each)
        names = [(name, name) for name in sorted(each.groups)]
        names += [(name, f"{name} (local)") for name in sorted(each.local)]
        head = [f"  {each.name}", "active" if each.active else "inactive"]
        for name, words in names or [("", "none")]:
            rows.append([*head, words, "<- stale" if name in stale else ""])
            head = ["", ""]
    for row, line in zip(rows, text.plain(rows), strict=True):
        text.say(line, "red" if row[-1] else "")
    colleagues = {", ".join(sorted(each.colleague)) for each in play.moments}
    said = "unchanged" if _same(play) else "CHANGED"
    text.say(f"  a colleague all along: {'; '.join(sorted(colleagues))} ({said})")


def _journal(play: Play) -> None:
    text.say("\n  The journal of the service:")
    for step in play.journal:
        for line in _step(step):
            text.say(f"  {line}")
    if not play.journal:
        text.say("  empty: nothing was done", "red")


def _step(step: dict[str, object]) -> Iterator[str]:
    reasons = {each.value: words for each, words in REASONS.items()}
    yield f"{step['action']} {step['name']}"
    yield f"  why       {step['reason']}: {reasons.get(str(step['reason']), '')}"
    evidence = step["evidence"]
    for index, each in enumerate(text.items(evidence)):
        yield f"  {'' if index else 'evidence':<8}  {each}"
    yield f"  event     {step['event']}"
    spent = step["milliseconds"]
    yield f"  {step['state']}, {spent} ms after the event: seen to be so, not only accepted"
