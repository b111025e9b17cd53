"""Figures an operator acts on: how long people kept access, what came of steps, keys that end."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from prometheus_client import REGISTRY, Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.stories.company import Company

#: By operation, or by the operator's own names: nobody knows them before they are used.
_BY_USE = {"hooks_vendor_calls", "hooks_vendor_call_seconds", "hooks_scim_patch_operations"}


def sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def rising(told: Iterable[Metric]) -> dict[str, set[frozenset[tuple[str, str]]]]:
    """Every series of ours that can rise, by its figure."""
    return {
        each.name: {frozenset(sample.labels.items()) for sample in each.samples}
        for each in told
        if each.name.startswith("hooks_") and each.type in ("counter", "histogram")
    }


def at_the_start() -> dict[str, set[frozenset[tuple[str, str]]]]:
    """The same as a new process has them, before anything has happened in it."""
    program = "import hooks.figures, prometheus_client as p; print(p.generate_latest().decode())"
    ran = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    return rising(text_string_to_metric_families(ran.stdout))


async def test_what_can_rise_is_there_from_the_start(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    begun = at_the_start()
    assert {name for name, series in begun.items() if not series} == _BY_USE
    async with company.service(sqlite_url, tmp_path) as run:
        ann = company.hire("ann", "red")
        await run.settle()
        company.world.deactivate(ann)
        await run.deliver()
        await run.work()
        assert company.groups(ann) == set()
    for name, series in rising(REGISTRY.collect()).items():
        assert name in _BY_USE or series <= begun[name], name


async def test_a_leaver_is_timed_from_the_event_to_the_last_removal_and_to_its_proof(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    ann = company.hire("ann", "red", "green")
    bob = company.hire("bob", "red")
    async with company.service(sqlite_url, tmp_path) as run:
        names = ("hooks_revoked_seconds", "hooks_proved_seconds")
        since = ("published", "received")

        def counts() -> dict[tuple[str, str], float]:
            return {(n, s): sample(f"{n}_count", since=s) for n in names for s in since}

        settled = {"via": "scim", "action": "remove", "state": "settled"}
        before, steps = counts(), sample("hooks_steps_total", **settled)
        company.world.deactivate(ann)
        run.time.push(timedelta(seconds=7))
        waited = sample("hooks_revoked_seconds_sum", since="published")
        await run.deliver()
        await run.work()
        assert company.groups(ann) == set()
        assert counts() == {key: count + 1 for key, count in before.items()}
        assert sample("hooks_revoked_seconds_sum", since="published") - waited >= 7
        assert sample("hooks_steps_total", **settled) == steps + 2
        # Who loses nothing is not timed.
        company.world.suspend(bob)
        await run.settle()
        assert counts() == {key: count + 1 for key, count in before.items()}


async def test_removals_that_were_not_sent_are_not_timed(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    ann = company.hire("ann", "red")
    async with company.service(sqlite_url, tmp_path) as run:
        company.world.fault("scim", method="PATCH", status=503)
        before = sample("hooks_revoked_seconds_count", since="received")
        company.world.deactivate(ann)
        await run.deliver()
        await run.work()
        assert company.groups(ann) == {"red"}
        assert sample("hooks_revoked_seconds_count", since="received") == before


async def test_a_key_that_ends_is_an_alarm_a_month_before(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    today = company.time.now().date()
    more = (
        f"[expiry]\nscim_main = {today + timedelta(days=29)}\n"
        f"organization = {today + timedelta(days=31)}\n"
    )
    async with company.service(sqlite_url, tmp_path, more=more) as run:
        here = run.house.alarms(loaded=lambda: True).here
        assert {name for name, count in here().items() if count} == {"expiry scim_main"}
        run.time.push(timedelta(days=3))
        assert {name for name, count in here().items() if count} == {
            "expiry scim_main",
            "expiry organization",
        }
