"""What is judged of what the vendors and the store show: tables, and what holds of any of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooks.core import checkup_atlassian, checkup_here, checkup_okta, checkup_people
from hooks.core.checkup_here import FAR_APART, LITTLE, TOO_LITTLE, Store
from hooks.core.checkup_okta import Signs
from hooks.core.checkup_people import Assigned, People, UserNames, attribute
from hooks.core.event_hook import PATH
from hooks.core.finding import Finding, Verdict, some
from hooks.core.ids import HookId, OktaGroupId, OktaUserId, OrganizationGroupId, PushMappingId
from hooks.core.log_event import EVENT_TYPES
from hooks.core.membership import OrganizationGroup
from hooks.core.policy import Policy, Rule
from hooks.core.reading import PushMapping
from hooks.core.registration import EventHook, Spec, Wanted, conditions
from hooks.core.report import ago
from tests.core.worlds import APP, local

NOW = datetime(2026, 11, 26, 9, 30, tzinfo=UTC)
TODAY = date(2026, 11, 26)
URL = f"https://hooks.example.com{PATH}"
ALL = frozenset(EVENT_TYPES)
WANTED = Wanted(URL, "Authorization", (APP,))
ANYWHERE = replace(WANTED, url="")
PLACE = "[[directory]] 1"
DAY = timedelta(days=1)


def verdicts(findings: Iterable[Finding | None]) -> list[str]:
    return [str(each.verdict) for each in findings if each]


def person(number: int) -> OktaUserId:
    return OktaUserId(f"00u{number:017}")


def pushed(number: int, status: str = "ACTIVE") -> PushMapping:
    return PushMapping(
        PushMappingId(f"gPm{number:017}"),
        OktaGroupId(f"00g{number:017}"),
        OktaGroupId(f"00t{number:017}"),
        status,
    )


# -- the hook ----------------------------------------------------------------------------------


def hook(
    url: str = URL,
    *,
    active: bool = True,
    verified: bool = True,
    header: str = "Authorization",
    types: frozenset[str] = ALL,
) -> EventHook:
    spec = Spec(name="x", url=url, header=header, types=types)
    return EventHook(id=HookId("who" + "x" * 17), spec=spec, active=active, verified=verified)


FILTERED = replace(hook(), spec=replace(hook().spec, conditions=conditions([APP])))


@pytest.mark.parametrize(
    ("hooks", "wanted", "found"),
    [
        pytest.param([hook()], WANTED, ["ok"], id="as it should be"),
        pytest.param([hook(header="authorization")], WANTED, ["ok"], id="headers have no case"),
        pytest.param([hook(header="")], WANTED, ["fail", "ok"], id="no header for the secret"),
        pytest.param(
            [hook(active=False), hook()], WANTED, ["ok"], id="an old one beside the new one"
        ),
        pytest.param(
            [hook("https://elsewhere.example/x")], WANTED, ["fail"], id="somebody else's only"
        ),
        pytest.param(
            [hook()], ANYWHERE, ["ok", "unchecked"], id="no URL is given"
        ),
        pytest.param(
            [hook("https://elsewhere.example/x")], ANYWHERE, ["fail"],
            id="no URL is given, and none looks like ours",
        ),
        pytest.param([FILTERED], WANTED, ["ok"], id="with the filter that is ours"),
    ],
)  # fmt: skip
def test_a_hook_is_judged_by_the_one_that_serves_best(
    hooks: list[EventHook], wanted: Wanted, found: list[str]
) -> None:
    assert verdicts(checkup_okta.of_hooks(hooks, wanted)) == found


@given(st.sets(st.sampled_from(sorted(ALL))))
def test_a_type_that_is_not_heard_is_always_told(heard: set[str]) -> None:
    found = checkup_okta.of_hooks([hook(types=frozenset(heard))], WANTED)
    told = [each for each in found if "not hear" in each.about]
    assert bool(told) is (heard != ALL)
    assert all(each.remedy for each in told)


@pytest.mark.parametrize(
    ("last", "missed", "verdict"),
    [
        pytest.param(None, 0, "warn", id="never any"),
        pytest.param(NOW - DAY, 0, "ok", id="yesterday"),
        pytest.param(NOW - 7 * DAY, 0, "warn", id="a week ago"),
        pytest.param(NOW, 1, "warn", id="a moment ago, and one was missed"),
        pytest.param(NOW + DAY, 0, "ok", id="by another clock"),
    ],
)
def test_deliveries(last: datetime | None, missed: int, verdict: str) -> None:
    assert checkup_okta.of_deliveries(last, missed, NOW).verdict == verdict


def test_of_a_log_that_was_not_read_to_its_end_counts_are_the_least() -> None:
    signs = Signs({checkup_okta.FAILED_DELIVERY: 4000}, whole=False)
    first, *_ = checkup_okta.of_log(signs)
    assert "at least 4000 times" in first.about


# -- apps --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "logged", "features", "verdict"),
    [
        pytest.param(True, False, [], "ok", id="what Okta says goes before what it logged"),
        pytest.param(False, True, ["PUSH_USER_DEACTIVATION"], "fail", id="and the other way"),
        pytest.param("404", False, ["PUSH_USER_DEACTIVATION"], "fail", id="the log says off"),
        pytest.param("404", True, [], "ok", id="the log says on"),
        pytest.param("404", None, ["PUSH_USER_DEACTIVATION"], "ok", id="the features have it"),
        pytest.param("404", None, ["PUSH_NEW_USERS"], "unchecked", id="a feature that is not told"),
        pytest.param("404", None, "503", "unchecked", id="nothing tells"),
    ],
)
def test_deprovisioning(
    *, told: bool | str, logged: bool | None, features: list[str] | str, verdict: str
) -> None:
    found = checkup_okta.of_deprovisioning(PLACE, told=told, logged=logged, features=features)
    assert found.verdict == verdict


@pytest.mark.parametrize(
    ("mappings", "hidden", "found"),
    [
        pytest.param([pushed(1), pushed(2)], [], ["ok"], id="all active"),
        pytest.param([], [], ["warn"], id="none"),
        pytest.param("503", "503", ["fail"], id="unread"),
        pytest.param([pushed(1), pushed(2, "ERROR")], [], ["ok", "fail"], id="an error"),
        pytest.param([pushed(1, "INACTIVE")], [], ["warn"], id="inactive"),
        pytest.param([pushed(1, "NEW_WORD")], [], ["warn"], id="a status nobody knows"),
        pytest.param([pushed(1)], [pushed(1).source], ["ok", "fail"], id="a source is hidden"),
        pytest.param([pushed(1)], "too many", ["ok", "unchecked"], id="groups were not asked for"),
    ],
)
def test_mappings(
    mappings: list[PushMapping] | str, hidden: list[OktaGroupId] | str, found: list[str]
) -> None:
    assert verdicts(checkup_okta.of_mappings(PLACE, mappings, hidden)) == found


# -- people ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "name"),
    [
        ("${source.email}", "email"),
        ("source.login", "login"),
        ("user.email", "email"),
        (" ${ source.email } ", "email"),
        ("${fn:toLowerCase(source.email)}", "email"),
        ("String.toLowerCase(user.email)", "email"),
        ("toLowerCase(toLowerCase(user.secondEmail))", "secondEmail"),
        ('${fn:substringBefore(source.email, "@")}', None),
        ("user.firstName + user.lastName", None),
        ("user.email user.login", None),
        ("", None),
        ("${}", None),
        ("appuser.email", None),
    ],
)
def test_the_attribute_of_an_expression(expression: str, name: str | None) -> None:
    assert attribute(expression) == name


@given(st.text(max_size=60))
def test_no_expression_is_too_odd(expression: str) -> None:
    found = attribute(expression)
    assert found is None or found in expression


def people(*pairs: tuple[str, str | None]) -> People:
    named = [Assigned(person(number), *pair) for number, pair in enumerate(pairs)]
    return People(tuple(named), whole=True)


SAME = people(("a@x.example", "A@x.example"), ("b@x.example", None))
ONE_DIFFERS = people(("a@x.example", "a@x.example"), ("b@x.example", "c@x.example"))
MADE_OF_EMAIL = UserNames("${source.email}", pushes=True)
MADE_OF_LOGIN = UserNames("${source.login}", pushes=True)


@pytest.mark.parametrize(
    ("names", "address", "who", "found"),
    [
        pytest.param(MADE_OF_EMAIL, "user.email", SAME, ["ok", "ok"], id="the same"),
        pytest.param(MADE_OF_LOGIN, "user.email", SAME, ["warn", "ok"], id="so far nobody differs"),
        pytest.param(MADE_OF_LOGIN, "user.email", ONE_DIFFERS, ["fail", "warn"], id="one differs"),
        pytest.param(MADE_OF_EMAIL, "user.email", ONE_DIFFERS, ["ok", "warn"], id="an old name"),
        pytest.param(MADE_OF_EMAIL, "", SAME, ["unchecked", "ok"], id="no expression is known"),
        pytest.param(
            UserNames("${source.email}", pushes=False), "user.email", SAME, ["ok", "warn", "ok"],
            id="not updated",
        ),
        pytest.param("403", "", "503", ["unchecked", "unchecked"], id="unread"),
    ],
)  # fmt: skip
def test_usernames(
    names: UserNames | str, address: str, who: People | str, found: list[str]
) -> None:
    assert verdicts(checkup_people.of_names(PLACE, names, address, who)) == found


_address = st.integers(0, 9).map(lambda each: f"person-{each}@x.example")


@given(pairs=st.lists(st.tuples(_address, st.none() | _address), max_size=8), pushes=st.booleans())
def test_whatever_people_are_called_no_address_of_theirs_is_told(
    *, pairs: list[tuple[str, str | None]], pushes: bool
) -> None:
    who = people(*pairs)
    told = [
        *checkup_people.of_names(PLACE, UserNames("${source.x}", pushes), "user.y", who),
        *checkup_people.of_accounts(PLACE, [each.user for each in who.differing], 1, 1),
        checkup_people.of_domains(PLACE, [], who),
    ]
    words = " ".join(f"{each.about} {each.remedy}" for each in told if each)
    assert "@" not in words


# -- Atlassian ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ends", "verdict"),
    [
        pytest.param(None, "unchecked", id="no date is given"),
        pytest.param(TODAY - DAY, "fail", id="it has ended"),
        pytest.param(TODAY, "warn", id="it ends today"),
        pytest.param(TODAY + 29 * DAY, "warn", id="within a month"),
        pytest.param(TODAY + 30 * DAY, "ok", id="in a month"),
    ],
)
def test_the_end_of_a_key(ends: date | None, verdict: str) -> None:
    assert checkup_atlassian.of_expiry("scim_main", "KEY", ends, TODAY).verdict == verdict


@pytest.mark.parametrize(
    ("there", "tried", "verdict"), [(0, 0, "unchecked"), (0, 5, "fail"), (1, 5, "ok")]
)
def test_a_directory_is_the_app_s_if_it_has_one_of_its_people(
    there: int, tried: int, verdict: str
) -> None:
    assert checkup_atlassian.of_ownership(PLACE, there, tried).verdict == verdict


@pytest.mark.parametrize(
    ("state", "refused", "verdict"),
    [
        (None, False, "unchecked"),
        ("settled", False, "ok"),
        ("submitted", False, "ok"),
        ("failed", False, "unchecked"),
        ("settled", True, "fail"),
    ],
)
def test_whether_a_key_may_write_is_known_by_what_became_of_it(
    *, state: str | None, refused: bool, verdict: str
) -> None:
    last = checkup_atlassian.Written(state, "403-1", NOW - DAY) if state else None
    assert checkup_atlassian.of_writing(last, NOW, refused=refused).verdict == verdict


@pytest.mark.parametrize(
    ("group", "policy", "looked_at"),
    [
        pytest.param(local(1), Policy(), True, id="local, without a rule"),
        pytest.param(local(1), Policy(rules=(Rule("local-*", None),)), False, id="of a rule"),
        pytest.param(
            local(1, modifiable=False), Policy(rules=(Rule("local-*", None),)), True,
            id="of a rule that may not change it",
        ),
        pytest.param(local(1), Policy(protected_groups=("local-1",)), False, id="protected"),
        pytest.param(local(1, "org-admins"), Policy(), False, id="never touched, and for good"),
        pytest.param(local(1, "red", synced=True), Policy(), False, id="synced and pushed"),
        pytest.param(local(1, "All members", synced=True), Policy(), True, id="synced, not pushed"),
    ],
)  # fmt: skip
def test_groups_whose_access_no_removal_of_ours_ends(
    *, group: OrganizationGroup, policy: Policy, looked_at: bool
) -> None:
    assert bool(checkup_atlassian.candidates(policy, [group], {"red"})) is looked_at


def test_a_group_of_everybody_is_asked_about_first() -> None:
    many = [local(number) for number in range(1, 80)]
    everybody = local(80, "zz everybody", synced=True)
    assert checkup_atlassian.candidates(Policy(), [*many, everybody], set())[0] == everybody


@pytest.mark.parametrize(
    ("roles", "found"),
    [
        (frozenset[str](), ["ok"]),
        (frozenset({"atlassian/user"}), ["warn"]),
        ("only 50 groups are asked about", ["unchecked"]),
    ],
)
def test_access_that_a_local_group_gives(roles: frozenset[str] | str, found: list[str]) -> None:
    group = local(1)
    given_: dict[OrganizationGroupId, frozenset[str] | str] = {group.id: roles}
    assert verdicts(checkup_atlassian.of_endless([group], given_)) == found


# -- here --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("skew", "verdict"),
    [
        (None, "unchecked"),
        (timedelta(), "ok"),
        (timedelta(seconds=29), "ok"),
        (timedelta(seconds=-30), "warn"),
        (FAR_APART, "fail"),
        (-FAR_APART, "fail"),
    ],
)
def test_clocks(skew: timedelta | None, verdict: str) -> None:
    assert checkup_here.of_clock("Okta", skew).verdict == verdict


@pytest.mark.parametrize(
    ("free", "verdict"),
    [(LITTLE, "ok"), (LITTLE - 1, "warn"), (TOO_LITTLE, "warn"), (TOO_LITTLE - 1, "fail")],
)
def test_space(free: int, verdict: str) -> None:
    found = checkup_here.of_store(Store(free=free))
    assert [each.verdict for each in found if each.place == "space"] == [verdict]


@pytest.mark.parametrize(
    ("store", "verdict"),
    [
        ("store: there is none", "fail"),
        (Store("behind"), "fail"),
        (Store("newer"), "warn"),
        (Store(), "ok"),
    ],
)
def test_the_store(store: Store | str, verdict: str) -> None:
    first, *_ = checkup_here.of_store(store)
    assert first.verdict == verdict


# -- words -------------------------------------------------------------------------------------


_hooks = st.builds(hook, active=st.booleans(), verified=st.booleans())


@given(
    hooks=st.lists(_hooks),
    mappings=st.lists(st.integers(1, 5).map(lambda each: pushed(each, "ERROR"))),
    one=st.booleans(),
    other=st.booleans(),
    free=st.none() | st.integers(0, 1 << 40),
)
def test_whatever_is_wrong_has_a_remedy(
    *, hooks: list[EventHook], mappings: list[PushMapping], one: bool, other: bool, free: int | None
) -> None:
    found = [
        *checkup_okta.of_hooks(hooks, WANTED),
        *checkup_okta.of_mappings(PLACE, mappings, [each.source for each in mappings]),
        *checkup_okta.of_sight(anybody=one, everyone=other),
        *checkup_here.of_store(Store(lost=("a",), strange="b", free=free, alarms=("dead fault",))),
    ]
    for each in found:
        assert each.place
        assert each.about
        assert each.remedy or each.verdict in (Verdict.OK, Verdict.UNCHECKED)


def test_of_many_the_first_are_named() -> None:
    assert some(["a", "b", "c"]) == "a, b, c"
    assert some(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(seconds=-5), "0 seconds"),
        (timedelta(seconds=1), "1 second"),
        (timedelta(seconds=119), "1 minute"),
        (timedelta(hours=25), "1 day"),
        (timedelta(hours=5), "5 hours"),
    ],
)
def test_a_length_of_time_in_words(length: timedelta, words: str) -> None:
    assert ago(length) == words
