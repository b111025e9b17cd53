"""Both answers of every doubtful behaviour of the vendors, and the same end after each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import timedelta
from pathlib import Path

import pytest

from hooks.core.errors import StoreError
from hooks.sandbox.switches import Switches
from tests.running import Time
from tests.stories.cast import (
    CLUB,
    JIRA,
    NOT_LOCAL,
    NOTHING,
    RULES,
    WEEK,
    WHO,
    WIKI,
    Cast,
    Has,
    Who,
    playing,
)
from tests.stories.company import TEAMS

pytestmark = pytest.mark.wide

Do = Callable[[Cast], object]


def nothing(_: Cast) -> None:
    """The switch is met without more."""


DEFAULTS: Mapping[str, object] = {each.name: each.default for each in fields(Switches)}


@dataclass(frozen=True)
class Row:
    """One switch, and each answer of it that is played.

    ``also`` and ``first`` bring about what the switch is about, ``then`` does so once everybody
    is known; without them the answer that is there by itself is played once for all.
    ``later`` is done when nothing is due any more. ``ends``: for which answer who ends otherwise,
    and why; ``goes_on``: for which answers the service has not done with it.
    """

    switch: str
    values: tuple[object, ...]
    also: Mapping[str, object] = field(default_factory=dict)
    first: Do = nothing
    then: Do = nothing
    later: Do | None = None
    ends: Mapping[object, Has] = field(default_factory=dict)
    goes_on: tuple[object, ...] = ()
    rules: str | Callable[[Cast], str] = RULES
    patience: timedelta = timedelta(hours=1)


class Switched(Cast):
    """The four in a world that was so before they came; delays and lags begin later."""

    def __init__(self, time: Time, switches: Mapping[str, object]) -> None:
        self._switches = switches
        super().__init__(time)
        self.switch(every=True)

    def hire(self, name: str) -> str:
        self.switch(every=False)
        return super().hire(name)

    def switch(self, *, every: bool) -> None:
        for name, value in self._switches.items():
            if every or not isinstance(value, float):
                setattr(self.world.switches, name, value)


def of(who: str, *causes: str) -> dict[Who, set[str]]:
    """These are left alone for these causes."""
    return {each: set(causes) for each in WHO if each in who.split()}


def everybody(cast: Cast, **changes: object) -> None:
    for login in cast.login.values():
        cast.world.set_account(login, **changes)


def push_as_jira(cast: Cast) -> None:
    """A synced group is to have the name of a group that gives access to an app."""
    cast.world.switches.group_push_delay = None
    cast.world.push_group(cast.red, cast.company.app, JIRA)
    cast.world.switches.group_push_delay = WEEK


def sign_in(cast: Cast) -> None:
    for who in ("moved", "back"):
        cast.world.log_in(cast.login[who])
    cast.nudge("moved", "back")


def lose_replies(vendor: str, method: str) -> Do:
    """The first three changes are applied, and nobody hears of it."""

    def then(cast: Cast) -> None:
        cast.world.fault(vendor, method, drop_after=True, times=3)  # type: ignore[arg-type]

    return then


def busy(vendor: str, times: int = 5) -> Do:
    return lambda cast: cast.world.throttle(vendor, 20, times=times)  # type: ignore[arg-type]


def forgotten(cast: Cast) -> None:
    """The organization has no account of who leaves any more."""
    organization = cast.world.organization
    organization.forget(cast.world.account(cast.login["left"]))


def key_is(kind: str) -> Do:
    return lambda cast: cast.world.set_org_key(kind)  # type: ignore[arg-type]


def no_rate(cast: Cast) -> None:
    cast.world.switches.okta_rate_remaining = None


def lose_source(cast: Cast) -> None:
    cast.run.time.push(timedelta(seconds=61))
    cast.world.delete_group("green")


def admins(cast: Cast) -> None:
    group = cast.world.add_local_group("administrators")
    cast.world.local_add(group, cast.login["left"], cast.login["stays"])


def admin_rule(cast: Cast) -> str:
    group = cast.world.local_group("administrators")
    return f'{RULES}[[local_group]]\nid = "{group.id}"\nadmin = true\n'


def jira_only(cast: Cast) -> None:
    group = cast.world.add_local_group("system-administrators")
    cast.world.local_add(group, *cast.login.values())


def lapse(cast: Cast) -> None:
    cast.world.lapse(cast.company.directory)


def subscribed_again(cast: Cast) -> None:
    """After a lapse nobody here saw; the new directory has taken all groups over."""
    lapse(cast)
    cast.company.directory = cast.world.reconnect(cast.company.directory)
    for team in TEAMS:
        cast.world.sync_group(team, cast.company.directory)
        cast.world.push_now(team)


def imported(cast: Cast) -> None:
    """An HR system brings somebody back and sends them away again, then the admins act."""
    cast.world.activate(cast.login["back"], imported=True)
    cast.world.deactivate(cast.login["back"], imported=True)


def refuse_first_deliveries(cast: Cast) -> None:
    """The first try of each of the first deliveries fails in our store."""
    intake = cast.run.house.intake
    put = intake.put
    failed: set[str] = set()

    async def flaky(*given: object, **more: object) -> object:
        if len(failed) < 3:
            failed.add(str(len(failed)))
            msg = "the store is away"
            raise StoreError(msg)
        return await put(*given, **more)  # type: ignore[arg-type]

    intake.put = flaky  # type: ignore[assignment,method-assign]


#: Long enough for everybody to be looked at.
SOON = timedelta(minutes=2)
PARKED = Has(more={"left": {JIRA, WIKI}}, causes=of("left", "parked"))
#: A pushed group lost its source: what becomes of it is for a person to say.
BROKEN = Has(less={"back": {"green"}}, causes=of("moved stays", "source_unreadable"))
ORPHANED = Has(
    more={"left": {"green"}},
    less={"back": {"green"}},
    causes=of("left moved stays", "orphaned"),
)
#: Nobody has a record, so nothing is known of anybody.
LAPSED = Has(
    more=NOTHING,
    less={"back": {"red", "green", JIRA}},
    causes=of("left moved back stays", "record_unread"),
)
UNKNOWN = replace(LAPSED, causes=of("left moved back stays", "directory_unknown"))
EVERYBODY = " ".join(WHO)
#: Nothing is seen of anybody, and nothing is taken for gone.
UNSEEN = Has(more=NOTHING, causes=of(EVERYBODY, "user_unread"))
SYSTEM = {who: {"system-administrators"} for who in WHO}
SMALL = {"org_page_maximum": 2, "org_limit_over": "clamp"}

ROWS: tuple[Row, ...] = (
    # -- Atlassian organization: what it is told, and when ---------------------------------------
    Row("propagation_delay", (30.0, 600.0)),
    Row("org_search_lag", (20.0, 120.0)),
    Row("default_name_create", ("unsynced", "409"), first=push_as_jira),
    Row(
        "scim_no_directory",
        ("404", "401", "403"),
        then=lapse,
        ends={"404": UNKNOWN, "401": LAPSED, "403": LAPSED},
        goes_on=("404", "401", "403"),
        patience=SOON,
    ),
    Row(
        "lapsed_links_shown",
        (False, True),
        first=subscribed_again,
        ends={True: Has(more=NOT_LOCAL, causes=of("left moved back", "linked_elsewhere"))},
    ),
    Row("auto_app_access", (False, True), later=sign_in),
    Row(
        "unmanaged_deactivation",
        ("ignored", "deactivated"),
        first=lambda cast: everybody(cast, claim="unmanaged"),
    ),
    # -- Atlassian organization: writes ----------------------------------------------------------
    Row(
        "inactive_remove",
        ("400",),
        ends={"400": PARKED},
    ),
    Row("inactive_add", ("400", "204"), also={"propagation_delay": 120.0}),
    Row(
        "org_remove_nonmember",
        ("204", "404"),
        also={"org_search_lag": 60.0},
        then=lose_replies("org", "DELETE"),
    ),
    Row(
        "org_add_member",
        ("204", "409"),
        also={"org_search_lag": 60.0},
        then=lose_replies("org", "POST"),
    ),
    Row(
        "licence_limit",
        (True,),
        ends={True: Has(less={"back": {JIRA}}, causes=of("back", "rejected"))},
        goes_on=(True,),
    ),
    # -- Atlassian organization: searches --------------------------------------------------------
    Row(
        "unknown_account_search",
        ("empty", "404"),
        then=forgotten,
        ends={
            "empty": Has(less={"left": {CLUB}}),
            "404": Has(less={"left": {CLUB}}, causes=of("left", "account_unknown")),
        },
        goes_on=("404",),
    ),
    Row(
        "deactivated_groups_listed",
        (False,),
        # Nobody can see them now; test_hidden_while_inactive says that they go on return.
        ends={False: Has(more={"left": {JIRA, WIKI}})},
    ),
    Row(
        "empty_roles_shown",
        (False,),
        ends={
            False: Has(
                more={"moved": {JIRA}, "back": {WIKI}}, causes=of("moved back", "roles_unread")
            )
        },
        goes_on=(False,),
    ),
    Row(
        "expand_groups_given",
        (True, False),
        first=admins,
        rules=admin_rule,
        ends=dict.fromkeys((True, False), Has(more={"stays": {"administrators"}})),
    ),
    Row(
        "management_access_shown",
        (False,),
        ends={False: Has(more=NOT_LOCAL, causes=of("left moved back", "not_modifiable"))},
    ),
    Row(
        "jira_only_groups_listed",
        (True, False),
        first=jira_only,
        rules=f'{RULES}[[local_group]]\nname = "system-*"\n',
        ends={
            True: Has(more=SYSTEM, causes=of("left", "never", "admin_left") | of("back", "never")),
            False: Has(more=SYSTEM),
        },
        goes_on=(True,),
    ),
    Row("org_page_maximum", (1, 3), also={"org_limit_over": "clamp"}),
    Row(
        "org_limit_over",
        ("400", "clamp"),
        also={"org_page_maximum": 2},
        ends={
            "400": Has(more=NOT_LOCAL, causes=of("left moved back stays", "organization_unread"))
        },
        goes_on=("400",),
        patience=timedelta(minutes=10),
    ),
    Row("org_next", ("bare", "url", "query"), also=SMALL),
    Row("org_cursor", ("offset",), also=SMALL),
    # -- Atlassian organization: doors -----------------------------------------------------------
    Row(
        "org_401",
        ("proxy", "errors"),
        then=key_is("expired"),
        later=key_is("unscoped"),
        patience=SOON,
    ),
    Row(
        "org_403",
        ("errors", "recorded"),
        then=key_is("revoked"),
        later=key_is("unscoped"),
        patience=SOON,
    ),
    Row(
        "scoped_write",
        ("403-1", "403-2"),
        then=key_is("scoped"),
        later=key_is("unscoped"),
        patience=SOON,
    ),
    Row("org_429", ("proxy", "errors"), also={"org_rate_limit": 20}),
    Row("org_error_status", ("number",), also={"inactive_remove": "400"}, ends={"number": PARKED}),
    Row("org_rate_headers", (True, False), also={"org_rate_limit": 20}),
    Row("org_rate_limit", (15, 60)),
    Row("scim_links", ("403", "404", "405")),
    # -- Okta: what its jobs do to the directory, and when ---------------------------------------
    Row("provisioning_delay", (5.0, 300.0)),
    Row("group_push_delay", (0.0, 90.0)),
    Row("push_inactive_app_users", (True, False), also={"group_push_delay": 10.0}),
    Row("forget_pushed_on_skip", (True, False), also={"group_push_delay": 10.0}),
    Row(
        "mapping_on_group_delete",
        ("ERROR", "INACTIVE", "vanish"),
        then=lose_source,
        ends={"ERROR": BROKEN, "INACTIVE": ORPHANED, "vanish": ORPHANED},
        goes_on=("ERROR",),
    ),
    Row("deactivation_delay", (90.0,)),
    Row("activation_delay", (90.0,)),
    Row("activating_as", ("DEPROVISIONED",), also={"activation_delay": 90.0}),
    Row("granular_deprovisioning", (0.0, 30.0), also={"group_push_delay": 0.0}),
    Row("import_reactivates", (True, False), then=imported),
    Row(
        "group_delete_logs_members", (True,), then=lose_source, ends={True: BROKEN}, goes_on=(True,)
    ),
    # -- Okta: AppUsers --------------------------------------------------------------------------
    Row("unassigned_app_user", ("DEPROVISIONED", "INACTIVE")),
    Row("app_user_external_id", (False,)),
    # -- Okta: reads -----------------------------------------------------------------------------
    Row("user_lag", (20.0, 120.0)),
    Row("groups_lag", (20.0, 120.0)),
    Row("app_user_lag", (20.0, 120.0)),
    Row("search_lag", (60.0,)),
    Row("log_delay", (20.0, 300.0)),
    Row("groups_page", (1, 3)),
    # -- Okta: doors -----------------------------------------------------------------------------
    Row(
        "okta_rate_headers", (True, False), also={"okta_rate_limit": 30, "okta_rate_enforced": True}
    ),
    Row("okta_rate_limit", (20,), also={"okta_rate_enforced": True}),
    Row("okta_rate_remaining", (0, 1), then=nothing, later=no_rate, patience=SOON),
    Row("okta_rate_window", (10,), also={"okta_rate_limit": 20, "okta_rate_enforced": True}),
    Row("okta_concurrency", (2, 8)),
    Row("retry_keeps_event_id", (True, False), then=refuse_first_deliveries),
    # -- Atlassian SCIM: resources ---------------------------------------------------------------
    Row("scim_external_id", ("absent", "other")),
    Row("scim_active_shown", (False,)),
    Row(
        "scim_groups_shown",
        (False,),
        ends={
            False: Has(
                more={"left": {"red", "green"}, "moved": {"red"}},
                causes=of("left moved back stays", "memberships_unread"),
            )
        },
        goes_on=(False,),
    ),
    Row(
        "scim_groups_when_empty",
        ("missing",),
        ends={
            "missing": Has(
                less={"back": {"red", "green"}}, causes=of("left back", "memberships_unread")
            )
        },
        goes_on=("missing",),
    ),
    Row(
        "scim_groups_of_inactive",
        (False,),
        # Nobody can see them now; test_hidden_while_inactive says that they go on return.
        ends={False: Has(more={"left": {"red", "green"}})},
    ),
    Row(
        "scim_extension_shown",
        (False,),
        ends={False: Has(more=NOT_LOCAL, causes=of("left moved back stays", "account_none"))},
    ),
    Row(
        "filter_ignored",
        (True,),
        ends={True: Has(more=NOTHING, causes=of("left moved back stays", "record_unread"))},
        goes_on=(True,),
        patience=SOON,
    ),
    Row("scim_read_lag", (20.0, 120.0)),
    # -- Atlassian SCIM: PATCH -------------------------------------------------------------------
    Row("remove_form", ("selector_only", "value_only")),
    Row(
        "refusal",
        ("invalidPath", "invalidSyntax", "invalidFilter", "noTarget"),
        also={"remove_form": "value_only"},
        ends={
            "noTarget": Has(
                more={"left": {"red", "green"}, "moved": {"red"}},
                causes=of("left moved back", "no_effect"),
            )
        },
        goes_on=("noTarget",),
    ),
    Row(
        "remove_nonmember",
        ("ok", "noTarget", "404"),
        also={"scim_read_lag": 60.0},
        then=lose_replies("scim", "PATCH"),
    ),
    # -- Atlassian SCIM: doors -------------------------------------------------------------------
    Row("scim_rate_limit", (10,)),
    Row("retry_after", ("seconds", "date", "absent"), then=busy("scim")),
    Row("atlassian_clock", (90.0, -90.0), then=busy("scim")),
    Row("okta_clock", (90.0, -90.0), then=busy("okta")),
    Row(
        "okta_role",
        ("403", "404"),
        ends={"403": UNSEEN, "404": replace(UNSEEN, causes=of(EVERYBODY, "app_unread"))},
        goes_on=("403", "404"),
    ),
)

#: Answers of three vendors that cannot meet: each of these is played with those beside it.
TOGETHER: tuple[Mapping[str, object], ...] = (
    {"events_carry_webhooks": False, "patch_reply": "empty", "all_members_group": False},
    {"shuffle_targets": True, "patch_atomic": False, "org_write_reply": "200"},
    {"app_user_status": "ACTIVE", "selector_combines": False, "roles_without_expand": True},
    {
        "app_user_alternate_id": "unknown",
        "display_name_case_exact": False,
        "managed_by_shown": False,
    },
    {"app_user_id_reused": False, "scim_rate_headers": True, "external_synced_shown": False},
    {"okta_rate_enforced": True, "scim_page_size": 1, "counts_shown": False},
    {"deprovisioning": False, "scim_page_maximum": 1, "deactivated_listed": False},
    {"forget_pushed_on_unassign": True, "scim_paging_ignored": True},
)

#: What nothing here can meet, each with its reason.
NOT_OURS: Mapping[str, str] = {
    "synced_write": "no synced group is ever written through the organization",
    "org_admins_remove": "org-admins is never touched",
    "wildcard_write": "every write names its directory",
    "org_users_page": "every search says its limit",
    "org_groups_page": "every search says its limit",
    "org_filter_values": "one account or group is asked for at a time",
    "get_lists": "searches are used, not these lists",
    "jira_synced_write": "nothing is ever written through Jira",
    "jira_inactive_remove": "nothing is ever written through Jira",
    "v1_endpoints": "nothing of v1 is called",
    "org_events_per_minute": "events are not read",
    "org_event_delay": "events are not read",
    "limit_over_maximum": "no limit above the maximum is asked for",
    "org_rate_counts": "a rate is played where it bites, in test_turned_away",
    "wrong_organization": "a wrong id is played with each answer in test_turned_away",
    "force_sync": "both answers are played in tests/cli/test_external.py",
    "token_lifetime": "only with a private key; here an API token reads",
    "require_dpop": "only the token endpoint asks for it",
    "ssws_without_space": "only the vendor's library writes it so, and it does not read here",
    "hooks_over_http": "only who registers a hook meets it",
    "hook_warm_up": "only who registers a hook meets it",
    "hook_filters": "only who registers a hook meets it",
    "hook_filter_counts_none": "only who registers a hook meets it",
    "hook_types_refused": "only who registers a hook meets it",
    "hook_replace_unverifies": "only who registers a hook meets it",
    "unlinked_managed": "only who deletes a record meets it",
    "unlinked_unmanaged": "only who deletes a record meets it",
    "unlinked_groups": "only who deletes a record meets it",
    "scim_groups_in_lists": "only an audit reads that list, in test_audit",
    "remove_unknown_user": "only a record that was just read is removed",
    "add_unknown_user": "only a record that was just read is added",
    "value_with_display": "no value has a display",
    "value_bare_string": "a value is never a bare string",
    "value_as_object": "values are always a list",
    "app_features": "only a check reads them",
    "profile_email_shown": "only a check reads it",
    "domains": "only a check reads them",
    "scim_patch_supported": "only a check reads it",
}


def test_every_switch_has_its_row_or_a_reason() -> None:
    switches = [row.switch for row in ROWS]
    together = [switch for each in TOGETHER for switch in each]
    assert sorted([*switches, *together, *NOT_OURS]) == sorted(DEFAULTS)


def test_every_answer_that_is_played_is_another_or_is_brought_about() -> None:
    for row in ROWS:
        staged = bool(row.also or row.later) or row.first is not nothing or row.then is not nothing
        assert staged or DEFAULTS[row.switch] not in row.values, row.switch
    for switches in TOGETHER:
        assert [each for each in switches if switches[each] == DEFAULTS[each]] == []


async def ended(cast: Cast) -> Has:
    """How they are; that a step is parked is a cause too."""
    now = await cast.now()
    causes = {who: set(now.causes.get(who, ())) for who in WHO}
    for who, login in cast.login.items():
        last = {group: state for _, group, _, state in await cast.run.steps(login)}
        causes[who] |= {"parked"}.intersection(last.values())
    return replace(now, causes={who: each for who, each in causes.items() if each})


async def play(
    time: Time, url: str, folder: Path, switches: Mapping[str, object], row: Row
) -> tuple[Has, list[str]]:
    """How they ended, and what is not done."""
    cast = Switched(time, switches)
    row.first(cast)
    rules = row.rules if isinstance(row.rules, str) else row.rules(cast)
    async with playing(cast, url, folder, rules=rules):
        row.then(cast)
        cast.act()
        await cast.run.settle(row.patience)
        if row.later:
            row.later(cast)
            await cast.run.settle(timedelta(hours=1))
        return await ended(cast), await cast.unfinished()


async def test_with_the_usual_answers_everybody_ends_right(
    time: Time, sqlite_url: str, tmp_path: Path
) -> None:
    assert await play(time, sqlite_url, tmp_path, {}, Row("", ())) == (Has(), [])


@pytest.mark.parametrize(
    ("row", "value"),
    [pytest.param(row, value, id=f"{row.switch}={value}") for row in ROWS for value in row.values],
)
async def test_with_any_other_answer_everybody_ends_the_same(
    time: Time, sqlite_url: str, tmp_path: Path, row: Row, value: object
) -> None:
    switches = {**row.also, row.switch: value}
    has, unfinished = await play(time, sqlite_url, tmp_path, switches, row)
    assert has == row.ends.get(value, Has())
    assert (unfinished != []) is (value in row.goes_on)


@pytest.mark.parametrize("switches", TOGETHER, ids=" ".join)
async def test_with_other_answers_of_each_vendor_everybody_ends_the_same(
    time: Time, tmp_path: Path, switches: Mapping[str, object]
) -> None:
    """If they do not, each is played alone, so that the one it was is named."""
    usual, right = Row("", ()), (Has(), list[str]())
    if await play(time, new_file(tmp_path, "all"), tmp_path, switches, usual) == right:
        return
    alone = {
        name: await play(Time(), new_file(tmp_path, name), tmp_path, {name: value}, usual)
        for name, value in switches.items()
    }
    assert alone == dict.fromkeys(switches, right)
    pytest.fail("wrong only together")


def new_file(folder: Path, name: str) -> str:
    return f"sqlite+pysqlite:///{folder / name}.db"
