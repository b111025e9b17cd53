"""An audit: what is otherwise than wanted is found by pages, and looked at where that is asked."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from pathlib import Path

import pytest

from hooks.core.drift import Kind
from hooks.core.errors import HooksError, IncompleteError
from hooks.store import audits, line
from hooks.store.audits import Run
from tests.running import Running
from tests.stories.company import STAFF, Company

JIRA, WIKI = "jira-software-users", "wiki-users"
RULES = f'[[local_group]]\nname = "{JIRA}"\n[[local_group]]\nname = "{WIKI}"\nwhile_member_of = ["green"]\n'
PUSHES_LATE = 7 * 24 * 3600

Lines = set[tuple[str, str, str, str]]


async def audited(run: Running, *, scheduled: bool = False) -> tuple[Run, Lines]:
    """One audit; whom, which kind, which group, why."""
    assert run.house.audit is not None
    done = await run.house.audit.run(scheduled=scheduled)
    rows = await run.house.database.read(lambda tx: audits.lines(tx, done.id, limit=10_000))
    logins = {user.id: user.login for user in run.world.org.users.values()}
    lines = {
        (logins.get(row["user"], "-").partition("@")[0], row["kind"], row["name"], row["why"])
        for row in rows
    }
    return done, lines


async def have_looked_at(run: Running, done: Run, *kinds: Kind) -> None:
    """As ``--apply`` does, and let it come to its end."""

    def mark(tx: audits.Tx) -> None:
        people = audits.people(tx, done.id, kinds, after="", limit=1000)
        line.mark(tx, people, "user", lane=line.BULK, due_at=tx.now, events=False)

    await run.house.database.write(mark)
    await run.settle()


@pytest.fixture
def local(company: Company) -> Company:
    """Two local groups beside the pushed ones."""
    with company.world.long_ago():
        company.world.add_local_group(JIRA)
        company.world.add_local_group(WIKI)
    return company


def broken(company: Company) -> None:
    """Everybody once, as they may be found before anybody watched."""
    world = company.world
    for name in ("left", "stays", "late", "moved", "lacks", "vip", "back"):
        company.hire(name, "red", "green")
        with world.long_ago():
            world.local_add(JIRA, f"{name}@somedomain.example")
            world.local_add(WIKI, f"{name}@somedomain.example")
    world.switches.group_push_delay = PUSHES_LATE  # Okta itself takes nobody out for a week
    world.deactivate("left@somedomain.example")
    world.remove_from_group("late@somedomain.example", STAFF)
    world.remove_from_group("moved@somedomain.example", "green")
    world.scim_remove(company.directory, "red", "lacks@somedomain.example")
    world.remove_from_group("vip@somedomain.example", "red")
    world.deactivate("back@somedomain.example")
    world.activate("back@somedomain.example")
    stray = world.add_scim_user(company.directory, "stray@elsewhere.example")
    world.scim_add(company.directory, "blue", stray.user_name)
    world.add_scim_group(company.directory, "handmade")
    world.scim_add(company.directory, "handmade", "stays@somedomain.example")


async def test_everything_that_is_otherwise_than_wanted_is_found(
    local: Company, database_url: str, tmp_path: Path
) -> None:
    broken(local)
    more = '[protect]\nusers = ["vip@somedomain.example"]\n'
    async with local.service(database_url, tmp_path, rules=RULES, more=more) as run:
        before = run.world.snapshot()
        done, lines = await audited(run)
        assert run.world.snapshot() == before
        assert done.people == 7
        found: defaultdict[str, Lines] = defaultdict(set)
        for each in lines:
            found[each[0]].add(each)
        left = {("left", "surplus", each, "left") for each in ("red", "green", JIRA, WIKI)}
        late = {("late", "surplus", each, "unassigned") for each in ("red", "green", JIRA, WIKI)}
        assert found["left"] == left
        assert found["late"] == late
        assert found["moved"] == {
            ("moved", "surplus", "green", "lost_group"),
            ("moved", "surplus", WIKI, "lost_rule"),
        }
        assert found["lacks"] == {("lacks", "missing", "red", "wanted")}
        assert found["vip"] == {("vip", "refused", "red", "protected")}
        assert found["back"] == {("back", "came_back", JIRA, "")}
        assert found["stays"] == set()
        assert found["-"] == {("-", "orphan", "", ""), ("-", "unknown", "handmade", "")}
        await have_looked_at(run, done, Kind.SURPLUS)
        _, lines = await audited(run)
        assert {each[0] for each in lines if each[1] == "surplus"} == set()
        assert local.groups("stays@somedomain.example") == {"red", "green", "handmade"}
        assert run.world.local_groups_of("moved@somedomain.example") == {JIRA}
