"""That measures can be found and reckon rightly; how fast anything is, no test asks."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from tests.bench.__main__ import MEASURES, MORE
from tests.bench.quota import Used, in_flight_after_refusal
from tests.bench.revoke import Gone
from tests.bench.table import Row, Scale, at_least, at_most, interleaved, percentile, table
from tests.bench.vendors import Call


@pytest.mark.parametrize("name", [*MEASURES, *MORE])
def test_every_measure_is_there(name: str) -> None:
    assert callable(import_module(f"tests.bench.{name}").measure)


@pytest.mark.wide
@pytest.mark.parametrize("name", ["revoke", "calls", "large", "scale", "footprint"])
def test_a_measure_comes_to_its_end(name: str, tmp_path: Path) -> None:
    """Those that quickly do; they play the house as it is started, and with further replicas."""
    rows = list(import_module(f"tests.bench.{name}").measure(Scale(runs=1, quick=True), tmp_path))
    assert rows


def test_a_ratio_is_that_of_each_run() -> None:
    row = Row("x", (10.0, 100.0, 12.0), "/s", (20.0, 400.0, 20.0), "bare", at_least(0.5, "ratio"))
    assert (row.ours, row.other) == (12.0, 20.0)
    assert row.ratio == 0.5  # of 0.5, 0.25 and 0.6; that of the medians would be 0.6
    assert row.met


def test_a_table_says_what_is_missed() -> None:
    rows = [Row("a", (1.0,), "ms", target=at_most(1)), Row("b", (2.0,), "ms", target=at_most(1))]
    cells = [line.split("|")[-2].strip() for line in table(rows).splitlines()]
    assert cells == ["met", "-----", "yes", "NO"]


def test_sides_take_turns_and_change_who_is_first() -> None:
    seen: list[str] = []
    interleaved(2, {"a": lambda: seen.append("a"), "b": lambda: seen.append("b")})
    assert seen == ["a", "b", "b", "a"]


def test_a_size_is_as_meant_or_as_small_as_it_goes() -> None:
    assert Scale().of(500, 5) == 500
    assert Scale(quick=True).of(500, 5) == 5


def test_a_percentile_is_one_of_the_values() -> None:
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([1.0], 0.99) == 1.0


def call(begin: float, end: float, status: int = 200, path: str = "x", **more: str) -> Call:
    return Call(begin, end, more.get("vendor", "okta"), more.get("method", "GET"), path, status)


def test_revoked_is_the_last_removal_and_proved_what_was_read_after_it() -> None:
    calls = [
        call(0.0, 0.1),
        call(0.1, 0.2, method="PATCH", vendor="scim"),
        call(0.1, 0.3, 204, method="DELETE", vendor="org"),
        call(0.3, 0.9, 404, method="PATCH", vendor="scim"),
        call(0.31, 0.4),
    ]
    gone = Gone.of(calls)
    assert (gone.revoked, gone.calls) == (300.0, 5)
    assert gone.proved == 400.0


def test_of_a_budget_whole_windows_count() -> None:
    """What is used before the first whole one, and of that in which all is over, says nothing."""
    path = "/api/v1/users/{id}"
    calls = [call(9.0, 9.1), call(25.0, 25.1, method="PATCH", vendor="scim"), call(45.0, 45.1)]
    calls += [call(10.0 + at / 20, 11.0, path=path) for at in range(95)]
    assert Used.of(calls, epoch=0.0).used == pytest.approx(0.95)


def test_what_was_under_way_at_a_429_is_not_held_against_anybody() -> None:
    calls = [
        call(0.0, 0.5), call(0.0, 0.1, 429),  # at once, before anybody knew
        call(1.0, 1.2), call(1.3, 1.4), call(1.3, 1.4),  # one alone, and after its success more
    ]  # fmt: skip
    assert in_flight_after_refusal(calls) == 1
    assert in_flight_after_refusal([*calls, call(1.1, 1.3)]) == 2
