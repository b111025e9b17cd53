"""`hooks doctor`: one thing is broken at a time, and it says which, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from hooks.cli.keys import new_key
from hooks.cli.sandbox import HOOK_SECRET
from hooks.core.finding import Part
from hooks.core.log_event import EVENT_TYPES
from hooks.sandbox.okta_auth import key_pair
from hooks.sandbox.story import COLLEAGUE, CONFLUENCE, JIRA_USERS, PERSON
from hooks.store.database import Tx
from hooks.store.tables import Event, Refused
from hooks.store.tables import OrganizationGroup as Group
from tests.cli.conftest import Desk

URL = "https://hooks.example.com/okta/events"
TOKEN, SCIM, ORG = "HOOKS_OKTA_API_TOKEN", "HOOKS_SCIM_KEY", "HOOKS_ORG_API_KEY"
APP = "[[directory]] 1 okta_app_id"
MAPPINGS = "[[directory]] 1 push mappings"
ASSIGNMENTS = "[[directory]] 1 assignments"
DEPROVISIONING = "[[directory]] 1 deprovisioning"
USERNAMES = "[[directory]] 1 usernames"
ACCOUNTS = "[[directory]] 1 accounts"
DIRECTORY = "[[directory]] 1 directory"
DOMAINS = "[[directory]] 1 domains"
OTHER = "new.name@somedomain.example"
NOWHERE = "http://127.0.0.1:1"
LEFT = "left@somedomain.example"


def findings(desk: Desk, *arguments: str) -> list[dict[str, str]]:
    """What it found, for programs; nothing is changed, and nobody is named."""
    world, store = desk.story.world.snapshot(), desk.dump()
    ran = desk("doctor", "--json", *arguments)
    assert ran.err == ""
    assert desk.story.world.snapshot() == world
    assert desk.dump() == store
    assert desk.story.world.violations == []
    for name in (PERSON, COLLEAGUE, LEFT, OTHER):
        assert name not in ran.out
    found: list[dict[str, str]] = ran.json()["findings"]
    failed = any(each["verdict"] == "fail" for each in found)
    assert ran.json()["failed"] is failed
    assert ran.code == int(failed)
    return found


def told(found: list[dict[str, str]], *verdicts: str) -> dict[str, str]:
    """Words by verdict and place, of these verdicts."""
    return {
        f"{each['verdict']} {each['place']}": f"{each['about']} -> {each['remedy']}"
        for each in found
        if each["verdict"] in verdicts
    }


def day(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).date().isoformat()


def rewrite(desk: Desk, **values: str) -> None:
    """Other values in hooks.toml."""
    config = desk.folder / "hooks.toml"
    text = config.read_text()
    for key, value in values.items():
        text, count = re.subn(rf"(?m)^{key} = .*", f"{key} = {value}", text)
        assert count
    config.write_text(text)


@pytest.fixture
def well(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Everything as it should be: and something was delivered, and changed, a moment ago."""
    story, world = desk.story, desk.story.world
    staff = world.add_okta_group("staff")
    left = world.add_user(LEFT)
    for user in (story.person, story.colleague, left):
        world.add_to_group(user, staff)
    world.add_to_group(left, CONFLUENCE)
    world.assign_group(staff, story.app)
    for group in (story.confluence, story.statuspage):
        world.unassign_group(group, story.app)
    world.local_add(JIRA_USERS, LEFT)
    world.add_hook(URL, HOOK_SECRET, list(EVENT_TYPES))
    config = desk.folder / "hooks.toml"
    rewrite(desk, hook_url=f'"{URL}"')
    text = config.read_text()
    config.write_text(f"{text}\n[expiry]\nscim_main = {day(200)}\norganization = {day(200)}\n")
    monkeypatch.setenv("HOOKS_CHAIN_KEY", new_key())
    world.deactivate(left)
    assert desk("look", LEFT).code == 0
    assert world.local_groups_of(LEFT) == set()
    desk.deliver()
    return desk


@dataclass(frozen=True)
class Broken:
    """What is broken, and all that is then warned of or fails, each with words of its remedy."""

    act: Callable[[Desk], object]
    bad: dict[str, str]
    unsaid: tuple[str, ...] = ()
    environ: dict[str, str | None] = field(default_factory=dict)


def _hook(**values: object) -> Callable[[Desk], object]:
    def act(desk: Desk) -> None:
        (hook,) = desk.story.world.org.hooks.values()
        for name, value in values.items():
            setattr(hook, name, value)

    return act


def _switch(**values: object) -> Callable[[Desk], object]:
    def act(desk: Desk) -> None:
        for name, value in values.items():
            assert hasattr(desk.story.world.switches, name)
            setattr(desk.story.world.switches, name, value)

    return act


def _nothing(_: Desk) -> None: ...


def _two_names(desk: Desk) -> None:
    """Somebody's address is not their login, and the app makes usernames of logins."""
    story = desk.story
    story.world.map_profile(story.app, user_name="login")
    story.world.set_email(story.person, OTHER)
    story.world.update_now(story.app)


def _old_deliveries(desk: Desk) -> None:
    event = Event.__table__  # type: ignore[attr-defined]
    then = event.c.received - 8 * 86_400_000_000
    desk.write(lambda tx: tx.execute(update(event).values(received=then, settled=tx.now)))


def _missed(desk: Desk) -> None:
    event = Event.__table__  # type: ignore[attr-defined]
    then = event.c.received - 3_600_000_000
    query = update(event).where(event.c.type == "user.lifecycle.deactivate")
    late = query.values(received=then, origin="log", settled=then)
    desk.write(lambda tx: tx.execute(late))


def _granted_again(desk: Desk) -> None:
    """As `keep` writes it, once somebody was granted it twice after our removal."""
    group = desk.story.world.local_group(JIRA_USERS).id

    def write(tx: Tx) -> None:
        tx.execute(
            Refused.__table__.insert().values(  # type: ignore[attr-defined]
                user=desk.story.person.id, directory="organization", group=group,
                cause="granted_again", detail="", at=tx.now,
            )
        )  # fmt: skip
        known = tx.insert(Group.__table__).on_conflict_do_nothing()  # type: ignore[attr-defined]
        row = {"id": group, "name": JIRA_USERS, "synced": False, "accept": False, "at": tx.now}
        tx.execute(known, [row])

    desk.write(write)


def _dead_form(desk: Desk) -> None:
    from hooks.store import cursor

    desk.write(lambda tx: cursor.put(tx, "form/main", "dead"))


def _other_directory(desk: Desk) -> None:
    """Another app's, with its key: all opens, and it is the wrong one."""
    world = desk.story.world
    other = world.add_directory(world.add_app("Another app"), "other")
    world.add_scim_user(other, "somebody@somedomain.example")
    rewrite(desk, scim_directory_id=f'"{other.id}"')
    world.directories[other.id].key = desk.environ[SCIM]


def _misspelt(desk: Desk) -> None:
    config = desk.folder / "hooks.toml"
    config.write_text(config.read_text().replace(JIRA_USERS, "jira-sofware-users"))


def _switched_off_in_the_log(desk: Desk) -> None:
    desk.story.world.set_deprovisioning(desk.story.app, enabled=False)
    _switch(app_features="404", deprovisioning=True)(desk)


def _two_accounts(desk: Desk) -> None:
    _two_names(desk)
    desk.story.world.sign_in(desk.story.person, desk.story.app)


BROKEN = {
    "the hook is inactive": Broken(_hook(status="INACTIVE"), {"fail event hook": "hooks register"}),
    "the hook is not verified": Broken(
        _hook(verification="UNVERIFIED"),
        {"fail event hook": "not verified, so nothing is sent -> with hooks serve running"},
    ),
    "the hook leads elsewhere": Broken(
        _hook(uri="https://old.example.com/okta/events"),
        {"fail event hook": "one leads to https://old.example.com/okta/events -> correct hook_url"},
    ),
    "there is no hook": Broken(
        lambda desk: desk.story.world.org.hooks.clear(), {"fail event hook": "hooks register"}
    ),
    "the hook does not hear of deactivations": Broken(
        _hook(types=[each for each in EVENT_TYPES if each != "user.lifecycle.deactivate"]),
        {"fail event hook": "does not hear user.lifecycle.deactivate -> with hooks serve"},
    ),
    "the hook does not hear what not every org offers": Broken(
        _hook(types=[each for each in EVENT_TYPES if each != "application.provision.user.push"]),
        {"warn event hook": "does not hear application.provision.user.push"},
    ),
    "the secret comes in another header": Broken(
        _hook(key="X-Secret"), {"fail event hook": "another header than [okta] hook_header"}
    ),
    "the hook has a filter of somebody else's": Broken(
        _hook(
            filter={
                "type": "EXPRESSION_LANGUAGE",
                "eventFilterMap": [
                    {"event": "user.lifecycle.deactivate", "condition": {"expression": "x eq 'y'"}}
                ],
            }
        ),
        {"fail event hook": "its filter is not ours"},
    ),
    "nothing was delivered for a week": Broken(
        _old_deliveries, {"warn deliveries": "the last was stored 8 days ago -> see the event hook"}
    ),
    "the log knew what the hook did not bring": Broken(
        _missed, {"warn deliveries": "1 event of the last day came by the System Log alone"}
    ),
    "Okta could not deliver": Broken(
        lambda desk: desk.story.world.emit(
            desk.story.world.transaction(), "event_hook.delivery", outcome="FAILURE"
        ),
        {"warn System Log": "Okta failed to deliver 1 time in the last day -> hooks hook says why"},
    ),
    "Okta takes groups itself": Broken(
        lambda desk: desk.story.world.emit(
            desk.story.world.transaction(), "application.provision.user.remove_entitlements"
        ),
        {"warn System Log": "have only one of the two do it"},
    ),
    "the app may not read the log": Broken(
        lambda desk: desk.story.world.fault("okta", path="/logs", status=403),
        {"fail System Log": "grant okta.logs.read"},
    ),
    "the role does not show Everyone": Broken(
        lambda desk: desk.story.world.hide(desk.story.world.everyone, mode="404"),
        {"fail admin role": "all groups, Everyone among them"},
    ),
    "the app has no role": Broken(
        _switch(okta_role="404"),
        {
            "fail admin role": "give the service app an admin role",
            f"fail {APP}": "see that the admin role sees the app",
            f"fail {MAPPINGS}": "a role that sees the app",
        },
        unsaid=(TOKEN, ASSIGNMENTS, DEPROVISIONING, USERNAMES, DOMAINS, DIRECTORY, "app access"),
    ),
    "the app is inactive": Broken(
        lambda desk: desk.story.world.deactivate_app(desk.story.app), {f"fail {APP}": "activate it"}
    ),
    "a source group is hidden": Broken(
        lambda desk: desk.story.world.hide(desk.story.confluence, mode="404"),
        {f"fail {MAPPINGS}": "let the admin role see these groups"},
    ),
    "a mapping is in error": Broken(
        lambda desk: desk.story.world.set_mapping_status(CONFLUENCE, "ERROR"),
        {f"fail {MAPPINGS}": "mend it, then Push now"},
    ),
    "a mapping is inactive": Broken(
        lambda desk: desk.story.world.set_mapping_status(CONFLUENCE, "INACTIVE"),
        {f"warn {MAPPINGS}": "activate or delete it"},
    ),
    "a group is assigned and pushed": Broken(
        lambda desk: desk.story.world.assign_group(desk.story.confluence, desk.story.app),
        {f"warn {ASSIGNMENTS}": f"{CONFLUENCE} -> assign the app by a group that is not pushed"},
    ),
    "nobody is deactivated any more": Broken(
        _switch(deprovisioning=False), {f"fail {DEPROVISIONING}": "enable it"}
    ),
    "nobody is deactivated, as the log alone tells": Broken(
        _switched_off_in_the_log,
        {f"fail {DEPROVISIONING}": "as the System Log says"},
    ),
    "the two names are made of two attributes": Broken(
        lambda desk: desk.story.world.map_profile(desk.story.app, user_name="login"),
        {f"warn {USERNAMES}": "the attribute that is mapped to the primary e-mail"},
    ),
    "somebody has two names": Broken(
        _two_names,
        {f"fail {USERNAMES}": "two accounts -> ", f"warn {USERNAMES}": "1 has a username"},
    ),
    "somebody has two accounts": Broken(
        _two_accounts,
        {
            f"fail {USERNAMES}": "two accounts -> ",
            f"warn {USERNAMES}": "1 has a username",
            f"fail {ACCOUNTS}": "have Atlassian support merge them",
        },
    ),
    "usernames are not updated": Broken(
        lambda desk: desk.story.world.map_profile(desk.story.app, push=False),
        {f"warn {USERNAMES}": "Create and update"},
    ),
    "a domain is not verified": Broken(
        lambda desk: desk.story.world.add_domain("somedomain.example", "unverified"),
        {f"warn {DOMAINS}": "verify them in Atlassian"},
    ),
    "the directory is another one": Broken(
        _other_directory,
        {f"fail {DIRECTORY}": "the app fills another one -> take scim_directory_id"},
    ),
    "the directory takes no PATCH": Broken(
        _switch(scim_patch_supported=False), {f"fail {DIRECTORY}": "ask Atlassian"}
    ),
    "the directory removed others": Broken(_dead_form, {f"fail {DIRECTORY}": "ask Atlassian"}),
    "everybody's group gives access": Broken(
        lambda desk: desk.story.world.grant_access("main", "jira-software"),
        {"fail app access": "take its access away, and give it to groups that Okta pushes"},
    ),
    "a local group gives access that no rule names": Broken(
        lambda desk: desk.story.world.add_local_group("wiki", default_for="confluence"),
        {"warn app access": "wiki: local, giving access, and named by no rule"},
    ),
    "a login grants it again": Broken(
        _granted_again, {"warn access at login": "turn off automatic access"}
    ),
    "an account is linked elsewhere": Broken(
        lambda desk: [
            desk.story.world.add_foreign_link(each) for each in (PERSON, COLLEAGUE, LEFT)
        ],
        {"warn get-scim-links": "name it as a [[directory]]"},
    ),
    "the SCIM key ends soon": Broken(
        lambda desk: rewrite(desk, scim_main=day(20)), {f"warn {SCIM}": "Okta needs it at once"}
    ),
    "the organization key has ended": Broken(
        lambda desk: rewrite(desk, organization=day(-1)), {f"fail {ORG}": "make another one"}
    ),
    "Okta's clock is ahead": Broken(_switch(okta_clock=60.0), {"warn Okta": "by NTP"}),
    "Atlassian's clock is behind": Broken(
        _switch(atlassian_clock=-400.0), {"fail Atlassian": "seconds ahead -> keep the clock"}
    ),
    "somebody is given up on": Broken(
        lambda desk: desk.bury(desk.story.person.id), {"warn alarms": "hooks dead retry"}
    ),
    "the sealing key is another one": Broken(
        _nothing, {"fail HOOKS_SEALING_KEYS": "see the README on lost keys"},
        environ={"HOOKS_SEALING_KEYS": new_key()},
    ),
    "the chain key is another one": Broken(
        _nothing, {"fail HOOKS_CHAIN_KEY": "give the key it was begun with"},
        environ={"HOOKS_CHAIN_KEY": new_key()},
    ),
    "a rule names no group": Broken(
        _misspelt,
        {"fail [[local_group]] 1 name": "correct the name",
         "warn app access": "jira-software-users: local, giving access"},
        unsaid=("access at login",),
    ),
}  # fmt: skip


def test_all_is_well(well: Desk) -> None:
    found = findings(well)
    assert told(found, "fail", "warn") == {}
    assert {each["part"] for each in found} == {str(each) for each in Part}
    unchecked = sorted(each["place"] for each in found if each["verdict"] == "unchecked")
    assert unchecked == ["System Log", "access at login"]


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_what_is_broken_is_told_with_its_remedy_and_nothing_else(
    well: Desk, monkeypatch: pytest.MonkeyPatch, broken: Broken
) -> None:
    before = findings(well)
    broken.act(well)
    for name, value in broken.environ.items():
        monkeypatch.setenv(name, str(value))
    after = findings(well)
    bad = told(after, "fail", "warn")
    # Of one place both the cause and its trace may be told.
    assert bad.keys() == broken.bad.keys(), bad
    for place, words in broken.bad.items():
        assert words in bad[place], bad[place]
        assert not bad[place].endswith("-> "), "no remedy"
    silent = {each["place"] for each in before} - {each["place"] for each in after}
    assert silent <= set(broken.unsaid) | {ACCOUNTS}
    touched = {each.partition(" ")[2] for each in broken.bad} | set(broken.unsaid)
    same = [each for each in before if each["place"] not in touched]
    now = [(each["verdict"], each["place"]) for each in after]
    assert not [each for each in same if (each["verdict"], each["place"]) not in now]


@dataclass(frozen=True)
class Closed:
    """A door that does not open: what fails, in which words."""

    fails: frozenset[str]
    words: str
    environ: dict[str, str] = field(default_factory=dict)
    file: dict[str, str] = field(default_factory=dict)
    fault: dict[str, str | int] = field(default_factory=dict)


CLOSED = {
    "no network to Okta": Closed(
        frozenset({TOKEN}), "check [okta] org_url and this machine's way out",
        file={"org_url": f'"{NOWHERE}"'},
    ),
    "no network to Atlassian": Closed(
        frozenset({SCIM, ORG}), "check [atlassian] api_url and this machine's way out",
        file={"api_url": f'"{NOWHERE}"'},
    ),
    "an expired Okta token": Closed(
        frozenset({TOKEN}), "Okta refuses it", environ={TOKEN: "expired-and-no-secret"}
    ),
    "an expired SCIM key": Closed(
        frozenset({SCIM}), "it lasts a year", environ={SCIM: "expired-and-no-secret"}
    ),
    "an expired organization key": Closed(
        frozenset({ORG}), "make one without scopes", environ={ORG: "expired-and-no-secret"}
    ),
    "no rights at Okta": Closed(
        frozenset({TOKEN}), "an admin role that sees the app",
        fault={"vendor": "okta", "status": 403},
    ),
    "Okta is out of order": Closed(
        frozenset({TOKEN}), "try again later", fault={"vendor": "okta", "status": 503}
    ),
    "a database that is not there": Closed(
        frozenset({"HOOKS_DATABASE_URL"}), "hooks migrate",
        environ={"HOOKS_DATABASE_URL": "sqlite:///nowhere/hooks.db"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("closed", CLOSED.values(), ids=CLOSED)
def test_a_door_that_does_not_open_is_one_line_and_what_lies_behind_is_not_checked(
    well: Desk, monkeypatch: pytest.MonkeyPatch, closed: Closed
) -> None:
    rewrite(well, **closed.file)
    for name, value in closed.environ.items():
        monkeypatch.setenv(name, value)
    if closed.fault:
        well.story.world.fault(**closed.fault)  # type: ignore[arg-type]
    found = findings(well)
    bad = told(found, "fail", "warn")
    assert bad.keys() == {f"fail {each}" for each in closed.fails}
    assert all(closed.words in each for each in bad.values())
    shown = well("doctor")
    assert (shown.code, shown.err) == (1, "")
    assert shown.out.count("\nfail  ") == len(closed.fails)
    hook = told(found, "unchecked").get("unchecked event hook", "")
    refused = closed.fault.get("status") == 403
    assert ("okta.eventHooks.read" in hook) is refused, "a right is granted, and no network"


def test_without_secrets_nothing_fails_and_each_is_named(
    well: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (*well.environ, "HOOKS_CHAIN_KEY"):
        if name not in ("HOOKS_CONFIG", "HOOKS_DATABASE_URL"):
            monkeypatch.delenv(name)
    asked = well.story.world.counters.total()
    found = findings(well)
    assert told(found, "fail", "warn") == {}
    named = {each["place"] for each in found if each["verdict"] == "unchecked"}
    keys = {"HOOKS_OKTA_CLIENT_ID, HOOKS_OKTA_PRIVATE_KEY", SCIM, ORG}
    assert keys | {"HOOKS_HOOK_SECRET", "HOOKS_SEALING_KEYS"} <= named
    assert well.story.world.counters.total() == asked


def test_half_a_credential_is_a_mistake_in_the_settings(
    well: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(TOKEN)
    monkeypatch.setenv("HOOKS_OKTA_CLIENT_ID", "0oa00000000000000000")
    ran = well("doctor")
    assert (ran.code, ran.out) == (2, "")
    assert "HOOKS_OKTA_PRIVATE_KEY: missing" in ran.err


def test_a_part_alone(well: Desk) -> None:
    (hook,) = well.story.world.org.hooks.values()
    hook.status = "INACTIVE"
    asked = well.story.world.counters.total()
    assert {each["part"] for each in findings(well, "--only", "store")} == {"store"}
    assert well.story.world.counters.total() == asked, "nobody is asked for what is here"
    both = findings(well, "--only", "okta", "--only", "clocks")
    assert {each["part"] for each in both} == {"okta", "clocks"}
    ran = well("doctor", "--only", "nonsense")
    assert (ran.code, ran.out) == (2, "")


def test_strict_fails_on_what_is_to_look_at(well: Desk) -> None:
    assert well("doctor", "--strict").code == 0
    well.story.world.switches.okta_clock = 60.0
    assert well("doctor").code == 0
    assert well("doctor", "--strict").code == 1


def test_no_line_is_longer_than_a_terminal(well: Desk) -> None:
    ran = well("doctor")
    assert (ran.code, ran.err) == (0, "")
    assert max(map(len, ran.out.splitlines())) <= 80
    assert [each.splitlines()[0] for each in ran.out.split("\n\n")[:-1]] == [
        "Settings", "Store", "Okta, as the credential sees it", "Event hook and System Log",
        "Okta apps", "Atlassian directories", "Atlassian organization",
        "Rules and names in hooks.toml", "Clocks",
    ]  # fmt: skip
    assert ran.out.endswith(" 0 to look at, 0 to put right, 2 not checked\n")


def test_what_may_be_a_secret_in_a_url_is_not_shown(well: Desk) -> None:
    (hook,) = well.story.world.org.hooks.values()
    hook.uri = "https://user:word@old.example.com/okta/events?token=hidden"
    (words,) = told(findings(well), "fail").values()
    assert "https://old.example.com/okta/events" in words
    assert not {"word", "hidden"} & set(re.findall(r"\w+", words))


@pytest.mark.parametrize(
    ("switches", "verdict"),
    [
        ({"app_features": "400"}, "ok"),
        ({"app_features": "bare"}, "ok"),
        ({"app_features": "404", "deprovisioning": False}, "unchecked"),
    ],
)
def test_deprovisioning_is_told_by_what_else_there_is(
    well: Desk, switches: dict[str, object], verdict: str
) -> None:
    _switch(**switches)(well)
    found = [each for each in findings(well) if each["place"] == DEPROVISIONING]
    assert [each["verdict"] for each in found] == [verdict]


@pytest.mark.parametrize(
    ("switches", "place"),
    [
        ({"profile_email_shown": False}, USERNAMES),
        ({"domains": "403"}, DOMAINS),
        ({"domains": "404"}, DOMAINS),
        ({"scim_links": "403"}, "get-scim-links"),
        ({"scim_links": "404"}, "get-scim-links"),
        ({"scim_links": "405"}, "get-scim-links"),
    ],
)
def test_what_a_vendor_does_not_tell_is_not_checked(
    well: Desk, switches: dict[str, object], place: str
) -> None:
    _switch(**switches)(well)
    found = findings(well)
    assert told(found, "fail", "warn") == {}
    assert "unchecked" in {each["verdict"] for each in found if each["place"] == place}


SCOPES = ("okta.users.read", "okta.groups.read", "okta.apps.read", "okta.logs.read")
KEY = "HOOKS_OKTA_CLIENT_ID, HOOKS_OKTA_PRIVATE_KEY"


def service_app(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, *scopes: str, admin: bool = False
) -> None:
    """A service app with these scopes, in place of the API token or as the hook's administrator."""
    private, public = key_pair()
    app = desk.story.world.credentials.add_service_app(public, list(scopes))
    prefix = "HOOKS_OKTA_ADMIN" if admin else "HOOKS_OKTA"
    monkeypatch.delenv("HOOKS_OKTA_ADMIN_API_TOKEN", raising=False)
    if not admin:
        monkeypatch.delenv(TOKEN)
    monkeypatch.setenv(f"{prefix}_PRIVATE_KEY", private)
    monkeypatch.setenv(f"{prefix}_CLIENT_ID", app.client_id)


@pytest.mark.parametrize("scope", SCOPES)
def test_the_scope_that_is_not_granted_is_named(
    well: Desk, monkeypatch: pytest.MonkeyPatch, scope: str
) -> None:
    service_app(well, monkeypatch, *(set(SCOPES) - {scope}))
    bad = told(findings(well, "--only", "okta"), "fail", "warn")
    assert bad.keys() == {f"fail {KEY}", f"fail {scope}"}
    assert "grant it: Okta's Admin Console" in bad[f"fail {scope}"]


def test_a_key_that_is_refused_lacks_no_scope(well: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    service_app(well, monkeypatch, *SCOPES)
    monkeypatch.setenv("HOOKS_OKTA_CLIENT_ID", "0oa1")
    bad = told(findings(well, "--only", "okta"), "fail", "warn")
    assert bad.keys() == {f"fail {KEY}"}


def test_with_the_worker_s_scopes_the_hook_and_what_is_mapped_are_not_checked(
    well: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    service_app(well, monkeypatch, *SCOPES)
    found = findings(well)
    assert told(found, "fail", "warn") == {}
    unchecked = told(found, "unchecked")
    assert "okta.eventHooks.read" in unchecked["unchecked event hook"]
    assert "okta.profileMappings.read" in unchecked[f"unchecked {USERNAMES}"]


def test_the_hook_s_administrator_may_read_it(well: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    service_app(well, monkeypatch, *SCOPES, "okta.profileMappings.read")
    service_app(well, monkeypatch, "okta.eventHooks.read", admin=True)
    found = findings(well)
    assert told(found, "fail", "warn") == {}
    assert {"ok event hook", f"ok {USERNAMES}"} <= told(found, "ok").keys()
