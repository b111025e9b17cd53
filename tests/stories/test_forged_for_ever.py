"""A caller who knows the secret goes on and on: a leaver's access must not be kept by that."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from pathlib import Path

import httpx

from tests.running import SECRET, Running
from tests.stories.company import Company


def event(run: Running, kind: str, user: str, app: str = "") -> dict[str, object]:
    named = (("User", user), ("AppInstance", app))
    return {
        "uuid": str(uuid.uuid4()),
        "eventType": kind,
        "published": run.time.now().isoformat(),
        "outcome": {"result": "SUCCESS"},
        "target": [{"type": what, "id": known} for what, known in named if known],
    }


async def forge(run: Running, *events: dict[str, object]) -> None:
    body = {"eventId": str(uuid.uuid4()), "data": {"events": list(events)}}
    async with httpx.AsyncClient() as client:
        answer = await client.post(
            f"{run.url}/okta/events",
            headers={"Authorization": SECRET},
            content=json.dumps(body).encode(),
        )
    assert answer.status_code == 204


async def after(run: Running, seconds: float) -> None:
    run.time.push(timedelta(seconds=seconds))
    await run.work()


async def test_a_flood_of_returns_keeps_a_leaver_in_for_a_minute_and_no_longer(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    ann = company.hire("ann", "red")
    async with company.service(sqlite_url, tmp_path) as run:
        company.world.deactivate(ann)
        company.world.outbox.clear()
        me = run.id(ann)
        for _ in range(4):
            await forge(run, *(event(run, "user.lifecycle.activate", me) for _ in range(501)))
            await after(run, 45)
            await after(run, 0)
        assert company.groups(ann) == set()


async def test_claims_that_take_turns_share_one_patience(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    ann = company.hire("ann", "red")
    async with company.service(sqlite_url, tmp_path) as run:
        company.world.deactivate(ann)
        company.world.outbox.clear()
        me, app = run.id(ann), company.app.id
        await forge(run, event(run, "application.user_membership.add", me, app))
        await after(run, 0)
        for turn in range(6):
            for _ in range(5):
                await after(run, 9)
            if turn % 2 == 0:
                await forge(
                    run,
                    event(run, "application.user_membership.remove", me, app),
                    event(run, "user.lifecycle.activate", me),
                )
            else:
                await forge(run, event(run, "user.lifecycle.deactivate", me))
                run.time.push(timedelta(milliseconds=10))
                await forge(run, event(run, "application.user_membership.add", me, app))
            await after(run, 0.01)
        assert company.groups(ann) == set()
