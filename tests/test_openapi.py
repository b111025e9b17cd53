"""What infra/openapi.json says of both doors is so, whatever is sent there."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from hooks.app import Hook, Readiness, create_app
from hooks.clock import Clock
from hooks.core.ids import OktaAppId
from hooks.listener import Listener, bind
from hooks.operations import Tally, create_operations
from hooks.release import release
from hooks.store import schema as store_schema
from hooks.store.database import Database
from hooks.store.intake import Intake
from hooks.store.sealing import Sealer

SECRET = "the-secret-that-okta-shows-us-today"
TOKEN = "a-token-of-some-length-for-operations"
DESCRIPTION: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "infra" / "openapi.json").read_text()
)
OPENAPI = schemathesis.openapi.from_dict(DESCRIPTION)
#: Whether a body is refused is not for the description to say: Okta's is not judged.
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@dataclass
class Served:
    """Both listeners in a thread of their own."""

    public: str
    operations: str
    database: Database

    def url(self, path: str) -> str:
        return self.operations if path in ("/metrics", "/status") else self.public


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    ready, stop, found = threading.Event(), threading.Event(), list[Served]()
    url = f"sqlite:///{tmp_path_factory.mktemp('openapi') / 'hooks.db'}"
    thread = threading.Thread(target=lambda: asyncio.run(_serve(url, found, ready, stop)))
    thread.start()
    assert ready.wait(30)
    yield found[0]
    stop.set()
    thread.join(30)


async def _serve(
    url: str, found: list[Served], ready: threading.Event, stop: threading.Event
) -> None:
    database = Database(url, Clock())
    store_schema.migrate(database)
    intake = Intake(database, Sealer([bytes(32)]), frozenset[OktaAppId]())
    hook = Hook("Authorization", lambda: [SECRET.encode()], intake.put, lambda: None)

    async def check() -> None:
        await database.write(lambda _: None)

    public, operations = bind("127.0.0.1", 0), bind("127.0.0.1", 0)
    about = {"version": "1", "role": "serve", "directories": {"main": "observe"}}
    doors = [
        Listener(
            create_app(readiness=Readiness(check, loaded=lambda: True), hook=hook),
            public,
            most_connections=50,
        ),
        Listener(
            create_operations(tally=Tally(database), about=lambda: about, token=lambda: TOKEN),
            operations,
            most_connections=50,
        ),
    ]
    tasks = [asyncio.create_task(each.listen()) for each in doors]
    await asyncio.gather(*(each.up.wait() for each in doors))
    there, elsewhere = (each.getsockname()[1] for each in (public, operations))
    found.append(Served(f"http://127.0.0.1:{there}", f"http://127.0.0.1:{elsewhere}", database))
    ready.set()
    await asyncio.to_thread(stop.wait)
    for each in doors:
        each.stop(quickly=True)
    await asyncio.gather(*tasks)
    await intake.aclose()
    database.close()


@OPENAPI.parametrize()
@settings(
    max_examples=60,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_both_doors_answer_as_they_are_described(
    case: schemathesis.Case[Any], served: Served
) -> None:
    shown = {"/metrics": f"Bearer {TOKEN}", "/status": f"Bearer {TOKEN}"}
    case.headers["Authorization"] = shown.get(case.path, SECRET)
    case.call_and_validate(base_url=served.url(case.path), checks=CHECKS)


@OPENAPI.parametrize()
@settings(max_examples=15, derandomize=True, phases=[Phase.generate])
def test_nobody_is_let_in_without_the_secret(case: schemathesis.Case[Any], served: Served) -> None:
    case.headers["Authorization"] = "Bearer something else"
    answer = case.call(base_url=served.url(case.path))
    open_to_all = case.path in ("/livez", "/readyz")
    assert answer.status_code == (200 if open_to_all else 401)


HOSTILE = [
    pytest.param(b"[" * 1_000_000, id="a million lists in each other"),
    pytest.param(b'{"data":' * 100_000 + b"1" + b"}" * 100_000, id="objects in each other"),
    pytest.param(b'{"data":{"events":[' + b"1" * 1_000_000 + b"]}}", id="a number of a megabyte"),
    pytest.param(b'{"data":{"events":[1e999999]}}', id="a number beyond all"),
    pytest.param(b'{"data":{"events":[{"uuid":"a","uuid":"b"}]}}', id="a key twice"),
    pytest.param(b'{"data":{"events":[{"uuid":"\\ud800"}]}}', id="half a surrogate"),
    pytest.param(b'{"data":{"events":[{"uuid":"\\u0000"}]}}', id="a NUL"),
    pytest.param(b"\xff\xfe{}", id="another encoding"),
    pytest.param(b'{"data":{"events":[' + b"{}," * 200_000 + b"{}]}}", id="200,000 empty events"),
    pytest.param(
        b'{"data":{"events":[{"target":[' + b'{"id":"x"},' * 100_000 + b"{}]}]}}",
        id="100,000 targets",
    ),
    pytest.param(b'{"' + b"k" * 4_000_000 + b'":1}', id="a key of four megabytes"),
]


@pytest.mark.parametrize("body", HOSTILE)
def test_no_body_makes_the_door_fail(body: bytes, served: Served) -> None:
    answer = httpx.post(
        f"{served.public}/okta/events", content=body, headers={"Authorization": SECRET}, timeout=30
    )
    assert answer.status_code in (204, 400)
    assert httpx.get(f"{served.public}/livez").status_code == 200


def test_the_description_names_this_release() -> None:
    assert DESCRIPTION["info"]["version"] == release()
