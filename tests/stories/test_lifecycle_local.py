"""Groups kept in Atlassian itself, and the accounts in them, through whole lives: a table."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from hooks.core import attempt
from tests.running import Time
from tests.stories.company import DOMAIN, STAFF
from tests.stories.pair import (
    ALL,
    BACK,
    CLUB,
    DAY,
    GONE,
    HOUR,
    JIRA,
    JIRA_RULE,
    LOCAL,
    MINUTE,
    RULES,
    SYNCED,
    WIKI,
    Act,
    Pair,
    Row,
    assigned,
    comes_back,
    joins,
    leaves,
    nudged,
    play,
    quits,
    switched,
    together,
    told,
    unassigned,
)

pytestmark = pytest.mark.wide

ADMINS = "jira-administrators"
GUESTS = "jira-software-users-guests"


def jira(*conditions: str) -> str:
    """A rule for each condition; ``""``: one without."""
    return "".join(
        JIRA_RULE + (f'while_member_of = ["{each}"]\n' if each else "") for each in conditions
    )


def by_id(pair: Pair) -> str:
    return f'[[local_group]]\nid = "{pair.jira.id}"\n'


RULED = [
    Row("a rule of several holds", (quits("red"),), ALL - {"red"}, rules=jira("red", "green")),
    Row(
        "no rule of several holds",
        (quits("red"), quits("green")),
        {WIKI, CLUB},
        rules=jira("red", "green"),
    ),
    Row(
        "a rule of several holds again",
        (quits("red"), quits("green"), joins("red")),
        LOCAL | {"red"},
        rules=jira("red", "green"),
    ),
    *(
        Row(
            f"a rule without a condition says nothing {where} one with",
            (quits("red"),),
            ALL - {"red", JIRA},
            rules=rules,
        )
        for where, rules in (("after", jira("red", "")), ("before", jira("", "red")))
    ),
    Row(
        "a rule without a condition says nothing beside one with, after an absence",
        (leaves, comes_back),
        ALL,
        rules=jira("red", ""),
    ),
    Row(
        "back in a team months later, nothing is given back",
        (quits("red"), 40 * DAY, joins("red")),
        ALL - {WIKI},
    ),
    Row("a rule by id", (leaves,), {WIKI, CLUB}, rules=by_id),
    Row("a rule by id, and back", (leaves, comes_back), SYNCED | {WIKI, CLUB}, rules=by_id),
]


def not_modifiable(pair: Pair) -> None:
    pair.jira.modifiable = False


def guest(pair: Pair) -> None:
    """Ann alone is in a group of its own."""
    with pair.world.long_ago():
        pair.world.local_add(pair.world.add_local_group(GUESTS), pair.ann)


def deleted(pair: Pair) -> None:
    pair.world.delete_local_group(GUESTS)


def deleted_while_we_look(pair: Pair) -> None:
    """Just before the first of our removals from it."""
    group = pair.world.local_group(GUESTS).id

    async def observe(phase: str, _vendor: str, method: str, path: str, _n: int) -> None:
        there = group in pair.world.organization.groups
        if (phase, method) == ("before", "DELETE") and group in path and there:
            deleted(pair)

    pair.world.observer = observe


GROUPS = [
    Row("not modifiable", (leaves,), {JIRA, CLUB}, {"not_modifiable"}, first=not_modifiable),
    Row(
        "not modifiable, and back",
        (leaves, comes_back),
        ALL,
        {"not_modifiable"},
        first=not_modifiable,
    ),
    Row("in one more group", (leaves,), GONE, first=guest),
    Row(
        "one more group is deleted while we look",
        (together(deleted_while_we_look, leaves),),
        GONE,
        first=guest,
    ),
    Row(
        "one more group is deleted before it could be given back",
        (unassigned, deleted, assigned),
        ALL,
        first=guest,
    ),
]

LICENCES = [
    Row(
        "no licence is left to give back",
        (unassigned, switched(licence_limit=True), assigned),
        ALL - {JIRA},
        {"rejected"},
        goes_on=True,
    ),
    Row(
        "a licence is there again",
        (unassigned, switched(licence_limit=True), assigned, switched(licence_limit=False), nudged),
        ALL,
    ),
]


def logs_in(pair: Pair) -> None:
    """The apps give themselves."""
    pair.world.log_in(pair.account)
    pair.nudge(pair.ann)


GIVING = {"auto_app_access": True}
LOGINS = [
    Row(
        "logs in before anybody looks after the return",
        (leaves, together(comes_back, logs_in)),
        BACK,
        switches=GIVING,
    ),
    Row(
        "logs in long after the return",
        (leaves, comes_back, DAY, nudged, logs_in),
        BACK | {JIRA},
        switches=GIVING,
    ),
    Row(
        "logs in long after the return, and leaves",
        (leaves, comes_back, DAY, nudged, logs_in, leaves),
        GONE,
        switches=GIVING,
    ),
]


def unlinked(pair: Pair) -> None:
    """As a Force Sync leaves an account nobody claimed."""
    pair.world.set_account(pair.account, claim="unmanaged")
    pair.world.let_go(pair.main, pair.world.record(pair.main, pair.ann).id)


def by_hand(pair: Pair) -> None:
    """An admin makes the account active."""
    pair.world.set_account(pair.account, status="active")
    pair.nudge(pair.ann)


def linked(pair: Pair) -> None:
    """Support links the account again."""
    pair.world.record(pair.main, pair.ann).account_id = pair.account
    pair.nudge(pair.ann)


ACCOUNTS = [
    Row("unlinked", (unlinked, nudged), LOCAL, {"account_none"}),
    Row("unlinked, and leaves", (unlinked, leaves), LOCAL, {"account_none"}),
    Row(
        "unlinked, leaves, and is active by hand",
        (unlinked, leaves, by_hand),
        LOCAL,
        {"account_none"},
    ),
    Row("unlinked, leaves, and is linked again", (unlinked, leaves, linked), GONE),
    Row(
        "leaves, is unlinked, and is active by hand",
        (leaves, unlinked, by_hand),
        GONE,
        {"account_none"},
    ),
    Row("unlinked, and linked again", (unlinked, linked), LOCAL),
]


def admins(*others: str, inactive: bool = False) -> Act:
    """She and these others administer Jira."""

    def found(pair: Pair) -> None:
        with pair.world.long_ago():
            group = pair.world.add_local_group(ADMINS)
            pair.world.local_add(group, pair.ann)
            for each in others:
                login = pair.company.hire(each)
                pair.world.local_add(group, login)
                if inactive:
                    pair.world.set_account(login, status="inactive")

    return found


def role(pair: Pair) -> None:
    pair.world.set_roles(pair.account, ["atlassian/org-admin"])


def admin_rule(pair: Pair) -> str:
    group = pair.world.local_group(ADMINS)
    return f'{RULES}[[local_group]]\nid = "{group.id}"\nadmin = true\n'


HELD = frozenset({ADMINS, CLUB})
POWER = [
    Row("an admin leaves", (leaves,), GONE, first=admins("carol"), rules=admin_rule),
    Row(
        "an admin of the organization leaves",
        (leaves,),
        GONE,
        {"admin_left"},
        first=together(admins("carol"), role),
        rules=admin_rule,
        goes_on=True,
    ),
    Row(
        "an admin leaves, and no rule names the group",
        (leaves,),
        HELD,
        {"admin_left"},
        first=admins("carol"),
        goes_on=True,
    ),
    Row(
        "an admin leaves, and a rule names the group without its id",
        (leaves,),
        HELD,
        {"admin_left", "never"},
        first=admins("carol"),
        rules=f'{RULES}[[local_group]]\nname = "jira-*"\n',
        goes_on=True,
    ),
    Row(
        "the last admin leaves",
        (leaves,),
        HELD,
        {"admin_left", "last_admin"},
        first=admins(),
        rules=admin_rule,
        goes_on=True,
    ),
    Row(
        "the last active admin leaves",
        (leaves,),
        HELD,
        {"admin_left", "last_admin"},
        first=admins("carol", inactive=True),
        rules=admin_rule,
        goes_on=True,
    ),
    Row(
        "an admin leaves and is back",
        (leaves, comes_back),
        BACK,
        first=admins("carol"),
        rules=admin_rule,
    ),
    Row(
        "an admin of the organization loses a team",
        (quits("red"),),
        ALL,
        {"protected"},
        first=role,
        switches={"group_push_delay": 1e6},
        goes_on=True,
    ),
]

EVERY = [*RULED, *GROUPS, *LICENCES, *LOGINS, *ACCOUNTS, *POWER]


@pytest.mark.parametrize("row", told(EVERY))
async def test_local_groups_end_as_they_should(
    time: Time, sqlite_url: str, tmp_path: Path, row: Row
) -> None:
    await play(row, time, sqlite_url, tmp_path)


async def test_what_is_granted_at_each_login_is_taken_twice_and_then_reported(
    time: Time, sqlite_url: str, tmp_path: Path
) -> None:
    pair = Pair(time)
    pair.world.switches.auto_app_access = True
    async with pair.company.service(sqlite_url, tmp_path, rules=RULES) as run:
        pair.run = run
        await pair.act(leaves)
        pair.time.push(MINUTE)
        comes_back(pair)
        for turn in range(4):
            await run.deliver()
            await run.work()
            assert pair.hers() == (BACK if turn < 3 else BACK | {JIRA})
            pair.time.push(timedelta(seconds=10))
            logs_in(pair)
            pair.world.log_in(pair.bob)
            pair.nudge(pair.bob)
        await run.deliver()
        await run.work()
        assert await run.causes(pair.ann) == {"granted_again"}
        await pair.act(leaves)
        await pair.ended(Row("", (), GONE))


NO_LICENCE = (unassigned, switched(licence_limit=True), assigned)


async def test_who_gets_no_licence_for_a_day_is_no_dead_letter(
    time: Time, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt, "MAX_ATTEMPTS", 20)
    life = Row("", NO_LICENCE, ALL - {JIRA}, {"rejected"}, goes_on=True)
    await play(life, time, sqlite_url, tmp_path)


async def test_who_gets_no_licence_is_asked_for_ever_more_rarely(
    time: Time, sqlite_url: str, tmp_path: Path
) -> None:
    pair = Pair(time)
    async with pair.company.service(sqlite_url, tmp_path, rules=RULES) as run:
        pair.run = run
        for act in NO_LICENCE:
            await pair.act(act)
        await run.settle(timedelta(hours=26))
        asked = [step for step in await run.steps(pair.ann) if step[:2] == ("add", JIRA)]
        assert 20 < len(asked) < 40
        await pair.ended(Row("", (), ALL - {JIRA}, {"rejected"}))


async def test_who_was_given_up_on_for_a_licence_is_stripped_all_the_same(
    time: Time, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt, "MAX_ATTEMPTS", 5)
    await play(Row("", (*NO_LICENCE, 2 * DAY, leaves), GONE), time, sqlite_url, tmp_path)


@pytest.mark.parametrize(
    "seconds",
    [
        pytest.param(0, id="both inactive"),
        pytest.param(30, id="both still active"),
    ],
)
async def test_of_two_admins_who_leave_at_once_one_stays(
    time: Time, database_url: str, tmp_path: Path, seconds: int
) -> None:
    """Or both, if neither account is active any more."""
    pair, carol = Pair(time), f"carol@{DOMAIN}"
    admins("carol")(pair)
    pair.world.switches.provisioning_delay = seconds
    async with pair.company.service(database_url, tmp_path, rules=admin_rule(pair)) as run:
        pair.run = run
        run.sandbox.deliverer.batch_size = 100
        await pair.act(together(leaves, lambda _: pair.world.deactivate(carol)))
        await run.settle(DAY)
        left = pair.world.local_members(ADMINS)
        assert len(left) == (1 if seconds else 2)
        assert left <= {pair.ann, carol}
        for each in left:
            assert await run.causes(each) == {"admin_left", "last_admin"}
        stays = pair.ann in left
        causes = {"admin_left", "last_admin"} if stays else set()
        await pair.ended(Row("", (), HELD if stays else GONE, causes, goes_on=True))


@pytest.mark.parametrize(
    ("unheeded", "within"),
    [pytest.param(MINUTE, HOUR, id="soon"), pytest.param(2 * DAY, DAY, id="late")],
)
async def test_the_alarm_about_an_admin_who_left_ends_by_itself_once_the_role_is_gone(
    time: Time, sqlite_url: str, tmp_path: Path, unheeded: timedelta, within: timedelta
) -> None:
    """Nobody tells us of what is done in Atlassian."""
    pair = Pair(time)
    role(pair)
    async with pair.company.service(sqlite_url, tmp_path, rules=RULES) as run:
        pair.run = run
        await pair.act(leaves)
        await run.settle(unheeded)
        assert await pair.causes() == {"admin_left"}
        pair.world.set_roles(pair.account, [])
        await run.settle(within)
        await pair.ended(Row("", (), GONE))


@pytest.mark.parametrize("early", [True, False], ids=["assigned while staged", "assigned after"])
async def test_somebody_an_hr_system_announced_starts_with_what_they_were_given(
    time: Time, sqlite_url: str, tmp_path: Path, *, early: bool
) -> None:
    pair, eve = Pair(time), f"eve@{DOMAIN}"
    pair.world.local_add(JIRA, pair.world.add_account(eve, claim="unmanaged"))

    def joins_us(_: Pair) -> None:
        for group in (STAFF, "red"):
            pair.world.add_to_group(eve, group)

    def starts(_: Pair) -> None:
        pair.world.activate(eve, imported=True)

    async with pair.company.service(sqlite_url, tmp_path, rules=RULES) as run:
        pair.run = run
        await pair.act(lambda _: pair.world.stage_user(eve))
        for act in (joins_us, starts) if early else (starts, joins_us):
            await pair.act(act)
        assert pair.company.groups(eve) == {"red"}
        assert pair.world.local_groups_of(eve) == {JIRA}
        assert await run.steps() == []
        await pair.act(lambda _: pair.world.deactivate(eve))
        assert pair.company.groups(eve) | pair.world.local_groups_of(eve) == set()
        await pair.ended(Row("", (), ALL))
