"""How the organization pages, and how its pages lie."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooks.sandbox.organization.answers import RefusedError
from hooks.sandbox.organization.pages import opened, page, sealed
from hooks.sandbox.story import PERSON
from tests.sandbox.admin_api import Api, error


def cursor_of(link: str) -> str:
    return link.rpartition("cursor=")[2]


@pytest.mark.parametrize("form", ["bare", "url", "query"])
@pytest.mark.parametrize("kind", ["after", "offset"])
async def test_a_cursor_alone_leads_through_all_pages(api: Api, form: Any, kind: Any) -> None:
    switches = api.world.switches
    switches.org_next, switches.org_cursor = form, kind
    for number in range(7):
        api.world.local_add(api.world.add_local_group(f"group-{number}"), PERSON)
    asked: dict[str, Any] = {"accountIds": [api.person], "limit": 3, "expand": ["counts.users"]}
    found: list[str] = []
    pages = 0
    while asked:
        body = (await api.groups(**asked)).json()
        found += [item["name"] for item in body["data"]]
        assert all("counts" in item for item in body["data"])
        pages += 1
        following = body["links"].get("next", "")
        if following:
            assert following.startswith(
                {"bare": cursor_of(following), "url": "http://127", "query": "?cursor="}[form]
            )
        # Beside a cursor everything is discarded.
        asked = {"cursor": cursor_of(following)} if following else {}
    assert (pages, len(found), len(set(found))) == (4, 10, 10)
    assert api.world.violations == []


async def test_what_comes_beside_a_cursor_is_discarded_and_flagged(api: Api) -> None:
    following = (await api.users(limit=1)).json()["links"]["next"]
    body = (await api.users(cursor=following, limit=50, searchTerm="nobody")).json()
    assert len(body["data"]) == 1
    assert len(api.world.violations) == 1


async def test_a_cursor_is_good_for_its_own_list_only(api: Api) -> None:
    following = (await api.users(limit=1)).json()["links"]["next"]
    assert error(await api.groups(cursor=following)) == (400, "400-1")


@pytest.mark.parametrize(("kind", "missed"), [("after", 0), ("offset", 1)])
async def test_a_page_may_shift_under_a_change(api: Api, kind: Any, missed: int) -> None:
    api.world.switches.org_cursor = kind
    body = (await api.users(limit=2)).json()
    first = body["data"]
    api.world.organization.forget(api.world.account(first[0]["email"]))
    rest = (await api.users(cursor=body["links"]["next"])).json()["data"]
    assert len(rest) == 1 - missed


async def test_sizes_of_pages(api: Api) -> None:
    for number in range(51):
        api.world.add_account(f"p{number}@x.example")
        api.world.add_local_group(f"g{number}")
    assert len((await api.users()).json()["data"]) == 50
    assert len((await api.groups()).json()["data"]) == 20
    api.world.switches.org_users_page = api.world.switches.org_groups_page = 2
    assert len((await api.users()).json()["data"]) == 2
    assert len((await api.groups()).json()["data"]) == 2
    api.world.switches.org_page_maximum = 5
    assert len((await api.users(limit=5)).json()["data"]) == 5
    assert error(await api.users(limit=6)) == (400, "400-1")
    api.world.switches.org_limit_over = "clamp"
    assert len((await api.users(limit=6)).json()["data"]) == 5


async def test_pages_that_lie(api: Api) -> None:
    world = api.world

    async def links(**trouble: Any) -> dict[str, str]:
        world.fault("org", times=1, **trouble)
        found: dict[str, str] = (await api.users(limit=1)).json()["links"]
        return found

    assert "next" not in await links(drop_next=True)
    assert (await links(foreign_next=True))["next"].startswith("https://foreign.example/admin/")
    again = (await links(repeat_next=True))["next"]
    one, two = (await api.users(limit=1)).json(), (await api.users(cursor=again)).json()
    assert one["data"] == two["data"]
    world.fault("org", times=1, empty_list=True)
    assert (await api.users()).json() == {"data": [], "links": {}}
    world.fault("org", times=1, foreign_next=True)
    assert (await api.remove()).status_code == 204


@given(st.sets(st.text(max_size=3), max_size=12).map(sorted), st.integers(1, 5), st.booleans())
def test_pages_hold_every_key_once(keys: list[str], limit: int, by_offset: Any) -> None:
    found: list[str] = []
    start: Any = None
    while True:
        shown, start = page(keys, start, limit, by_offset=by_offset)
        assert len(shown) <= limit
        found += shown
        if start is None:
            break
    assert found == keys


@given(st.dictionaries(st.text(), st.lists(st.text())), st.none() | st.integers() | st.text())
def test_a_cursor_brings_the_question_back(question: dict[str, Any], start: Any) -> None:
    cursor = sealed(("/path", question, start))
    assert opened(cursor, "/path") == (question, start)
    with pytest.raises(RefusedError):
        opened(cursor, "/another")


@given(st.text() | st.integers() | st.none() | st.binary().map(repr))
def test_a_cursor_somebody_made_up_is_refused(cursor: Any) -> None:
    with pytest.raises(RefusedError):
        opened(cursor, "/path")


@given(st.recursive(st.none() | st.text() | st.integers(), st.lists))
def test_a_cursor_that_seals_something_else_is_refused(content: Any) -> None:
    with pytest.raises(RefusedError):
        opened(sealed(content), "/path")


async def test_a_person_in_five_hundred_groups(api: Api) -> None:
    for number in range(500):
        api.world.local_add(api.world.add_local_group(f"group-{number:03}"), PERSON)
    body = (await api.groups(accountIds=[api.person], limit=100)).json()
    found = {item["name"] for item in body["data"]}
    while "next" in body["links"]:
        body = (await api.groups(cursor=body["links"]["next"])).json()
        found |= {item["name"] for item in body["data"]}
    assert len(found) == 503
