"""The public doors over real HTTP: what each request is answered, and what is stored then."""

from __future__ import annotations

import asyncio
import json
import socket
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from uuid import uuid4

import pytest
import uvloop
from structlog.testing import capture_logs

from hooks import app
from hooks.app import BODY_SECONDS, MOST_BYTES, MOST_HELD_BYTES, Hook, Readiness, create_app
from hooks.clock import Clock
from hooks.core.ids import OktaAppId
from hooks.core.log_event import Delivery, read_delivery
from hooks.core.payload import Envelope, opened
from hooks.listener import HEAD_SECONDS, Listener, bind
from hooks.store import cursor, inbox, schema
from hooks.store.database import Database
from hooks.store.intake import Intake, Stored
from hooks.store.sealing import Sealer
from tests.postgres import Postgres

SECRET, NEXT = "the-secret-that-okta-shows-us-today", "the-secret-that-okta-shows-tomorrow"
AUTH = f"Authorization: {SECRET}"
APP = "0oa00000000000000001"


@dataclass
class Doors:
    """The doors as they are served, and what is behind them."""

    port: int
    database: Database
    readiness: Readiness
    listener: Listener
    secrets: list[bytes]
    rung: list[bool] = field(default_factory=list)

    async def stored(self) -> int:
        return await self.database.read(inbox.counted)

    async def talk(self, *parts: bytes, pause: float = 0.0) -> bytes:
        """Send the parts and read until the other side ends the connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        said: list[bytes] = []

        async def listen() -> None:
            with suppress(ConnectionError):
                while part := await reader.read(65536):
                    said.append(part)

        listening = asyncio.create_task(listen())
        with suppress(ConnectionError):
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(pause)
        await asyncio.wait_for(listening, 10)
        writer.close()
        return b"".join(said)

    async def ask(
        self, body: bytes = b"", *head: str, first: str = "POST /okta/events"
    ) -> tuple[int, bytes]:
        """One request on a connection of its own; status and all that was answered."""
        length = f"Content-Length: {len(body)}"
        said = await self.talk(request(body, *head, length, "Connection: close", first=first))
        return status(said), said

    async def post(self, body: bytes, *head: str) -> int:
        return (await self.ask(body, AUTH, *head))[0]


def request(body: bytes, *head: str, first: str = "POST /okta/events") -> bytes:
    lines = [f"{first} HTTP/1.1", "Host: hooks", *head]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def status(said: bytes) -> int:
    return int(said.split(b" ", 2)[1]) if said else 0


def statuses(said: bytes) -> list[int]:
    return [int(each.split(b" ", 1)[0]) for each in said.split(b"HTTP/1.1 ")[1:]]


def event(uuid: str = "", **more: object) -> dict[str, object]:
    target = [{"type": "User", "id": "00u00000000000000001"}]
    known = {"uuid": uuid or str(uuid4()), "eventType": "user.lifecycle.deactivate"}
    return {**known, "published": "2026-11-01T10:00:00.000Z", "target": target, **more}


def delivery(*events: object) -> bytes:
    envelope = {"eventType": "com.okta.event_hook", "eventId": str(uuid4())}
    return json.dumps({**envelope, "data": {"events": list(events)}}).encode()


@asynccontextmanager
async def served(
    url: str,
    *,
    put: Callable[[Delivery], Awaitable[Stored]] | None = None,
    hooked: bool = True,
    body_seconds: float = BODY_SECONDS,
    head_seconds: float = HEAD_SECONDS,
    most_held: int = MOST_HELD_BYTES,
    most_connections: int = 1000,
    stop_seconds: int = 5,
) -> AsyncIterator[Doors]:
    database = Database(url, Clock())
    await asyncio.to_thread(schema.migrate, database)
    intake = Intake(database, Sealer([bytes(32)]), frozenset({OktaAppId(APP)}))
    secrets, rung = [SECRET.encode()], list[bool]()
    readiness = Readiness(
        lambda: database.write(lambda tx: cursor.put(tx, "ready", "")), loaded=lambda: bool(secrets)
    )
    hook = Hook(
        "Authorization", lambda: secrets, put or intake.put, lambda: rung.append(True),
        body_seconds, most_held,
    )  # fmt: skip
    bound = bind("127.0.0.1", 0)
    listener = Listener(
        create_app(readiness=readiness, hook=hook if hooked else None),
        bound,
        most_connections=most_connections,
        head_seconds=head_seconds,
        stop_seconds=stop_seconds,
    )
    port = bound.getsockname()[1]
    listening = asyncio.create_task(listener.listen())
    await listener.up.wait()
    try:
        yield Doors(port, database, readiness, listener, secrets, rung)
    finally:
        listening.cancel()
        await asyncio.wait([listening])
        await intake.aclose()
        database.close()


@pytest.fixture
async def doors(sqlite_url: str) -> AsyncIterator[Doors]:
    async with served(sqlite_url) as found:
        yield found


# -- deliveries that are taken -----------------------------------------------------------------


async def test_a_delivery_is_stored_once_acknowledged_and_the_bell_rung(database_url: str) -> None:
    async with served(database_url) as doors:
        body = delivery(event(), event())
        answered, said = await doors.ask(body, AUTH)
        assert (answered, await doors.stored(), doors.rung) == (204, 2, [True])
        assert said == b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n"
        assert await doors.post(body) == 204
        assert (await doors.stored(), doors.rung) == (2, [True]), "known before: nobody to wake"


@pytest.mark.parametrize(
    "strange",
    [
        pytest.param(delivery(event(target=None)), id="target is null"),
        pytest.param(delivery(event(eventType="event.of.tomorrow")), id="unknown type"),
        pytest.param(delivery({}), id="an event without anything"),
        pytest.param(delivery("not an object"), id="an event that is no object"),
        pytest.param(delivery(event(uuid="nonsense")), id="uuid is nonsense"),
        pytest.param(delivery(event(published=12, actor=[], x={"y": None})), id="odd fields"),
        pytest.param(delivery(event(displayMessage="a\u0000b\ud800")), id="no column holds it"),
        pytest.param(json.dumps({"data": {"events": [event()]}}).encode(), id="bare envelope"),
        pytest.param(b" " * (MOST_BYTES - 400) + delivery(event()), id="nearly 8 MiB"),
    ],
)
async def test_what_is_strange_is_stored_all_the_same(doors: Doors, strange: bytes) -> None:
    assert await doors.post(strange, "Content-Type: text/strange") == 204
    assert await doors.stored() == 1


async def test_a_delivery_without_events_is_acknowledged(doors: Doors) -> None:
    assert await doors.post(delivery()) == 204
    assert doors.rung == []


async def test_parallel_deliveries_are_all_stored_and_repeated_ones_once(database_url: str) -> None:
    async with served(database_url) as doors:
        bodies = [delivery(event()) for _ in range(100)]
        answered = await asyncio.gather(*(doors.post(each) for each in [*bodies, *bodies]))
        assert set(answered) == {204}
        assert await doors.stored() == 100


async def test_a_connection_carries_many_deliveries_pipelined_or_not(doors: Doors) -> None:
    bodies = [delivery(event()) for _ in range(4)]
    said = await doors.talk(
        b"".join(request(each, AUTH, f"Content-Length: {len(each)}") for each in bodies[:2]),
        request(bodies[2], AUTH, f"Content-Length: {len(bodies[2])}"),
        request(bodies[3], AUTH, f"Content-Length: {len(bodies[3])}", "Connection: close"),
        pause=0.1,
    )
    assert statuses(said) == [204] * 4
    assert await doors.stored() == 4


async def test_too_many_requests_behind_one_another_end_the_connection(doors: Doors) -> None:
    said = await doors.talk(b"GET /livez HTTP/1.1\r\nHost: hooks\r\n\r\n" * 5000)
    assert len(statuses(said)) < 100


async def test_a_secret_in_a_trailer_is_none(doors: Doors) -> None:
    body = delivery(event())
    chunked = b"%x\r\n%s\r\n0\r\n%s\r\n\r\n" % (len(body), body, AUTH.encode())
    said = await doors.talk(request(chunked, "Transfer-Encoding: chunked", "Connection: close"))
    assert statuses(said)[0] == 401
    assert await doors.stored() == 0


async def test_blanks_around_the_secret_are_not_part_of_it(doors: Doors) -> None:
    answer, _ = await doors.ask(delivery(event()), f"{AUTH} \t ")
    assert answer == 204


async def test_a_chunked_delivery_is_read_to_its_end(doors: Doors) -> None:
    body = delivery(event())
    chunks = [b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:50], body[50:])]
    head = request(b"", AUTH, "Transfer-Encoding: chunked", "Connection: close")
    assert status(await doors.talk(head, *chunks, b"0\r\n\r\n", pause=0.02)) == 204
    assert await doors.stored() == 1


async def test_who_waits_for_100_continue_gets_it_only_with_the_secret(doors: Doors) -> None:
    body = delivery(event())
    head = [f"Content-Length: {len(body)}", "Expect: 100-continue", "Connection: close"]
    assert statuses(await doors.talk(request(b"", AUTH, *head), body, pause=0.05)) == [100, 204]
    said = await doors.talk(request(b"", *head), body, pause=0.05)
    assert statuses(said) == [401]


# -- who may deliver ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "head",
    [
        pytest.param([], id="none"),
        pytest.param(["Authorization:"], id="empty"),
        pytest.param([f"Authorization: {SECRET}x"], id="longer"),
        pytest.param([f"Authorization: {SECRET[:-1]}"], id="shorter"),
        pytest.param([f"Authorization: {SECRET.upper()}"], id="other case"),
        pytest.param([f"Authorization: Bearer {SECRET}"], id="a scheme before it"),
        pytest.param([AUTH, AUTH], id="twice"),
        pytest.param([AUTH, "Authorization: other"], id="right, then wrong"),
        pytest.param(["authorization: other", AUTH], id="wrong, then right"),
        pytest.param([f"X-Authorization: {SECRET}"], id="in another header"),
        pytest.param([f"Authorization: {SECRET}\xe9"], id="with what is not ASCII"),
    ],
)
async def test_nobody_without_the_secret_gets_in(doors: Doors, head: list[str]) -> None:
    challenge = "X-Okta-Verification-Challenge: word"
    answered, said = await doors.ask(delivery(event()), *head)
    asked, _ = await doors.ask(b"", *head, challenge, first="GET /okta/events")
    assert (answered, asked, await doors.stored()) == (401, 401, 0)
    assert said == b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


async def test_both_secrets_are_good_while_there_are_two(doors: Doors) -> None:
    async def shown(secret: str) -> int:
        return (await doors.ask(delivery(event()), f"Authorization: {secret}"))[0]

    assert (await shown(SECRET), await shown(NEXT)) == (204, 401)
    doors.secrets.append(NEXT.encode())
    assert (await shown(SECRET), await shown(NEXT)) == (204, 204)
    doors.secrets.pop(0)
    assert (await shown(SECRET), await shown(NEXT)) == (401, 204)
    assert await doors.stored() == 4


async def test_without_any_secret_of_ours_a_delivery_may_come_again(doors: Doors) -> None:
    for ours in ([], [b""]):
        doors.secrets[:] = ours
        for head in ([AUTH], ["Authorization:"], []):
            answered, said = await doors.ask(delivery(event()), *head)
            asked, _ = await doors.ask(b"", *head, first="GET /okta/events")
            assert (answered, asked, await doors.stored()) == (503, 503, 0)
            assert b"\r\nretry-after: 1\r\n" in said
    doors.secrets[:] = [SECRET.encode()]
    assert await doors.post(delivery(event())) == 204


@pytest.mark.parametrize(
    ("challenges", "answered"),
    [
        pytest.param(["MDAwd29yZA=="], 200, id="as Okta sends it"),
        pytest.param(['quo"te\\'], 200, id="what JSON must escape"),
        pytest.param([], 400, id="none"),
        pytest.param([""], 400, id="empty"),
        pytest.param(["one", "two"], 400, id="two"),
        pytest.param(["w" * 1025], 400, id="too long"),
        pytest.param(["w\xf6rd"], 400, id="not ASCII"),
        pytest.param(["a\tb"], 400, id="not printable"),
    ],
)
async def test_a_challenge_is_answered(doors: Doors, challenges: list[str], answered: int) -> None:
    head = [f"X-Okta-Verification-Challenge: {each}" for each in challenges]
    got, said = await doors.ask(b"", AUTH, *head, first="GET /okta/events")
    _, _, body = said.partition(b"\r\n\r\n")
    assert got == answered
    if answered == 200:
        assert b"\r\ncontent-type: application/json\r\n" in said
        assert json.loads(body) == {"verification": challenges[0]}
    else:
        assert body == b""


# -- deliveries that are not taken -------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "head", "answered"),
    [
        pytest.param(b"", [], 400, id="nothing"),
        pytest.param(b"not json", [], 400, id="not JSON"),
        pytest.param(b"\xff\xfe{}", [], 400, id="not UTF-8"),
        pytest.param(b"[" * 100_000, [], 400, id="nested too deeply"),
        pytest.param(b"[]", [], 400, id="not an object"),
        pytest.param(b'{"data":{"events":{}}}', [], 400, id="events is no list"),
        pytest.param(b'{"data":null}', [], 400, id="no data"),
        pytest.param(delivery(event())[:-1], [], 400, id="cut"),
        pytest.param(delivery(event()) + b"x", [], 400, id="something behind it"),
        pytest.param(delivery(event()), ["Content-Encoding: gzip"], 415, id="gzip"),
        pytest.param(
            delivery(event()), ["Content-Encoding: identity, br"], 415, id="identity and more"
        ),
        pytest.param(b" " * MOST_BYTES + delivery(event()), [], 413, id="more than 8 MiB"),
    ],
)  # fmt: skip
async def test_what_cannot_be_taken_leaves_nothing(
    doors: Doors, body: bytes, head: list[str], answered: int
) -> None:
    got, said = await doors.ask(body, AUTH, *head)
    assert (got, await doors.stored(), doors.rung) == (answered, 0, [])
    assert said.endswith(b"\r\n\r\n")
    assert b"date:" not in said
    assert b"server:" not in said


async def test_identity_is_no_encoding(doors: Doors) -> None:
    assert await doors.post(delivery(event()), "Content-Encoding: Identity") == 204


async def test_too_large_a_body_is_refused_by_its_length_unread(doors: Doors) -> None:
    head = request(b"", AUTH, f"Content-Length: {MOST_BYTES + 1}")
    began = time.monotonic()
    said = await doors.talk(head)
    assert status(said) == 413
    assert time.monotonic() - began < 5


async def test_who_reads_nothing_before_all_is_sent_gets_the_answer_too(doors: Doors) -> None:
    def talk() -> bytes:
        with socket.create_connection(("127.0.0.1", doors.port), timeout=10) as simple:
            simple.sendall(request(b"", AUTH, f"Content-Length: {MOST_BYTES + 2**20}"))
            simple.sendall(b" " * (MOST_BYTES + 2**20))
            return simple.recv(100)

    assert status(await asyncio.to_thread(talk)) == 413


async def test_too_large_a_chunked_body_is_cut(doors: Doors) -> None:
    head = request(b"", AUTH, "Transfer-Encoding: chunked")
    chunk = b"%x\r\n%s\r\n" % (2**20, b" " * 2**20)
    began = time.monotonic()
    said = await doors.talk(head, *[chunk] * 12)
    assert statuses(said) == [413]
    assert time.monotonic() - began < 5, "there is no last chunk to wait for"
    assert await doors.stored() == 0


@pytest.mark.parametrize(
    ("head", "answered"),
    [
        pytest.param([], 401, id="no secret"),
        pytest.param([AUTH, "Content-Encoding: gzip"], 415, id="encoded"),
    ],
)
async def test_an_unread_body_is_never_taken_for_the_next_request(
    doors: Doors, head: list[str], answered: int
) -> None:
    inner = delivery(event())
    hidden = request(inner, AUTH, f"Content-Length: {len(inner)}")
    for length in (len(hidden), 10_000_000):
        said = await doors.talk(request(hidden, *head, f"Content-Length: {length}"))
        assert statuses(said) == [answered], "one answer, then the end"
    chunked = b"%x\r\n%s\r\n" % (len(hidden), hidden)
    said = await doors.talk(request(chunked, *head, "Transfer-Encoding: chunked"))
    assert statuses(said) == [answered]
    said = await doors.talk(request(b"x" + hidden, *head, "Content-Length: 1"))
    assert statuses(said) == [answered], "not even what is honestly the next request"
    assert await doors.stored() == 0


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(["Content-Length: 5", "Transfer-Encoding: chunked"], id="both lengths"),
        pytest.param(["Content-Length: 5", "Content-Length: 6"], id="two lengths"),
        pytest.param(["Content-Length: -1"], id="negative"),
        pytest.param(["Transfer-Encoding: gzip"], id="no length at all"),
        pytest.param(["Content Length: 5"], id="a space in a name"),
    ],
)
async def test_a_head_that_two_readers_would_read_differently_ends_the_connection(
    doors: Doors, head: list[str]
) -> None:
    inner = delivery(event())
    hidden = request(inner, AUTH, f"Content-Length: {len(inner)}")
    said = await doors.talk(request(hidden, AUTH, *head))
    assert statuses(said) == [400]
    assert await doors.stored() == 0


@pytest.mark.parametrize(
    ("first", "answered", "allow"),
    [
        ("PUT /okta/events", 405, b"allow: GET, POST\r\n"),
        ("HEAD /okta/events", 405, b"allow: GET, POST\r\n"),
        ("DELETE /okta/events", 405, b"allow: GET, POST\r\n"),
        ("OPTIONS /okta/events", 405, b"allow: GET, POST\r\n"),
        ("POST /livez", 405, b"allow: GET\r\n"),
        ("HEAD /readyz", 405, b"allow: GET\r\n"),
        ("GET /", 404, b""),
        ("POST /okta/events/", 404, b""),
        ("POST /okta", 404, b""),
        ("GET /metrics", 404, b""),
        ("GET /status", 404, b""),
        ("GET /docs", 404, b""),
        ("GET /livez?x=1", 200, b""),
    ],
)
async def test_nothing_else_is_on_this_listener(
    doors: Doors, first: str, answered: int, allow: bytes
) -> None:
    got, said = await doors.ask(b"", AUTH, first=first)
    assert got == answered
    assert allow in said
    assert said.endswith(b"\r\n\r\n")


# -- our own trouble ---------------------------------------------------------------------------


async def test_a_store_that_is_gone_is_503_until_it_is_back(
    postgres: Postgres, postgresql_url: str
) -> None:
    async with served(postgresql_url) as doors:
        lost = delivery(event())
        # The tests' server does not wait for its disk: what it just wrote would go with it.
        await doors.database.write(lambda tx: tx.connection.exec_driver_sql("CHECKPOINT"))
        postgres.crash()
        try:
            answered, said = await doors.ask(lost, AUTH)
            ready = (await doors.ask(b"", first="GET /readyz"))[0]
        finally:
            postgres.start()
        assert (answered, ready) == (503, 503)
        assert b"retry-after: 1\r\n" in said
        assert await doors.post(lost) == 204
        assert await doors.stored() == 1
        await asyncio.sleep(1.05)
        assert (await doors.ask(b"", first="GET /readyz"))[0] == 200


async def test_a_full_disk_is_503_until_there_is_room(doors: Doors) -> None:
    def limit(pages: int) -> Awaitable[object]:
        pragma = f"PRAGMA max_page_count = {pages}"
        return doors.database.write(lambda tx: tx.connection.exec_driver_sql(pragma).all())

    large = delivery(event(displayMessage="x" * 500_000))
    await limit(1)  # SQLite takes this for the size it has now
    with capture_logs() as lines:
        assert [await doors.post(large) for _ in range(3)] == [503] * 3
    assert [each["event"] for each in lines] == ["not_stored"], "told once a minute, not each time"
    assert (await doors.stored(), doors.rung) == (0, [])
    await limit(1_000_000)
    assert await doors.post(large) == 204
    assert await doors.stored() == 1


async def test_one_delivery_that_does_not_fit_takes_no_other_with_it(doors: Doors) -> None:
    large = delivery(event(displayMessage="x" * 500_000))
    await doors.database.write(
        lambda tx: tx.connection.exec_driver_sql("PRAGMA max_page_count = 80").all()
    )
    small = [delivery(event()) for _ in range(20)]
    got = await asyncio.gather(*(doors.post(each) for each in [large, *small]))
    assert got == [503] + [204] * 20
    assert await doors.stored() == 20


async def test_a_fault_of_ours_is_503_and_told_by_its_type_alone(sqlite_url: str) -> None:
    async def fails(_: Delivery) -> Stored:
        raise RuntimeError("somebody@example.com")

    async with served(sqlite_url, put=fails) as doors:
        with capture_logs() as lines:
            answered, said = await doors.ask(delivery(event()), AUTH)
        assert answered == 503
        assert b"retry-after: 1\r\n" in said
        assert [each["error"] for each in lines] == ["RuntimeError"]
        assert "example" not in str(lines)
        assert doors.rung == []


async def test_who_is_still_waiting_at_the_end_is_told_503(
    sqlite_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def hangs(_: Delivery) -> Stored:
        await asyncio.sleep(60)
        raise AssertionError

    async with served(sqlite_url, put=hangs, stop_seconds=1) as doors:
        asked = asyncio.create_task(doors.ask(delivery(event()), AUTH))
        await asyncio.sleep(0.1)
        doors.listener.stop()
        assert (await asked)[0] == 503
    assert [each.message for each in caplog.records if each.levelname == "ERROR"] == []


# -- people with time --------------------------------------------------------------------------


async def test_a_body_that_does_not_come_is_not_waited_for(sqlite_url: str) -> None:
    async with served(sqlite_url, body_seconds=0.3) as doors:
        began = time.monotonic()
        said = await doors.talk(request(b'{"data"', AUTH, "Content-Length: 100"))
        assert status(said) == 408
        assert time.monotonic() - began < 1.2, "what does not come is not waited for once more"
        drip = [request(b"", AUTH, "Transfer-Encoding: chunked"), *[b"1\r\n \r\n"] * 40]
        assert status(await doors.talk(*drip, pause=0.05)) == 408
        assert await doors.stored() == 0


async def test_a_head_that_does_not_come_is_not_waited_for(sqlite_url: str) -> None:
    async with served(sqlite_url, head_seconds=0.3) as doors:
        began = time.monotonic()
        slow = [b"GET /livez HT", *[b"X-A: b\r\n"] * 40]
        blank = [request(b"", first="GET /livez"), *[b"\r\n"] * 40]
        for parts in ([b""], slow, blank):
            with suppress(ConnectionError):
                await doors.talk(*parts, pause=0.05)
        assert time.monotonic() - began < 6
        assert not doors.listener.server_state.connections


async def poured(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
    """Send on and on; the bytes that went before nobody took any more, 64 MiB at most."""
    sent = 0
    with suppress(ConnectionError):
        for _ in range(1000):
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 65536
        await reader.read()
    writer.close()
    return sent


async def test_a_head_without_end_is_cut(doors: Doors) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", doors.port)
    writer.write(b"GET /livez HTTP/1.1\r\nX-Long: ")
    assert await poured(reader, writer) < 10 * 2**20


@pytest.mark.parametrize(
    ("first", "head", "start"),
    [
        pytest.param("POST /nothing", (), b"0\r\nX: ", id="a trailer, no secret"),
        pytest.param("POST /okta/events", (AUTH,), b"0\r\nX: ", id="a trailer"),
        pytest.param("POST /okta/events", (AUTH,), b"2;", id="a chunk's extension"),
    ],
)
async def test_what_stands_beside_a_body_without_end_is_cut(
    doors: Doors, first: str, head: tuple[str, ...], start: bytes
) -> None:
    """The parser joins it anew at each read, which would be all that anybody's time is spent on."""
    chunked = request(b"2\r\n{}\r\n", *head, "Transfer-Encoding: chunked", first=first)
    reader, writer = await asyncio.open_connection("127.0.0.1", doors.port)
    writer.write(chunked + start)
    assert await poured(reader, writer) < 10 * 2**20
    assert not doors.listener.server_state.connections
    assert await doors.post(delivery(event())) == 204


async def test_chunks_as_small_as_they_can_be_are_a_delivery(doors: Doors) -> None:
    """However much stands between its bytes, a body that goes on is read."""
    body = delivery(event(displayMessage="x" * 12_000))
    chunks = b"".join(b"1;ext=ignored\r\n%c\r\n" % each for each in body) + b"0\r\n\r\n"
    head = request(b"", AUTH, "Transfer-Encoding: chunked", "Connection: close")
    parts = [chunks[at : at + 50_000] for at in range(0, len(chunks), 50_000)]
    assert status(await doors.talk(head, *parts)) == 204
    assert await doors.stored() == 1


async def test_many_events_are_read_apart_and_one_delivery_at_a_time(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, most, here = 0, 0, set[int]()

    def slowly(envelope: Envelope) -> Delivery:
        nonlocal inside, most
        here.add(threading.get_ident())
        inside += 1
        most = max(most, inside)
        time.sleep(0.1)
        inside -= 1
        return read_delivery(envelope)

    monkeypatch.setattr(app, "read_delivery", slowly)
    monkeypatch.setattr(app, "parse_delivery", lambda body: slowly(opened(body)))
    crowd = delivery(*(event() for _ in range(150)))
    large = delivery(event(displayMessage="x" * 300_000))
    answered = await asyncio.gather(*(doors.post(each) for each in (crowd, large) * 3))
    assert answered == [204] * 6
    assert most == 1, "several at once would hold the interpreter, and the memory"
    assert threading.get_ident() not in here
    assert await doors.post(delivery(event())) == 204
    assert threading.get_ident() in here, "a usual delivery does not wait for a thread"


def test_who_leaves_with_requests_behind_one_another_is_nobodys_fault(
    sqlite_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """On the loop that serves: to write to who is gone is an error there."""

    async def leave() -> None:
        came, gone = asyncio.Event(), asyncio.Event()

        async def waits(_: Delivery) -> Stored:
            came.set()
            await gone.wait()
            return Stored(1, 0)

        async with served(sqlite_url, put=waits) as doors:
            _, writer = await asyncio.open_connection("127.0.0.1", doors.port)
            body = delivery(event())
            first = request(body, AUTH, f"Content-Length: {len(body)}")
            writer.write(first + request(b"", first="GET /livez"))
            await came.wait()
            writer.transport.abort()
            await asyncio.sleep(0.1)
            assert not doors.listener.server_state.connections
            gone.set()
            await asyncio.sleep(0.05)
            assert not doors.listener.server_state.tasks
            assert doors.rung == [True]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(leave())
    assert [each.message for each in caplog.records if each.levelname == "ERROR"] == []


async def test_bodies_held_at_once_have_a_limit(sqlite_url: str) -> None:
    async with served(sqlite_url, most_held=100_000) as doors:
        body = delivery(event(displayMessage="x" * 60_000))
        head = request(b"", AUTH, f"Content-Length: {len(body)}", "Connection: close")
        first = asyncio.create_task(doors.talk(head + body[:-10], body[-10:], pause=0.3))
        await asyncio.sleep(0.1)
        assert await doors.post(body) == 503, "there is no room for a second one"
        assert status(await first) == 204
        assert await doors.post(body) == 204, "the room was given back"


async def test_the_room_of_a_body_that_is_too_slow_is_given_back(sqlite_url: str) -> None:
    async with served(sqlite_url, most_held=100_000, body_seconds=0.3) as doors:
        body = delivery(event(displayMessage="x" * 60_000))
        head = request(b"", AUTH, f"Content-Length: {len(body)}")
        assert status(await doors.talk(head + body[:-10])) == 408
        assert await doors.post(body) == 204


async def test_the_room_of_a_body_that_breaks_off_is_given_back(sqlite_url: str) -> None:
    async with served(sqlite_url, most_held=100_000) as doors, asyncio.timeout(8):
        body = delivery(event(displayMessage="x" * 60_000))
        _, writer = await asyncio.open_connection("127.0.0.1", doors.port)
        writer.write(request(b"", AUTH, f"Content-Length: {len(body)}") + body[:-10])
        while await doors.post(body) != 503:
            pass  # until it is held so far
        writer.close()
        while await doors.post(body) != 204:
            pass  # until it was given back


async def test_over_the_limit_a_connection_is_answered_unread(sqlite_url: str) -> None:
    async with served(sqlite_url, most_connections=2) as doors:
        idle = [await asyncio.open_connection("127.0.0.1", doors.port) for _ in range(2)]
        await asyncio.sleep(0.05)
        said = await doors.talk()
        assert status(said) == 503
        assert b"retry-after: 1\r\n" in said
        for _, writer in idle:
            writer.close()
        await asyncio.sleep(0.05)
        assert await doors.post(delivery(event())) == 204


async def test_an_upgrade_is_answered_and_is_the_end(doors: Doors) -> None:
    head = request(b"", "Upgrade: h2c", "Connection: Upgrade", first="GET /livez")
    assert statuses(await doors.talk(head, b"anything")) == [200]


# -- probes ------------------------------------------------------------------------------------


async def test_ready_means_the_store_takes_a_write_and_a_secret_is_there(doors: Doors) -> None:
    async def probed(path: str) -> int:
        return (await doors.ask(b"", first=f"GET {path}"))[0]

    assert await probed("/readyz") == 200
    doors.secrets.clear()
    assert (await probed("/readyz"), await probed("/livez")) == (503, 200)
    doors.secrets.append(SECRET.encode())
    assert await probed("/readyz") == 200
    doors.readiness.closing = True
    assert (await probed("/readyz"), await probed("/livez")) == (503, 200)


async def test_a_store_that_somebody_holds_is_not_ready(doors: Doors) -> None:
    with sqlite3.connect(str(doors.database._engine.url.database), isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        assert (await doors.ask(b"", first="GET /readyz"))[0] == 503
        other.execute("ROLLBACK")
    other.close()
    await asyncio.sleep(1.05)
    assert (await doors.ask(b"", first="GET /readyz"))[0] == 200


async def test_many_probes_ask_the_store_once_and_none_waits_for_long() -> None:
    asked: list[bool] = []

    async def hangs() -> None:
        asked.append(True)
        await asyncio.sleep(60)

    readiness = Readiness(hangs, loaded=lambda: True, patience=0.1)
    began = time.monotonic()
    assert set(await asyncio.gather(*(readiness() for _ in range(50)))) == {False}
    assert not await readiness()
    assert (len(asked), time.monotonic() - began < 1) == (1, True)


async def test_a_probe_s_answer_is_good_for_a_second() -> None:
    asked: list[bool] = []

    async def takes() -> None:
        asked.append(True)

    readiness = Readiness(takes, loaded=lambda: True)
    for _ in range(20):
        assert await readiness()
    assert asked == [True]


async def test_without_a_hook_there_are_only_probes(sqlite_url: str) -> None:
    async with served(sqlite_url, hooked=False) as doors:
        assert await doors.post(delivery(event())) == 404
        assert (await doors.ask(b"", first="GET /readyz"))[0] == 200
        assert await doors.stored() == 0
