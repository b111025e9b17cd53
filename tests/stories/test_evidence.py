"""What is told of each change: in the journal, and in a line of the log."""

from __future__ import annotations

import base64
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import update
from structlog.testing import capture_logs

from hooks.clock import moment
from hooks.core.membership import Action, Via
from hooks.core.report import CALLS
from hooks.store import alarms, journal, line, proof
from hooks.store.chain import Signer
from hooks.store.heads import Head, compare
from hooks.store.tables import Chain
from tests.running import Running, Time
from tests.stories.company import STAFF, Company

KEY = bytes(range(7, 39))
SIGNER = Signer(KEY)
chain_rows: Any = Chain.__table__  # type: ignore[attr-defined]
GIVEN = {"HOOKS_CHAIN_KEY": base64.urlsafe_b64encode(KEY).decode()}


async def steps(run: Running) -> list[dict[str, Any]]:
    return await run.house.database.read(journal.list_steps)


async def test_every_step_that_came_to_something_has_its_line(
    time: Time, company: Company, database_url: str, tmp_path: Path
) -> None:
    ann = company.hire("ann", "red", "blue")
    async with company.service(database_url, tmp_path, given=GIVEN) as run:
        company.world.remove_from_group(ann, STAFF)
        with capture_logs() as lines:
            await run.settle()
        said = [each for each in lines if each["event"] == "step"]
        stored = await steps(run)
        assert {each["step"] for each in said} == {each["id"] for each in stored}
        assert len(said) == 2
        for line in said:
            (row,) = [each for each in stored if each["id"] == line["step"]]
            assert (line["state"], line["code"], line["log_level"]) == ("settled", "", "info")
            assert line["subject"] == run.id(ann)
            assert line["group"] == row["group"]
            assert line["member"] == row["scim_id"]
            assert line["events"] == row["events"] != []
            assert line["read"] == moment(row["read"]).isoformat()
            assert row["read"] <= row["at"]
            assert line["call"] == CALLS[Via.SCIM, Action.REMOVE]
            readings = " ".join(line["readings"])
            assert "user:ACTIVE" in readings
            assert "app_user:missing" in readings
            assert f"record:{row['scim_id']} " in readings
            assert line["mappings"]
            assert line["rules"] == []
            assert line["seconds_from_event"] >= line["seconds_from_plan"] >= 0
            assert "ann" not in str(line)
            assert "red" not in str(line)


async def test_the_lease_tells_the_head_of_the_chain_and_all_of_it_is_proved(
    time: Time, company: Company, database_url: str, tmp_path: Path
) -> None:
    ann = company.hire("ann", "red")
    async with company.service(database_url, tmp_path, given=GIVEN) as run:
        company.world.remove_from_group(ann, STAFF)
        with capture_logs() as lines:
            await run.settle()
        company.world.add_to_group(ann, STAFF)
        with capture_logs() as later:
            await run.settle()
        looks = [each for each in (*lines, *later) if each.get("kind") == "user"]
        heads = [each["head"] for each in looks if each["head"]]
        assert len(heads) >= 2
        assert any(each["head"] is None for each in looks)
        found = [Head(run.id(ann), int(n), h) for n, _, h in (e.partition(":") for e in heads)]
        assert [each.number for each in found] == sorted(each.number for each in found)
        proved = await run.house.database.read(lambda tx: proof.prove(tx, [run.id(ann)], SIGNER))
        assert proved[run.id(ann)].faults == ()
        assert proved[run.id(ann)].links == found[-1].number
        assert await run.house.database.read(
            lambda tx: compare(tx, run.id(ann), found, SIGNER)
        ) == ([], [])


async def test_what_is_only_observed_has_its_line_too(
    time: Time, company: Company, database_url: str, tmp_path: Path
) -> None:
    ann = company.hire("ann", "red")
    async with company.service(database_url, tmp_path, given=GIVEN, modes={"": "observe"}) as run:
        company.world.remove_from_group(ann, STAFF)
        with capture_logs() as lines:
            await run.settle()
        said = [each for each in lines if each["event"] == "step"]
        assert [each["state"] for each in said] == ["observed"]


async def test_work_goes_on_where_the_chain_cannot_be_proved_and_nothing_is_made_good(
    time: Time, company: Company, database_url: str, tmp_path: Path
) -> None:
    ann, bob = company.hire("ann", "red"), company.hire("bob", "red")
    async with company.service(database_url, tmp_path, given=GIVEN) as run:
        company.world.remove_from_group(ann, STAFF)
        await run.settle()
        (before,) = await steps(run)
        shorter = update(chain_rows).where(chain_rows.c.user == run.id(ann)).values(length=1)
        await run.house.database.write(lambda tx: tx.execute(shorter))
        company.world.add_to_group(ann, STAFF)
        company.world.remove_from_group(bob, STAFF)
        with capture_logs() as lines:
            await run.settle()
        assert (company.groups(ann), company.groups(bob)) == ({"red"}, set())
        unproved = [each for each in lines if each["event"] == "chain_unproved"]
        assert {each["subject"] for each in unproved} == {run.id(ann)}
        people = [run.id(ann), run.id(bob)]
        proved = await run.house.database.read(lambda tx: proof.prove(tx, people, SIGNER))
        assert [each.verdict for each in proved[run.id(ann)].faults] == [
            proof.Verdict.ALTERED,
            proof.Verdict.UNCHAINED,
        ]
        assert proved[run.id(bob)].faults == ()
        assert before["link"] == 1


# -- alarms ------------------------------------------------------------------------------------

OTHER = {"HOOKS_CHAIN_KEY": base64.urlsafe_b64encode(bytes(range(8, 40))).decode()}


async def amiss(run: Running) -> list[str]:
    """What stands once a process has looked."""
    await run.house.alarms(loaded=lambda: True).tick()
    return [each.name for each in await run.house.database.read(alarms.standing)]


async def test_another_key_is_an_alarm_until_the_right_one_is_given(
    time: Time, company: Company, database_url: str, tmp_path: Path
) -> None:
    ann = company.hire("ann", "red")
    async with company.service(database_url, tmp_path, given=GIVEN) as run:
        company.world.remove_from_group(ann, STAFF)
        await run.settle()
        assert await amiss(run) == []
    for given in (OTHER, {}):
        async with company.service(database_url, tmp_path, given=given) as run:
            assert await amiss(run) == [f"chain_key {SIGNER.id}"]
    async with company.service(database_url, tmp_path, given=GIVEN) as run:
        time.push(timedelta(minutes=5))
        assert await amiss(run) == []


async def test_what_a_purge_cannot_prove_is_an_alarm_until_it_can(
    time: Time, company: Company, database_url: str, tmp_path: Path
) -> None:
    """With the right key it ends by itself, long before the next purge would have come."""
    ann, bob = company.hire("ann", "red"), company.hire("bob", "red")
    async with company.service(database_url, tmp_path, given=GIVEN) as run:
        for change in (company.world.remove_from_group, company.world.add_to_group):
            change(ann, STAFF)
            await run.settle()
    time.push(timedelta(days=100))
    async with company.service(database_url, tmp_path, given=OTHER) as run:
        company.world.remove_from_group(bob, STAFF)
        await run.settle(timedelta(minutes=1))
        await run.house.database.write(lambda tx: line.hasten(tx, "purge"))
        await run.work()
        before = await steps(run)
        assert await amiss(run) == [f"chain_key {SIGNER.id}", "unproved"]
    async with company.service(database_url, tmp_path, given=GIVEN) as run:
        await run.work()
        time.push(timedelta(minutes=5))
        assert await amiss(run) == []
        assert len(await steps(run)) < len(before)
