"""The okta SDK behind its fence, against the sandbox and servers that misbehave."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import jsonschema
import pytest

from hooks.clock import Clock, elapsed
from hooks.core import registration
from hooks.core.errors import (
    CredentialError,
    ForbiddenError,
    HooksError,
    IncompleteError,
    NotFoundError,
    RateLimitedError,
    TransientError,
)
from hooks.core.ids import HookId, OktaAppId
from hooks.core.registration import Wanted
from hooks.gateways.okta_admin import MANAGE, READ, OktaAdmin, SpecRejectedError
from hooks.gateways.okta_hook_shapes import hook_of, written
from hooks.gateways.okta_key import OktaKey
from hooks.register import opened
from hooks.sandbox import Deliverer, Story0
from hooks.sandbox.okta_auth import key_pair
from tests.gateways.stage import Serve, http
from tests.running import Shown, by_token
from tests.shared import shared

SECRET = "the-secret-of-the-hook-is-long-enough"
URL = "https://hooks.example.com/okta/events"
WANTED = Wanted(URL, "X-Hook", (OktaAppId("0oa00000000000000001"),))
SPEC = registration.first(WANTED, "ours")
NOBODY = HookId("who00000000000000000")


@asynccontextmanager
async def admin(origin: str, shown: Shown, *, changes: bool = True) -> AsyncIterator[OktaAdmin]:
    async with opened(origin, shown, changes=changes) as okta:
        yield okta


def token(story: Story0) -> Shown:
    return by_token(story.world.credentials.api_token)


def service_app(okta_url: str, story: Story0, *scopes: str) -> Shown:
    private, public = key_pair()
    app = story.world.credentials.add_service_app(public, list(scopes))
    return lambda client, asked: OktaKey(
        client=client,
        org_url=okta_url,
        client_id=app.client_id,
        read_key=lambda: private,
        clock=Clock(),
        scopes=asked,
    )


# -- what is sent, and read --------------------------------------------------------------------


@pytest.mark.parametrize("spaced", [True, False], ids=["with a blank", "either form"])
async def test_a_hook_is_made_as_it_was_meant(
    story: Story0, okta_url: str, *, spaced: bool
) -> None:
    """The SDK leaves the blank before an API token out."""
    story.world.switches.ssws_without_space = not spaced
    async with admin(okta_url, token(story)) as okta:
        made = await okta.create(SPEC, SECRET)
        assert await okta.hooks() == (made,)
    assert registration.fits(made, SPEC)
    assert (made.active, made.verified) == (True, False)
    (there,) = story.world.org.hooks.values()
    assert (there.uri, there.key, there.value) == (URL, "X-Hook", SECRET)


async def test_a_hook_is_written_whole_switched_and_deleted(story: Story0, okta_url: str) -> None:
    there = story.world.add_hook(URL, SECRET, ["user.session.start"])
    there.headers = [{"key": "X-Extra", "value": "1"}]
    async with admin(okta_url, token(story)) as okta:
        (found,) = await okta.hooks()
        assert found.spec.headers == (("X-Extra", "1"),)
        amended = registration.amended(found, WANTED, name="another")
        changed = await okta.replace(found.id, amended, "another-secret-of-the-hook-of-ours")
        assert registration.fits(changed, amended)
        assert there.headers == [{"key": "X-Extra", "value": "1"}]
        assert not changed.verified
        assert not (await okta.turn(found.id, "deactivate")).active
        assert (await okta.turn(found.id, "activate")).active
        await okta.turn(found.id, "deactivate")
        for _ in range(2):  # what is gone is gone, if an answer was lost
            await okta.delete(found.id)
        assert await okta.hooks() == ()


async def test_a_service_app_of_any_kind_of_key_does_too(story: Story0, okta_url: str) -> None:
    """The SDK itself signs with RSA keys only."""
    async with admin(okta_url, service_app(okta_url, story, *MANAGE)) as okta:
        assert (await okta.create(SPEC, SECRET)).active


async def test_seeing_asks_for_no_right_to_change(story: Story0, okta_url: str) -> None:
    proof = service_app(okta_url, story, *READ)
    async with admin(okta_url, proof, changes=False) as okta:
        assert await okta.hooks() == ()
        with pytest.raises(ForbiddenError, match="grant the scopes"):
            await okta.create(SPEC, SECRET)
    async with admin(okta_url, proof) as okta:
        with pytest.raises(CredentialError, match="grant the app"):
            await okta.hooks()
    assert story.world.org.hooks == {}


async def test_failures_are_read_with_the_log_s_own_scope(story: Story0, okta_url: str) -> None:
    hook = story.world.add_hook("http://127.0.0.1:9/okta/events", SECRET, list(SPEC.types))
    story.world.suspend(story.person)
    now = datetime.now(UTC) + timedelta(minutes=1)
    async with httpx.AsyncClient(trust_env=False) as client:
        await Deliverer(story.world, client).flush()
    async with admin(
        okta_url, service_app(okta_url, story, *READ, "okta.logs.read"), changes=False
    ) as okta:
        (failure,) = await okta.failures(now - timedelta(days=1), now)
        assert failure.hooks == {hook.id}
        assert failure.reason == "TIMEOUT"
    async with admin(okta_url, service_app(okta_url, story, *READ), changes=False) as okta:
        with pytest.raises(CredentialError):
            await okta.failures(now - timedelta(days=1), now)


def test_what_is_written_is_in_okta_s_contract() -> None:
    document = shared("contracts/okta-management.json")
    schema = {
        **document["components"]["schemas"]["EventHook"],
        "components": document["components"],
    }
    jsonschema.Draft202012Validator(schema).validate(written(SPEC, SECRET))


@pytest.mark.parametrize("state", ["unverified", "verified"])
def test_a_recorded_hook_is_read(state: str) -> None:
    recorded = shared(f"samples/okta/eventHook.object.{state}.json")["event"]
    found = hook_of(recorded)
    assert found.id == recorded["id"]
    assert (found.active, found.verified) == (True, state == "verified")
    assert found.spec.types == set(recorded["events"]["items"])
    assert (found.spec.header, found.spec.conditions) == ("Authorization", {})


def test_what_nobody_knows_yet_does_not_hide_the_other_hooks() -> None:
    """The SDK's own models refuse it, and the whole list with it."""
    told = {
        "id": NOBODY,
        "status": "PAUSED",
        "verificationStatus": "PENDING",
        "events": {"type": "NEW", "items": ["a.b"], "filter": "x"},
        "channel": {"config": {"uri": None, "headers": [None], "authScheme": "OAUTH"}},
    }
    found = hook_of(told)
    assert (found.active, found.verified) == (False, False)
    for wrong in (None, {}, {"id": "x", "events": {"items": []}}, {"id": NOBODY}):
        with pytest.raises(IncompleteError):
            hook_of(wrong)


# -- whose settings count ----------------------------------------------------------------------


async def test_no_file_and_no_environment_of_the_sdk_says_otherwise(
    story: Story0, okta_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "okta.yaml").write_text(
        'okta:\n  client:\n    orgUrl: "http://127.0.0.1:9"\n    token: "stray"\n'
    )
    monkeypatch.chdir(tmp_path)
    for name, text in {
        "OKTA_CLIENT_ORGURL": "http://127.0.0.1:9",
        "OKTA_CLIENT_TOKEN": "stray",
        "OKTA_CLIENT_AUTHORIZATIONMODE": "Bearer",
        "OKTA_CLIENT_REQUESTTIMEOUT": "1",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "HTTPS_PROXY": "http://127.0.0.1:9",
    }.items():
        monkeypatch.setenv(name, text)
    async with admin(okta_url, token(story)) as okta:
        await okta.create(SPEC, SECRET)
    assert len(story.world.org.hooks) == 1


# -- answers that are none ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        pytest.param(None, TransientError, id="closes without a word"),
        pytest.param(http(503, b"[]"), TransientError, id="503 without Okta's headers"),
        pytest.param(http(500, b"[]"), TransientError, id="500"),
        pytest.param(http(429, b"[]"), RateLimitedError, id="429"),
        pytest.param(
            http(429, b"[]", "X-Rate-Limit-Reset: 9999999999", "Date: x"),
            RateLimitedError,
            id="429 that lasts",
        ),
        pytest.param(http(401, b"[]"), CredentialError, id="401"),
        pytest.param(http(404, b"[]"), NotFoundError, id="404"),
        pytest.param(http(302, b"", "Location: /elsewhere"), SpecRejectedError, id="redirect"),
        pytest.param(http(200, b"<html>"), IncompleteError, id="no JSON"),
        pytest.param(http(200, b"{}"), IncompleteError, id="no list"),
        pytest.param(http(200, b"[{}]"), IncompleteError, id="no hook"),
        pytest.param(http(200, b""), IncompleteError, id="nothing"),
        pytest.param(
            http(200, b"[]", 'Link: <http://x/api/v1/eventHooks?after=1>; rel="next"'),
            IncompleteError,
            id="a part",
        ),
    ],
)
async def test_an_answer_that_is_none_is_an_error_of_ours_at_once(
    canned: Serve, reply: bytes | None, expected: type[HooksError]
) -> None:
    server = await canned(reply)
    began = elapsed()
    async with admin(server.origin, by_token("the-token-of-nobody")) as okta:
        with pytest.raises(expected) as raised:
            await okta.hooks()
    assert elapsed() - began < 5
    # aiohttp itself asks again where a connection ends without a word.
    assert len(server.heads) == (1 if reply else 2), "sent once, and not after a redirect"
    assert "the-token-of-nobody" not in str(raised.value)


async def test_nobody_there_is_an_error_of_ours(story: Story0) -> None:
    async with admin("http://127.0.0.1:9", token(story)) as okta:
        with pytest.raises(TransientError, match="check the network"):
            await okta.hooks()


async def test_a_refusal_tells_which_types_it_is_about_and_quotes_nothing(
    canned: Serve,
) -> None:
    body = json.dumps(
        {
            "errorCode": "E0000001",
            "errorSummary": "Api validation failed: somebody@x.example",
            "errorCauses": [{"errorSummary": "events.items: application.provision.user.push no"}],
        }
    )
    server = await canned(http(400, body.encode()))
    async with admin(server.origin, by_token("x")) as okta:
        with pytest.raises(SpecRejectedError) as raised:
            await okta.create(SPEC, SECRET)
    assert "application.provision.user.push" in raised.value.words
    assert raised.value.code == "E0000001"
    assert "somebody" not in str(raised.value)
