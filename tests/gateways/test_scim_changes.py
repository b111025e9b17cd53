"""Members out and in, alone and together; judged by who is in which group afterwards."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest

from hooks.clock import elapsed
from hooks.core.errors import (
    HooksError,
    LeaseLostError,
    LostReplyError,
    MalformedError,
    NotFoundError,
    RejectedError,
    TransientError,
)
from hooks.core.ids import ScimGroupId, ScimUserId
from hooks.gateways import scim_batch
from hooks.gateways.crowds import Crowds
from hooks.gateways.pace import Lane, lane
from hooks.gateways.scim import Scim
from hooks.gateways.scim_patch import Form
from hooks.sandbox import Story0
from tests.gateways.stage import START

CONFLUENCE = "Production-Confluence"
READS = ("scim", "GET", "/scim/directory/{id}/Groups/{id}")


class Cast:
    """A group with many members in the sandbox, and their ids."""

    def __init__(self, story: Story0, people: int) -> None:
        self.world = story.world
        self.directory = story.directory
        self.group = ScimGroupId(self._group_id(story))
        self.logins = [f"person-{number:03}@somedomain.example" for number in range(people)]
        for login in self.logins:
            story.world.add_scim_user(story.directory, login)
        story.world.scim_add(story.directory, CONFLUENCE, *self.logins)
        self.before = story.world.members(story.directory, CONFLUENCE)
        self.arrived = asyncio.Event()  # a PATCH has come in
        self.world.observer = self._observe

    async def _observe(self, _phase: str, _vendor: str, method: str, _path: str, _n: int) -> None:
        if method == "PATCH":
            self.arrived.set()

    def _group_id(self, story: Story0) -> str:
        group = story.directory.group_named(CONFLUENCE)
        assert group is not None
        return group.id

    def id(self, number: int) -> ScimUserId:
        return ScimUserId(self.world.record(self.directory, self.logins[number]).id)

    @property
    def gone(self) -> set[str]:
        return self.before - self.world.members(self.directory, CONFLUENCE)

    @property
    def patches(self) -> list[list[dict[str, Any]]]:
        """Operations of every PATCH that came in."""
        return [
            json.loads(each.body)["Operations"]
            for each in self.world.requests
            if each.method == "PATCH"
        ]

    def first(self, count: int) -> set[str]:
        return set(self.logins[:count])


@pytest.fixture
def cast(story: Story0) -> Callable[[int], Cast]:
    return lambda people: Cast(story, people)


async def outcomes(*changes: Awaitable[None]) -> list[BaseException | None]:
    return await asyncio.gather(*changes, return_exceptions=True)


@pytest.mark.parametrize("reply", ["group", "empty"])
async def test_one_member_goes_and_comes_back(
    scim: Scim, cast: Callable[[int], Cast], lease: float, reply: Any
) -> None:
    scene = cast(3)
    scene.world.switches.patch_reply = reply
    await scim.remove(scene.group, scene.id(0), deadline=lease)
    assert scene.gone == scene.first(1)
    await scim.add(scene.group, scene.id(0), deadline=lease)
    assert scene.gone == set()
    assert not scene.world.violations


@pytest.mark.parametrize("nonmember", ["ok", "noTarget"])
async def test_removing_who_is_no_member_is_no_failure(
    scim: Scim, cast: Callable[[int], Cast], lease: float, nonmember: Any
) -> None:
    scene = cast(2)
    scene.world.switches.remove_nonmember = nonmember
    await scim.remove(scene.group, scene.id(0), deadline=lease)
    await scim.remove(scene.group, scene.id(0), deadline=lease)
    assert scene.gone == scene.first(1)


async def test_those_who_wait_together_travel_together(
    scim: Scim, cast: Callable[[int], Cast], lease: float
) -> None:
    scene = cast(8)
    scene.world.fault("scim", "PATCH", delay=0.1, times=1)
    first = asyncio.create_task(scim.remove(scene.group, scene.id(0), deadline=lease))
    await scene.arrived.wait()
    await asyncio.gather(*(scim.remove(scene.group, scene.id(n), deadline=lease) for n in (1, 2)))
    await first
    assert [len(operations) for operations in scene.patches] == [1, 2]
    assert scene.gone == scene.first(3)


async def crowd(scim: Scim, scene: Cast, lease: float) -> None:
    """Three people, two of whom wait while the first is away."""
    scene.world.fault("scim", "PATCH", delay=0.1, times=1)
    first = asyncio.create_task(scim.remove(scene.group, scene.id(0), deadline=lease))
    await scene.arrived.wait()
    await asyncio.gather(*(scim.remove(scene.group, scene.id(n), deadline=lease) for n in (1, 2)))
    await first


async def test_whoever_comes_after_a_crowd_waits_for_more_of_it(
    scim: Scim, cast: Callable[[int], Cast], lease: float
) -> None:
    scene = cast(8)
    await crowd(scim, scene, lease)
    waits = asyncio.create_task(scim.remove(scene.group, scene.id(3), deadline=lease))
    for _ in range(20):
        await asyncio.sleep(0)  # alone it would be on its way by now
    await scim.remove(scene.group, scene.id(4), deadline=lease)
    await waits
    assert [len(operations) for operations in scene.patches] == [1, 2, 2]
    assert scene.gone == scene.first(5)


async def test_whoever_is_urgent_waits_for_no_more_of_a_crowd(
    scim: Scim, cast: Callable[[int], Cast], lease: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = cast(8)
    lane.set(Lane.BULK)
    await crowd(scim, scene, lease)
    monkeypatch.setattr(scim_batch, "_GATHER", 3600.0)  # so that it would never be over
    waits = asyncio.create_task(scim.remove(scene.group, scene.id(3), deadline=lease))
    await asyncio.sleep(0)
    lane.set(Lane.URGENT)
    await scim.remove(scene.group, scene.id(4), deadline=lease)
    await waits
    assert [len(operations) for operations in scene.patches] == [1, 2, 2]


async def test_whoever_comes_alone_waits_for_no_more_of_a_crowd(
    scim: Scim, cast: Callable[[int], Cast], lease: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = cast(8)
    await crowd(scim, scene, lease)
    monkeypatch.setattr(scim_batch, "_GATHER", 6.0)
    waits = asyncio.create_task(scim.remove(scene.group, scene.id(3), deadline=lease))
    await asyncio.sleep(0)
    with Crowds().look("somebody", "deactivated", START, bulk=False):
        async with asyncio.timeout(3):
            await scim.remove(scene.group, scene.id(4), deadline=lease)
    await waits
    assert [len(operations) for operations in scene.patches] == [1, 2, 2]


async def test_a_batch_holds_a_hundred_at_most(
    scim: Scim, cast: Callable[[int], Cast], lease: float
) -> None:
    scene = cast(130)
    await asyncio.gather(
        *(scim.remove(scene.group, scene.id(n), deadline=lease) for n in range(130))
    )
    assert [len(operations) for operations in scene.patches] == [100, 30]
    assert scene.gone == set(scene.logins)


async def test_groups_do_not_wait_for_each_other(
    scim: Scim, cast: Callable[[int], Cast], lease: float, story: Story0
) -> None:
    scene = cast(2)
    other = story.directory.group_named("Production-StatusPage")
    assert other is not None
    scene.world.fault("scim", "PATCH", path=str(scene.group), hang=1)
    slow = asyncio.create_task(scim.remove(scene.group, scene.id(0), deadline=lease))
    await asyncio.wait_for(scim.add(ScimGroupId(other.id), scene.id(0), deadline=lease), timeout=2)
    slow.cancel()
    scene.world.clear()


@pytest.mark.parametrize("atomic", [True, False])
@pytest.mark.parametrize("mode", ["404", "noTarget"])
async def test_one_bad_id_fails_nobody_else(
    scim: Scim, cast: Callable[[int], Cast], lease: float, mode: Any, *, atomic: bool
) -> None:
    scene = cast(9)
    scene.world.switches.remove_unknown_user = mode
    scene.world.switches.patch_atomic = atomic
    users = [*(scene.id(n) for n in range(4)), ScimUserId(str(uuid4())), scene.id(4), scene.id(5)]
    told = await outcomes(*(scim.remove(scene.group, user, deadline=lease) for user in users))
    assert scene.gone == scene.first(6)
    bad = told.pop(4)
    assert told == [None] * 6
    assert isinstance(bad, NotFoundError) if mode == "404" else bad is None


async def test_a_lost_reply_is_told_to_all_in_the_batch(
    scim: Scim, cast: Callable[[int], Cast], lease: float
) -> None:
    scene = cast(3)
    scene.world.fault("scim", "PATCH", drop_after=True)
    told = await outcomes(
        *(scim.remove(scene.group, scene.id(n), deadline=lease) for n in range(3))
    )
    assert [type(each) for each in told] == [LostReplyError] * 3
    assert scene.gone == scene.first(3)  # it was applied, and nobody can know
    assert len(scene.patches) == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [(500, LostReplyError), (502, LostReplyError), (503, TransientError), (409, RejectedError)],
)
async def test_a_refusal_reaches_whoever_asked(
    scim: Scim, cast: Callable[[int], Cast], lease: float, status: int, kind: type[HooksError]
) -> None:
    scene = cast(1)
    scene.world.fault("scim", "PATCH", status=status)
    with pytest.raises(kind) as caught:
        await scim.remove(scene.group, scene.id(0), deadline=lease)
    assert type(caught.value) is kind
    assert scene.gone == set()


async def test_a_waiter_who_leaves_takes_nobody_along(
    scim: Scim, cast: Callable[[int], Cast], lease: float
) -> None:
    scene = cast(4)
    scene.world.fault("scim", "PATCH", delay=0.1, times=1)
    first = asyncio.create_task(scim.remove(scene.group, scene.id(0), deadline=lease))
    await scene.arrived.wait()
    leaver = asyncio.create_task(scim.remove(scene.group, scene.id(1), deadline=lease))
    stayer = asyncio.create_task(scim.remove(scene.group, scene.id(2), deadline=lease))
    await asyncio.sleep(0)
    leaver.cancel()
    first.cancel()  # it is on its way, and goes on
    await stayer
    assert scene.gone == {scene.logins[0], scene.logins[2]}


async def test_no_change_starts_with_too_little_lease(
    scim: Scim, cast: Callable[[int], Cast]
) -> None:
    scene = cast(2)
    with pytest.raises(LeaseLostError):
        await scim.remove(scene.group, scene.id(0), deadline=elapsed() + 14.9)
    assert not scene.world.requests


async def test_who_comes_too_late_is_told_at_once(
    scim: Scim, cast: Callable[[int], Cast], lease: float
) -> None:
    scene = cast(2)
    scene.world.fault("scim", "PATCH", delay=0.3, times=1)
    first = asyncio.create_task(scim.remove(scene.group, scene.id(0), deadline=lease))
    await scene.arrived.wait()
    with pytest.raises(LeaseLostError):
        await scim.remove(scene.group, scene.id(1), deadline=elapsed() + 14.9)
    assert not first.done()
    await first


async def test_a_lease_that_runs_out_in_the_queue_is_left_behind(
    scim: Scim, cast: Callable[[int], Cast], lease: float
) -> None:
    scene = cast(3)
    scene.world.fault("scim", "PATCH", delay=0.3, times=1)
    first = asyncio.create_task(scim.remove(scene.group, scene.id(0), deadline=lease))
    await scene.arrived.wait()
    told = await outcomes(
        scim.remove(scene.group, scene.id(1), deadline=elapsed() + 15.1),
        scim.remove(scene.group, scene.id(2), deadline=lease),
    )
    await first
    assert isinstance(told[0], LeaseLostError)
    assert told[1] is None
    assert scene.gone == {scene.logins[0], scene.logins[2]}


async def test_a_lease_that_runs_out_at_the_turn_is_left_behind(
    scim: Scim, cast: Callable[[int], Cast], lease: float
) -> None:
    """All slots are taken while the batch stands ready; the shorter lease ends meanwhile."""
    scene = cast(2)
    slots = scim.door.pace._slots
    slots.limit = 0
    both = asyncio.gather(
        scim.remove(scene.group, scene.id(0), deadline=elapsed() + 15.1),
        scim.remove(scene.group, scene.id(1), deadline=lease),
        return_exceptions=True,
    )
    await asyncio.sleep(0.3)
    slots.limit = slots.most
    slots.admit()
    told = await both
    assert isinstance(told[0], LeaseLostError)
    assert told[1] is None
    assert scene.gone == {scene.logins[1]}


async def test_urgent_changes_go_first_and_take_bulk_ones_along(
    scim: Scim, cast: Callable[[int], Cast], lease: float
) -> None:
    scene = cast(121)
    scene.world.fault("scim", "PATCH", delay=0.1, times=1)

    async def change(number: int, which: Lane) -> None:
        lane.set(which)
        await scim.remove(scene.group, scene.id(number), deadline=lease)

    first = asyncio.create_task(change(120, Lane.BULK))
    await scene.arrived.wait()
    bulk = [asyncio.create_task(change(number, Lane.BULK)) for number in range(110)]
    urgent = [asyncio.create_task(change(number, Lane.URGENT)) for number in range(110, 120)]
    await asyncio.gather(first, *bulk, *urgent)
    sizes = [len(operations) for operations in scene.patches]
    assert sizes == [1, 100, 20]
    paths = {operation["path"] for operation in scene.patches[1]}
    assert {f'members[value eq "{scene.id(n)}"]' for n in range(110, 120)} <= paths


async def test_nothing_but_single_members_can_be_asked_for(
    scim: Scim, cast: Callable[[int], Cast], lease: float
) -> None:
    scene = cast(3)
    for bad in ('x" or value ne "y', "", "*", "person@somedomain.example"):
        with pytest.raises(MalformedError):
            await scim.remove(scene.group, bad, deadline=lease)  # type: ignore[arg-type]  # that is it
        with pytest.raises(MalformedError):
            await scim.add(scene.group, bad, deadline=lease)  # type: ignore[arg-type]  # as above
    with pytest.raises(MalformedError):
        await scim.remove("../Users", scene.id(0), deadline=lease)  # type: ignore[arg-type]  # as above
    assert not scene.world.requests


# -- directories that refuse selectors ---------------------------------------------------------


@pytest.mark.parametrize("refusal", ["invalidPath", "invalidSyntax", "invalidFilter"])
async def test_where_selectors_are_refused_one_value_is_named(
    scim: Scim, cast: Callable[[int], Cast], lease: float, refusal: Any
) -> None:
    scene = cast(6)
    scene.world.switches.remove_form = "value_only"
    scene.world.switches.refusal = refusal
    await scim.remove(scene.group, scene.id(0), deadline=lease)
    assert scene.gone == scene.first(1)
    assert scim.form is Form.VALUE
    reads = scene.world.counters[READS]
    assert reads == 2  # before and after, the first time only
    sent = len(scene.patches)
    told = await outcomes(
        *(scim.remove(scene.group, scene.id(n), deadline=lease) for n in range(1, 4)),
        *(scim.add(scene.group, scene.id(n), deadline=lease) for n in (0,)),
    )
    assert told == [None] * 4
    assert scene.gone == set(scene.logins[1:4])
    assert scene.world.counters[READS] == reads
    assert len(scene.patches) == sent + 4  # a removal each of its own, and the addition
    by_value = [ops for ops in scene.patches if ops[0]["op"] == "remove" and "value" in ops[0]]
    assert len(by_value) == 4
    for operations in by_value:
        (operation,) = operations
        assert operation["path"] == "members"
        ((entry),) = operation["value"]
        assert set(entry) == {"value"}


async def test_a_batch_that_meets_the_refusal_finds_its_way(
    scim: Scim, cast: Callable[[int], Cast], lease: float
) -> None:
    scene = cast(6)
    scene.world.switches.remove_form = "value_only"
    told = await outcomes(
        *(scim.remove(scene.group, scene.id(n), deadline=lease) for n in range(5))
    )
    assert told == [None] * 5
    assert scene.gone == scene.first(5)


@pytest.mark.parametrize("code", ["invalidValue", "mutability", "tooMany"])
async def test_other_refusals_do_not_try_the_other_form(
    scim: Scim, cast: Callable[[int], Cast], lease: float, code: str
) -> None:
    scene = cast(2)
    scene.world.fault("scim", "PATCH", status=400, body={"scimType": code, "status": "400"})
    with pytest.raises(RejectedError) as caught:
        await scim.remove(scene.group, scene.id(0), deadline=lease)
    assert caught.value.code == code
    assert len(scene.patches) == 1


async def test_a_form_that_takes_others_along_is_dead_and_they_are_put_back(
    scim: Scim, cast: Callable[[int], Cast], lease: float
) -> None:
    scene = cast(130)
    scene.world.switches.remove_form = "value_only"

    async def empty_it(phase: str, _vendor: str, method: str, _path: str, _n: int) -> None:
        operations = scene.patches[-1] if method == "PATCH" else [{}]
        if phase == "after" and operations[0].get("op") == "remove" and "value" in operations[0]:
            left = scene.world.members(scene.directory, CONFLUENCE)
            scene.world.scim_remove(scene.directory, CONFLUENCE, *left)

    scene.world.observer = empty_it
    with pytest.raises(RejectedError) as caught:
        await scim.remove(scene.group, scene.id(0), deadline=lease)
    assert caught.value.code == "form_dead"
    assert scim.form is Form.DEAD
    assert scene.gone == scene.first(1)
    sent = len(scene.patches)
    with pytest.raises(RejectedError, match="no safe way"):
        await scim.remove(scene.group, scene.id(1), deadline=lease)
    assert len(scene.patches) == sent
    await scim.add(scene.group, scene.id(0), deadline=lease)
    assert scene.gone == set()


class Memory:
    """A form kept over restarts."""

    def __init__(self) -> None:
        self.form: str | None = None

    async def get(self) -> str | None:
        return self.form

    async def put(self, form: str) -> None:
        self.form = form


@pytest.mark.parametrize("trouble", ["the reply", "the reading after it"])
async def test_a_trial_that_is_cut_off_is_never_repeated_and_everybody_is_back(
    scim: Scim, cast: Callable[[int], Cast], lease: float, trouble: str
) -> None:
    """It may have emptied the group, and the next trial would find nobody to lose."""
    scene = cast(5)
    scene.world.switches.remove_form = "value_only"
    memory = Memory()
    scim._patches._memory = memory

    async def empty_it(phase: str, _vendor: str, method: str, _path: str, _n: int) -> None:
        operations = scene.patches[-1] if method == "PATCH" else [{}]
        if phase == "before" and operations[0].get("op") == "remove" and "value" in operations[0]:
            left = scene.world.members(scene.directory, CONFLUENCE)
            scene.world.scim_remove(scene.directory, CONFLUENCE, *left)

    scene.world.observer = empty_it
    if trouble == "the reply":
        scene.world.fault("scim", "PATCH", skip=1, times=1, drop_after=True)
    else:
        scene.world.fault("scim", "GET", "/Groups/", skip=1, times=1, status=500)
    with pytest.raises(TransientError):
        await scim.remove(scene.group, scene.id(0), deadline=lease)
    assert scene.gone <= scene.first(1)
    assert (scim.form, memory.form) == (Form.DEAD, "dead")


async def test_a_form_is_remembered_over_a_restart(
    scim: Scim, cast: Callable[[int], Cast], lease: float
) -> None:
    scene = cast(3)
    scene.world.switches.remove_form = "value_only"
    memory = Memory()
    memory.form = "value"
    scim._patches._memory = memory
    await scim.remove(scene.group, scene.id(0), deadline=lease)
    assert scene.gone == scene.first(1)
    assert scene.world.counters[READS] == 0, "no second trial"
