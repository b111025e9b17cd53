"""What the organization's answers say, and what they must not be believed."""

from __future__ import annotations

import json
import string
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooks.core.errors import IncompleteError
from hooks.core.reading import MISSING, Account, ScimLink
from hooks.gateways.answers import decoded
from hooks.gateways.organization_shapes import (
    GroupShape,
    LinkShape,
    Page,
    UserShape,
    account_of,
    active_of,
    cursor_of,
    group_of,
    groups_once,
    links_of,
    role_names,
)
from tests.gateways.organization_stage import LOCAL, ORG, OTHER, PERSON, group, user

ORIGIN = "https://api.atlassian.com:443"
ASKED = f"/admin/v2/orgs/{ORG}/directories/-/groups/search"
RECORD = "0d5e6b3c-5b0f-4c8e-8c70-6a4c0d2c9a11"


def users(*items: dict[str, Any]) -> list[UserShape]:
    return msgspec.convert(items, list[UserShape])


# -- accounts ----------------------------------------------------------------------------------


def test_no_entry_is_no_account() -> None:
    assert account_of([], PERSON) is MISSING


def test_an_entry_for_each_directory_is_one_account() -> None:
    items = users(
        user(platformRoles=["org-admin"]),
        user(platformRoles=["user-access-admin"], accountType=None),
    )
    roles = frozenset({"org-admin", "user-access-admin"})
    assert account_of(items, PERSON) == Account(PERSON, "atlassian", "active", roles)
    items += users(user(accountStatus="inactive"))
    assert account_of(items, PERSON) == Account(PERSON, "atlassian", None, roles)


@pytest.mark.parametrize(
    "items",
    [
        pytest.param([user(), user(OTHER)], id="somebody else among them"),
        pytest.param([user(), user(accountType="app")], id="person and app"),
        pytest.param([user(platformRoles=[7])], id="a role that is a number"),
    ],
)
def test_an_account_that_must_not_be_believed(items: list[dict[str, Any]]) -> None:
    with pytest.raises(IncompleteError):
        account_of(users(*items), PERSON)


def test_roles_that_were_not_told_are_not_known() -> None:
    items = users(user(platformRoles=["org-admin"]), user(platformRoles=None))
    assert account_of(items, PERSON) == Account(PERSON, "atlassian", "active", None)


@pytest.mark.parametrize(
    ("roles", "names"),
    [
        ([], set()),
        (["a/b", "c"], {"a/b", "c"}),
        ([{"id": "1", "key": "org-admin", "name": None, "more": {}}], {"1", "org-admin"}),
        ([{"name": "Admin"}, "b"], {"Admin", "b"}),
    ],
)
def test_a_role_is_known_by_every_name_it_carries(roles: list[object], names: set[str]) -> None:
    assert role_names(roles) == names


@pytest.mark.parametrize("role", [None, 1, "", {}, {"id": 1}, {"role": "x"}, ["org-admin"]])
def test_a_role_without_a_name_is_refused(role: object) -> None:
    with pytest.raises(IncompleteError):
        role_names([role])


# -- groups ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("external_synced", "managed_by", "synced"),
    [
        (True, "admins", True),
        (True, ..., True),
        (False, "external", True),
        (False, "EXTERNAL", True),
        (None, "external", True),
        (False, "admins", False),
        (False, ..., False),
        (False, "new-word", False),
        (..., "admins", False),
        (None, "team-members", False),
        (..., "open", False),
        (..., ..., None),
        (None, None, None),
        (..., "new-word", None),
    ],
)
def test_who_keeps_a_group(external_synced: object, managed_by: object, synced: object) -> None:
    item = group(externalSynced=external_synced, managedBy=managed_by)
    shape = msgspec.convert(item, GroupShape)
    found = group_of(shape)
    assert found.synced is bool(synced)
    assert found.modifiable is (synced is not None), "nobody said that it is local"


@pytest.mark.parametrize(
    ("access", "modifiable"),
    [
        ({"modifiable": True}, True),
        ({"modifiable": False}, False),
        ({"modifiable": None}, False),
        ({"readable": True}, False),
        (None, False),
        (..., False),
    ],
)
def test_only_what_is_said_to_be_modifiable_is(access: object, *, modifiable: bool) -> None:
    shape = msgspec.convert(group(managementAccess=access), GroupShape)
    assert group_of(shape).modifiable is modifiable


@pytest.mark.parametrize(
    "bad",
    [{"id": "7"}, {"id": ""}, {"directoryId": "-"}, {"directoryId": ""}, {"directoryId": "a/b"}],
)
def test_a_group_without_usable_ids_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(IncompleteError, match="ids"):
        group_of(msgspec.convert(group(**bad), GroupShape))


def test_a_group_comes_once_or_not_at_all() -> None:
    shapes = msgspec.convert([group(), group()], list[GroupShape])
    found = {LOCAL.id: LOCAL}
    assert groups_once({}, shapes) == (LOCAL,)
    assert groups_once(found, shapes) == ()
    for bad in ({"name": "x"}, {"directoryId": "d2"}, {"managedBy": "external"}):
        with pytest.raises(IncompleteError, match="differently"):
            groups_once(found, [msgspec.convert(group(**bad), GroupShape)])


# -- members -----------------------------------------------------------------------------------


HERE = [{"id": str(LOCAL.id), "name": "x", "description": ""}]
ELSEWHERE = [{"id": "11111111-63d7-42c8-9520-92d01dca0625"}]


@pytest.mark.parametrize(
    ("items", "members"),
    [
        pytest.param([], set(), id="nobody"),
        pytest.param(
            [user(status="active", groups=HERE), user(OTHER, groups=ELSEWHERE + HERE)],
            {PERSON, OTHER},
            id="two",
        ),
        pytest.param([user(groups=HERE), user(groups=HERE)], {PERSON}, id="one in two directories"),
        pytest.param([user(), user(OTHER)], {PERSON, OTHER}, id="groups not told"),
        pytest.param([user(), user(OTHER), user()], None, id="not told, and more than asked for"),
        pytest.param([user(groups=ELSEWHERE)], None, id="in another group"),
        pytest.param([user(groups=[])], None, id="in no group"),
        pytest.param([user(status="deactivated", groups=HERE)], None, id="not active"),
        pytest.param([user("a b", groups=HERE)], None, id="no usable id"),
    ],
)
def test_active_members_are_believed_as_far_as_they_say_so(
    items: list[dict[str, Any]], members: set[str] | None
) -> None:
    if members is None:
        with pytest.raises(IncompleteError):
            active_of(users(*items), LOCAL.id, 2)
    else:
        assert active_of(users(*items), LOCAL.id, 2) == members


# -- links -------------------------------------------------------------------------------------


def link(**more: Any) -> dict[str, Any]:
    known = {"scimUserId": RECORD, "atlassianAccountId": PERSON, "orgId": ORG, "directoryId": "s1"}
    return known | more


def test_links_come_once_and_may_leave_the_account_out() -> None:
    items = [link(), link(), link(atlassianAccountId=None, orgId=ORG.upper(), directoryId="s2")]
    found = links_of(msgspec.convert(items, list[LinkShape]), ORG, PERSON)
    assert [each.directory for each in found] == ["s1", "s2"]
    assert isinstance(found[0], ScimLink)


@pytest.mark.parametrize(
    "bad",
    [
        {"scimUserId": "7"},
        {"directoryId": ""},
        {"atlassianAccountId": OTHER},
        {"atlassianAccountId": ""},
        {"orgId": RECORD},
    ],
)
def test_a_link_of_somebody_else_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(IncompleteError):
        links_of(msgspec.convert([link(), link(**bad)], list[LinkShape]), ORG, PERSON)


# -- the next page -----------------------------------------------------------------------------


def cursor(link: str | None) -> str | None:
    return cursor_of(link, origin=ORIGIN, asked=ASKED)


TOKENS = st.text(string.ascii_letters + string.digits + "+/=_-.~:,;", min_size=1, max_size=80)


@given(TOKENS.filter(lambda token: "://" not in token and "cursor=" not in token))
def test_a_cursor_is_found_in_every_form(token: str) -> None:
    encoded = quote(token, safe="")
    assert cursor(token) == token
    for query in (f"cursor={encoded}", f"limit=100&cursor={encoded}"):
        assert cursor(query) == token
        assert cursor(f"?{query}") == token
        assert cursor(f"{ASKED}?{query}") == token
        assert cursor(f"https://api.atlassian.com{ASKED}?{query}") == token
    assert cursor(f"?cursor={token}") == token  # not encoded: a blank would be no cursor


@pytest.mark.parametrize("nothing", [None, ""])
def test_no_link_is_the_last_page(nothing: str | None) -> None:
    assert cursor(nothing) is None


@pytest.mark.parametrize(
    "link",
    [
        f"https://evil.example{ASKED}?cursor=a",
        f"//evil.example{ASKED}?cursor=a",
        f"http://api.atlassian.com{ASKED}?cursor=a",
        f"https://api.atlassian.com:8443{ASKED}?cursor=a",
        f"https://api.atlassian.com@evil.example{ASKED}?cursor=a",
        f"https://a@api.atlassian.com{ASKED}?cursor=a",
        f"https://api.atlassian.com{ASKED}/more?cursor=a",
        "https://api.atlassian.com/admin/v2/orgs?cursor=a",
        "/admin/v2/orgs?cursor=a",
        f"{ASKED}?cursor=a#b",
        f"https://api.atlassian.com{ASKED}",
        f"{ASKED}?limit=100",
        "?limit=100",
        "?cursor=",
        "?cursor=a&cursor=b",
        "?cursor=a%20b",
        "?cursor=%0d%0aX",
        "a b",
        "a\nb",
        "https://[?cursor=a",
        "x" * 5000,
        "schlüssel",
    ],
)
def test_a_link_that_leads_elsewhere_or_nowhere_is_refused(link: str) -> None:
    with pytest.raises(IncompleteError):
        cursor(link)


@given(st.text() | st.text(string.printable).map("https://api.atlassian.com".__add__))
def test_any_link_is_a_plain_cursor_or_refused(link: str) -> None:
    try:
        found = cursor(link)
    except IncompleteError:
        return
    assert found is None or (found.isascii() and found.isprintable() and " " not in found)


# -- whatever comes ----------------------------------------------------------------------------


KEYS = (
    *("data", "links", "next", "accountId", "platformRoles", "groups", "id", "name"),
    *("directoryId", "managedBy", "externalSynced", "managementAccess", "status"),
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from([PERSON, LOCAL.id, ORG, "active", "external", "cursor=x"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6)
    ),
    max_leaves=20,
)


@given(JSON)
def test_any_answer_is_read_or_refused(body: object) -> None:
    content = json.dumps(body).encode()
    with suppress(IncompleteError):
        people = decoded(msgspec.json.Decoder(Page[UserShape]), content)
        cursor(people.next)
        account_of(people.data, PERSON)
        active_of(people.data, LOCAL.id, 2)
    with suppress(IncompleteError):
        groups_once({}, decoded(msgspec.json.Decoder(Page[GroupShape]), content).data)
