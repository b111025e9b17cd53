"""Event hooks: administration, verification, deliveries and how they fail."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hooks.sandbox import HOOK_TYPES, Deliverer, Story0, create_okta, delivery, listening
from tests.shared import shared

SECRET = "a secret of thirty-two characters"
URI = "https://receiver.test/okta/events"


def sample(name: str) -> Any:
    return shared(f"samples/okta/{name}.json")["event"]


class Receiver:
    """A hook's other end: keeps what comes, answers as told."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.deliveries: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.echo = True
        route = Route("/okta/events", self.receive, methods=["GET", "POST"])
        self.app = Starlette(routes=[route])

    async def receive(self, request: Request) -> Response:
        self.headers.append(dict(request.headers))
        if request.method == "GET":
            challenge = request.headers["x-okta-verification-challenge"]
            return JSONResponse({"verification": challenge if self.echo else "no"})
        self.deliveries.append(await request.json())
        return Response(status_code=self.answers.pop(0) if self.answers else 204)

    @property
    def types(self) -> list[str]:
        return [e["eventType"] for d in self.deliveries for e in d["data"]["events"]]


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def deliverer(story: Story0, receiver: Receiver) -> Deliverer:
    story.world.add_hook(URI, SECRET, HOOK_TYPES)
    client = httpx.AsyncClient(transport=httpx.ASGITransport(receiver.app))
    return Deliverer(story.world, client)


# --- deliveries -----------------------------------------------------------------------------


async def test_only_eligible_types_of_the_list_are_delivered_with_the_secret(
    story: Story0, receiver: Receiver, deliverer: Deliverer
) -> None:
    story.remove_from_old_group()
    (delivered,) = await deliverer.flush()
    assert delivered.statuses == (204,)
    assert receiver.types == ["group.user_membership.remove", "application.user_membership.remove"]
    assert receiver.headers[0]["authorization"] == SECRET
    assert receiver.headers[0]["content-type"] == "application/json"
    assert await deliverer.flush() == []


async def test_an_envelope_looks_as_recorded(
    story: Story0, receiver: Receiver, deliverer: Deliverer
) -> None:
    story.remove_from_old_group()
    await deliverer.flush()
    recorded, ours = sample("delivery.group.user_membership.remove"), receiver.deliveries[0]
    assert ours.keys() == recorded.keys()
    for key in ("eventType", "eventTypeVersion", "cloudEventsVersion", "contentType"):
        assert ours[key] == recorded[key]
    there, here = recorded["data"]["events"][0], ours["data"]["events"][0]
    assert here.keys() == there.keys()
    assert here["client"].keys() == there["client"].keys()
    hook_id = next(iter(story.world.org.hooks))
    assert ours["source"].endswith(f"/api/v1/eventHooks/{hook_id}")


async def test_hook_and_log_share_the_uuid(
    story: Story0, receiver: Receiver, deliverer: Deliverer
) -> None:
    story.remove_from_old_group()
    await deliverer.flush()
    logged = {e["uuid"]: e for e in story.world.log.all()}
    for event in receiver.deliveries[0]["data"]["events"]:
        assert logged[event["uuid"]]["published"] == event["published"]
        webhooks = logged[event["uuid"]]["debugContext"]["debugData"]["webhooks"]
        assert webhooks == list(story.world.org.hooks)


@pytest.mark.parametrize(
    ("answers", "statuses", "failures"),
    [
        pytest.param([500, 204], (500, 204), 0, id="the retry succeeds"),
        pytest.param([500, 503], (500, 503), 1, id="one retry at most"),
        pytest.param([401], (401,), 1, id="never after 4xx"),
        pytest.param([302], (302,), 1, id="a redirect is not followed"),
    ],
)
async def test_one_retry_after_5xx_never_after_4xx(
    story: Story0,
    receiver: Receiver,
    deliverer: Deliverer,
    *,
    answers: list[int],
    statuses: tuple[int, ...],
    failures: int,
) -> None:
    receiver.answers = answers
    story.world.suspend(story.person)
    (delivered,) = await deliverer.flush()
    assert delivered.statuses == statuses
    assert delivered.accepted is (failures == 0)
    assert len({d["eventId"] for d in receiver.deliveries}) == 1
    failed = [e for e in story.world.log.all() if e["eventType"] == "event_hook.delivery"]
    assert len(failed) == failures
    assert await deliverer.flush() == []


async def test_silence_is_a_timeout_and_a_retry(story: Story0) -> None:
    class Silent(httpx.AsyncBaseTransport):
        tries = 0

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            self.tries += 1
            raise httpx.ReadTimeout("silence", request=request)

    silent = Silent()
    story.world.add_hook(URI, SECRET, HOOK_TYPES)
    deliverer = Deliverer(story.world, httpx.AsyncClient(transport=silent))
    story.world.suspend(story.person)
    (delivered,) = await deliverer.flush()
    assert (delivered.statuses, silent.tries) == ((None, None), 2)
    assert story.world.log.all()[-1]["outcome"] == {"result": "FAILURE", "reason": "TIMEOUT"}


async def test_a_slow_receiver_runs_into_the_limit(story: Story0, deliverer: Deliverer) -> None:
    story.world.suspend(story.person)
    async with listening(Receiver().app) as url:
        next(iter(story.world.org.hooks.values())).uri = f"{url}/okta/events"
        deliverer.client = httpx.AsyncClient(trust_env=False)
        deliverer.timeout = 0.000001
        (delivered,) = await deliverer.flush()
    assert delivered.statuses == (None, None)


async def test_batches_duplicates_losses_and_order(
    story: Story0, receiver: Receiver, deliverer: Deliverer
) -> None:
    def events() -> list[str]:
        return [e["uuid"] for d in receiver.deliveries for e in d["data"]["events"]]

    def act() -> None:
        receiver.deliveries.clear()
        for _ in range(10):
            story.world.suspend(story.person)
            story.world.unsuspend(story.person)

    act()
    deliverer.batch_size = 8
    await deliverer.flush()
    assert [len(d["data"]["events"]) for d in receiver.deliveries] == [8, 8, 4]
    act()
    deliverer.duplicate_rate = 1.0
    await deliverer.flush()
    assert (len(events()), len(set(events()))) == (40, 20)
    deliverer.duplicate_rate = 0.0
    act()
    deliverer.shuffle = True
    await deliverer.flush()
    assert events() != [e["uuid"] for e in story.world.log.all()[-20:]]
    assert set(events()) == {e["uuid"] for e in story.world.log.all()[-20:]}
    act()
    deliverer.drop_rate = 1.0
    assert await deliverer.flush() == []


async def test_waiting_events_can_be_held_back(
    story: Story0, deliverer: Deliverer, clock: Any
) -> None:
    story.world.suspend(story.person)
    clock.forward(5)
    story.world.unsuspend(story.person)
    (first,) = await deliverer.flush(older_than=5)
    assert (len(first.uuids), deliverer.waiting) == (1, 1)


async def test_only_active_and_verified_hooks_hear_anything(
    story: Story0, receiver: Receiver, deliverer: Deliverer
) -> None:
    hook = next(iter(story.world.org.hooks.values()))
    story.world.suspend(story.person)
    hook.verification = "UNVERIFIED"
    story.world.unsuspend(story.person)
    assert await deliverer.flush() == []
    hook.verification = "VERIFIED"
    assert await deliverer.flush() == []
    assert receiver.deliveries == []


def test_a_body_for_any_events(story: Story0) -> None:
    story.world.suspend(story.person)
    event = story.world.log.all()[-1]
    shaped = json.loads(delivery([event]))["data"]["events"][0]
    whole = json.loads(delivery([event], shaped=False))["data"]["events"][0]
    assert whole == json.loads(json.dumps(event))
    assert "request" not in shaped
    assert shaped["client"]["ipChain"] == event["request"]["ipChain"]


# --- administration -------------------------------------------------------------------------


def body(uri: str = URI, types: list[str] | None = None, value: str = SECRET) -> dict[str, Any]:
    config = {"uri": uri, "authScheme": {"type": "HEADER", "key": "Authorization", "value": value}}
    return {
        "name": "ours",
        "events": {"type": "EVENT_TYPE", "items": types or HOOK_TYPES},
        "channel": {"type": "HTTP", "version": "1.0.0", "config": config},
    }


@pytest.fixture
def admin(story: Story0, receiver: Receiver) -> httpx.AsyncClient:
    hooks = httpx.AsyncClient(transport=httpx.ASGITransport(receiver.app))
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(create_okta(story.world, hooks)),
        base_url="https://sandbox.okta.test/api/v1",
        headers={"Authorization": f"SSWS {story.world.credentials.api_token}"},
    )


async def test_a_hook_lives_as_recorded(
    story: Story0, receiver: Receiver, admin: httpx.AsyncClient
) -> None:
    made = (await admin.post("/eventHooks", json=body())).json()
    recorded = sample("eventHook.object.unverified")
    assert made.keys() == recorded.keys()
    assert made["channel"]["config"].keys() == recorded["channel"]["config"].keys()
    assert (made["status"], made["verificationStatus"]) == ("ACTIVE", "UNVERIFIED")
    assert SECRET not in json.dumps(made)
    verified = await admin.post(f"/eventHooks/{made['id']}/lifecycle/verify")
    assert verified.json()["verificationStatus"] == "VERIFIED"
    assert receiver.headers[-1]["authorization"] == SECRET
    assert story.world.log.all()[-1]["eventType"] == "event_hook.verified"
    assert [h["id"] for h in (await admin.get("/eventHooks")).json()] == [made["id"]]


async def test_a_new_secret_or_address_must_be_verified_again(admin: httpx.AsyncClient) -> None:
    made = (await admin.post("/eventHooks", json=body())).json()
    await admin.post(f"/eventHooks/{made['id']}/lifecycle/verify")
    same = await admin.put(f"/eventHooks/{made['id']}", json=body(types=HOOK_TYPES[:3]))
    assert same.json()["verificationStatus"] == "VERIFIED"
    changed = (await admin.put(f"/eventHooks/{made['id']}", json=body(value="another"))).json()
    assert (changed["status"], changed["verificationStatus"]) == ("ACTIVE", "UNVERIFIED")


async def test_a_failed_verification_is_tried_twice_and_told(
    receiver: Receiver, admin: httpx.AsyncClient
) -> None:
    receiver.echo = False
    made = (await admin.post("/eventHooks", json=body())).json()
    response = await admin.post(f"/eventHooks/{made['id']}/lifecycle/verify")
    assert response.status_code == 400
    cause = response.json()["errorCauses"][0]["errorSummary"]
    assert cause == "Unable to verify event hook. Hook ours execution failed"
    assert len(receiver.headers) == 2


async def test_only_an_inactive_hook_can_be_deleted(admin: httpx.AsyncClient) -> None:
    made = (await admin.post("/eventHooks", json=body())).json()
    assert (await admin.delete(f"/eventHooks/{made['id']}")).status_code == 400
    stopped = await admin.post(f"/eventHooks/{made['id']}/lifecycle/deactivate")
    assert stopped.json()["status"] == "INACTIVE"
    assert (await admin.delete(f"/eventHooks/{made['id']}")).status_code == 204
    assert (await admin.get(f"/eventHooks/{made['id']}")).status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(body(uri="ftp://x"), id="address"),
        pytest.param(body(types=["application.provision.user.deactivate"]), id="not eligible"),
        pytest.param({"name": "x"}, id="incomplete"),
    ],
)
async def test_bad_hooks_are_refused(
    story: Story0, admin: httpx.AsyncClient, wrong: dict[str, Any]
) -> None:
    response = await admin.post("/eventHooks", json=wrong)
    assert (response.status_code, response.json()["errorCode"]) == (400, "E0000001")
    assert story.world.org.hooks == {}


async def test_plain_http_may_be_refused(story: Story0, admin: httpx.AsyncClient) -> None:
    wrong = body(uri="http://127.0.0.1:1/x")
    assert (await admin.post("/eventHooks", json=wrong)).status_code == 200
    story.world.switches.hooks_over_http = False
    assert (await admin.post("/eventHooks", json=wrong)).status_code == 400


# --- what is let through --------------------------------------------------------------------


def filtered(*conditions: tuple[str, str]) -> dict[str, Any]:
    """As the API has a filter."""
    return {
        "type": "EXPRESSION_LANGUAGE",
        "eventFilterMap": [
            {"event": kind, "condition": {"version": None, "expression": text}}
            for kind, text in conditions
        ],
    }


ASSIGNED = "application.user_membership.add"
#: Beside another such part, each may be true of another target.
APPS = "event.target.?[type eq 'AppInstance'].size()>0"


@pytest.mark.parametrize(
    ("expression", "heard"),
    [
        ("event.target.?[type eq 'AppInstance' && id eq '{app}'].size()>0", True),
        ("event.target.?[type eq 'AppInstance' && id eq '{user}'].size() > 0", False),
        ("event.target.?[type eq 'AppInstance'].size() eq 0", False),
        ("event.target.?[type eq 'Nothing'].size() eq 0", True),
        (f"{APPS} && event.target.?[id eq '{{user}}'].size()>0", True),
        ("event.outcome.result eq 'SUCCESS'", True),
        ("event.outcome.result ne 'SUCCESS'", False),
        ("event.eventType eq 'x' || (event.actor.type eq 'User')", True),
        ("event.nothing.of.the.kind eq 'x'", False),
    ],
)
async def test_a_filter_lets_through_what_its_expression_says(
    story: Story0, receiver: Receiver, expression: str, *, heard: bool
) -> None:
    """Of the types it names; the others come as they are."""
    world, user = story.world, story.world.add_user("new@somedomain.example")
    hook = world.add_hook(URI, SECRET, HOOK_TYPES)
    text = expression.replace("{app}", story.app.id).replace("{user}", user.id)
    hook.filter = filtered((ASSIGNED, text))
    world.assign(user, story.app)
    transport = httpx.ASGITransport(receiver.app)
    async with httpx.AsyncClient(transport=transport) as client:
        await Deliverer(world, client).flush()
    assert (ASSIGNED in receiver.types) is heard
    assert "application.provision.user.push" in receiver.types


@pytest.mark.parametrize(
    "expression", ["", "event.x", "event.x eq y", "(event.x eq 'y'", "event.x eq 'y' && "]
)
async def test_a_filter_that_is_no_expression_is_refused(
    admin: httpx.AsyncClient, expression: str
) -> None:
    wrong = body()
    wrong["events"]["filter"] = filtered((ASSIGNED, expression))
    assert (await admin.post("/eventHooks", json=wrong)).status_code == 400


@pytest.mark.parametrize(
    ("switch", "status", "kept"),
    [
        ({"hook_filters": "refused"}, 400, None),
        ({"hook_filters": "ignored"}, 200, None),
        ({"hook_filter_counts_none": False}, 400, None),
        ({"hook_types_refused": [ASSIGNED]}, 400, None),
        ({}, 200, "EXPRESSION_LANGUAGE"),
    ],
)
async def test_an_org_may_not_take_a_hook_as_it_is_written(
    story: Story0,
    admin: httpx.AsyncClient,
    switch: dict[str, Any],
    status: int,
    kept: str | None,
) -> None:
    made = (await admin.post("/eventHooks", json=body(types=HOOK_TYPES[:1]))).json()
    wanted = body(types=HOOK_TYPES) | {"name": "another"}
    expression = "event.target.?[type eq 'AppInstance'].size() eq 0"
    wanted["events"]["filter"] = filtered((ASSIGNED, expression))
    vars(story.world.switches).update(switch)
    replied = await admin.put(f"/eventHooks/{made['id']}", json=wanted)
    shown = (await admin.get(f"/eventHooks/{made['id']}")).json()
    assert (replied.status_code, (shown["events"]["filter"] or {}).get("type")) == (status, kept)
    assert shown["name"] == ("another" if status == 200 else "ours"), "refused is refused whole"


async def test_an_org_may_verify_whatever_was_written(
    story: Story0, receiver: Receiver, admin: httpx.AsyncClient
) -> None:
    story.world.switches.hook_replace_unverifies = "always"
    made = (await admin.post("/eventHooks", json=body())).json()
    await admin.post(f"/eventHooks/{made['id']}/lifecycle/verify")
    same = await admin.put(f"/eventHooks/{made['id']}", json=body())
    assert same.json()["verificationStatus"] == "UNVERIFIED"


async def test_a_preview_comes_whatever_the_hook_asked_for(
    story: Story0, receiver: Receiver
) -> None:
    hook = story.world.add_hook(URI, SECRET, [], verified=False)
    hook.filter = filtered((ASSIGNED, "event.outcome.result eq 'NEVER'"))
    old = next(e for e in story.world.log.all() if e["eventType"] == ASSIGNED)
    transport = httpx.ASGITransport(receiver.app)
    async with httpx.AsyncClient(transport=transport) as client:
        status = await Deliverer(story.world, client).preview(hook, {**old, "uuid": "by hand"})
    assert (status, receiver.types) == (204, [ASSIGNED])
    (sent,) = receiver.deliveries[0]["data"]["events"]
    assert (sent["uuid"], sent["published"]) == ("by hand", old["published"])


async def test_a_hook_hears_nothing_for_a_while_after_its_verification(
    story: Story0, admin: httpx.AsyncClient, clock: Any
) -> None:
    story.world.switches.hook_warm_up = 60
    async with listening(Receiver().app) as url:
        made = (await admin.post("/eventHooks", json=body(uri=f"{url}/okta/events"))).json()
        await admin.post(f"/eventHooks/{made['id']}/lifecycle/verify")
    story.world.deactivate(story.colleague)
    assert story.world.outbox == []
    clock.forward(60)
    story.world.activate(story.colleague)
    assert story.world.outbox != []


async def test_there_are_only_so_many_hooks_and_types(
    story: Story0, admin: httpx.AsyncClient
) -> None:
    many = body()
    many["events"]["items"] = [f"some.type.{number}" for number in range(301)]
    assert (await admin.post("/eventHooks", json=many)).status_code == 400
    for number in range(25):
        story.world.add_hook(URI, SECRET, HOOK_TYPES, verified=number > 0)
    assert (await admin.post("/eventHooks", json=body())).status_code == 200
    story.world.add_hook(URI, SECRET, HOOK_TYPES)
    assert (await admin.post("/eventHooks", json=body())).status_code == 400


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("group.application_assignment.update", 200),
        ("application.provision.user.delete", 200),
        ("application.provision.user.deprovision", 400),
        ("application.user_membership.restore", 400),
    ],
)
async def test_a_type_that_no_verb_writes_is_eligible_or_not(
    admin: httpx.AsyncClient, kind: str, status: int
) -> None:
    asked = body()
    asked["events"]["items"] = [kind]
    assert (await admin.post("/eventHooks", json=asked)).status_code == status
