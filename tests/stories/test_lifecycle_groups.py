"""Groups change under the people in them: renamed, deleted, hidden, synced, protected."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest

from hooks.sandbox.org import Group
from tests.running import Time
from tests.stories.cast import (
    ALL,
    CLUB,
    JIRA,
    LICENCE,
    NOT_LOCAL,
    NOTHING,
    RULES,
    WHO,
    WIKI,
    WIKI_RULE,
    Cast,
    Has,
    Who,
    playing,
)
from tests.stories.company import STAFF

pytestmark = pytest.mark.wide

Do = Callable[[Cast], object]
Text = Callable[[Cast], str]
Mode = Literal["403", "404"]
MODES: tuple[Mode, ...] = ("403", "404")
CONCERNED: tuple[Who, ...] = ("left", "moved", "back")


@dataclass(frozen=True)
class Row:
    """``first`` is done before the service starts, ``then`` once it knows everybody.

    After that the four act, and are as ``caught`` says. If somebody mends it, or accepts the
    groups and mappings named, they are as ``ends`` says, or all is as it should be; ``nudged`` once
    something happens to them. ``goes_on``: the service has not done with it.
    """

    says: str
    first: Do = lambda _: None
    then: Do = lambda _: None
    caught: Has = field(default_factory=Has)
    mend: Do | None = None
    accept: Callable[[Cast], tuple[str, ...]] | None = None
    ends: Has = field(default_factory=Has)
    nudged: bool = False
    goes_on: bool = False
    rules: str | Text = RULES
    more: str | Text = ""


def rule(name: str, *condition: str, **more: str) -> str:
    asked = f"while_member_of = {list(condition)}\n".replace("'", '"') if condition else ""
    key = "id" if more.get("by") == "id" else "name"
    return f'[[local_group]]\n{key} = "{name}"\n{asked}'


def of(who: str, *causes: str) -> dict[Who, set[str]]:
    """These are left alone for these causes."""
    return {each: set(causes) for each in WHO if each in who.split()}


def rename_target(cast: Cast) -> None:
    cast.world.rename_group(cast.target("red"), "crimson")


def move(cast: Cast, target: str) -> None:
    cast.world.mapping("red").target_group_id = cast.targets[target]


def move_back(cast: Cast) -> None:
    move(cast, "red")
    healed(cast)


def joined(cast: Cast, group: Group) -> None:
    """Everybody becomes a member, also of a group Okta keeps for an app."""
    for login in cast.login.values():
        cast.world.add_to_group(login, group)


def licensed(cast: Cast, group: Group) -> None:
    """Everybody but who moves."""
    for who in WHO:
        if who != "moved":
            cast.world.add_to_group(cast.login[who], group)


def another(cast: Cast, name: str, than: Group) -> Group:
    return next(
        each for each in cast.world.org.groups.values() if each.name == name and each is not than
    )


def delete_and_make_anew(cast: Cast) -> None:
    delete(cast, LICENCE)
    licensed(cast, cast.world.add_okta_group(LICENCE))


def a_minute_later(cast: Cast) -> None:
    """That a group can be read is believed for so long."""
    cast.run.time.push(timedelta(seconds=61))


def delete(cast: Cast, group: str) -> None:
    a_minute_later(cast)
    cast.world.delete_group(group)


def hide(group: str, mode: Mode) -> Do:
    def then(cast: Cast) -> None:
        a_minute_later(cast)
        cast.world.hide(cast.world.group(group), mode=mode)

    return then


def show(cast: Cast) -> None:
    """Nobody waits for what they lack."""
    cast.world.hidden.clear()
    cast.nudge("back")


def healed(cast: Cast) -> None:
    """Vendors answer as they should, and those concerned are looked at again."""
    cast.world.clear()
    cast.world.organization.foreign_links.clear()
    cast.nudge("moved", "back")
    again(cast, "left")


def promoted_unheard(cast: Cast) -> None:
    promoted(cast)
    cast.world.fault("org", status=500)


def demoted(cast: Cast) -> None:
    cast.world.clear()
    promoted(cast, [])


def typed(kind: str) -> Do:
    def first(cast: Cast) -> None:
        for who in CONCERNED:
            cast.world.set_account(cast.login[who], type=kind)

    return first


def links(answer: str) -> Do:
    return lambda cast: setattr(cast.world.switches, "scim_links", answer)


def shield(text: Text) -> Text:
    return lambda cast: f'[protect]\ngroups = ["{text(cast)}"]\n'


def push_too(cast: Cast, name: str) -> None:
    joined(cast, cast.world.add_okta_group(name))
    cast.world.push_group(name, cast.company.app, "red")


def again(cast: Cast, who: Who) -> None:
    """They come back and leave again."""
    cast.world.activate(cast.login[who])
    cast.world.deactivate(cast.login[who])


def switch_on(cast: Cast) -> None:
    """Okta assigns nobody to an app that is off, and does not make up for it."""
    cast.world.activate_app(cast.company.app)
    cast.world.remove_from_group(cast.login["back"], STAFF)
    cast.world.add_to_group(cast.login["back"], STAFF)


def shown(cast: Cast) -> None:
    cast.world.hidden.clear()
    cast.nudge("left", "moved", "back", "stays")


def delete_app(cast: Cast) -> None:
    cast.world.deactivate_app(cast.company.app)
    cast.world.delete_app(cast.company.app)


def promoted(cast: Cast, roles: Iterable[str] = ("atlassian/org-admin",)) -> None:
    for who in CONCERNED:
        cast.world.set_roles(cast.login[who], list(roles))


OFF: tuple[tuple[str, Do], ...] = (
    ("deleted", lambda cast: cast.world.delete_mapping("red")),
    ("inactive", lambda cast: cast.world.set_mapping_status("red", "INACTIVE")),
)
NAMED: tuple[tuple[str, Text], ...] = (
    ("its name", lambda _: JIRA.upper()),
    ("a glob", lambda _: "jira-*"),
    ("its id", lambda cast: cast.jira.id),
)
UNRESOLVED = Has(
    more={"left": {JIRA}, "moved": {JIRA}},
    less={"back": {JIRA}},
    causes=of("left moved stays", "rule_unresolved"),
)
UNREADABLE = Has(
    more={"left": {JIRA}, "moved": {JIRA}},
    less={"back": {JIRA}},
    causes=of("left moved stays", "source_unreadable"),
)
UNRESOLVED_AT_FIRST = Has(
    more={"left": {JIRA}, "moved": {JIRA}},
    causes=of("left moved back stays", "rule_unresolved"),
)


def red_mapping(cast: Cast) -> tuple[str, ...]:
    return (cast.world.mapping("red").id,)


def jira(cast: Cast) -> tuple[str, ...]:
    return (cast.jira.id,)


ROWS = [
    Row("nothing happens to the groups"),
    # -- names -----------------------------------------------------------------------------------
    Row("a source is renamed", then=lambda cast: cast.world.rename_group("red", "Red Team")),
    Row(
        "a target is renamed",
        then=rename_target,
        caught=Has(
            more={"left": {"red"}, "moved": {"red"}},
            less={"back": {"red"}},
            causes=of("left moved back", "mapping_renamed"),
        ),
        accept=red_mapping,
        nudged=True,
    ),
    Row(
        "a target is renamed and accepted, and gives back by itself",
        then=rename_target,
        caught=Has(
            more={"left": {"red"}, "moved": {"red"}},
            less={"back": {"red"}},
            causes=of("left moved back", "mapping_renamed"),
        ),
        accept=red_mapping,
    ),
    Row(
        "a group is renamed within the glob of its rule",
        then=lambda cast: cast.world.rename_local_group(cast.jira, f"{JIRA}-acme"),
        caught=Has(less={"back": {JIRA}}, causes={"back": {"group_changed"}}),
        accept=jira,
    ),
    Row(
        "a group is renamed out of the glob of its rule",
        then=lambda cast: cast.world.rename_local_group(cast.jira, "software-people"),
        caught=Has(
            more={"left": {JIRA}, "moved": {JIRA}},
            less={"back": {JIRA}},
            causes=of("left moved stays", "group_changed"),
        ),
        accept=jira,
        ends=Has(more={"left": {JIRA}, "moved": {JIRA}}, less={"back": {JIRA}}),
    ),
    Row(
        "a group is renamed into the glob of a rule",
        then=lambda cast: cast.world.rename_local_group(cast.club, f"{JIRA}-club"),
        caught=Has(causes=of("left moved back stays", "group_changed")),
        accept=lambda cast: (cast.club.id,),
        ends=Has(less={"left": {CLUB}, "moved": {CLUB}}),
    ),
    Row(
        "a group that a rule names by its id is renamed",
        rules=lambda cast: rule(cast.jira.id, LICENCE, by="id") + WIKI_RULE,
        then=lambda cast: cast.world.rename_local_group(cast.jira, "software-people"),
        caught=Has(less={"back": {JIRA}}, causes={"back": {"group_changed"}}),
        accept=jira,
    ),
    Row(
        "letters of another case",
        rules=rule("Jira-SOFTWARE-*", LICENCE) + rule("CONFLUENCE-USERS"),
        then=lambda cast: cast.world.rename_local_group(cast.wiki, "Confluence-Users"),
    ),
    # -- the condition of a rule -----------------------------------------------------------------
    Row(
        "the group of a condition is renamed",
        then=lambda cast: cast.world.rename_group(LICENCE, "Licence"),
    ),
    Row(
        "the group of a condition is deleted",
        then=lambda cast: delete(cast, LICENCE),
        caught=UNRESOLVED,
        goes_on=True,
    ),
    Row(
        "the group of a condition is deleted, and another has its name",
        then=delete_and_make_anew,
        caught=UNRESOLVED,
        goes_on=True,
    ),
    Row(
        "the group of a condition was never there",
        rules=rule(f"{JIRA}*", "nobody made this") + WIKI_RULE,
        caught=UNRESOLVED_AT_FIRST,
        mend=lambda cast: licensed(cast, cast.world.add_okta_group("nobody made this")),
    ),
    Row(
        "the group of a condition is one of two of that name",
        first=lambda cast: cast.world.add_okta_group(LICENCE),
        caught=UNRESOLVED_AT_FIRST,
        mend=lambda cast: cast.world.delete_group(another(cast, LICENCE, cast.licence)),
    ),
    Row(
        "the group of a condition is one that the app keeps",
        rules=lambda cast: rule(f"{JIRA}*", cast.target("green").id) + WIKI_RULE,
        first=lambda cast: joined(cast, cast.target("green")),
        caught=UNRESOLVED_AT_FIRST,
        goes_on=True,
    ),
    Row(
        "one of two groups of a condition is deleted",
        first=lambda cast: cast.world.add_okta_group("trial"),
        rules=rule(f"{JIRA}*", LICENCE, "trial") + WIKI_RULE,
        then=lambda cast: delete(cast, "trial"),
        caught=Has(
            more={"left": {JIRA}, "moved": {JIRA}}, causes=of("left moved", "rule_unresolved")
        ),
        goes_on=True,
    ),
    Row(
        "of two rules one lost its group",
        rules=RULES + rule("jira-*", "nobody made this"),
        caught=Has(more={"moved": {JIRA}}, causes=of("moved", "rule_unresolved")),
        goes_on=True,
    ),
    # -- mappings --------------------------------------------------------------------------------
    *(
        Row(
            f"a mapping is {what}, orphans are reported",
            then=then,
            caught=Has(
                more={"left": {"red"}, "moved": {"red"}},
                less={"back": {"red"}},
                causes=of("left moved", "orphaned"),
            ),
        )
        for what, then in OFF
    ),
    *(
        Row(
            f"a mapping is {what}, orphans are taken from those who left",
            more='[policy]\norphaned = "strip_absent"\n',
            then=then,
            caught=Has(
                more={"moved": {"red"}}, less={"back": {"red"}}, causes=of("moved", "orphaned")
            ),
        )
        for what, then in OFF
    ),
    *(
        Row(
            f"a mapping is in error, orphans are to be {policy}",
            more=f'[policy]\norphaned = "{policy}"\n',
            then=lambda cast: cast.world.set_mapping_status("red", "ERROR"),
            caught=Has(less={"back": {"red"}}),
        )
        for policy in ("report", "strip_absent")
    ),
    Row(
        "a mapping moves to another target, and is moved back",
        then=lambda cast: move(cast, "blue"),
        caught=Has(
            more={"left": {"red"}, "moved": {"red"}},
            less={"back": {"red"}},
            causes=of("left moved back", "mapping_moved"),
        ),
        mend=move_back,
    ),
    Row(
        "a second source is pushed to the same target, and has who moves",
        first=lambda cast: push_too(cast, "red-too"),
        caught=Has(more={"moved": {"red"}}),
        mend=lambda cast: cast.world.remove_from_group(cast.login["moved"], "red-too"),
    ),
    # -- the kind of a group ---------------------------------------------------------------------
    Row(
        "a local group becomes synced",
        then=lambda cast: cast.world.sync_group(cast.jira, cast.company.directory),
        caught=Has(less={"back": {JIRA}, "stays": {JIRA}}, causes=of("back", "group_changed")),
        goes_on=True,
    ),
    Row(
        "a SCIM group has the name of a local one",
        first=lambda cast: cast.world.push_group(cast.red, cast.company.app, WIKI),
    ),
    Row(
        "a group whose members Atlassian says cannot be changed",
        then=lambda cast: setattr(cast.jira, "modifiable", False),
        caught=Has(
            more={"left": {JIRA}, "moved": {JIRA}},
            less={"back": {JIRA}},
            causes=of("left moved back", "not_modifiable"),
        ),
    ),
    Row(
        "a group that an identity provider of somebody else keeps",
        first=lambda cast: setattr(cast.jira, "managed_by", "external"),
        caught=Has(more={"left": {JIRA}, "moved": {JIRA}}),
    ),
    Row(
        "a rule that names everything",
        rules=rule("*"),
        first=lambda cast: cast.world.local_add(
            cast.world.add_local_group("org-admins"), *cast.login.values()
        ),
        caught=Has(
            more={who: {"org-admins"} if who != "moved" else {"org-admins", JIRA} for who in WHO},
            less={"left": {CLUB}, "back": {JIRA, CLUB}},
            causes=of("left", "never", "admin_left") | of("back", "never"),
        ),
        goes_on=True,
    ),
    # -- what Okta shows -------------------------------------------------------------------------
    Row(
        "the app is switched off, and on again",
        then=lambda cast: cast.world.deactivate_app(cast.company.app),
        caught=Has(
            more=NOTHING,
            less={"back": {"red", "green", JIRA}},
            causes=of("left moved back stays", "app_not_active"),
        ),
        mend=switch_on,
    ),
    Row(
        "the app is deleted",
        then=delete_app,
        caught=Has(
            more=NOTHING,
            less={"back": {"red", "green", JIRA}},
            causes=of("left moved back stays", "app_unread"),
        ),
        goes_on=True,
    ),
    Row(
        "the app is hidden",
        then=lambda cast: cast.world.hide(cast.company.app, mode="404"),
        caught=Has(
            more=NOTHING,
            less={"back": {"red", "green", JIRA}},
            causes=of("left moved back stays", "app_unread"),
        ),
        mend=shown,
    ),
    *(
        Row(
            f"a source of a mapping is hidden: {mode}",
            then=hide("red", mode),
            caught=Has(
                more={"moved": {"red"}},
                less={"back": {"red"}},
                causes=of("moved stays", "source_unreadable"),
            ),
            mend=show,
        )
        for mode in MODES
    ),
    *(
        Row(
            f"the group of a condition is hidden: {mode}",
            then=hide(LICENCE, mode),
            caught=caught,
            mend=show,
        )
        for mode, caught in zip(MODES, (UNREADABLE, UNRESOLVED), strict=True)
    ),
    *(
        Row(
            f"a protected group is hidden: {mode}",
            first=lambda cast: cast.world.add_okta_group("Break glass"),
            more='[protect]\nokta_groups = ["Break glass"]\n',
            then=hide("Break glass", mode),
            caught=Has(more=NOTHING, causes=of("left moved back", "protection_unknown")),
            mend=lambda cast: cast.world.hidden.clear(),
        )
        for mode in MODES
    ),
    Row(
        "every group is hidden",
        then=lambda cast: cast.world.hide(*cast.world.org.groups),
        caught=Has(
            more={"left": {"red", "green", JIRA}, "moved": {"red", JIRA}},
            less={"back": {"red", "green", JIRA}},
            causes=of("moved back stays", "groups_empty")
            | of("left", "mapping_unreadable", "source_unreadable"),
        ),
        mend=lambda cast: cast.world.hidden.clear(),
    ),
    # -- links -----------------------------------------------------------------------------------
    Row(
        "linked in a directory nobody here manages",
        then=lambda cast: [cast.world.add_foreign_link(cast.login[who]) for who in CONCERNED],
        caught=Has(more=NOT_LOCAL, causes=of("left moved back", "linked_elsewhere")),
        mend=healed,
    ),
    Row(
        "linked with another record",
        then=lambda cast: cast.world.fault("org", path="get-scim-links", status=200, body=[]),
        caught=Has(more=NOT_LOCAL, causes=of("left moved back", "linked_elsewhere")),
        mend=healed,
    ),
    *(
        Row(
            f"links are not told: {answer}",
            first=links(answer),
        )
        for answer in ("403", "404", "405")
    ),
    # -- protection ------------------------------------------------------------------------------
    *(
        Row(
            f"a group is protected by {how}",
            more=shield(text),
            caught=Has(
                more={"left": {JIRA}, "moved": {JIRA}}, causes=of("left moved", "protected")
            ),
        )
        for how, text in NAMED
    ),
    Row(
        "a protected group is renamed within the glob of its rule",
        more=f'[protect]\ngroups = ["{JIRA}"]\n',
        then=lambda cast: cast.world.rename_local_group(cast.jira, f"{JIRA}-acme"),
        caught=Has(more={"left": {JIRA}, "moved": {JIRA}}, causes=of("left moved", "protected")),
    ),
    Row(
        "all are protected by name or id",
        more=lambda cast: (
            f'[protect]\nusers = ["{cast.login["left"].upper()}", "{cast.id("moved")}",'
            f' "{cast.login["back"]}"]\n'
        ),
        caught=Has(more=NOTHING, causes=of("left moved back", "protected")),
    ),
    Row(
        "all are in a protected group",
        first=lambda cast: joined(cast, cast.world.add_okta_group("Break glass")),
        more='[protect]\nokta_groups = ["Break glass"]\n',
        caught=Has(more=NOTHING, causes=of("left moved back", "protected")),
    ),
    Row(
        "all hold a role",
        first=promoted,
        caught=Has(
            more={"moved": {"red", JIRA}, "back": {WIKI}},
            causes=of("moved back", "protected") | of("left", "admin_left"),
        ),
        goes_on=True,
    ),
    Row(
        "all held a role when the organization was last heard",
        first=promoted,
        then=lambda cast: cast.world.fault("org", status=500),
        caught=Has(
            more={**NOT_LOCAL, "moved": {"red", JIRA}},
            less={"back": {JIRA}},
            causes=of("left back stays", "organization_unread")
            | of("moved", "organization_unread", "protected"),
        ),
        mend=demoted,
    ),
    Row(
        "all hold a role, and the organization was never heard",
        first=promoted_unheard,
        caught=Has(more=NOT_LOCAL, causes=of("left moved back stays", "organization_unread")),
        mend=demoted,
    ),
    *(
        Row(
            f"all are accounts of type {kind}",
            first=typed(kind),
            caught=Has(more=NOTHING, causes=of("left moved back", "protected")),
        )
        for kind in ("app", "customer")
    ),
    Row(
        "all are accounts nobody claimed",
        first=lambda cast: [
            cast.world.set_account(each, claim="unmanaged") for each in cast.login.values()
        ],
    ),
    Row(
        "only who leaves is in the pilot",
        first=lambda cast: cast.world.add_to_group(
            cast.login["left"], cast.world.add_okta_group("pilot")
        ),
        more='[scope]\nonly_okta_groups = ["pilot"]\n',
        caught=Has(
            more={"moved": {"red", JIRA}, "back": {WIKI}},
            causes=of("moved back", "out_of_scope"),
        ),
    ),
]


@pytest.mark.parametrize("row", [pytest.param(row, id=row.says) for row in ROWS])
async def test_groups_change_and_everybody_ends_as_they_should(
    time: Time, sqlite_url: str, tmp_path: Path, row: Row
) -> None:
    """Who stays, in the same groups and not concerned, keeps everything: see ``Has``."""
    cast = Cast(time)
    row.first(cast)
    rules = row.rules if isinstance(row.rules, str) else row.rules(cast)
    more = row.more if isinstance(row.more, str) else row.more(cast)
    async with playing(cast, sqlite_url, tmp_path, rules=rules, more=more):
        row.then(cast)
        cast.act()
        await cast.run.settle()
        assert await cast.now() == row.caught
        if row.mend or row.accept:
            if row.mend:
                row.mend(cast)
            if row.accept:
                await cast.accept(*row.accept(cast))
            await cast.run.settle(timedelta(hours=3))
            if row.nudged:
                cast.nudge("moved", "back")
                await cast.run.settle()
            assert await cast.now() == row.ends
        if not row.goes_on:
            assert await cast.unfinished() == []


@pytest.mark.parametrize("group", [LICENCE, "red"])
async def test_a_group_deleted_within_a_minute_of_its_reading_takes_nothing_from_its_members(
    time: Time, sqlite_url: str, tmp_path: Path, group: str
) -> None:
    """One loses the group, so that it is read; then it is deleted, with an event per member."""
    cast = Cast(time)
    cast.world.switches.group_delete_logs_members = True
    async with playing(cast, sqlite_url, tmp_path):
        a_minute_later(cast)
        cast.world.remove_from_group(cast.login["moved"], group)
        await cast.run.settle(timedelta(seconds=5))
        cast.world.delete_group(group)
        await cast.run.settle()
        assert cast.has(cast.login["stays"]) == ALL


@pytest.mark.parametrize("mode", MODES)
async def test_a_group_hidden_within_a_minute_of_its_reading_takes_nothing_from_its_members(
    time: Time, sqlite_url: str, tmp_path: Path, mode: Mode
) -> None:
    cast = Cast(time)
    async with playing(cast, sqlite_url, tmp_path):
        cast.nudge("stays")
        await cast.run.settle(timedelta(seconds=5))
        cast.world.hide(cast.licence, mode=mode)
        cast.nudge("stays")
        await cast.run.settle()
        assert cast.has(cast.login["stays"]) == ALL


async def test_a_protected_group_hidden_within_a_minute_of_its_reading_still_protects(
    time: Time, sqlite_url: str, tmp_path: Path
) -> None:
    cast = Cast(time)
    joined(cast, cast.world.add_okta_group("Break glass"))
    more = '[protect]\nokta_groups = ["Break glass"]\n'
    async with playing(cast, sqlite_url, tmp_path, more=more):
        cast.nudge("stays")
        await cast.run.settle(timedelta(seconds=5))
        cast.world.hide(cast.world.group("Break glass"))
        cast.act()
        await cast.run.settle(timedelta(seconds=20))
        assert cast.has(cast.login["left"]) == ALL
