"""Nothing secret or personal leaves: not to logs, figures, status, or the database in clear. Law 9.

Canaries are planted wherever something personal or secret can come in: in logins, in deliveries
and headers, in every vendor's error bodies; then everything that can come out is searched.
"""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import structlog
from prometheus_client import generate_latest

from hooks import logs
from hooks.operations import Tally, create_operations
from tests.running import SECRET, Running
from tests.stories.company import Company

#: Somebody's login, what a vendor says, what a stranger sends: each with a word of its own.
PERSON, VENDOR, STRANGER = "canaryperson7f3a", "canaryvendor91bc", "canarystranger55d0"
LEAK = {
    "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
    "errorCode": f"E{VENDOR}",
    "errorSummary": f"{VENDOR}@example.com may not {VENDOR}",
    "detail": f"{VENDOR}@example.com",
    "message": VENDOR,
    "errors": [{"id": VENDOR, "title": VENDOR, "detail": f"{VENDOR}@example.com"}],
}


@contextmanager
def told() -> Iterator[io.StringIO]:
    """Every log line, as a container would write it."""
    before = structlog.get_config()
    stream = io.StringIO()
    logs.begin(stream)
    structlog.configure(cache_logger_on_first_use=False)
    try:
        yield stream
    finally:
        structlog.configure(**before)


async def stranger(run: Running) -> None:
    """Deliveries nobody at Okta wrote, with the secret and without."""
    event = {
        "uuid": str(uuid.uuid4()),
        "eventType": f"user.{STRANGER}",
        "published": STRANGER,
        "actor": {"alternateId": f"{STRANGER}@example.com"},
        "target": [{"type": "User", "id": STRANGER, "displayName": STRANGER}],
    }
    bodies = [
        json.dumps({"data": {"events": [event]}}),
        json.dumps({"data": {"events": [{**event, "eventType": "user.lifecycle.deactivate"}]}}),
        json.dumps({"data": STRANGER}),
        f"{STRANGER}@example.com",
    ]
    async with httpx.AsyncClient(base_url=run.url) as client:
        for body in bodies:
            for secret in (SECRET, STRANGER):
                await client.post(
                    f"/okta/events?{STRANGER}",
                    content=body,
                    headers={"Authorization": secret, f"X-{STRANGER}": STRANGER},
                )
        await client.get(f"/{STRANGER}")
        challenge = {"Authorization": SECRET, "X-Okta-Verification-Challenge": f"{STRANGER}\x7f"}
        await client.get("/okta/events", headers=challenge)


async def published(run: Running) -> str:
    """What metrics and status show."""
    app = create_operations(
        tally=Tally(run.house.database),
        about=lambda: {"vendors": run.house.vendors()},
        token=lambda: None,
    )
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://hooks") as client:
        return "".join([(await client.get(path)).text for path in ("/metrics", "/status")])


def _stored(folder: Path) -> bytes:
    """Every byte of the database and its log."""
    return b"".join(each.read_bytes() for each in folder.glob("hooks.db*"))


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 429, 500, 503])
async def test_no_canary_comes_out(
    company: Company, tmp_path: Path, status: int, capfd: pytest.CaptureFixture[str]
) -> None:
    ann, bob = company.hire(PERSON, "red", "green"), company.hire(f"{PERSON}b", "red")
    database = tmp_path / "hooks.db"
    more = f'[protect]\nusers = ["{PERSON}c@somedomain.example"]\n[audit]\napply = true\n'
    rules = '[[local_group]]\nname = "jira-software-users"\n'
    with company.world.long_ago():
        company.world.add_local_group("jira-software-users")
        company.world.local_add("jira-software-users", ann)
    with told() as stream:
        async with company.service(
            f"sqlite:///{database}", tmp_path, more=more, rules=rules
        ) as run:
            world = company.world
            for vendor in ("okta", "scim", "org"):
                world.fault(vendor, status=status, body=json.dumps(LEAK).encode(), times=40)
            world.deactivate(ann)
            world.remove_from_group(bob, "red")
            await stranger(run)
            await run.deliver()
            for _ in range(4):
                await run.work()
                run.time.push(timedelta(minutes=2))
            world.clear()
            run.time.push(timedelta(minutes=30))
            await run.settle()
            assert company.groups(ann) == set(), "it went on afterwards"
            out = await published(run) + generate_latest().decode()
            secrets = [
                world.credentials.api_token,
                world.organization.api_key,
                SECRET,
                *(each.key for each in world.directories.values()),
            ]
            said = stream.getvalue() + "".join(capfd.readouterr()) + out
            files = _stored(tmp_path)
    assert '"event": "look"' in said, "the log was read"
    for word in (PERSON, VENDOR, STRANGER, *secrets):
        assert word not in said, word
    for word in (PERSON, VENDOR, *secrets):
        assert word.encode() not in files, word
    assert f"{STRANGER}@example.com".encode() not in files
