"""One membership less or more, and a key that may read and not write."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from hooks.clock import elapsed
from hooks.core.errors import (
    BreakerOpenError,
    CredentialError,
    ForbiddenError,
    HooksError,
    LeaseLostError,
    LostReplyError,
    MalformedError,
    NotFoundError,
    RateLimitedError,
    RejectedError,
    TransientError,
)
from hooks.core.ids import AccountId, OrganizationGroupId
from hooks.core.membership import OrganizationGroup
from hooks.gateways.organization import Organization
from hooks.gateways.organization_writes import ReadOnlyKeyError
from tests.gateways.organization_stage import (
    LOCAL,
    PERSON,
    V2,
    OrganizationStage,
    Say,
    error,
    page,
)
from tests.gateways.stage import Wall, http

DONE = http(204, b"")
NO = error(403, "ADMIN-UAM-403-1")
WORKS = http(200, b"{}")  # the probe


async def remove(organization: Organization, group: OrganizationGroup = LOCAL) -> None:
    await organization.remove(group, PERSON, deadline=elapsed() + 60)


async def add(organization: Organization, group: OrganizationGroup = LOCAL) -> None:
    await organization.add(group, PERSON, deadline=elapsed() + 60)


async def failure(attempt: Any) -> HooksError:
    with pytest.raises(HooksError) as caught:
        await attempt
    return caught.value


def state(organization: Organization) -> str:
    return str(organization.snapshot()["writes"]["state"])


async def test_a_membership_goes_and_comes(stage: OrganizationStage, say: Say) -> None:
    await remove(say(DONE))
    await add(say(http(200, b'{"message": "done"}')))
    memberships = f"{V2}/d1/groups/{LOCAL.id}/memberships"
    assert stage.asked == [
        ("DELETE", f"{memberships}/{PERSON.replace(':', '%3A')}", None),
        ("POST", memberships, {"accountId": PERSON}),
    ]


@pytest.mark.parametrize(
    ("group", "code"),
    [
        (replace(LOCAL, synced=True), "synced"),
        (replace(LOCAL, synced=True, modifiable=False), "synced"),
        (replace(LOCAL, modifiable=False), "not_modifiable"),
    ],
)
async def test_a_group_that_is_not_ours_to_change_is_left_alone(
    stage: OrganizationStage, say: Say, group: OrganizationGroup, code: str
) -> None:
    for change in (remove, add):
        told = await failure(change(say(DONE), group))
        assert isinstance(told, RejectedError)
        assert told.code == code
    assert not stage.asked


async def test_a_write_names_one_directory(stage: OrganizationStage, say: Say) -> None:
    everywhere = replace(LOCAL, directory="-")  # type: ignore[arg-type]  # that is the test
    for change in (remove, add):
        assert isinstance(await failure(change(say(DONE), everywhere)), MalformedError)
    assert not stage.asked


@pytest.mark.parametrize(
    ("reply", "kind", "code"),
    [
        pytest.param(error(404, "ADMIN-UAM-404-1"), NotFoundError, "ADMIN-UAM-404-1", id="account"),
        pytest.param(error(404, "ADMIN-UAM-404-3"), NotFoundError, "ADMIN-UAM-404-3", id="group"),
        pytest.param(
            error(400, "ADMIN-UAM-400-2"), RejectedError, "ADMIN-UAM-400-2", id="inactive"
        ),
        pytest.param(error(409, "ADMIN-UAM-409-3"), RejectedError, "ADMIN-UAM-409-3", id="licence"),
        pytest.param(error(500), LostReplyError, None, id="perhaps"),
        pytest.param(error(503), TransientError, None, id="not now"),
        pytest.param(error(429), RateLimitedError, None, id="too many"),
        pytest.param(None, LostReplyError, None, id="no reply"),
    ],
)
async def test_what_becomes_of_a_change(
    say: Say, reply: bytes | None, kind: type[HooksError], code: str | None
) -> None:
    for change in (remove, add):
        told = await failure(change(say(reply)))
        assert type(told) is kind
        assert getattr(told, "code", None) == code
        if kind is RateLimitedError:
            return  # the other waits
        assert state(say(reply)) == "closed"


async def test_adding_a_member_is_done_and_removing_one_is_not(say: Say) -> None:
    await add(say(error(409, "ADMIN-UAM-409-2")))
    assert isinstance(await failure(remove(say(error(409, "ADMIN-UAM-409-2")))), RejectedError)


async def test_no_change_starts_late(stage: OrganizationStage, say: Say) -> None:
    with pytest.raises(LeaseLostError):
        await say(DONE).remove(LOCAL, PERSON, deadline=elapsed() + 14)
    assert not stage.asked


async def test_a_removal_is_never_sent_twice(stage: OrganizationStage, say: Say) -> None:
    """Over a connection kept from before, where aiohttp repeats a DELETE of its own accord."""
    organization = say(page(), None)
    await organization.groups_of(PERSON)
    assert type(await failure(remove(organization))) is LostReplyError
    assert stage.writes == 1


# -- a key that may read and not write ---------------------------------------------------------


async def test_a_key_that_cannot_write_is_an_alarm_and_no_loop(
    stage: OrganizationStage, say: Say, wall: Wall
) -> None:
    organization = say(NO, WORKS)
    with capture_logs() as logs:
        assert isinstance(await failure(remove(organization)), CredentialError)
        for _ in range(5):
            told = await failure(remove(organization))
            assert isinstance(told, BreakerOpenError)
            assert told.retry_at is not None
    assert [each["credential"] for each in logs] == ["organization writes"]
    assert logs[0]["event"] == "credential_refused"
    assert stage.writes == 1
    snapshot = organization.snapshot()
    assert (snapshot["writes"]["state"], snapshot["breaker"]["state"]) == ("open", "closed")
    assert await say(page()).groups_of(PERSON) == ()  # reads go on

    wall.forward(5)
    assert isinstance(await failure(add(say(NO, WORKS))), CredentialError)
    assert stage.writes == 2
    wall.forward(9)
    assert isinstance(await failure(add(say(DONE))), BreakerOpenError)
    wall.forward(1)
    await add(say(DONE))
    assert state(organization) == "closed"


async def test_only_a_success_closes_it(say: Say, wall: Wall) -> None:
    organization = say(NO, WORKS)
    await failure(remove(organization))
    for reply in (error(404, "ADMIN-UAM-404-3"), error(400, "ADMIN-UAM-400-2"), error(503), None):
        wall.forward(5)
        assert not isinstance(await failure(remove(say(reply))), BreakerOpenError)
        assert state(organization) == "open"
        assert isinstance(await failure(remove(organization)), BreakerOpenError)


async def test_a_key_that_has_written_is_refused_for_one_group_only(
    stage: OrganizationStage, say: Say
) -> None:
    await remove(say(DONE))
    for _ in range(3):
        assert isinstance(await failure(remove(say(NO, WORKS))), ForbiddenError)
    assert state(stage.organization) == "closed"
    await remove(say(DONE))


# -- a key that wrote, and stops ---------------------------------------------------------------

GROUPS = [
    replace(LOCAL, id=OrganizationGroupId(f"276f955c-63d7-42c8-9520-{number:012}"))
    for number in range(6)
]
PEOPLE = [AccountId(f"5b10ac8d82e05b22cc7d4e{number:02}") for number in range(6)]


async def refused(
    say: Say, groups: Iterable[OrganizationGroup], people: Iterable[AccountId] = (PERSON,)
) -> list[type[HooksError]]:
    """What each removal ends with, that is answered 403 by a key which reads."""
    told = []
    for group in groups:
        for person in people:
            removal = say(NO, WORKS).remove(group, person, deadline=elapsed() + 60)
            told.append(type(await failure(removal)))
    return told


async def test_a_key_that_is_refused_several_groups_after_it_wrote_writes_no_more(
    stage: OrganizationStage, say: Say, wall: Wall
) -> None:
    await remove(say(DONE))
    with capture_logs() as logs:
        told = await refused(say, GROUPS[:5])
    held = [BreakerOpenError, BreakerOpenError]
    assert told == [ForbiddenError, ForbiddenError, ReadOnlyKeyError, *held]
    assert [each["credential"] for each in logs] == ["organization writes"]
    assert await say(page()).groups_of(PERSON) == ()  # reads go on
    wall.forward(5)
    assert await refused(say, GROUPS[:1]) == [ReadOnlyKeyError]  # the trial
    wall.forward(10)
    await remove(say(DONE))
    assert state(stage.organization) == "closed"
    # It wrote although those were refused, so they say nothing about it any more.
    assert await refused(say, [*GROUPS[:5], GROUPS[0]]) == [ForbiddenError] * 6


async def test_of_a_group_it_wrote_to_each_person_counts(
    stage: OrganizationStage, say: Say
) -> None:
    """Many organizations have one such group; that it is refused one person many times is odd."""
    await remove(say(DONE))
    assert await refused(say, [LOCAL] * 5, PEOPLE[:1]) == [ForbiddenError] * 5
    assert await refused(say, [LOCAL], PEOPLE[1:3]) == [ForbiddenError, ReadOnlyKeyError]
    assert state(stage.organization) == "open"


async def test_one_odd_group_or_two_are_not_the_key(stage: OrganizationStage, say: Say) -> None:
    await remove(say(DONE))
    assert await refused(say, GROUPS[:2], PEOPLE) == [ForbiddenError] * 12
    await remove(say(DONE))
    assert await refused(say, GROUPS[2:4], PEOPLE) == [ForbiddenError] * 12
    assert state(stage.organization) == "closed"


async def test_a_change_sent_before_a_refusal_shows_nothing_about_it(
    stage: OrganizationStage, say: Say
) -> None:
    slow, sent, gate = f"/memberships/{PEOPLE[0]}", asyncio.Event(), asyncio.Event()
    await remove(say(DONE))

    async def answer(head: str) -> bytes:
        if slow in head:
            sent.set()
            await gate.wait()
            return DONE
        return NO if "/memberships" in head else WORKS

    stage.server.answer = answer
    early = asyncio.create_task(
        stage.organization.remove(LOCAL, PEOPLE[0], deadline=elapsed() + 60)
    )
    await sent.wait()
    for group in GROUPS[:2]:
        assert isinstance(await failure(remove(stage.organization, group)), ForbiddenError)
    gate.set()
    await early
    assert isinstance(await failure(remove(stage.organization, GROUPS[2])), ReadOnlyKeyError)


async def test_what_another_key_was_refused_is_not_this_ones(
    stage: OrganizationStage, say: Say
) -> None:
    await remove(say(DONE))
    await refused(say, GROUPS[:2])
    stage.vault.secret = "another"
    await say(error(401), page()).groups_of(PERSON)
    await remove(say(DONE))
    assert await refused(say, GROUPS[2:4]) == [ForbiddenError] * 2


async def test_another_key_is_another_matter(
    stage: OrganizationStage, say: Say, wall: Wall
) -> None:
    """In the store or the file; found at the next trial, or at once where the old one ended."""
    await remove(say(DONE))  # proves the first key, and nothing about the second
    stage.vault.secret = "narrow"
    ended = error(401)
    told = await failure(remove(say(ended, NO, WORKS, NO, WORKS)))
    assert isinstance(told, CredentialError)
    assert state(stage.organization) == "open"

    stage.vault.secret = "wide"
    assert isinstance(await failure(remove(say(DONE))), BreakerOpenError)
    await say(ended, page()).groups_of(PERSON)  # the narrow one is taken away
    await remove(say(DONE))
    assert state(stage.organization) == "closed"

    stage.vault.secret = "narrower"
    await say(ended, page()).groups_of(PERSON)
    assert isinstance(await failure(remove(say(NO, WORKS))), CredentialError)
    stage.vault.secret = "wider"
    wall.forward(5)
    await remove(say(NO, WORKS, DONE))  # the trial reads the secret anew, and tries it too
    assert state(stage.organization) == "closed"
    assert "Bearer wider\r\n" in stage.server.heads[-1]


async def test_a_key_refused_altogether_says_nothing_about_writing(say: Say) -> None:
    organization = say(error(401))
    assert isinstance(await failure(remove(organization)), CredentialError)
    snapshot = organization.snapshot()
    assert (snapshot["writes"]["state"], snapshot["breaker"]["state"]) == ("closed", "open")


async def test_many_refused_at_once_open_it_once(stage: OrganizationStage, say: Say) -> None:
    async def answer(head: str) -> bytes:
        await asyncio.sleep(0.01)
        return NO if "/memberships" in head else WORKS

    stage.server.answer = answer
    with capture_logs() as logs:
        told = await asyncio.gather(*(failure(remove(stage.organization)) for _ in range(8)))
    assert {type(each).__base__ for each in told} <= {CredentialError, TransientError}
    assert len(logs) == 1
    assert state(stage.organization) == "open"


def test_the_one_delete_is_of_a_membership() -> None:
    """The path cannot end at a group: what stands below it is always there."""
    from inspect import getsource

    from hooks.gateways import organization_writes

    code = getsource(organization_writes)
    assert code.count('"memberships"') == 1
    assert code.count('"DELETE"') == 2  # in what may leave by the door, and with an account below
