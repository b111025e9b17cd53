"""What ends with the loss of groups, held against everything somebody has before and after."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooks.core.ids import DirectoryName, OrganizationDirectoryId, OrganizationGroupId
from hooks.core.membership import ORGANIZATION, OrganizationGroup
from hooks.core.seats import App, Ending, Person, Removal, Seats, count, meant, seated

GROUPS = [OrganizationGroupId(str(uuid.UUID(int=number, version=4))) for number in range(5)]
APPS: list[App] = [("jira", "1"), ("jira", "2"), ("confluence", "1")]
MAIN = DirectoryName("main")

some_groups = st.frozensets(st.sampled_from(GROUPS))
people = st.builds(
    Person, some_groups, some_groups, st.sampled_from(["active", "inactive", "closed", None])
)
grants = st.dictionaries(st.sampled_from(GROUPS), st.frozensets(st.sampled_from(APPS)))
Grants = dict[OrganizationGroupId, frozenset[App]]


def access(groups: frozenset[OrganizationGroupId], given_: Grants) -> set[App]:
    return {app for each in groups for app in given_[each]}


def known(person: Person | None, given_: Grants) -> bool:
    return person is not None and person.removed <= person.groups <= given_.keys()


@given(st.lists(st.none() | people), grants)
def test_what_ends_is_what_somebody_has_before_and_not_after(
    asked: list[Person | None], given_: Grants
) -> None:
    told = [each for each in asked if each and known(each, given_)]
    found = count(asked, given_)
    assert (found.told, found.untold) == (len(told), len(asked) - len(told))
    for app in APPS:
        before = [each for each in told if app in access(each.removed, given_)]
        after = [each for each in before if app in access(each.groups - each.removed, given_)]
        lost = [each for each in before if each not in after]
        ending = found.apps.get(app, Ending())
        assert (ending.kept, ending.ended) == (len(after), len(lost))
        assert ending.freed == sum(each.status in ("active", None) for each in lost)
        for group in GROUPS:
            by = [
                each
                for each in after
                if group in each.groups - each.removed and app in given_[group]
            ]
            assert ending.by.get(group, 0) == len(by)
    assert list(found.apps) == sorted(found.apps)
    assert found.freed == {app: each.freed for app, each in found.apps.items() if each.freed}


@given(people, people, grants)
def test_people_are_counted_each_by_themselves(one: Person, two: Person, given_: Grants) -> None:
    both, alone = count([one, two], given_), [count([each], given_) for each in (one, two)]
    for app in APPS:
        endings = [each.apps.get(app, Ending()) for each in alone]
        found = both.apps.get(app, Ending())
        assert found.ended == sum(each.ended for each in endings)
        assert found.freed == sum(each.freed for each in endings)


@given(people, grants, some_groups)
def test_who_keeps_more_loses_no_more(person: Person, given_: Grants, more: Any) -> None:
    """In one more group, or with less to lose, nothing else ends."""
    groups = person.groups & given_.keys()
    removed = person.removed & groups
    less = count([Person(groups, removed)], given_)
    for richer in (
        Person(groups | (more & given_.keys()), removed),
        Person(groups, removed - more),
    ):
        ends = {app for app, each in count([richer], given_).apps.items() if each.ended}
        assert ends <= {app for app, each in less.apps.items() if each.ended}


def test_of_who_is_in_a_group_that_tells_nothing_nothing_is_told() -> None:
    person = Person(frozenset(GROUPS[:2]), frozenset(GROUPS[:1]), "active")
    assert count([person], {GROUPS[0]: frozenset(APPS)}) == Seats(untold=1)


@pytest.mark.parametrize(
    ("status", "takes"),
    [("active", True), (None, True), ("inactive", False), ("closed", False)],
)
def test_who_takes_a_seat(status: str | None, takes: bool) -> None:  # noqa: FBT001
    assert seated(status) is takes


# -- which group is meant ----------------------------------------------------------------------


def group(number: int, name: str, *, synced: bool) -> OrganizationGroup:
    home = OrganizationDirectoryId("d1")
    return OrganizationGroup(GROUPS[number], name, home, synced=synced, modifiable=not synced)


RED, LOCAL = group(0, "red", synced=True), group(1, "jira-users", synced=False)
RED_HERE = Removal(MAIN, "scim-id", "red")
LOCAL_HERE = Removal(ORGANIZATION, LOCAL.id, "called otherwise before")


@pytest.mark.parametrize(
    ("removals", "groups", "found"),
    [
        ([], [RED], set()),
        ([RED_HERE, LOCAL_HERE], [RED, LOCAL], {RED.id, LOCAL.id}),
        ([RED_HERE], [group(2, "Red", synced=True)], None),
        ([RED_HERE], [group(2, "red", synced=False)], None),
        ([RED_HERE], [RED, group(2, "red", synced=False)], {RED.id}),
        ([RED_HERE], [RED, group(2, "red", synced=True)], None),
        ([RED_HERE], [], None),
        ([RED_HERE, LOCAL_HERE], [RED], None),
    ],
    ids=[
        "nothing goes",
        "one of each kind",
        "another case",
        "the organization's own",
        "beside the organization's own",
        "two directories",
        "in none",
        "one of two",
    ],
)
def test_a_group_is_meant_only_beyond_doubt(removals: Any, groups: Any, found: Any) -> None:
    assert meant(removals, groups) == found
