"""What the bench says: rows with their target, and each run beside the median.

Must live here: medians, ratios, how a row reads. Must not know: what is measured.
"""

from __future__ import annotations

import operator
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

Side = TypeVar("Side")
HEAD = ("measure", "ours", "beside", "ratio", "target", "met")


@dataclass(frozen=True, slots=True)
class Scale:
    """How often, and whether only to see that it works: then what is measured means nothing."""

    runs: int = 5
    quick: bool = False

    def of(self, full: int, quick: int) -> int:
        """A size: as meant, or as small as it goes."""
        return quick if self.quick else full


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked, of the median itself or of its ratio to what stands beside it."""

    bound: Literal["at least", "at most", "under"]
    limit: float
    of: Literal["ours", "ratio"] = "ours"

    def holds(self, row: Row) -> bool:
        """Whether a row meets it."""
        value = row.ours if self.of == "ours" else row.ratio
        ask = {"at least": operator.ge, "at most": operator.le, "under": operator.lt}
        return value is not None and bool(ask[self.bound](value, self.limit))

    def __str__(self) -> str:
        return f"{self.bound} {_number(self.limit)}{'' if self.of == 'ours' else ' x'}"


def at_least(limit: float, of: Literal["ours", "ratio"] = "ours") -> Target:
    return Target("at least", limit, of)


def at_most(limit: float, of: Literal["ours", "ratio"] = "ours") -> Target:
    return Target("at most", limit, of)


def under(limit: float) -> Target:
    return Target("under", limit)


@dataclass(frozen=True, slots=True)
class Row:
    """One line. ``runs`` and ``others`` are what the medians are of, in the order of the runs.

    A ratio is that of each run, so that what slows one run slows both of its sides.
    """

    measure: str
    runs: tuple[float, ...]
    unit: str = ""
    others: tuple[float, ...] = ()
    beside: str = ""
    target: Target | None = None

    @property
    def ours(self) -> float:
        return statistics.median(self.runs)

    @property
    def other(self) -> float | None:
        return statistics.median(self.others) if self.others else None

    @property
    def ratio(self) -> float | None:
        pairs = zip(self.runs, self.others, strict=False)
        ratios = [ours / other for ours, other in pairs if other]
        return statistics.median(ratios) if ratios else None

    @property
    def met(self) -> bool | None:
        return None if self.target is None else self.target.holds(self)

    def cells(self) -> tuple[str, ...]:
        """As the table shows it."""
        beside = ""
        if self.other is not None:
            beside = f"{_with(self.other, self.unit)} ({self.beside})"
        return (
            self.measure,
            _with(self.ours, self.unit),
            beside,
            "" if self.ratio is None else f"{self.ratio:.2f}",
            "" if self.target is None else str(self.target),
            {None: "", True: "yes", False: "NO"}[self.met],
        )

    def each(self) -> str:
        """Every run, so that noise can be judged."""
        told = " ".join(map(_number, self.runs))
        return f"{told} | {' '.join(map(_number, self.others))}" if self.others else told

    def plain(self) -> dict[str, object]:
        """For a file."""
        return {
            "measure": self.measure,
            "unit": self.unit,
            "ours": self.ours,
            "beside": self.beside,
            "other": self.other,
            "ratio": self.ratio,
            "target": str(self.target) if self.target else None,
            "met": self.met,
            "runs": self.runs,
            "others": self.others,
        }


def interleaved(runs: int, sides: Mapping[str, Callable[[], Side]]) -> dict[str, tuple[Side, ...]]:
    """Every side once in each run, one after the other; a slow minute strikes all of them."""
    found: dict[str, list[Side]] = {name: [] for name in sides}
    for number in range(runs):
        # Backwards every other time: whoever is first would meet a colder machine every time.
        for name in list(sides)[:: -1 if number % 2 else 1]:
            found[name].append(sides[name]())
    return {name: tuple(each) for name, each in found.items()}


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that is not exceeded by this share of them."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def table(rows: Iterable[Row]) -> str:
    """In Markdown, for a terminal as well."""
    lines = [HEAD, *(row.cells() for row in rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(HEAD))]
    shown = [
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))} |"
        for line in lines
    ]
    rule = f"|{'|'.join('-' * (width + 2) for width in widths)}|"
    return "\n".join([shown[0], rule, *shown[1:]])


def _with(value: float, unit: str) -> str:
    return f"{_number(value)} {unit}".rstrip()


def _number(value: float) -> str:
    """Three figures of it are enough."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
