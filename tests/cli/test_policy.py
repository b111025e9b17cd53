"""`hooks policy check`: what hooks.toml reaches, and what it misses."""

from __future__ import annotations

import re

import pytest

from hooks.sandbox.story import CONFLUENCE, JIRA_ADMINS, JIRA_USERS, STATUSPAGE
from tests.cli.conftest import Desk, Ran

UNKNOWN = "00000000-0000-4000-8000-00000000000f"


def configure(desk: Desk, text: str, *, rules: bool = False) -> None:
    """The desk's file with other tables; ``rules``: its own rule stays."""
    config = desk.folder / "hooks.toml"
    told = config.read_text()
    kept = told if rules else told.partition("[[local_group]]")[0]
    config.write_text(f"{kept}\n{text}")


def found(ran: Ran) -> dict[str, list[tuple[str, str]]]:
    """Verdict and words of each finding, by place."""
    told: dict[str, list[tuple[str, str]]] = {}
    for each in ran.json()["findings"]:
        told.setdefault(each["place"], []).append((each["verdict"], each["about"]))
    return told


def test_a_good_file_is_good(desk: Desk) -> None:
    configure(desk, f'[protect]\ngroups = ["{JIRA_ADMINS}"]\n', rules=True)
    world = desk.story.world.snapshot()
    (desk.folder / "hooks.db").unlink()
    ran = desk("policy", "check")
    assert (ran.code, ran.err) == (0, "")
    assert f"ok    [[local_group]] 1 name: reaches 1 group: {JIRA_USERS}" in ran.out
    assert f"{JIRA_USERS} gives atlassian/user" in ran.out
    assert f"[protect] groups 1: protects 1 group: {JIRA_ADMINS}" in ran.out
    assert ran.out.endswith("8 ok, 0 to look at, 0 to put right, 1 not checked\n")
    assert not (desk.folder / "hooks.db").exists(), "no database is opened"
    assert desk.story.world.snapshot() == world
    assert desk.story.world.violations == []


def test_one_broken_file_with_every_finding(desk: Desk) -> None:
    world = desk.story.world
    locked = world.add_local_group("locked", modifiable=False)
    for name in ("org-admins", "wiki-users", "wiki-guests", "kept"):
        world.add_local_group(name)
    twice = [world.add_okta_group("Twice").id for _ in range(2)]
    app_group = world.add_okta_group("From a directory", "APP_GROUP").id
    pushed = next(each.target_group_id for each in world.org.mappings.values())
    admins = world.local_group(JIRA_ADMINS).id
    configure(
        desk,
        f"""
        [[local_group]]
        name = "jira-sofware-users"
        [[local_group]]
        name = "team-*"
        [[local_group]]
        name = "jira-*"
        [[local_group]]
        id = "{UNKNOWN}"
        [[local_group]]
        name = "Production-*"
        [[local_group]]
        id = "{locked.id}"
        [[local_group]]
        name = "wiki-*"
        while_member_of = ["{CONFLUENCE}"]
        [[local_group]]
        name = "wiki-users"
        [[local_group]]
        id = "{admins}"
        [[local_group]]
        name = "org-admins"
        [[local_group]]
        name = "kept"
        while_member_of = ["Twice", "Nobody", "{app_group}", "{pushed}", "Everyone"]
        [[local_group]]
        name = "KEPT"

        [scope]
        only_okta_groups = ["00g00000000000000000"]

        [protect]
        groups = ["kept", "nothing-*"]
        okta_groups = ["{STATUSPAGE}"]
        """,
    )
    ran = desk("policy", "check", "--json")
    assert ran.code == 1
    assert ran.json()["failed"] is True
    told = found(ran)
    rule = {index: told.get(f"[[local_group]] {index} name", []) for index in range(1, 13)}
    assert rule[1] == [("fail", "no group of the organization is called jira-sofware-users")]
    assert rule[2] == [("warn", "no group of the organization matches team-*")]
    assert rule[3] == [
        ("warn", f"{JIRA_ADMINS}: never touched"),
        ("ok", f"reaches 1 group: {JIRA_USERS}"),
        ("ok", f"{JIRA_USERS} gives atlassian/user"),
    ]
    assert told["[[local_group]] 4 id"] == [("fail", "no group of the organization has this id")]
    synced = f"{CONFLUENCE}, {STATUSPAGE}: synced, so only a push mapping changes it"
    assert rule[5] == [("fail", synced)]
    about = "locked: Atlassian says that its members cannot be changed"
    assert told["[[local_group]] 6 id"] == [("fail", about)]
    assert ("ok", "reaches 2 groups: wiki-guests, wiki-users") in rule[7]
    assert ("ok", "wiki-users gives no role in any app") in rule[7]
    overlap = "all name wiki-users: 7 counts, because it has while_member_of, and no other"
    assert told["[[local_group]] 7, 8"] == [("warn", overlap)]
    assert told["[[local_group]] 9 id"] == [("fail", f"{JIRA_ADMINS}: never touched")]
    assert ("fail", "names a group that is never touched") in rule[10]
    assert rule[11] == [("fail", "kept: protected by [protect] groups")]
    assert ("warn", "names the same groups as [[local_group]] 11") in rule[12]
    names = {key: each for key, each in told.items() if "while_member_of" in key}
    (resolved,) = names["[[local_group]] 7 while_member_of 1"]
    assert resolved == ("ok", f"{CONFLUENCE} is {desk.story.confluence.id}")
    verdicts = [names[f"[[local_group]] 11 while_member_of {index}"][0] for index in range(1, 6)]
    assert [verdict for verdict, _ in verdicts] == ["fail", "fail", "warn", "fail", "warn"]
    assert all(each in verdicts[0][1] for each in twice)
    assert "Okta shows no group Nobody" in verdicts[1][1]
    assert "an app's (APP_GROUP)" in verdicts[2][1]
    assert "is what our app pushes to" in verdicts[3][1]
    assert "the condition always holds" in verdicts[4][1]
    (scope,) = told["[scope] only_okta_groups 1"]
    assert scope[0] == "fail"
    assert "until then nothing is removed from anybody" in scope[1]
    assert told["[protect] groups 1"] == [("ok", "protects 1 group: kept")]
    assert told["[protect] groups 2"] == [
        ("warn", "no group of the organization matches nothing-*")
    ]
    assert told["[protect] okta_groups 1"][0][0] == "ok"

    shown = desk("policy", "check")
    assert (shown.code, shown.err) == (1, "")
    assert max(map(len, shown.out.splitlines())) <= 90
    assert "name it by id with admin = true, if you mean it" in shown.out
    assert re.search(r"^fail  \[\[local_group\]\] 4 id: ", shown.out, re.MULTILINE)


def test_admins_named_on_purpose_are_reached(desk: Desk) -> None:
    admins = desk.story.world.local_group(JIRA_ADMINS).id
    configure(desk, f'[[local_group]]\nid = "{admins}"\nadmin = true\n')
    told = found(desk("policy", "check", "--json"))
    assert told["[[local_group]] 1 id"][0] == ("ok", f"reaches 1 group: {JIRA_ADMINS}")


@pytest.mark.parametrize(
    ("conditions", "counts"),
    [
        (["Production-Confluence", "Production-StatusPage"], "whoever satisfies one of them stays"),
        (["", ""], "they say the same"),
        (
            ["Production-Confluence", "", "Production-StatusPage"],
            "1 and 3 count, because they have while_member_of; one of them satisfied is enough",
        ),
    ],
)
def test_of_several_rules_it_is_said_which_counts(
    desk: Desk, conditions: list[str], counts: str
) -> None:
    rules = [
        f'[[local_group]]\nname = "{name}"\n' + (f'while_member_of = ["{each}"]\n' if each else "")
        for name, each in zip((JIRA_USERS, "*-users", "jira-software-*"), conditions, strict=False)
    ]
    configure(desk, "".join(rules))
    ran = desk("policy", "check", "--json")
    assert ran.code == 0
    place = f"[[local_group]] {', '.join(str(index + 1) for index in range(len(rules)))}"
    assert found(ran)[place] == [("warn", f"all name {JIRA_USERS}: {counts}")]


def test_offline_nobody_is_asked_and_no_secret_is_needed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in desk.environ.keys() - {"HOOKS_CONFIG"}:
        monkeypatch.delenv(name)
    asked = desk.story.world.counters.total()
    ran = desk("policy", "check", "--offline")
    assert ran.code == 0
    assert "not checked: hooks.toml: what rules and names reach" in ran.out
    configure(desk, '[[local_group]]\nname = "Site-Admins"\n', rules=True)
    assert desk("policy", "check", "--offline").code == 1
    assert desk.story.world.counters.total() == asked


@pytest.mark.parametrize("more", [[], ["--offline"]])
def test_a_file_that_cannot_be_read_is_told_of_as_at_the_start(desk: Desk, more: list[str]) -> None:
    configure(desk, '[[local_group]]\nnam = "x"\n[policy]\nsuspended = "kep"\n', rules=True)
    ran = desk("policy", "check", *more)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("settings: ")
    assert "[[local_group]] 2 nam: unknown key; did you mean name?" in ran.err
    assert "[policy] suspended: " in ran.err


def test_what_cannot_be_asked_is_not_checked(desk: Desk) -> None:
    world = desk.story.world
    world.fault("okta", path="mappings", status=403)
    world.fault("okta", path=r"groups\?", status=403)
    configure(desk, f'while_member_of = ["{CONFLUENCE}"]\n', rules=True)
    ran = desk("policy", "check", "--json")
    assert ran.code == 0
    told = found(ran)
    for place in ("[[directory]]", "[[local_group]] 1 while_member_of 1"):
        assert [verdict for verdict, _ in told[place]] == ["unchecked"], place
    assert "not checked: [[directory]]: " in desk("policy", "check").out


def test_roles_that_cannot_be_asked_are_not_checked(desk: Desk) -> None:
    desk.story.world.fault("org", path="role-assignments", status=403)
    told = found(desk("policy", "check", "--json"))
    assert told["[[local_group]] 1 name"][-1][0] == "unchecked"


def test_without_an_organization_patterns_are_not_checked(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOOKS_ORG_API_KEY")
    configure(desk, '[protect]\ngroups = ["x"]\n')
    config = desk.folder / "hooks.toml"
    config.write_text(re.sub(r"organization_id = .*\n", "", config.read_text()))
    told = found(desk("policy", "check", "--json"))
    reason = "no organization_id is given, so there is no list"
    assert told["[protect] groups"] == [("unchecked", reason)]
