"""The organization's accounts and groups: from the sandbox, and from answers written by hand."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from email.utils import format_datetime
from typing import Any, Literal
from uuid import uuid4

import pytest

from hooks.clock import elapsed
from hooks.core.errors import (
    CredentialError,
    ForbiddenError,
    HooksError,
    IncompleteError,
    MalformedError,
    NotFoundError,
    NowhereError,
    RateLimitedError,
    RejectedError,
    TransientError,
)
from hooks.core.ids import (
    AccountId,
    OrganizationDirectoryId,
    OrganizationGroupId,
    ScimUserId,
)
from hooks.core.membership import OrganizationGroup
from hooks.core.reading import MISSING, Account, ScimLink
from hooks.gateways.organization import AT_ONCE, Organization
from hooks.gateways.organization_lists import MOST_PAGES
from hooks.sandbox import Story0, World
from hooks.sandbox.organization.nouns import KeyKind, OrgGroup
from tests.gateways.organization_stage import (
    LOCAL,
    ORG,
    OTHER,
    PERSON,
    V2,
    OrganizationStage,
    Say,
    error,
    group,
    numbered,
    page,
    user,
)
from tests.gateways.stage import START, Vault, Wall, http

Read = Callable[[Organization], Awaitable[object]]


async def everything(organization: Organization) -> list[OrganizationGroup]:
    return [each async for page in organization.groups() for each in page]


READS: dict[str, Read] = {
    "account": lambda organization: organization.account(PERSON),
    "groups of": lambda organization: organization.groups_of(PERSON),
    "links": lambda organization: organization.links(PERSON),
    "group": lambda organization: organization.group(LOCAL.id),
    "groups": everything,
    "members": lambda organization: organization.active_members(LOCAL.id),
    "roles": lambda organization: organization.role_assignments(LOCAL.id),
}
ALL = pytest.mark.parametrize("read", READS.values(), ids=READS)


async def failure(attempt: Awaitable[object]) -> HooksError:
    with pytest.raises(HooksError) as caught:
        await attempt
    return caught.value


# -- what is asked, and what is answered -------------------------------------------------------


async def test_an_account_is_asked_for_with_its_roles(stage: OrganizationStage, say: Say) -> None:
    found = await say(page(user(platformRoles=["org-admin"]))).account(PERSON)
    assert found == Account(PERSON, "atlassian", "active", frozenset({"org-admin"}))
    body = {"accountIds": [PERSON], "expand": ["platformRoles"], "limit": 100}
    assert stage.asked == [("POST", f"{V2}/-/users/search", body)]
    assert await say(page()).account(PERSON) is MISSING
    told = await failure(say(page(user(), user(OTHER))).account(PERSON))
    assert isinstance(told, IncompleteError)


async def test_all_that_is_asked_about_groups(stage: OrganizationStage, say: Say) -> None:
    active = user(OTHER, status="active", groups=[{"id": LOCAL.id}])
    roles = page({"roles": ["a/b"]}, {"roles": [{"key": "c"}]})
    assert await say(page(group())).groups_of(PERSON) == (LOCAL,)
    assert await everything(say(page(group()))) == [LOCAL]
    assert await say({"data": group()}).group(LOCAL.id) == LOCAL
    assert await say(page(active)).active_members(LOCAL.id, most=3) == {OTHER}
    assert await say(roles).role_assignments(LOCAL.id) == {"a/b", "c"}
    members = {"groupIds": [LOCAL.id], "status": ["active"], "expand": ["groups"], "limit": 3}
    assert stage.asked == [
        ("POST", f"{V2}/-/groups/search", {"accountIds": [PERSON], "limit": 100}),
        ("POST", f"{V2}/-/groups/search", {"limit": 100}),
        ("GET", f"{V2}/-/groups/{LOCAL.id}", None),
        ("POST", f"{V2}/-/users/search", members),
        ("GET", f"{V2}/-/groups/{LOCAL.id}/role-assignments?limit=100", None),
    ]


async def test_links_come_bare_or_wrapped(stage: OrganizationStage, say: Say) -> None:
    record = ScimUserId(str(uuid4()))
    link = {"scimUserId": record, "atlassianAccountId": None, "orgId": ORG, "directoryId": "s1"}
    for answer in ([link], {"data": [link]}, {"data": [link], "links": {"next": None}}):
        assert await say(answer).links(PERSON) == (ScimLink("s1", record),)
    person = PERSON.replace(":", "%3A")
    target = f"/admin/user-provisioning/v1/org/{ORG}/user/{person}/get-scim-links"
    assert stage.asked[0] == ("GET", target, None)
    told = await failure(say(page(link, following="more")).links(PERSON))
    assert isinstance(told, IncompleteError)


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        pytest.param(error(404, "ADMIN-UAM-404-1"), MISSING, id="no such account"),
        pytest.param(http(404, b""), MISSING, id="no such call, says the gateway"),
        pytest.param(error(405, "ADMIN-UAM-405-1"), MISSING, id="no such method"),
        pytest.param(error(403, "ADMIN-UAM-403-1"), ForbiddenError, id="refused"),
        pytest.param(error(400, "ADMIN-UAM-400-1"), RejectedError, id="not understood"),
    ],
)
async def test_a_call_that_is_not_offered_has_no_links(
    say: Say, reply: bytes, outcome: object
) -> None:
    organization = say(reply, http(200))
    if outcome is MISSING:
        assert await organization.links(PERSON) is MISSING
    else:
        assert type(await failure(organization.links(PERSON))) is outcome


@pytest.mark.parametrize("code", ["ADMIN-UAM-404-1", "ADMIN-UAM-404-3"])
async def test_a_404_may_be_about_what_was_asked_for(say: Say, code: str) -> None:
    organization = say(error(404, code))
    assert await organization.account(PERSON) is MISSING
    assert await organization.group(LOCAL.id) is MISSING
    assert isinstance(await failure(organization.groups_of(PERSON)), NotFoundError)


async def test_a_group_is_the_one_asked_for(say: Say) -> None:
    other = group(id=str(uuid4()))
    assert isinstance(await failure(say({"data": other}).group(LOCAL.id)), IncompleteError)


async def test_nothing_but_an_id_is_asked_for(stage: OrganizationStage, say: Say) -> None:
    organization = say(page())
    bad: Any = "../groups"
    for asked in (
        organization.account(bad),
        organization.groups_of(bad),
        organization.links(bad),
        organization.group(bad),
        organization.active_members(bad),
        organization.role_assignments(bad),
    ):
        assert isinstance(await failure(asked), MalformedError)
    assert not stage.asked


# -- searches are reads ------------------------------------------------------------------------


@ALL
@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        pytest.param(error(500, "ADMIN-UAM-500-1"), TransientError, id="500"),
        pytest.param(http(502, b"<html>", content_type="text/html"), TransientError, id="502"),
        pytest.param(http(504, b""), TransientError, id="504"),
        pytest.param(None, TransientError, id="no reply"),
        pytest.param(http(202), IncompleteError, id="202"),
        pytest.param(http(204, b""), IncompleteError, id="204"),
        pytest.param(http(302, b"", "Location: /"), IncompleteError, id="redirect"),
        pytest.param(http(200, b'{"data": ['), IncompleteError, id="half"),
        pytest.param(http(200, b'{"data": 7}'), IncompleteError, id="another shape"),
        pytest.param(http(200, b"{}"), IncompleteError, id="nothing in it"),
        pytest.param(http(200, b"<html>", content_type="text/html"), IncompleteError, id="a page"),
        pytest.param(http(401, b'{"code": 401, "message": "a@b"}'), CredentialError, id="401"),
    ],
)
async def test_a_read_that_fails_is_no_answer(
    say: Say, read: Read, reply: bytes | None, kind: type[HooksError]
) -> None:
    """And none of them is ever a lost reply: a question changes nothing."""
    assert type(await failure(read(say(reply)))) is kind


@ALL
async def test_a_403_is_about_one_or_about_all(say: Say, read: Read) -> None:
    no = error(403, "ADMIN-UAM-403-1")
    told = await failure(read(say(no, http(200))))
    assert isinstance(told, ForbiddenError)
    assert told.code == "ADMIN-UAM-403-1"


@pytest.mark.parametrize(
    ("probed", "kind", "opened"),
    [
        (error(403, "ADMIN-UAM-403-1"), CredentialError, "breaker"),
        (error(403, "ADMIN-UAM-403-2"), NowhereError, "organization_id"),
        (error(404, "ADMIN-404-2"), NowhereError, "organization_id"),
        (http(404, b""), NowhereError, "organization_id"),
    ],
)
async def test_the_organization_itself_is_the_probe(
    stage: OrganizationStage, say: Say, probed: bytes, kind: type[HooksError], opened: str
) -> None:
    no = error(403, "ADMIN-UAM-403-1")
    organization = say(no, probed, no, probed)
    assert type(await failure(organization.account(PERSON))) is kind
    assert stage.asked[1] == ("GET", f"/admin/v1/orgs/{ORG}", None)
    states = {
        name: organization.snapshot()[name]["state"] for name in ("breaker", "organization_id")
    }
    assert states == {"breaker": "closed", "organization_id": "closed"} | {opened: "open"}


# -- pages -------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["{cursor}", "?cursor={cursor}", "{origin}{path}?cursor={cursor}"])
async def test_a_cursor_goes_alone(stage: OrganizationStage, say: Say, form: str) -> None:
    def more(path: str) -> str:
        return form.format(cursor="abc", origin=stage.server.origin, path=f"{V2}/-/{path}")

    organization = say(page(numbered(1), following=more("groups/search")), page(numbered(2)))
    assert [each.name for each in await organization.groups_of(PERSON)] == ["group-1", "group-2"]
    assert stage.asked[1] == ("POST", f"{V2}/-/groups/search", {"cursor": "abc"})

    where = f"groups/{LOCAL.id}/role-assignments"
    say(page({"roles": ["a"]}, following=more(where)), page({"roles": ["b"]}, following=""))
    assert await organization.role_assignments(LOCAL.id) == {"a", "b"}
    assert stage.asked[3] == ("GET", f"{V2}/-/{where}?cursor=abc", None)


@pytest.mark.parametrize("name", ["account", "groups of", "groups", "roles"])
async def test_a_list_that_leads_astray_is_no_list(
    stage: OrganizationStage, say: Say, name: str
) -> None:
    for following in ("https://evil.example/?cursor=a", "/admin/v2/orgs?cursor=a", "?limit=7"):
        told = await failure(READS[name](say(page(following=following))))
        assert isinstance(told, IncompleteError)
    told = await failure(
        READS[name](say(page(following="a"), page(following="b"), page(following="a")))
    )
    assert isinstance(told, IncompleteError)
    assert "circles" in str(told)
    assert "evil" not in " ".join(stage.server.heads)


async def test_a_list_has_an_end(stage: OrganizationStage, say: Say) -> None:
    replies = [page(following=f"c{number}") for number in range(MOST_PAGES + 9)]
    told = await failure(say(*replies).groups_of(PERSON))
    assert isinstance(told, IncompleteError)
    assert len(stage.asked) == MOST_PAGES + 1


async def test_a_full_last_page_is_asked_for_again(stage: OrganizationStage, say: Say) -> None:
    hundred = [numbered(number) for number in range(100)]
    shorter = page(*hundred[:99], following="abc"), page(hundred[99])
    groups = await say(page(*hundred), *shorter).groups_of(PERSON)
    assert len(groups) == 100
    assert [body for *_, body in stage.asked] == [
        {"accountIds": [PERSON], "limit": 100},
        {"accountIds": [PERSON], "limit": 99},
        {"cursor": "abc"},
    ]
    assert len(await everything(say(page(*hundred), *shorter))) == 100


async def test_a_list_that_is_cut_for_good_is_no_list(say: Say) -> None:
    hundred = [numbered(number) for number in range(100)]
    told = await failure(say(page(*hundred), page(*hundred[:99])).groups_of(PERSON))
    assert isinstance(told, IncompleteError)
    assert "full page" in str(told)


async def test_a_group_on_two_pages_is_the_same(say: Say) -> None:
    again = page(numbered(1), following="a"), page(numbered(1))
    assert len(await say(*again).groups_of(PERSON)) == 1
    other = page(numbered(1), following="a"), page(numbered(1) | {"managedBy": "external"})
    assert isinstance(await failure(say(*other).groups_of(PERSON)), IncompleteError)


async def test_members_are_one_page(stage: OrganizationStage, say: Say) -> None:
    some = [user(f"5b10ac8d82e05b22cc7d4e{n:02}", groups=[{"id": LOCAL.id}]) for n in range(2)]
    assert len(await say(page(*some, following="more")).active_members(LOCAL.id)) == 2
    assert len(stage.asked) == 1


# -- rates -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        (["Retry-After: 30"], 30),
        ([f"Retry-After: {format_datetime(START + timedelta(seconds=40), usegmt=True)}"], 40),
        (["Retry-After: 30", "X-RateLimit-Reset: 2026-11-21T09:31Z"], 30),
        (["X-RateLimit-Reset: 2026-11-21T09:31:00.000Z"], 60),
        ([], 1),
    ],
)
@pytest.mark.parametrize("body", [b'{"code": 429, "message": "a@b"}', b'{"errors": [{}]}', b""])
async def test_a_429_says_when(
    say: Say, wall: Wall, headers: list[str], wait: float, body: bytes
) -> None:
    told = await failure(say(http(429, body, *headers)).account(PERSON))
    assert isinstance(told, RateLimitedError)
    assert told.retry_at == START + timedelta(seconds=wait)


async def test_it_stops_before_the_limit(stage: OrganizationStage, say: Say, wall: Wall) -> None:
    spent = ["X-RateLimit-Limit: 100", "X-RateLimit-Remaining: 0"]
    spent.append("X-RateLimit-Reset: 2026-11-21T09:30:30Z")
    organization = say(http(200, b'{"data": []}', *spent))
    await organization.account(PERSON)
    told = await failure(organization.account(PERSON))
    assert isinstance(told, RateLimitedError)
    assert told.retry_at == START + timedelta(seconds=30)
    assert len(stage.asked) == 1
    assert await organization.groups_of(PERSON) == ()  # another path, another limit
    wall.forward(30)
    assert await organization.account(PERSON) is MISSING


async def test_what_is_shown_of_it(say: Say) -> None:
    snapshot = say(page()).snapshot()
    assert snapshot.keys() == {"breaker", "pace", "organization_id", "writes"}
    assert snapshot["pace"]["at_once"] == AT_ONCE


# -- the sandbox -------------------------------------------------------------------------------


def account_of(world: World, login: str) -> AccountId:
    return AccountId(world.account(login).id)


def noun(found: OrgGroup) -> OrganizationGroup:
    return OrganizationGroup(
        OrganizationGroupId(found.id),
        found.name,
        OrganizationDirectoryId(found.user_base),
        synced=found.synced,
        modifiable=found.modifiable,
    )


async def test_a_person_has_synced_and_local_groups(
    organization: Organization, story: Story0
) -> None:
    world = story.world
    made = world.add_local_group("tools", default_for="jira-software")
    closed = world.add_local_group("closed", modifiable=False)
    for each in (made, closed):
        world.local_add(each, story.person.login)
    person = account_of(world, story.person.login)
    groups = {each.name: each for each in await organization.groups_of(person)}
    assert groups["tools"] == noun(made)
    assert groups["closed"] == noun(closed)
    assert groups["Production-Confluence"].synced
    assert groups.keys() == world.organization_groups_of(story.person.login)
    assert await organization.group(OrganizationGroupId(made.id)) == noun(made)
    assert await organization.group(OrganizationGroupId(str(uuid4()))) is MISSING
    assert set(groups.values()) <= set(await everything(organization))
    assert await organization.role_assignments(OrganizationGroupId(made.id)) == {"atlassian/user"}
    assert not world.violations


async def test_an_account_says_what_it_is(organization: Organization, story: Story0) -> None:
    world = story.world
    world.set_roles(story.person.login, ["atlassian/org-admin"])
    person = account_of(world, story.person.login)
    roles = frozenset({"atlassian/org-admin"})
    assert await organization.account(person) == Account(
        person, "atlassian", "active", roles, managed=True
    )
    world.set_account(story.person.login, claim="unmanaged")
    world.deactivate(story.person)
    assert await organization.account(person) == Account(
        person, "atlassian", "active", roles, managed=False
    )
    assert await organization.account(OTHER) is MISSING
    world.switches.unknown_account_search = "404"
    assert await organization.account(OTHER) is MISSING
    assert isinstance(await failure(organization.groups_of(OTHER)), NotFoundError)


async def test_active_members_are_counted_to_a_few(
    organization: Organization, world: World
) -> None:
    made = world.add_local_group("administrators-of-something")
    people = [world.add_account(f"admin-{n}@somedomain.example") for n in range(4)]
    world.local_add(made, world.add_account("robot@somedomain.example", type="app"))
    world.local_add(made, *people)
    where = OrganizationGroupId(made.id)
    assert len(await organization.active_members(where)) == 4
    assert len(await organization.active_members(where, most=2)) <= 2
    for each in people[1:]:
        world.set_account(each, status="inactive")
    assert await organization.active_members(where) == {people[0].id}
    world.switches.expand_groups_given = False
    assert await organization.active_members(where) == {people[0].id}
    assert not world.violations


@pytest.mark.parametrize("form", ["bare", "url", "query"])
@pytest.mark.parametrize("cursor", ["after", "offset"])
async def test_many_groups_are_read_to_the_last(
    organization: Organization,
    story: Story0,
    form: Literal["bare", "url", "query"],
    cursor: Literal["after", "offset"],
) -> None:
    world = story.world
    world.switches.org_next, world.switches.org_cursor = form, cursor
    for number in range(250):
        world.local_add(world.add_local_group(f"local-{number:03}"), story.person.login)
    groups = await organization.groups_of(account_of(world, story.person.login))
    assert {each.name for each in groups} == world.organization_groups_of(story.person.login)
    assert len(await everything(organization)) >= 250
    assert not world.violations


async def test_exactly_a_hundred_groups_are_a_hundred(
    organization: Organization, story: Story0
) -> None:
    world = story.world
    login = story.person.login
    while len(world.organization_groups_of(login)) < 100:
        made = world.add_local_group(f"local-{len(world.organization_groups_of(login))}")
        world.local_add(made, login)
    assert len(await organization.groups_of(account_of(world, login))) == 100


@pytest.mark.parametrize(
    "trouble",
    [{name: True} for name in ("foreign_next", "repeat_next", "drop_next", "truncate", "cut")],
    ids=str,
)
async def test_a_list_that_breaks_is_no_list(
    organization: Organization, story: Story0, trouble: dict[str, Any]
) -> None:
    world = story.world
    for number in range(250):
        world.local_add(world.add_local_group(f"local-{number:03}"), story.person.login)
    world.fault("org", path="groups/search", **trouble)
    told = await failure(organization.groups_of(account_of(world, story.person.login)))
    assert isinstance(told, IncompleteError)


async def test_links_name_every_directory(organization: Organization, story: Story0) -> None:
    world = story.world
    person = account_of(world, story.person.login)
    record = ScimUserId(world.record(story.directory, story.person.login).id)
    assert await organization.links(person) == (ScimLink(story.directory.id, record),)
    foreign = world.add_foreign_link(story.person.login)
    found = await organization.links(person)
    assert found is not MISSING
    assert {each.directory for each in found} == {story.directory.id, foreign}
    modes: list[Literal["404", "405"]] = ["404", "405"]
    for mode in modes:
        world.switches.scim_links = mode
        assert await organization.links(person) is MISSING
    world.switches.scim_links = "403"
    assert isinstance(await failure(organization.links(person)), ForbiddenError)


async def test_a_local_membership_goes_and_comes_back(
    organization: Organization, story: Story0
) -> None:
    world, login = story.world, story.person.login
    made = world.add_local_group("tools", default_for="jira-software")
    world.local_add(made, login, story.colleague.login)
    person = account_of(world, login)
    await organization.remove(noun(made), person, deadline=elapsed() + 60)
    assert world.local_members(made) == {story.colleague.login}
    world.switches.org_add_member = "409"
    for _ in range(2):
        await organization.add(noun(made), person, deadline=elapsed() + 60)
        assert world.local_members(made) == {login, story.colleague.login}
    assert not world.violations


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({"licence_limit": True}, "ADMIN-UAM-409-3", id="no licence"),
        pytest.param({"inactive_remove": "400"}, "ADMIN-UAM-400-2", id="inactive"),
        pytest.param({"org_remove_nonmember": "404"}, "ADMIN-UAM-404-1", id="no member"),
    ],
)
async def test_a_refused_change_says_which_code(
    organization: Organization, story: Story0, changes: dict[str, Any], code: str
) -> None:
    world = story.world
    made = world.add_local_group("tools", default_for="jira-software")
    person = account_of(world, story.person.login)
    for name, value in changes.items():
        setattr(world.switches, name, value)
    if "inactive_remove" in changes:
        world.deactivate(story.person)
    change = organization.add if "licence_limit" in changes else organization.remove
    told = await failure(change(noun(made), person, deadline=elapsed() + 60))
    assert isinstance(told, RejectedError | NotFoundError)
    assert told.code == code


async def test_a_key_with_scopes_reads_and_does_not_write(
    organization: Organization, story: Story0, organization_vault: Vault
) -> None:
    world = story.world
    made = world.add_local_group("tools")
    person = account_of(world, story.person.login)
    world.set_org_key("scoped")
    for _ in range(3):
        told = await failure(organization.remove(noun(made), person, deadline=elapsed() + 60))
        assert isinstance(told, CredentialError | TransientError)
    writes = [each for each in world.requests if each.method == "DELETE"]
    assert len(writes) == 1
    assert await organization.account(person) is not MISSING
    organization_vault.secret = world.add_org_key("unscoped")
    world.set_org_key("expired")
    assert await organization.account(person) is not MISSING
    await organization.remove(noun(made), person, deadline=elapsed() + 60)


@pytest.mark.parametrize(
    ("kind", "opened"),
    [("site", "breaker"), ("expired", "breaker"), ("revoked", "organization_id")],
)
async def test_a_key_that_is_none_opens_a_breaker(
    organization: Organization, world: World, kind: KeyKind, opened: str
) -> None:
    """ "Not allowed to manage the org" may be said of the key, or of the id."""
    world.set_org_key(kind)
    told = await failure(organization.account(PERSON))
    assert isinstance(told, CredentialError | NowhereError)
    assert organization.snapshot()[opened]["state"] == "open"
