"""How findings look: verdict, place and words, and the remedy below; the same for every check."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hooks.cli import text
from hooks.core.finding import Finding, Verdict

if TYPE_CHECKING:
    from collections.abc import Collection

    from hooks.cli.text import Record

#: Where what stands behind a verdict begins.
_BEHIND = 6
_STYLES = {Verdict.FAIL: "red", Verdict.WARN: "yellow", Verdict.UNCHECKED: "yellow"}
_COUNTED = {
    Verdict.OK: "ok",
    Verdict.WARN: "to look at",
    Verdict.FAIL: "to put right",
    Verdict.UNCHECKED: "not checked",
}


def show(findings: Collection[Finding]) -> None:
    """Each in its order; what nobody could tell stands at the end."""
    for each in findings:
        if each.verdict is not Verdict.UNCHECKED:
            _tell(f"{each.verdict:<4}  {each.place}: {each.about}", each)
    for each in findings:
        if each.verdict is Verdict.UNCHECKED:
            _tell(f"not checked: {each.place}: {each.about}", each)


def _tell(words: str, finding: Finding) -> None:
    text.tell(words, _STYLES.get(finding.verdict, ""), below=_BEHIND)
    if finding.remedy:
        text.tell(f"{' ' * _BEHIND}-> {finding.remedy}", below=_BEHIND + 3)


def count(findings: Collection[Finding]) -> None:
    """How many of each."""
    counts = dict.fromkeys(Verdict, 0)
    for each in findings:
        counts[each.verdict] += 1
    text.say(f"\n{', '.join(f'{counts[each]} {_COUNTED[each]}' for each in Verdict)}")


def record(finding: Finding) -> Record:
    """One, for programs."""
    return {key: getattr(finding, key) for key in ("verdict", "place", "about", "remedy")}


def as_json(findings: Collection[Finding], *, failed: bool) -> None:
    """All of them, for programs."""
    text.as_json({"failed": failed, "findings": [record(each) for each in findings]})
