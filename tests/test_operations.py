"""The operations doors over real HTTP: counts, and nothing that names anybody."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from hooks.clock import Clock
from hooks.core.alarm import Kind
from hooks.core.attempt import DeadLetter
from hooks.core.brake import HOUR, share_class
from hooks.core.drift import Drift
from hooks.core.drift import Kind as Drifted
from hooks.core.ids import DirectoryName, OktaAppId, OktaUserId, ScimGroupId
from hooks.core.log_event import parse_delivery
from hooks.core.membership import Action, Group
from hooks.core.plan import Reason, Step
from hooks.listener import Listener, bind
from hooks.operations import Tally, create_operations
from hooks.store import alarms, audits, holds, line, schema
from hooks.store.database import Database, Tx
from hooks.store.intake import Intake
from hooks.store.sealing import Sealer
from tests.postgres import Postgres

TOKEN = "a-token-of-some-length-for-operations"
USERS = [f"00u0000000000000000{n}" for n in range(4)]
UUIDS = [f"6c5775f9-f9a3-11ed-8000-00000000000{n}" for n in range(4)]


@dataclass
class Doors:
    client: httpx.AsyncClient
    database: Database
    tokens: list[str] = field(default_factory=list)

    async def metrics(self) -> dict[str, float]:
        answer = await self.client.get("/metrics")
        assert answer.status_code == 200
        return {
            ",".join([sample.name, *sample.labels.values()]): sample.value
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
        }

    async def fill(self) -> None:
        """Four people in line: one leased, one a dead letter, two waiting."""
        events = [
            {"uuid": uuid, "eventType": "user.lifecycle.deactivate",
             "target": [{"type": "User", "id": user, "alternateId": "a.person@example.com"}]}
            for uuid, user in zip(UUIDS, USERS, strict=True)
        ]  # fmt: skip
        intake = Intake(self.database, Sealer([bytes(32)]), frozenset[OktaAppId]())
        await intake.put(parse_delivery(json.dumps({"data": {"events": events}}).encode()))
        await self.database.write(_bury_one)


def _bury_one(tx: Tx) -> None:
    first, _ = line.lease(tx, limit=2)
    line.settle(tx, first, DeadLetter("fault"))


@asynccontextmanager
async def served(url: str) -> AsyncIterator[Doors]:
    database = Database(url, Clock())
    await asyncio.to_thread(schema.migrate, database)
    tokens: list[str] = []
    bound = bind("127.0.0.1", 0)
    app = create_operations(
        tally=Tally(database),
        about=lambda: {"version": "1.2.3", "directories": {"main": "observe"}},
        token=lambda: tokens[0] if tokens else None,
    )
    listener = Listener(app, bound, most_connections=10)
    listening = asyncio.create_task(listener.listen())
    port = bound.getsockname()[1]
    await listener.up.wait()
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            yield Doors(client, database, tokens)
    finally:
        listening.cancel()
        await asyncio.wait([listening])
        database.close()


async def test_metrics_count_what_the_store_holds(database_url: str) -> None:
    async with served(database_url) as doors:
        await doors.fill()
        await asyncio.sleep(0.05)
        found = await doors.metrics()
        assert found["hooks_store_up"] == 1
        states = {state: found[f"hooks_line,{state}"] for state in ("waiting", "leased", "dead")}
        assert states == {"waiting": 2, "leased": 1, "dead": 1}
        assert found["hooks_events_stored"] == 4
        assert found["hooks_held"] == 0
        assert 0.05 <= found["hooks_line_oldest_seconds"] < 30


async def test_status_says_how_things_are_and_names_nobody(database_url: str) -> None:
    async with served(database_url) as doors:
        await doors.fill()
        answer = await doors.client.get("/status")
        assert answer.headers["content-type"] == "application/json"
        found = answer.json()
        assert found.pop("store").items() >= {"waiting": 2, "dead": 1, "stored": 4}.items()
        assert (found.pop("alarms"), found.pop("incidents")) == ([], [])
        assert found == {"version": "1.2.3", "directories": {"main": "observe"}}
        told = answer.text + (await doors.client.get("/metrics")).text
        assert not [each for each in [*USERS, *UUIDS, "example.com"] if each in told]


async def test_alarms_are_told_without_ids_and_every_kind_has_a_figure(database_url: str) -> None:
    async with served(database_url) as doors:
        kinds = {kind.value: 0.0 for kind in Kind}
        assert {kind: (await doors.metrics())[f"hooks_alarm,{kind}"] for kind in kinds} == kinds
    async with served(database_url) as doors:
        names = ["paused", f"held main/lost_group/{UUIDS[0]}"]
        await doors.database.write(lambda tx: alarms.observe(tx, names))
        found = (await doors.client.get("/status")).json()
        assert [(each["name"], each["told"]) for each in found["alarms"]] == [
            ("held main/lost_group", ""), ("paused", "")
        ]  # fmt: skip
        assert datetime.fromisoformat(found["alarms"][0]["since"]) <= datetime.now(UTC)
        metrics = await doors.metrics()
        assert {kind for kind in kinds if metrics[f"hooks_alarm,{kind}"]} == {"held", "paused"}


async def test_open_incidents_are_told_by_counts_and_without_ids(database_url: str) -> None:
    def hold(tx: Tx) -> None:
        group = Group(ScimGroupId(UUIDS[0]), "a group of theirs")
        for who in USERS[:3]:
            lost = Step(DirectoryName("main"), Action.REMOVE, group, Reason.LOST_GROUP)
            under = (lost.brake_class, share_class(lost))
            full = dict.fromkeys(under, HOUR)
            holds.keep(tx, who, holds.Judged({lost: under}, frozenset(), full), places=())
        holds.decide(tx, [1], approve=False, who="me", why="a test")

    async with served(database_url) as doors:
        assert (await doors.metrics())["hooks_incidents"] == 0
    async with served(database_url) as doors:
        await doors.database.write(hold)
        answer = await doors.client.get("/status")
        found = answer.json()["incidents"]
        assert [(each["class"], each["held"], each["done"]) for each in found] == [
            ("main/lost_group", 3, 0), ("main/share", 3, 0)
        ]  # fmt: skip
        assert not [each for each in (*USERS, *UUIDS, "theirs") if each in answer.text]
        metrics = await doors.metrics()
        assert (metrics["hooks_incidents"], metrics["hooks_held"]) == (2, 5)


async def test_the_store_is_asked_once_for_scrapes_that_come_together(sqlite_url: str) -> None:
    async with served(sqlite_url) as doors:
        assert (await doors.metrics())["hooks_events_stored"] == 0
        await doors.fill()
        assert (await doors.metrics())["hooks_line,waiting"] == 0, "still the reading of before"


async def test_metrics_are_told_without_a_store_but_not_its_old_counts(
    postgres: Postgres, postgresql_url: str
) -> None:
    async with served(postgresql_url) as doors:
        postgres.crash()
        try:
            found = await doors.metrics()
            status = (await doors.client.get("/status")).json()
            assert {status[each] for each in ("store", "alarms", "incidents")} == {None}
        finally:
            postgres.start()
        assert found["hooks_store_up"] == 0
        assert found["hooks_line,waiting"] != found["hooks_line,waiting"], "not a number"


@pytest.mark.parametrize(
    ("shown", "answered"),
    [
        ([], 401),
        (["Bearer"], 401),
        ([TOKEN], 401),
        ([f"Basic {TOKEN}"], 401),
        ([f"Bearer {TOKEN}x"], 401),
        ([f"Bearer {TOKEN}", f"Bearer {TOKEN}"], 401),
        ([f"Bearer {TOKEN}"], 200),
        ([f"bearer {TOKEN}"], 200),
    ],
)
async def test_a_token_is_asked_for_where_there_is_one(
    sqlite_url: str, shown: list[str], answered: int
) -> None:
    async with served(sqlite_url) as doors:
        doors.tokens.append(TOKEN)
        head = [("Authorization", each) for each in shown]
        for path in ("/metrics", "/status"):
            answer = await doors.client.get(path, headers=head)
            assert answer.status_code == answered
            assert answered == 200 or not answer.content


async def test_nothing_else_is_here_and_nothing_can_be_changed(sqlite_url: str) -> None:
    async with served(sqlite_url) as doors:
        for path in ("/", "/okta/events", "/livez", "/status/", "/metrics/x"):
            assert (await doors.client.get(path)).status_code == 404
        for method in ("POST", "PUT", "DELETE", "PATCH", "HEAD"):
            answer = await doors.client.request(method, "/status")
            assert (answer.status_code, answer.headers["allow"]) == (405, "GET")


async def test_what_waits_for_somebody_is_told_with_its_age(sqlite_url: str) -> None:
    async with served(sqlite_url) as doors:
        await doors.fill()
        found = await doors.metrics()
    assert 0 < found["hooks_oldest_seconds,dead"] < 60
    assert found["hooks_oldest_seconds,held"] == found["hooks_oldest_seconds,parked"] == 0


async def test_what_the_last_audit_found_is_told_by_kind(sqlite_url: str) -> None:
    def audit(tx: Tx) -> None:
        run = audits.begin(tx, scheduled=True, young=timedelta(hours=1))
        drift = Drift(DirectoryName("main"), Drifted.SURPLUS, "left", user=OktaUserId(USERS[0]))
        audits.found(tx, run.id, [drift, drift])
        audits.done(tx, run.id, 1)

    async with served(sqlite_url) as doors:
        await doors.database.write(audit)
        found = await doors.metrics()
    assert (found["hooks_drift,surplus"], found["hooks_drift,missing"]) == (2, 0)
