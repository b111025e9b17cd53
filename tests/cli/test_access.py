"""`hooks policy check`: each credential and id is tried once, and what is wrong with it is said."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import pytest

from hooks.sandbox.okta_auth import key_pair
from hooks.sandbox.story import CONFLUENCE, JIRA_ADMINS
from tests.cli.conftest import Desk

TOKEN, SCIM, ORG = "HOOKS_OKTA_API_TOKEN", "HOOKS_SCIM_KEY", "HOOKS_ORG_API_KEY"
APP_ID, SCIM_ID = "[[directory]] 1 okta_app_id", "[[directory]] 1 scim_directory_id"
ORG_ID = "[atlassian] organization_id"
ALL = {TOKEN, APP_ID, SCIM, ORG}
STRANGE = "00000000-0000-4000-8000-00000000000f"
NOWHERE = "http://127.0.0.1:1"
WRONG = "wrong-and-no-secret"


@dataclass(frozen=True)
class Trouble:
    """What is wrong; which finding fails, in which words; what is left unchecked for it."""

    place: str
    said: str
    remedy: str
    environ: dict[str, str] = field(default_factory=dict)
    file: dict[str, str] = field(default_factory=dict)
    fault: dict[str, Any] = field(default_factory=dict)
    key: str = ""
    more: frozenset[str] = frozenset()
    unsaid: frozenset[str] = frozenset()


REFUSED_OKTA = frozenset({APP_ID})
TROUBLES = {
    "a wrong Okta token": Trouble(
        TOKEN, "Okta refuses it (okta answered 401 to GET app", "Security, API, Tokens",
        environ={TOKEN: WRONG}, unsaid=REFUSED_OKTA,
    ),
    "an Okta credential that may read no app": Trouble(
        TOKEN, "may read no app (okta answered 403 to GET app", "okta.apps.read",
        fault={"vendor": "okta", "path": "/apps/", "status": 403}, unsaid=REFUSED_OKTA,
    ),
    "no way to Okta": Trouble(
        TOKEN, "could not be tried: okta could not be reached", "check [okta] org_url",
        file={"org_url": NOWHERE}, unsaid=REFUSED_OKTA,
    ),
    "Okta is out of order": Trouble(
        TOKEN, "could not be tried: okta answered 503 to GET app", "try again later",
        fault={"vendor": "okta", "status": 503}, unsaid=REFUSED_OKTA,
    ),
    "something else answers for Okta": Trouble(
        TOKEN, "could not be tried: okta answered 302 to GET app", "see whether [okta] org_url",
        fault={"vendor": "okta", "redirect": "https://elsewhere.example"}, unsaid=REFUSED_OKTA,
    ),
    "a wrong app id": Trouble(
        APP_ID, "Okta shows no app of this id", "the id stands in the app's address",
        file={"okta_app_id": "0oa00000000000000000"}, unsaid=frozenset({TOKEN}),
    ),
    "a wrong SCIM key": Trouble(
        SCIM, "Atlassian refuses it (scim answered 401 to GET groups", "Identity providers",
        environ={SCIM: WRONG},
    ),
    "the SCIM key of another directory": Trouble(
        SCIM, f"does not open the directory of {SCIM_ID} (scim answered 403", "the same directory",
        fault={"vendor": "scim", "status": 403},
    ),
    "a wrong SCIM directory id": Trouble(
        SCIM_ID, "no such directory (scim has no such scim_directory_id, it answered 404",
        "follows directory/ in the SCIM base URL",
        file={"scim_directory_id": STRANGE}, unsaid=frozenset({SCIM}),
    ),
    "a wrong organization key": Trouble(
        ORG, "Atlassian refuses it (organization answered 401", "API keys: make one without scopes",
        environ={ORG: WRONG},
    ),
    "a revoked organization key, or that of another organization": Trouble(
        ORG, f"may not manage the organization of {ORG_ID} (organization has no such"
        " organization_id, it answered 403 to POST groups search, ADMIN-UAM-403-2)",
        "of this organization", key="revoked",
    ),
    "a wrong organization id": Trouble(
        ORG_ID, "no such organization (organization has no such organization_id, it answered 404",
        "in the address of admin.",
        file={"organization_id": STRANGE}, unsaid=frozenset({ORG}),
    ),
    "a wrong organization id, as Atlassian's description has it": Trouble(
        ORG_ID, "no such organization (organization has no such organization_id, it"
        " answered 404 to POST groups search, ADMIN-UAM-404-2)",
        "in the address of admin.", unsaid=frozenset({ORG}),
        fault={
            "vendor": "org", "status": 404,
            "body": {"errors": [{"status": "404", "code": "ADMIN-UAM-404-2"}]},
        },
    ),
    "no way to Atlassian": Trouble(
        ORG, "could not be tried: organization could not be reached", "check [atlassian] api_url",
        file={"api_url": NOWHERE}, more=frozenset({SCIM}),
    ),
}  # fmt: skip


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
def test_a_credential_or_id_that_opens_nothing_fails_and_says_where_to_look(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, trouble: Trouble
) -> None:
    config, world = desk.folder / "hooks.toml", desk.story.world
    told = config.read_text() + f'while_member_of = ["{CONFLUENCE}"]\n'
    told += f'[protect]\ngroups = ["{JIRA_ADMINS}"]\n'
    for key, value in trouble.file.items():
        told = re.sub(rf"{key} = .*", f'{key} = "{value}"', told)
    config.write_text(told)
    for name, value in trouble.environ.items():
        monkeypatch.setenv(name, value)
    if trouble.key:
        world.set_org_key(trouble.key)  # type: ignore[arg-type]
    if trouble.fault:
        world.fault(**trouble.fault)
    ran = desk("policy", "check", "--json")
    assert ran.code == 1
    found = {each["place"]: each for each in ran.json()["findings"] if each["verdict"] != "ok"}
    failed = {place for place, each in found.items() if each["verdict"] == "fail"}
    assert failed == {trouble.place, *trouble.more}
    assert trouble.said in found[trouble.place]["about"]
    assert trouble.remedy in found[trouble.place]["remedy"]
    fine = {each["place"] for each in ran.json()["findings"] if each["verdict"] == "ok"}
    assert fine & ALL == ALL - failed - trouble.unsaid
    rests = {
        TOKEN: {"[[local_group]] 1 while_member_of 1"},
        ORG: {"[[local_group]]", "[protect] groups"},
        ORG_ID: {"[[local_group]]", "[protect] groups"},
    }.get(trouble.place, set())
    for place in rests:
        assert found[place]["verdict"] == "unchecked"
        assert found[place]["about"].endswith(f"because of {trouble.place}")

    shown = desk("policy", "check")
    assert (shown.code, shown.err) == (1, "")
    assert f"fail  {trouble.place}: " in shown.out
    assert max(map(len, shown.out.splitlines())) <= 80
    assert not any(value in shown.out for value in trouble.environ.values())


def test_every_credential_is_tried_though_all_are_wrong(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (TOKEN, SCIM, ORG):
        monkeypatch.setenv(name, WRONG)
    ran = desk("policy", "check", "--json")
    failed = [each["place"] for each in ran.json()["findings"] if each["verdict"] == "fail"]
    assert (ran.code, failed) == (1, [TOKEN, SCIM, ORG])


def test_an_app_that_is_not_active_fails(desk: Desk) -> None:
    desk.story.world.deactivate_app(desk.story.app)
    ran = desk("policy", "check")
    assert ran.code == 1
    assert f"fail  {APP_ID}: the app is INACTIVE" in ran.out


SCOPES = ["okta.users.read", "okta.groups.read", "okta.apps.read", "okta.logs.read"]
SERVICE_APPS = [
    pytest.param(SCOPES, {}, {}, "", id="as it should be"),
    pytest.param(SCOPES[:3], {}, {}, "Okta API Scopes", id="a scope is not granted"),
    pytest.param(SCOPES, {"HOOKS_OKTA_CLIENT_ID": "0oa1"}, {}, "General", id="a wrong client id"),
    pytest.param(SCOPES, {}, {"require_dpop": True}, "turn off the demand", id="DPoP is on"),
]


@pytest.mark.parametrize(("scopes", "environ", "switches", "remedy"), SERVICE_APPS)
def test_a_service_app_is_told_what_it_lacks(
    desk: Desk,
    monkeypatch: pytest.MonkeyPatch,
    *,
    scopes: list[str],
    environ: dict[str, str],
    switches: dict[str, bool],
    remedy: str,
) -> None:
    private, public = key_pair()
    app = desk.story.world.credentials.add_service_app(public, scopes)
    for name, on in switches.items():
        setattr(desk.story.world.switches, name, on)
    monkeypatch.delenv(TOKEN)
    monkeypatch.setenv("HOOKS_OKTA_PRIVATE_KEY", private)
    monkeypatch.setenv("HOOKS_OKTA_CLIENT_ID", app.client_id)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    ran = desk("policy", "check", "--json")
    first = ran.json()["findings"][0]
    assert first["place"] == "HOOKS_OKTA_CLIENT_ID, HOOKS_OKTA_PRIVATE_KEY"
    assert (first["verdict"], ran.code) == (("fail", 1) if remedy else ("ok", 0))
    assert remedy in first["remedy"]


def test_with_two_directories_each_key_has_its_name(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = desk.story.world
    other = world.add_directory(world.add_app("Atlassian Cloud 2"), "second")
    config = desk.folder / "hooks.toml"
    config.write_text(
        config.read_text()
        + f'[[directory]]\nname = "second"\nokta_app_id = "{other.app_id}"\n'
        + f'scim_directory_id = "{other.id}"\n'
    )
    monkeypatch.delenv(SCIM)
    monkeypatch.setenv(f"{SCIM}_MAIN", desk.environ[SCIM])
    monkeypatch.setenv(f"{SCIM}_SECOND", desk.environ[SCIM])
    ran = desk("policy", "check", "--json")
    found = {each["place"]: each for each in ran.json()["findings"]}
    assert (ran.code, found[f"{SCIM}_MAIN"]["verdict"]) == (1, "ok")
    about = found[f"{SCIM}_SECOND"]["about"]
    assert about.startswith("does not open the directory of [[directory]] 2 scim_directory_id")
    world.hide(other.app_id, mode="403")
    found = {each["place"]: each for each in desk("policy", "check", "--json").json()["findings"]}
    assert found["[[directory]] 2 okta_app_id"]["verdict"] == "fail"
    assert found[TOKEN]["verdict"] == "ok"
