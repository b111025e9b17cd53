"""Two replicas on PostgreSQL behind HAProxy, as infra/compose configures it; only addresses differ.

Needs the `haproxy` of any distribution, and is skipped where there is none.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.chaos.fleet import Fleet, fleet, free_port
from tests.chaos.judge import Judge
from tests.running import SECRET, Time
from tests.stories.company import Company

INFRA = Path(__file__).parents[2] / "infra"
CONFIG = INFRA / "compose/haproxy.cfg"
HAPROXY = shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
#: Okta waits so long, and tries once more.
_IN_TIME = 3.0
#: The balancer asks each replica every second.
_SEEN = 2.0
_AT_ONCE = 8
_DAY = timedelta(days=1)

pytestmark = [
    pytest.mark.timeout(120),
    # A program of the system, which pip cannot bring; a stand-in would show nothing of it.
    pytest.mark.skipif(  # pip cannot bring it
        HAPROXY is None,
        reason="no haproxy here: apt-get install haproxy, which this is about",
    ),
]


def certificate(path: Path) -> None:
    """A certificate of this machine's own and its key, in one file as HAProxy reads it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hooks")])
    here = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + _DAY)
        .add_extension(here, critical=False)
        .sign(key, hashes.SHA256())
    )
    shape = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(*shape, serialization.NoEncryption())
    )


def delivery(events: int = 1) -> tuple[set[str], bytes]:
    """Events of a type that is stored and leaves the workers in peace, and their uuids."""
    uuids = {str(uuid4()) for _ in range(events)}
    told = [
        {"uuid": each, "eventType": "user.session.start", "target": [], "displayMessage": "x" * 900}
        for each in uuids
    ]
    return uuids, json.dumps({"data": {"events": told}}).encode()


@dataclass
class Door:
    """What the internet sees."""

    client: httpx.AsyncClient
    fleet: Fleet
    said: Path
    sent: set[str] = field(default_factory=set)
    answers: Counter[int | str] = field(default_factory=Counter)
    again: int = 0
    longest: float = 0.0

    async def delivers(self, events: int = 1, *, tries: int = 1) -> None:
        """One delivery, tried again after a 5xx or no answer as often as is allowed."""
        uuids, body = delivery(events)
        self.sent |= uuids
        for left in reversed(range(tries)):
            answer = await self._tries(body)
            if answer == 204 or not left:
                self.answers[answer] += 1
                return
            self.again += 1

    async def _tries(self, body: bytes) -> int | str:
        began = time.monotonic()
        try:
            answer = await self.client.post(
                "/okta/events", content=body, headers={"Authorization": SECRET}
            )
        except httpx.TransportError as error:
            return type(error).__name__
        else:
            return answer.status_code
        finally:
            self.longest = max(self.longest, time.monotonic() - began)

    @asynccontextmanager
    async def under_load(self) -> AsyncIterator[None]:
        """One delivery after the other, over several connections; each as Okta tries it."""
        over = asyncio.Event()

        async def goes_on() -> None:
            while not over.is_set():
                await self.delivers(tries=2)

        load = [asyncio.create_task(goes_on()) for _ in range(_AT_ONCE)]
        try:
            yield
        finally:
            over.set()
            await asyncio.gather(*load)

    async def passes(self) -> None:
        """Wait for deliveries to come through, begun after now."""
        wanted = self.answers[204] + 2 * _AT_ONCE
        async with asyncio.timeout(20):
            while self.answers[204] < wanted:  # noqa: ASYNC110  # others count
                await asyncio.sleep(0.05)


def as_in_kubernetes(text: str) -> str:
    """The backend as HAProxy's controller writes it from the annotations of our Ingress."""
    manifests = yaml.safe_load_all((INFRA / "kubernetes/base/network.yaml").read_text())
    (ingress,) = (each for each in manifests if each["kind"] == "Ingress")
    told = {
        key.removeprefix("haproxy.org/"): value
        for key, value in ingress["metadata"]["annotations"].items()
    }
    lines = [
        "balance roundrobin",
        f"option httpchk {told['check-http']}",
        f"timeout server {told['timeout-server']}",
        *told["backend-config-snippet"].splitlines(),
        f"default-server check inter {told['check-interval']}",
        *re.findall(r"^ +(server .*)$", text, re.MULTILINE),
    ]
    front = text.partition("\nbackend replicas\n")[0].replace("tune.bufsize 262144", "")
    return "\n    ".join([f"{front}\nbackend replicas", *lines]) + "\n"


@asynccontextmanager
async def door(url: str, folder: Path, written: Callable[[str], str] = str) -> AsyncIterator[Door]:
    """Both replicas, and the balancer before them, ready."""
    port = free_port()
    certificate(folder / "tls.pem")
    async with fleet(Company(Time()).world, url, folder, size=2) as found:
        await found.start()
        here = {
            ":8443": f"127.0.0.1:{port}",
            "/run/secrets/tls_certificate": str(folder / "tls.pem"),
            "hooks-1:8080": f"127.0.0.1:{found.replicas[0].port}",
            "hooks-2:8080": f"127.0.0.1:{found.replicas[1].port}",
        }
        text = written(CONFIG.read_text())
        for theirs, ours in here.items():
            assert text.count(theirs) == 1, theirs
            text = text.replace(theirs, ours)
        (folder / "haproxy.cfg").write_text(text)
        assert HAPROXY
        with (folder / "haproxy.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                HAPROXY, "-db", "-f", str(folder / "haproxy.cfg"), stdout=log, stderr=log
            )
        trusted = ssl.create_default_context(cafile=str(folder / "tls.pem"))
        try:
            async with httpx.AsyncClient(
                base_url=f"https://127.0.0.1:{port}",
                verify=trusted, timeout=2 * _IN_TIME, trust_env=False,
                limits=httpx.Limits(max_connections=None),
            ) as client:  # fmt: skip
                await _until_up(client, process)
                yield Door(client, found, folder / "haproxy.log")
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def _until_up(client: httpx.AsyncClient, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(10):
        while True:
            assert process.returncode is None, "haproxy ended"
            try:
                await client.get("/okta/events")
            except httpx.TransportError:
                await asyncio.sleep(0.05)
            else:
                return


def stored(url: str) -> Counter[str]:
    judge = Judge(url)
    found = judge.read()
    judge.close()
    assert found is not None
    return found.uuids


@pytest.fixture
def url(postgresql_url: str) -> str:
    """An empty database, as the operator writes it."""
    return postgresql_url.replace("+psycopg", "")


async def test_no_delivery_fails_or_is_lost_when_replicas_die_or_are_upgraded_under_load(
    url: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    async with door(url, tmp_path) as okta:
        killed, upgraded = okta.fleet.replicas
        async with okta.under_load():
            await okta.passes()
            killed.kill()
            await okta.passes()
            await killed.start()
            await asyncio.sleep(_SEEN)
            assert await upgraded.stop() == 0
            await okta.passes()
            await upgraded.start()
            await okta.passes()
        assert set(okta.answers) == {204}, (okta.answers, okta.said.read_text()[-2000:])
        kept = stored(url)
        assert kept.keys() == okta.sent
        assert set(kept.values()) == {1}
        assert await okta.fleet.stop() == [0, 0]
    record_property(
        "deliveries through a balancer, one replica killed and the other upgraded",
        f"{len(okta.sent)}: 0 failed, 0 lost, {okta.again} tried again by Okta; "
        f"the longest took {okta.longest:.2f} s",
    )


async def test_what_a_frozen_replica_took_is_sent_to_the_other_and_stored_once(
    url: str, tmp_path: Path
) -> None:
    async with door(url, tmp_path) as okta:
        frozen, other = okta.fleet.replicas
        frozen.freeze()
        await asyncio.gather(*(okta.delivers() for _ in range(4)))
        assert okta.answers == {204: 4}
        assert okta.longest < _IN_TIME, "Okta would have gone"
        assert okta.longest > 1, "none of them was at the frozen replica"
        frozen.thaw()
        assert await okta.fleet.stop() == [0, 0]  # it does what it was sent before
        assert stored(url) == dict.fromkeys(okta.sent, 1)
        assert other.log.count('"fault"') == frozen.log.count('"fault"') == 0


async def test_with_every_replica_away_deliveries_are_told_to_come_again(
    url: str, tmp_path: Path
) -> None:
    async with door(url, tmp_path) as okta:
        for each in okta.fleet.replicas:
            each.kill()
            await each.ended()
        await asyncio.gather(*(okta.delivers() for _ in range(8)))
        assert set(okta.answers) <= {502, 503, 504}, "a 4xx would be final"
        assert okta.longest < _IN_TIME


async def test_nothing_but_the_hook_is_reached_through_it(url: str, tmp_path: Path) -> None:
    async with door(url, tmp_path) as okta:
        for path in (
            "/", "/metrics", "/status", "/livez", "/readyz", "/okta", "/okta/events/",
            "//okta/events", "/okta//events", "/okta/events/../metrics", "/okta%2Fevents",
            "/OKTA/EVENTS", "/okta/events;x", "/x/okta/events",
        ):  # fmt: skip
            found = await raw(okta, f"GET {path} HTTP/1.1")
            assert found.startswith("HTTP/1.1 404"), path
        for line in ("GET http://hooks-1:9090/metrics HTTP/1.1", "OPTIONS * HTTP/1.1"):
            assert (await raw(okta, line)).startswith("HTTP/1.1 4"), line
        asked = {"x-okta-verification-challenge": "a-word", "Authorization": SECRET}
        answer = await okta.client.get("/okta/events", headers=asked)
        assert (answer.status_code, answer.json()) == (200, {"verification": "a-word"})
        answer = await okta.client.post("/okta/events", content=delivery()[1])
        assert answer.status_code == 401
        await okta.delivers(1_000)  # a megabyte is more than the balancer keeps to send again
        assert okta.answers == {204: 1}
        assert stored(url) == dict.fromkeys(okta.sent, 1)


async def test_the_annotations_of_the_ingress_keep_ready_replicas_and_leave_dead_ones(
    url: str, tmp_path: Path
) -> None:
    async with door(url, tmp_path, as_in_kubernetes) as okta:
        await asyncio.sleep(3 * _SEEN)  # three checks that fail take a replica out
        await asyncio.gather(*(okta.delivers() for _ in range(8)))
        okta.fleet.replicas[0].kill()
        await asyncio.gather(*(okta.delivers() for _ in range(8)))
        assert okta.answers == {204: 16}, okta.said.read_text()[-2000:]
        assert stored(url) == dict.fromkeys(okta.sent, 1)


async def test_an_address_that_takes_all_it_may_leaves_the_door_open_to_others(
    url: str, tmp_path: Path
) -> None:
    async with door(url, tmp_path) as okta, AsyncExitStack() as idle:
        for address in ("127.0.0.2", "127.0.0.3"):
            # All at once, or the first are dropped for their silence before the last come.
            taken = await asyncio.gather(*(_idles(idle, okta, address) for _ in range(60)))
            assert sum(taken) == 40, address
        await asyncio.gather(*(okta.delivers() for _ in range(8)))
        assert okta.answers == {204: 8}


async def _idles(stack: AsyncExitStack, okta: Door, address: str) -> bool:
    """One more connection from there that says nothing; False where it is dropped."""
    where = okta.client.base_url
    try:
        reader, writer = await asyncio.open_connection(
            where.host, where.port, local_addr=(address, 0)
        )
        stack.push_async_callback(_ends, writer)
        return await asyncio.wait_for(reader.read(1), 3) != b""
    except ConnectionError:
        return False
    except TimeoutError:
        return True


async def _ends(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def test_who_is_refused_is_logged_without_what_they_showed(url: str, tmp_path: Path) -> None:
    async with door(url, tmp_path) as okta:
        await okta.delivers()
        before = len(okta.said.read_text())
        shown = {"Authorization": "a-secret-of-before"}
        where = "/okta/events?a-word=of-theirs"
        answer = await okta.client.post(where, content=delivery()[1], headers=shown)
        assert answer.status_code == 401
        await asyncio.sleep(0.2)
        await okta.delivers()
        (told,) = okta.said.read_text()[before:].splitlines()
        assert told.split()[:3] == ["127.0.0.1", "POST", "401"]
        assert not re.search(r"secret-of|a-word", told)


async def raw(okta: Door, line: str) -> str:
    """What a request line is answered that no client would send as it stands."""
    where = okta.client.base_url
    trusted = ssl.create_default_context()
    trusted.check_hostname, trusted.verify_mode = False, ssl.CERT_NONE
    reader, writer = await asyncio.open_connection(where.host, where.port, ssl=trusted)
    writer.write(f"{line}\r\nHost: hooks\r\nConnection: close\r\n\r\n".encode())
    try:
        return (await reader.read(100)).decode()
    finally:
        writer.close()
