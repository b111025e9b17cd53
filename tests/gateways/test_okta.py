"""Okta's truth, read from the sandbox over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

import pytest

from hooks.core.errors import (
    CredentialError,
    ForbiddenError,
    HooksError,
    IncompleteError,
    MalformedError,
    NotFoundError,
    TransientError,
)
from hooks.core.history import LogFacts, Logged, Moment
from hooks.core.ids import OktaAppId, OktaGroupId, OktaUserId, ScimUserId
from hooks.core.reading import MISSING, AppUser, OktaUser, Successor
from hooks.gateways.okta import Okta
from hooks.gateways.okta_shapes import LOG_TYPES
from hooks.sandbox import Story0, World, crowd

STRANGER = OktaUserId("00u" + "x" * 17)


def who(story: Story0) -> OktaUserId:
    return OktaUserId(story.person.id)


def app_of(story: Story0) -> OktaAppId:
    return OktaAppId(story.app.id)


async def test_a_user_is_read_with_status_and_login(okta: Okta, story: Story0) -> None:
    user = await okta.user(who(story))
    assert user == OktaUser(who(story), "ACTIVE", None, story.person.login)
    story.world.switches.deactivation_delay = 60
    story.world.deactivate(story.person)
    assert await okta.user(who(story)) == OktaUser(
        who(story), "ACTIVE", "DEPROVISIONED", story.person.login
    )


async def test_what_is_not_there_is_missing(okta: Okta, story: Story0) -> None:
    assert await okta.user(STRANGER) is MISSING
    assert await okta.app(OktaAppId("0oa" + "x" * 17)) is MISSING
    assert await okta.app_user(app_of(story), STRANGER) is MISSING
    assert await okta.group(OktaGroupId("00g" + "x" * 17)) is MISSING
    with pytest.raises(NotFoundError):
        await okta.user_groups(STRANGER)


async def test_groups_of_a_user_are_read_to_the_last_page(okta: Okta, story: Story0) -> None:
    names = {f"group-{number:03}" for number in range(230)}
    for name in names:
        story.world.add_to_group(story.person, story.world.add_okta_group(name))
    groups = await okta.user_groups(who(story))
    assert {group.name for group in groups} == names | {"Everyone", "Production-Confluence"}
    assert {group.type for group in groups} == {"OKTA_GROUP", "BUILT_IN"}


async def test_a_full_last_page_of_groups_is_not_believed(okta: Okta, story: Story0) -> None:
    for number in range(198):  # with Everyone and Production-Confluence: 200
        story.world.add_to_group(story.person, story.world.add_okta_group(f"group-{number}"))
    with pytest.raises(IncompleteError, match="full page"):
        await okta.user_groups(who(story))


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        pytest.param({"foreign_next": True}, IncompleteError, id="a next link to a stranger"),
        pytest.param({"drop_next": True}, IncompleteError, id="a next link left out"),
        pytest.param({"truncate": True}, IncompleteError, id="half the JSON"),
        pytest.param({"cut": True}, IncompleteError, id="a connection cut in the body"),
        pytest.param({"redirect": "/api/v1/users"}, IncompleteError, id="a redirect"),
        pytest.param({"status": 200, "body": "<html>"}, IncompleteError, id="a login page"),
        pytest.param({"status": 200, "body": {"id": 1}}, IncompleteError, id="another shape"),
        pytest.param({"status": 500}, TransientError, id="an error on a later page"),
        pytest.param({"drop": True}, TransientError, id="no answer on a later page"),
        pytest.param({"status": 404}, NotFoundError, id="gone on a later page"),
    ],
)
async def test_a_list_that_breaks_is_no_list(
    okta: Okta, story: Story0, trouble: dict[str, Any], error: type[HooksError]
) -> None:
    for number in range(230):
        story.world.add_to_group(story.person, story.world.add_okta_group(f"group-{number}"))
    later = "foreign_next" not in trouble and "drop_next" not in trouble
    story.world.fault("okta", path="after=" if later else "/groups", **trouble)
    with pytest.raises(error):
        await okta.user_groups(who(story))


async def test_an_app_user_shows_the_scim_id_and_name(okta: Okta, story: Story0) -> None:
    record = story.world.record(story.directory, story.person.login)
    found = await okta.app_user(app_of(story), who(story))
    assert found == AppUser(who(story), "PROVISIONED", ScimUserId(record.id), story.person.login)
    story.world.switches.app_user_external_id = False
    found = await okta.app_user(app_of(story), who(story))
    assert isinstance(found, AppUser)
    assert found.external_id is None


async def test_answers_about_another_are_refused(okta: Okta, story: Story0) -> None:
    other = {"id": STRANGER, "status": "ACTIVE", "profile": {"name": "x", "login": "x"}}
    other["type"] = "OKTA_GROUP"
    story.world.fault("okta", status=200, body=other)
    for read in (
        okta.user(who(story)),
        okta.app(app_of(story)),
        okta.app_user(app_of(story), who(story)),
        okta.group(OktaGroupId(story.confluence.id)),
    ):
        with pytest.raises(IncompleteError, match="another"):
            await read


async def test_all_app_users_come_once_over_all_pages(okta: Okta, world: World) -> None:
    crowd(world, people=1100, groups=1, app="Crowd")
    app = OktaAppId(world.app("Crowd").id)
    pages = [page async for page in okta.app_users(app)]
    people = [each.user for page in pages for each in page]
    assert [len(page) for page in pages] == [500, 500, 100]
    assert len(people) == len(set(people)) == 1100
    members = [
        each async for page in okta.group_members(group_id(world, "team-000")) for each in page
    ]
    assert set(members) == set(people)
    assert len(members) == 1100


def group_id(world: World, name: str) -> OktaGroupId:
    return OktaGroupId(world.group(name).id)


async def test_a_successor_has_the_same_name_and_another_id(okta: Okta, story: Story0) -> None:
    name = story.person.login
    assert await okta.successors(app_of(story), name, other_than=who(story)) == ()
    heir = story.world.rehire(name)
    story.world.assign(heir, story.app)
    found = await okta.successors(app_of(story), name.upper(), other_than=who(story))
    assert found == (Successor(OktaUserId(heir.id)),)
    story.world.switches.unassigned_app_user = "DEPROVISIONED"  # and stays readable
    story.world.unassign(heir, story.app)
    assert isinstance(await okta.app_user(app_of(story), OktaUserId(heir.id)), AppUser)
    assert await okta.successors(app_of(story), name, other_than=who(story)) == ()
    with pytest.raises(IncompleteError):
        await okta.successors(app_of(story), " ", other_than=who(story))


async def test_a_successor_is_compared_exactly(okta: Okta, story: Story0) -> None:
    longer = story.world.add_user(story.person.login + ".org")
    story.world.assign(longer, story.app)
    name = story.person.login
    assert await okta.successors(app_of(story), name, other_than=who(story)) == ()


async def test_mappings_keep_statuses_nobody_knows(okta: Okta, story: Story0) -> None:
    story.world.set_mapping_status("Production-StatusPage", "INACTIVE")
    story.world.mapping("Production-Confluence").status = "REBUILDING"
    found = {each.source: each for each in await okta.mappings(app_of(story))}
    assert found[OktaGroupId(story.confluence.id)].status == "REBUILDING"
    assert found[OktaGroupId(story.statuspage.id)].status == "INACTIVE"


async def test_a_malformed_mapping_refuses_them_all(okta: Okta, story: Story0) -> None:
    good = {"id": "gPm" + "1" * 17, "sourceGroupId": "00g" + "1" * 17, "status": "ACTIVE"}
    good["targetGroupId"] = "00g" + "2" * 17
    for bad in ({"sourceGroupId": "x"}, {"id": None}, {"targetGroupId": ""}, {"status": None}):
        story.world.clear()
        story.world.fault("okta", path="mappings", status=200, body=[good, good | bad])
        with pytest.raises(IncompleteError):
            await okta.mappings(app_of(story))
    story.world.clear()
    story.world.fault(
        "okta", path="mappings", status=200, body=[good, good | {"status": "INACTIVE"}]
    )
    with pytest.raises(IncompleteError, match="differently"):
        await okta.mappings(app_of(story))


@pytest.mark.parametrize("value", ["", "x", "../00g11111111111111", "00g1111111111111 eq"])
async def test_an_entry_without_a_usable_id_refuses_the_whole_list(
    okta: Okta, story: Story0, value: str
) -> None:
    """Left out, it would count as not being there."""
    odd = {"id": value, "type": "OKTA_GROUP", "status": "ACTIVE", "profile": {"name": "x"}}
    for path in (r"/users/\w+/groups", r"/apps/\w+/users", r"/groups/\w+/users"):
        story.world.fault("okta", path=path, status=200, body=[odd])
    with pytest.raises(IncompleteError):
        await okta.user_groups(who(story))
    with pytest.raises(IncompleteError):
        [page async for page in okta.app_users(app_of(story))]
    with pytest.raises(IncompleteError):
        [page async for page in okta.group_members(OktaGroupId(story.confluence.id))]


async def test_groups_are_found_by_exact_name_without_those_of_apps(
    okta: Okta, story: Story0
) -> None:
    odd = 'Say "hi" \\ \N{SNOWMAN}'
    story.world.add_okta_group(odd)
    story.world.add_okta_group("production-confluence")
    assert [group.name for group in await okta.groups_named(odd)] == [odd]
    found = await okta.groups_named("Production-Confluence")  # pushed: an APP_GROUP has the name
    assert [group.id for group in found] == [story.confluence.id]
    assert await okta.groups_named("No such group") == ()


async def test_the_log_tells_what_succeeded(okta: Okta, story: Story0) -> None:
    since = datetime.now(UTC) - timedelta(days=90)
    before = await okta.log.about(who(story), since)
    assert before.assignments == {app_of(story)}
    assert before.deactivated is None
    story.world.deactivate(story.person)
    left = await okta.log.about(who(story), since)
    assert left.deactivated is not None
    assert left.activated is None
    story.world.activate(story.person)
    back = await okta.log.about(who(story), since)
    assert back.activated is not None
    assert back.activated > left.deactivated


async def history(okta: Okta) -> list[tuple[OktaUserId, Moment]]:
    since = datetime.now(UTC) - timedelta(days=90)
    return [each async for page in okta.log.history(since) for each in page]


async def test_the_history_is_everybodys_and_in_order(okta: Okta, story: Story0) -> None:
    story.world.deactivate(story.person)
    story.world.activate(story.person)
    found = await history(okta)
    asked = story.world.requests[-1].query
    for user in (who(story), OktaUserId(story.colleague.id)):
        facts = await okta.log.about(user, datetime.now(UTC) - timedelta(days=90))
        assert LogFacts.of(moment for each, moment in found if each == user) == facts
    assert [moment.at for _, moment in found] == sorted(moment.at for _, moment in found)
    query = unquote(asked)
    assert "target.id" not in query
    assert "since=" in query
    assert "until=" in query
    assert "sortOrder=ASCENDING" in query
    assert {part.split('"')[1] for part in query.split("eventType eq ")[1:]} == LOG_TYPES


async def test_the_history_is_read_page_by_page_to_the_last(okta: Okta, story: Story0) -> None:
    for number in range(1200):
        user = story.world.add_user(f"many-{number}@somedomain.example")
        story.world.assign(user, story.app)
    since = datetime.now(UTC) - timedelta(days=1)
    pages = [page async for page in okta.log.history(since)]
    assert len(pages) > 1
    assert len({user for page in pages for user, _ in page}) >= 1200


async def test_whom_an_event_is_about(okta: Okta, story: Story0) -> None:
    people = [story.person.id, story.colleague.id]
    apps = ["0oa" + "1" * 17, "0oa" + "2" * 17]
    assigned = {"eventType": "application.user_membership.add"}
    body = [
        event(story, target=[{"id": each, "type": "User"} for each in (*people, people[0])]),
        event(story, target=None),
        event(story, target=[{"id": people[0], "type": "AppUser"}]),
        event(story, target=[{"id": "unknown", "type": "User"}, {"id": None, "type": "User"}]),
        event(story, outcome={"result": "FAILURE"}),
        event(
            story,
            **assigned,
            target=[{"id": people[0], "type": "User"}]
            + [{"id": app, "type": "AppInstance"} for app in apps],
        ),
    ]
    story.world.fault("okta", path="/logs", status=200, body=body)
    at = datetime(2026, 11, 21, 9, 30, 0, 123000, tzinfo=UTC)
    assert await history(okta) == [
        *((OktaUserId(each), Moment(at, Logged.DEACTIVATED)) for each in people),
        *((who(story), Moment(at, Logged.ASSIGNED, OktaAppId(app))) for app in apps),
    ]


async def test_a_history_that_is_cut_or_unasked_for_is_none(okta: Okta, story: Story0) -> None:
    for body in ([event(story)] * 1000, [event(story, eventType="user.session.start")]):
        story.world.clear()
        story.world.fault("okta", path="/logs", status=200, body=body)
        with pytest.raises(IncompleteError):
            await history(okta)


def event(story: Story0, **changes: Any) -> dict[str, Any]:
    good = {
        "eventType": "user.lifecycle.deactivate",
        "published": "2026-11-21T09:30:00.123Z",
        "outcome": {"result": "SUCCESS"},
        "target": [{"id": story.person.id, "type": "User"}],
    }
    return good | changes


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"target": [{"id": STRANGER, "type": "User"}]}, id="about another"),
        pytest.param({"target": None}, id="about nobody"),
        pytest.param({"eventType": "user.session.start"}, id="of another type"),
        pytest.param({"published": "2026-11-21T09:30:00"}, id="at an hour somewhere"),
        pytest.param({"published": "yesterday"}, id="at no instant"),
    ],
)
async def test_an_event_nobody_asked_for_spoils_the_log(
    okta: Okta, story: Story0, changes: dict[str, Any]
) -> None:
    since = datetime.now(UTC) - timedelta(days=1)
    story.world.fault("okta", path="/logs", status=200, body=[event(story)], times=1)
    assert (await okta.log.about(who(story), since)).deactivated is not None
    body = [event(story), event(story, **changes)]
    story.world.fault("okta", path="/logs", status=200, body=body)
    with pytest.raises(IncompleteError):
        await okta.log.about(who(story), since)


@pytest.mark.parametrize("outcome", [None, {"result": "FAILURE"}, {"result": None}])
async def test_what_failed_did_not_happen(okta: Okta, story: Story0, outcome: Any) -> None:
    body = [event(story, outcome=outcome)]
    story.world.fault("okta", path="/logs", status=200, body=body)
    facts = await okta.log.about(who(story), datetime.now(UTC) - timedelta(days=1))
    assert facts.deactivated is None


async def test_a_list_that_leads_round_in_circles_is_left(
    okta: Okta, story: Story0, okta_url: str
) -> None:
    link = {"link": f'<{okta_url}/api/v1/users/{story.person.id}/groups?after=x>; rel="next"'}
    story.world.fault("okta", path="/groups", status=200, body=[], headers=link)
    with pytest.raises(IncompleteError, match="circles"):
        await okta.user_groups(who(story))


async def test_one_hidden_app_delays_nobody_else(okta: Okta, story: Story0) -> None:
    hidden = story.world.add_app("Hidden")
    story.world.hide(hidden)
    with pytest.raises(ForbiddenError):
        await okta.app(OktaAppId(hidden.id))
    assert await okta.user(who(story)) is not MISSING
    assert okta.door.breaker.snapshot()["state"] == "closed"


async def test_a_credential_refused_everywhere_opens_the_breaker(okta: Okta, story: Story0) -> None:
    story.world.fault("okta", status=403)
    with pytest.raises(CredentialError):
        await okta.user(who(story))
    assert okta.door.breaker.snapshot()["state"] == "open"
    story.world.clear()
    asked = sum(story.world.counters.values())
    with pytest.raises(TransientError):
        await okta.user(who(story))
    assert sum(story.world.counters.values()) == asked


async def test_nothing_but_an_id_is_asked_for(okta: Okta, world: World) -> None:
    for bad in ("../apps", "me", "a@b.example", 'x" or "x'):
        with pytest.raises(MalformedError):
            await okta.user(bad)  # type: ignore[arg-type]  # that is the test
    assert not world.requests


async def test_only_gets_are_sent_to_okta(okta: Okta, story: Story0) -> None:
    await okta.user(who(story))
    await okta.mappings(app_of(story))
    assert {method for _, method, _ in story.world.counters} == {"GET"}
    assert not story.world.violations
