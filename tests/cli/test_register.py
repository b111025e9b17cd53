"""`hooks register`, `hooks rotate-secret` and `hooks hook`."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hooks.cli.hook import WAY_OUT
from hooks.cli.sandbox import HOOK_SECRET
from hooks.core.log_event import EVENT_TYPES
from hooks.core.registration import Trouble
from hooks.sandbox import delivery, listening
from hooks.sandbox.org import Hook
from tests.cli.conftest import Desk, Ran

NEXT = "the-secret-that-follows-is-as-long-as-that"


@dataclass
class Door:
    """Where Okta's verification leads; it knows these secrets."""

    url: str = ""
    secrets: set[str] = field(default_factory=lambda: {HOOK_SECRET})

    async def answer(self, request: Request) -> Response:
        if request.headers.get("authorization") not in self.secrets:
            return Response(status_code=401)
        challenge = request.headers["x-okta-verification-challenge"]
        return JSONResponse({"verification": challenge})


@pytest.fixture
def door() -> Iterator[Door]:
    """In a thread of its own, as the stand-ins are."""
    door, up, stop = Door(), threading.Event(), list[Callable[[], object]]()

    async def run() -> None:
        end = asyncio.Event()
        loop = asyncio.get_running_loop()
        stop.append(lambda: loop.call_soon_threadsafe(end.set))
        async with listening(Starlette(routes=[Route("/okta/events", door.answer)])) as origin:
            door.url = f"{origin}/okta/events"
            up.set()
            await end.wait()

    thread = threading.Thread(target=asyncio.run, args=[run()])
    thread.start()
    assert up.wait(10)
    yield door
    stop[0]()
    thread.join(10)


@pytest.fixture
def asked(desk: Desk, door: Door) -> Callable[..., Ran]:
    """A command about the hook of the door."""

    def run(command: str, *arguments: str) -> Ran:
        ran = desk(command, "--url", door.url, *arguments)
        assert NEXT not in ran.out + ran.err
        return ran

    return run


def hooks(desk: Desk) -> list[Hook]:
    return list(desk.story.world.org.hooks.values())


def test_the_hook_is_made_once(desk: Desk, door: Door, asked: Callable[..., Ran]) -> None:
    would = asked("register", "--dry-run")
    assert (would.code, hooks(desk)) == (0, [])
    assert would.out.splitlines()[:2] == [
        "would be created: okta-atlassian-hooks",
        "would be verified: okta-atlassian-hooks",
    ]
    made = asked("register")
    (hook,) = hooks(desk)
    assert (made.code, hook.listening, hook.value) == (0, True, HOOK_SECRET)
    assert f"created: {hook.id}" in made.out
    assert "System Log" in made.out, "what is missing at first is found"
    again = asked("register", "--json").json()
    assert (again["changes"], again["hook"]["types"]) == ([], list(EVENT_TYPES))
    assert any("rotate-secret" in each for each in again["notes"])


def test_the_address_may_stand_in_the_settings(desk: Desk, door: Door) -> None:
    config = desk.folder / "hooks.toml"
    text = config.read_text().replace("http://127.0.0.1:8080/okta/events", door.url)
    config.write_text(text)
    assert desk("register").code == 0
    assert hooks(desk)[0].uri == door.url


def test_a_door_that_does_not_know_the_secret_is_told_in_one_line(
    desk: Desk, door: Door, asked: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hooks.register.WAITS", ())
    door.secrets = {NEXT}
    ran = asked("register")
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "with the same secret" in ran.err
    assert asked("hook").code == 1
    door.secrets = {HOOK_SECRET}
    assert asked("register").code == 0


def test_the_secret_is_changed_and_the_old_hook_goes(
    desk: Desk, door: Door, asked: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked("register")
    (old,) = hooks(desk)
    monkeypatch.setenv("HOOKS_HOOK_SECRET_NEXT", NEXT)
    door.secrets.add(NEXT)
    would = asked("rotate-secret", "--dry-run")
    assert (would.code, hooks(desk)) == (0, [old])
    ran = asked("rotate-secret", "--overlap", "500ms")
    (new,) = hooks(desk)
    assert (ran.code, new.value, new.listening) == (0, NEXT, True)
    assert f"deleted: {old.id}" in ran.out
    assert "Now give HOOKS_HOOK_SECRET what" in ran.out
    ran = asked("rotate-secret", "--in-place", "--json")
    assert [each["what"] for each in ran.json()["changes"]] == ["updated"]


@pytest.mark.parametrize("following", [None, HOOK_SECRET], ids=["missing", "the same"])
def test_without_another_secret_nothing_is_changed(
    desk: Desk,
    asked: Callable[..., Ran],
    monkeypatch: pytest.MonkeyPatch,
    following: str | None,
) -> None:
    asked("register")
    (hook,) = hooks(desk)
    if following:
        monkeypatch.setenv("HOOKS_HOOK_SECRET_NEXT", following)
    ran = asked("rotate-secret")
    assert (ran.code, ran.out, hooks(desk)) == (2, "", [hook])
    assert ran.err.startswith("HOOKS_HOOK_SECRET_NEXT: ")


def test_without_a_hook_there_is_no_secret_to_change(
    desk: Desk, asked: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOKS_HOOK_SECRET_NEXT", NEXT)
    ran = asked("rotate-secret")
    assert ran.code == 1
    assert "hooks register" in ran.err


# -- how it is ---------------------------------------------------------------------------------


def test_how_the_hook_is(desk: Desk, asked: Callable[..., Ran]) -> None:
    asked("register")
    world = desk.story.world
    world.suspend(desk.story.person)
    desk.deliver(delivery([world.log.all()[-1]]))
    ran = asked("hook")
    assert ran.code == 0
    assert "active, verified: receives" in ran.out
    assert "No delivery is stored." not in ran.out
    told = asked("hook", "--json").json()
    assert told["well"]
    assert [each["events"] for each in told["deliveries"]] == [1]
    assert told["failures"] == []


def test_failed_deliveries_of_this_hook_are_told(desk: Desk, asked: Callable[..., Ran]) -> None:
    asked("register")
    world = desk.story.world
    other = world.add_hook("https://x.example/x", "x", [])
    for hook in (hooks(desk)[0], other):
        kind = {"type": "EventHook", "id": hook.id, "displayName": hook.name}
        world.emit(world.transaction("JOB"), "event_hook.delivery", kind, reason="TIMEOUT")
    ran = asked("hook")
    assert "1 delivery failed in 7 days" in ran.out
    assert "TIMEOUT" in ran.out
    assert "hooks register --secret-changed" in ran.out
    assert len(asked("hook", "--json").json()["failures"]) == 1


@pytest.mark.parametrize(
    ("status", "words"), [(403, "grant okta.logs.read"), (500, "answered 500")]
)
def test_a_log_that_cannot_be_read_hides_nothing_else(
    desk: Desk, asked: Callable[..., Ran], status: int, words: str
) -> None:
    asked("register")
    desk.story.world.fault("okta", "GET", "/logs", status=status)
    ran = asked("hook")
    assert ran.code == 0
    assert words in ran.out
    assert asked("hook", "--json").json()["failures"] is None


def test_no_hook_is_a_failure_with_a_way_out(desk: Desk, asked: Callable[..., Ran]) -> None:
    ran = asked("hook")
    assert ran.code == 1
    assert "run: hooks register" in ran.out
    assert not asked("hook", "--json").json()["well"]


def _off(hook: Hook) -> None:
    hook.status = "INACTIVE"


def _unverified(hook: Hook) -> None:
    hook.verification = "UNVERIFIED"


def _header(hook: Hook) -> None:
    hook.key = "X-Else"


def _types(hook: Hook) -> None:
    hook.types.remove("user.lifecycle.deactivate")


def _filter(hook: Hook) -> None:
    assert hook.filter
    hook.filter = {"eventFilterMap": hook.filter["eventFilterMap"][:2]}


@pytest.mark.parametrize(
    ("spoil", "trouble"),
    [
        (_off, Trouble.INACTIVE),
        (_unverified, Trouble.UNVERIFIED),
        (_header, Trouble.HEADER),
        (_types, Trouble.TYPES),
        (_filter, Trouble.FILTER),
    ],
)
def test_what_keeps_it_from_receiving_has_a_way_out_that_works(
    desk: Desk, asked: Callable[..., Ran], spoil: Callable[[Hook], None], trouble: Trouble
) -> None:
    asked("register")
    spoil(hooks(desk)[0])
    ran = asked("hook", "--json")
    assert ran.code == 1
    (told,) = ran.json()["hooks"]
    assert told["troubles"] == [{"what": trouble, "remedy": WAY_OUT[trouble]}]
    assert "hooks register" in told["troubles"][0]["remedy"]
    assert asked("register").code == 0
    assert asked("hook").code == 0


def test_every_trouble_has_a_way_out() -> None:
    assert set(WAY_OUT) == set(Trouble)


# -- what is wrong -----------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["register", "hook"])
@pytest.mark.parametrize("wrong", ["revoked", "nobody there"])
def test_okta_that_cannot_be_asked_is_one_line_and_no_change(
    desk: Desk,
    asked: Callable[..., Ran],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    wrong: str,
) -> None:
    if wrong == "revoked":
        monkeypatch.setenv("HOOKS_OKTA_ADMIN_API_TOKEN", "00a-token-that-was-revoked")
    else:
        config = desk.folder / "hooks.toml"
        lines = config.read_text().splitlines()
        lines = ['org_url = "http://127.0.0.1:9"' if "org_url" in one else one for one in lines]
        config.write_text("\n".join(lines))
    before = desk.dump()
    ran = asked(command)
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert "check" in ran.err
    assert (hooks(desk), desk.dump()) == ([], before)


def test_a_run_that_ends_half_way_says_how_to_go_on(
    desk: Desk, asked: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = desk.story.world.fault("okta", "POST", "/lifecycle/verify", status=503)
    ran = asked("register")
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "register is not finished; run it again" in ran.err
    desk.story.world.clear(fault)
    assert asked("register").code == 0
    assert len(hooks(desk)) == 1


def test_the_sdk_costs_nobody_anything_who_does_not_register() -> None:
    code = (
        "import sys; from hooks import cli; import hooks.serve; cli.main(['hook', '--help']);"
        "print('okta' in sys.modules, file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stderr.strip() == "False"
