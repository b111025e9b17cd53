"""Every way a call can fail, against servers on bare sockets."""

from __future__ import annotations

import asyncio
import gzip
import logging
import os
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import process_time

import aiohttp
import pytest
from prometheus_client import REGISTRY

from hooks.clock import elapsed
from hooks.core.errors import (
    CredentialError,
    ForbiddenError,
    HooksError,
    IncompleteError,
    LeaseLostError,
    LostReplyError,
    NotFoundError,
    RateLimitedError,
    RejectedError,
    SettingsError,
    TransientError,
)
from hooks.gateways import wire
from hooks.gateways.credential import Secret
from hooks.gateways.transport import NoSuchCallError, Transport
from tests.gateways.stage import ANY, Door, Serve, Vault, http

PERSONAL = "someone@somedomain.example"
HTML = b"<html>please log in as " + PERSONAL.encode() + b"</html>"


async def read(transport: Transport, target: str = "/a/1") -> object:
    return (await transport.get("thing", target, ANY)).value


async def change(transport: Transport, left: float = 60) -> None:
    await transport.change("PATCH", "thing", "/a/1", b"{}", deadline=elapsed() + left)


async def ask(transport: Transport) -> object:
    return await transport.ask("thing", "/a/1", b"{}", ANY, content_type="application/json")


async def failure(attempt: Awaitable[object]) -> HooksError:
    with pytest.raises(HooksError) as caught:
        await attempt
    return caught.value


# -- what an answer means ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "reading", "changing"),
    [
        (202, IncompleteError, None),
        (204, IncompleteError, None),
        (206, IncompleteError, None),
        (301, IncompleteError, RejectedError),
        (302, IncompleteError, RejectedError),
        (400, RejectedError, RejectedError),
        (403, ForbiddenError, ForbiddenError),
        (404, NotFoundError, NotFoundError),
        (405, NoSuchCallError, NoSuchCallError),
        (408, TransientError, TransientError),
        (409, RejectedError, RejectedError),
        (413, RejectedError, RejectedError),
        (429, RateLimitedError, RateLimitedError),
        (500, TransientError, LostReplyError),
        (501, TransientError, TransientError),
        (502, TransientError, LostReplyError),
        (503, TransientError, TransientError),
        (504, TransientError, LostReplyError),
    ],
)
async def test_a_status_means_one_thing(
    canned: Serve,
    door: Door,
    status: int,
    reading: type[HooksError],
    changing: type[HooksError] | None,
) -> None:
    body = b'{"errorCode": "E1", "errorSummary": "no ' + PERSONAL.encode() + b'"}'
    server = await canned(http(status, b"" if status == 204 else body, "Location: /elsewhere"))
    error = await failure(read(door(server.origin)))
    assert type(error) is reading
    assert str(error) == f"vendor answered {status} to GET thing"
    assert getattr(error, "code", "E1") == "E1"
    if changing is None:
        await change(door(server.origin))
    else:
        assert type(await failure(change(door(server.origin)))) is changing
    assert len(server.heads) == 2  # nothing followed, nothing repeated


@pytest.mark.parametrize("status", [202, 204, 400, 403, 404, 408, 429, 500, 502, 503, 504])
async def test_a_question_is_a_read_whatever_its_method(
    canned: Serve, door: Door, status: int
) -> None:
    server = await canned(http(status, b"" if status == 204 else b"{}"))
    told = await failure(ask(door(server.origin)))
    assert type(told) is type(await failure(read(door(server.origin))))
    assert str(told) == f"vendor answered {status} to POST thing"


async def test_a_question_is_sent_as_what_it_is(canned: Serve, door: Door) -> None:
    server = await canned(http(200, b"[7]"))
    assert await ask(door(server.origin)) == [7]
    assert "Content-Type: application/json\r\n" in server.heads[0]
    assert server.bodies == [b"{}"]


async def test_a_vendors_word_on_when_is_passed_on(canned: Serve, door: Door) -> None:
    for status in (429, 503):
        server = await canned(http(status, b"", "Retry-After: 30"))
        transport = door(server.origin)
        error = await failure(read(transport))
        assert isinstance(error, TransientError)
        assert error.retry_at is not None


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(http(body=HTML, content_type="text/html"), id="a page"),
        pytest.param(http(body=HTML), id="a page that says it is JSON"),
        pytest.param(http(content_type="text/plain"), id="JSON that says it is text"),
        pytest.param(http(body=b'{"a": 1'), id="half an object"),
        pytest.param(http(body=b""), id="nothing"),
        pytest.param(http(body=b"[1, 2", length=4000)[:-1], id="fewer bytes than announced"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n",
            id="chunks without an end",
        ),
        pytest.param(
            http(200, b"{}", "Link: <http://evil.example/a/1?p=2>; rel=next"), id="foreign link"
        ),
        pytest.param(http(200, b"{}", "Link: </a/1?p=2>; rel=next"), id="a relative link"),
        pytest.param(http(200, b"{}", "Link: /a/1?p=2; rel=next"), id="a broken link"),
    ],
)
async def test_an_answer_that_must_not_be_believed(canned: Serve, door: Door, reply: bytes) -> None:
    async def answer(_: str) -> bytes:
        return (
            reply
            if b"Connection" in reply
            else reply.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1)
        )

    server = await canned(answer)
    error = await failure(read(door(server.origin)))
    assert isinstance(error, IncompleteError)
    assert PERSONAL not in str(error)
    assert error.__cause__ is None


@pytest.mark.parametrize(
    ("link", "believed"),
    [
        ("{origin}/a/1?after=x%2By%2Fz", True),
        ("{origin}/a/2?after=x", False),
        ("{origin}@evil.example/a/1?after=x", False),
        ("https{rest}/a/1?after=x", False),
        ("http://localhost:1/a/1?after=x", False),
        ("http://[/a/1", False),
    ],
)
async def test_the_next_page_is_on_the_same_list(
    canned: Serve, door: Door, link: str, *, believed: bool
) -> None:
    async def answer(head: str) -> bytes:
        more = link.format(origin=server.origin, rest=server.origin.removeprefix("http"))
        return http(200, b"{}", f'Link: <{more}>; rel="next"')

    server = await canned(answer)
    transport = door(server.origin)
    if not believed:
        assert isinstance(await failure(read(transport)), IncompleteError)
        return
    answered = await transport.get("thing", "/a/1", ANY)
    assert answered.next == "/a/1?after=x%2By%2Fz"
    await transport.get("thing", answered.next, ANY)
    assert server.heads[1].startswith("GET /a/1?after=x%2By%2Fz HTTP")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_followed_nowhere(canned: Serve, door: Door, status: int) -> None:
    elsewhere = await canned(http(200, b'{"who": "nobody we know"}'))
    server = await canned(http(status, b"", f"Location: {elsewhere.origin}/a/1"))
    assert isinstance(await failure(read(door(server.origin))), IncompleteError)
    assert elsewhere.heads == []


async def test_a_long_answer_is_cut_off(canned: Serve, door: Door) -> None:
    packed = gzip.compress(b"[" + b" " * 3_000_000 + b"]")
    server = await canned(http(200, packed, "Content-Encoding: gzip"))
    transport = door(server.origin)
    with pytest.raises(IncompleteError, match="too long"):
        await transport.get("thing", "/a", ANY, most_bytes=2_000_000)
    assert (await transport.get("thing", "/a", ANY, most_bytes=4_000_000)).value == []


# -- what may have happened --------------------------------------------------------------------


async def test_a_server_that_cannot_be_reached_got_nothing(door: Door) -> None:
    transport = door("http://127.0.0.1:1")
    for attempt in (read(transport), change(transport)):
        error = await failure(attempt)
        assert type(error) is TransientError
        assert "could not be reached" in str(error)


@pytest.mark.parametrize("reply", [None, b"nonsense\r\n\r\n", b"HTTP/1.1 200"])
async def test_a_change_without_a_reply_is_lost_and_a_read_is_not(
    canned: Serve, door: Door, reply: bytes | None
) -> None:
    async def answer(_: str) -> bytes | None:
        return None if reply is None else reply + b"\r\nConnection: close\r\n"

    server = await canned(answer)
    assert type(await failure(read(door(server.origin)))) is TransientError
    assert type(await failure(change(door(server.origin)))) is LostReplyError


async def test_a_stale_connection_loses_a_change_at_most(canned: Serve, door: Door) -> None:
    """The server closes while we write: a read is sent again below us, a change is not."""
    methods = frozenset({"GET", "PATCH", "DELETE"})

    async def answer(head: str) -> bytes | None:
        return http() if "GET" in head else None

    for method in ("PATCH", "DELETE"):  # HTTP calls only the second one idempotent
        server = await canned(answer)
        transport = door(server.origin)
        transport._methods = methods
        await read(transport)
        sent = transport.change(method, "thing", "/a/1", None, deadline=elapsed() + 60)
        assert type(await failure(sent)) is LostReplyError
        assert sum(method in head for head in server.heads) == 1


async def test_a_change_is_taken_whatever_becomes_of_its_body(canned: Serve, door: Door) -> None:
    async def answer(_: str) -> bytes:
        return http(200, b'{"id": 1', "Connection: close", length=5000)

    server = await canned(answer)
    await change(door(server.origin))


async def test_the_connection_outlives_a_group_and_not_a_crowd(canned: Serve, door: Door) -> None:
    for size, connections in ((900_000, 1), (9_000_000, 2)):
        server = await canned(http(200, b" " * size))
        transport = door(server.origin)
        began = elapsed()
        await change(transport)
        await change(transport)
        assert server.connections == connections
        assert elapsed() - began < 1


async def test_a_slow_server_is_given_up(
    canned: Serve, door: Door, client: aiohttp.ClientSession
) -> None:
    async def answer(_: str) -> bytes:
        await asyncio.sleep(1)
        return http()

    server = await canned(answer)
    client._timeout = aiohttp.ClientTimeout(total=0.1)
    assert type(await failure(read(door(server.origin)))) is TransientError
    assert type(await failure(change(door(server.origin)))) is LostReplyError


async def test_ten_seconds_mean_ten_and_not_eleven() -> None:
    async with wire.open_client() as client:
        assert client.timeout.total == wire.CALL_SECONDS < 15
        assert client.timeout.ceil_threshold >= wire.CALL_SECONDS


async def test_no_change_starts_late_even_after_waiting_for_its_turn(
    canned: Serve, door: Door
) -> None:
    async def answer(head: str) -> bytes:
        if "GET" in head:
            await asyncio.sleep(0.3)
        return http()

    server = await canned(answer)
    transport = door(server.origin, most=1)
    slow = asyncio.create_task(read(transport))
    await asyncio.sleep(0.05)
    with pytest.raises(LeaseLostError):
        await change(transport, left=15.1)
    await slow
    assert not any("PATCH" in head for head in server.heads)


# -- the credential ----------------------------------------------------------------------------


def guarded(
    vault: Vault, *, elsewhere: int = 200, here: int = 200
) -> Callable[[str], Awaitable[bytes]]:
    """A server that knows one key; ``here`` is what /a answers, ``elsewhere`` all others."""

    async def answer(head: str) -> bytes:
        if f"Authorization: Bearer {vault.secret}\r\n" not in head:
            return http(401)
        return http(here if "/a/" in head else elsewhere)

    return answer


async def test_a_401_reads_the_secret_again_once(canned: Serve, door: Door) -> None:
    vendors, ours = Vault("new"), Vault("old")
    server = await canned(guarded(vendors))
    transport = door(server.origin, credential=Secret("Bearer", ours.read))
    assert isinstance(await failure(read(transport)), CredentialError)
    assert ours.reads == 2
    assert len(server.heads) == 2
    assert transport.breaker.snapshot()["state"] == "open"


async def test_a_rotated_secret_is_found(canned: Serve, door: Door) -> None:
    vendors, ours = Vault("one"), Vault("one")
    server = await canned(guarded(vendors))
    transport = door(server.origin, credential=Secret("Bearer", ours.read))
    await read(transport)
    vendors.secret = ours.secret = "two"
    await asyncio.gather(*(read(transport) for _ in range(5)))
    assert ours.reads == 2
    vendors.secret = ours.secret = "three"
    await change(transport)


@pytest.mark.parametrize("secret", ["", "two words", "line\nbreak", "\x00", "schlüssel"])
async def test_a_secret_no_header_can_hold_is_refused(
    canned: Serve, door: Door, secret: str
) -> None:
    server = await canned(http())
    transport = door(server.origin, credential=Secret("Bearer", lambda: secret))
    error = await failure(read(transport))
    assert isinstance(error, CredentialError)
    assert not secret or secret not in str(error)
    assert not server.heads


async def test_a_secret_that_cannot_be_read_is_a_credential_that_fails(
    canned: Serve, door: Door, tmp_path: Path
) -> None:
    server = await canned(http())
    file = tmp_path / "key"
    transport = door(server.origin, credential=Secret("Bearer", file.read_text))
    error = await failure(read(transport))
    assert isinstance(error, CredentialError)
    assert str(file) not in str(error)
    assert not server.heads


async def test_one_probe_tells_for_all_what_a_403_means(canned: Serve, door: Door) -> None:
    for elsewhere, kind, probes in ((200, ForbiddenError, 1), (403, CredentialError, 1)):
        vault = Vault("key")
        server = await canned(guarded(vault, here=403, elsewhere=elsewhere))
        transport = door(server.origin, credential=Secret("Bearer", vault.read), probes=("/probe",))
        told = await asyncio.gather(*(failure(read(transport)) for _ in range(8)))
        assert {type(each) for each in told} == {kind}
        assert sum("/probe" in head for head in server.heads) == probes
        state = transport.breaker.snapshot()["state"]
        assert state == ("closed" if kind is ForbiddenError else "open")


async def test_any_probe_that_is_let_in_clears_the_credential(canned: Serve, door: Door) -> None:
    vault = Vault("key")
    server = await canned(guarded(vault, here=403, elsewhere=200))
    transport = door(
        server.origin, credential=Secret("Bearer", vault.read), probes=("/a/hidden", "/b")
    )
    assert type(await failure(read(transport))) is ForbiddenError


async def test_a_probe_without_an_answer_decides_nothing(canned: Serve, door: Door) -> None:
    vault = Vault("key")
    server = await canned(guarded(vault, here=403, elsewhere=503))
    transport = door(server.origin, credential=Secret("Bearer", vault.read), probes=("/b",))
    assert type(await failure(read(transport))) is TransientError
    assert transport.breaker.snapshot()["state"] == "closed"


# -- what leaves, and what is told -------------------------------------------------------------


@pytest.mark.parametrize(
    "origin",
    [
        "http://vendor.example",
        "ftp://vendor.example",
        "https://vendor.example/path",
        "https://user@vendor.example",
        "https://vendor.example?x",
        "vendor.example",
        "",
    ],
)
def test_an_address_is_https_and_no_more(door: Door, origin: str) -> None:
    with pytest.raises(SettingsError):
        door(origin)


async def test_only_the_methods_given_leave(canned: Serve, door: Door) -> None:
    server = await canned(http())
    for method in ("PUT", "DELETE"):
        with pytest.raises(ValueError, match="does not leave"):
            await door(server.origin).change(method, "x", "/a", b"", deadline=elapsed() + 60)
    assert not server.heads


def test_no_gateway_names_a_method_or_operation_that_destroys() -> None:
    rooms = Path(wire.__file__).parent
    for room in (
        *("okta", "scim", "scim_batch", "scim_patch", "transport", "wire"),
        *("organization", "organization_shapes"),  # the writes have a DELETE, of a membership
    ):
        code = re.sub(r'""".*?"""|#.*', "", (rooms / f"{room}.py").read_text(), flags=re.DOTALL)
        assert not re.search(r'["\'](PUT|DELETE|delete|put|replace|Replace)["\']', code)


async def test_no_cookie_and_no_secret_from_elsewhere_is_sent(
    canned: Serve, door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine localhost login a password b\n")
    monkeypatch.setenv("NETRC", os.fspath(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    server = await canned(http(200, b"{}", "Set-Cookie: sid=1; Path=/"))
    transport = door(server.origin.replace("127.0.0.1", "localhost"))  # no cookies for numbers
    await read(transport)
    await read(transport)
    assert not any("Cookie" in head or "Authorization" in head for head in server.heads)


async def test_figures_and_logs_name_operations_only(
    canned: Serve, door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    labels = {"vendor": "vendor", "operation": "thing", "outcome": "missing"}
    before = REGISTRY.get_sample_value("hooks_vendor_calls_total", labels) or 0
    server = await canned(http(404))
    await failure(read(door(server.origin), f"/a/{PERSONAL}?q={PERSONAL}"))
    assert REGISTRY.get_sample_value("hooks_vendor_calls_total", labels) == before + 1
    assert not [each for each in caplog.records if each.name.split(".")[0] in ("aiohttp", "httpx")]
    assert PERSONAL not in caplog.text


async def test_a_message_names_the_operation_and_not_whom(canned: Serve, door: Door) -> None:
    for status in (202, 400, 403, 404, 429, 500):
        server = await canned(http(status))
        error = await failure(read(door(server.origin), f"/a/{PERSONAL}?q={PERSONAL}"))
        assert str(error) == f"vendor answered {status} to GET thing"


@pytest.mark.parametrize("library", ["aiohttp.client", "httpx", "httpcore.http11"])
async def test_what_an_http_library_says_is_not_logged(
    caplog: pytest.LogCaptureFixture, library: str
) -> None:
    """They log URLs and headers, whatever level the root is set to."""
    logging.getLogger(library.split(".", maxsplit=1)[0]).setLevel(logging.NOTSET)
    caplog.set_level(logging.DEBUG)
    async with wire.open_client():
        logging.getLogger(library).error("GET https://vendor.example/users/%s", PERSONAL)
    assert caplog.text == ""


async def test_a_crowd_of_changes_takes_little_longer_than_one(canned: Serve, door: Door) -> None:
    everybody = asyncio.Barrier(63)

    async def answer(_: str) -> bytes:
        async with asyncio.timeout(10):
            await everybody.wait()  # none is answered before all have arrived
        return http()

    server = await canned(answer)
    transport = door(server.origin, most=64)
    began = process_time()  # not by the wall, on which others' work counts too
    await asyncio.gather(*(change(transport) for _ in range(63)))
    assert process_time() - began < 0.35
