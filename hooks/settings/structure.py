"""What `hooks.toml` may say: its tables, their defaults, and what each setting is for.

The description of a setting is also the remedy that is printed when it is missing or wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Annotated, Any

from annotated_types import Ge, Gt, Le, Len
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    Strict,
)

from hooks.core.ids import (
    DirectoryName,
    Identifier,
    OktaAppId,
    OrganizationGroupId,
    OrganizationId,
    ScimDirectoryId,
)
from hooks.core.local import RECENT
from hooks.core.membership import ORGANIZATION, Mode
from hooks.core.policy import Orphaned, Restore, Suspended
from hooks.settings import forms


def _id(kind: type[Identifier], where: str) -> PlainValidator:
    """Accept what ``kind`` accepts; otherwise say where to find one."""

    def judge(value: object) -> Identifier:
        found = kind.maybe(value)
        if found is None:
            raise ValueError(where)
        return found

    return PlainValidator(judge)


Text = Annotated[str, Strict(), Len(1, 1000)]
#: Names a class of removals too, so it must not be longer than one.
Glob = Annotated[str, Strict(), Len(1, 100)]
Count = Annotated[int, Strict(), Ge(1), Le(1_000_000)]
Flag = Annotated[bool, Strict()]
Day = Annotated[date, Strict()]
Duration = Annotated[timedelta, BeforeValidator(forms.duration)]
Pause = Annotated[timedelta, BeforeValidator(forms.pause)]
Address = Annotated[forms.Address, PlainValidator(forms.address), PlainSerializer(str)]
Origin = Annotated[str, PlainValidator(forms.origin)]
DoorUrl = Annotated[str, PlainValidator(forms.door_url)]
AppId = Annotated[OktaAppId, _id(OktaAppId, "write the 20 letters and digits of the app's id")]
DirectoryId = Annotated[
    ScimDirectoryId, _id(ScimDirectoryId, "write the UUID that follows directory/ in the SCIM URL")
]
Name = Annotated[
    DirectoryName,
    _id(DirectoryName, "write up to 32 lower-case letters, digits, `-` or `_`"),
]
OrgId = Annotated[OrganizationId, _id(OrganizationId, "write the UUID of the organization")]
GroupId = Annotated[OrganizationGroupId, _id(OrganizationGroupId, "write the UUID of the group")]


class Table(BaseModel):
    """One table of the file: nothing it does not name, nothing changed afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Listen(Table):
    """Where the two listeners bind."""

    public: Address = Field(
        default=forms.Address("0.0.0.0", 8080),  # noqa: S104  # nosec B104  # Okta comes from outside
        description="host:port of the doors Okta comes to",
    )
    operations: Address = Field(
        default=forms.Address("127.0.0.1", 9090),
        description="host:port of metrics and status",
    )


class Okta(Table):
    """The Okta organization that sends the events."""

    org_url: Origin = Field(description="https origin of the Okta organization")
    hook_url: DoorUrl | None = Field(
        default=None, description="https URL under which Okta reaches /okta/events, for register"
    )
    hook_header: Annotated[str, PlainValidator(forms.header)] = Field(
        default="Authorization", description="the header in which the hook's secret arrives"
    )
    history_days: Annotated[int, Strict(), Ge(0), Le(90)] = Field(
        default=30, description="how far the first start reads back; Okta keeps 90 days"
    )


class Atlassian(Table):
    """The Atlassian side."""

    api_url: Origin = Field(
        default="https://api.atlassian.com", description="https origin of the admin API"
    )
    organization_id: OrgId | None = Field(
        default=None, description="UUID of the organization; needs HOOKS_ORG_API_KEY"
    )


class Directory(Table):
    """One Okta app and the Atlassian SCIM directory it provisions."""

    name: Name = Field(description="what you call it; also names its key in the environment")
    okta_app_id: AppId = Field(description="id of the Okta app, 20 letters and digits")
    scim_directory_id: DirectoryId = Field(description="UUID that follows directory/ in its URL")
    mode: Mode | None = Field(default=None, description="only if it differs from the mode above")


class LocalGroup(Table):
    """A rule that lets us touch groups kept in Atlassian."""

    name: Glob | None = Field(default=None, description="name of the groups, a glob")
    id: GroupId | None = Field(default=None, description="UUID of the group")
    while_member_of: Annotated[tuple[Text, ...], Len(1)] | None = Field(
        default=None, description="Okta groups, any of which justifies membership; or leave it out"
    )
    admin: Flag = Field(default=False, description="the group grants administration; only with id")


class Policy(Table):
    """What the operator decided."""

    suspended: Suspended = Field(
        default=Suspended.KEEP, description="what happens to suspended people's access"
    )
    restore: Restore = Field(default=Restore.OURS, description="what is given back on return")
    orphaned: Orphaned = Field(
        default=Orphaned.REPORT, description="what happens in groups whose mapping is gone"
    )
    brief_absence: Duration = Field(
        default=timedelta(hours=1), description="unassigned for less than this is no absence"
    )


class Scope(Table):
    """A pilot."""

    only_okta_groups: tuple[Text, ...] = Field(
        default=(), description="touch only members of these Okta groups"
    )


class Protect(Table):
    """What is never touched."""

    groups: tuple[Text, ...] = Field(default=(), description="Atlassian groups, by name or id")
    users: tuple[Text, ...] = Field(default=(), description="people, by Okta id or login")
    okta_groups: tuple[Text, ...] = Field(default=(), description="members of these Okta groups")


class Brake(Table):
    """Limits over which removals wait for a person."""

    left_per_hour: Count = Field(default=200, description="people who left, an hour")
    other_per_hour: Count = Field(default=25, description="people, an hour, any other reason")
    other_per_day: Count = Field(default=100, description="people, a day, any other reason")
    share_of_group: Annotated[float, Strict(), Gt(0), Le(1)] = Field(
        default=0.5, description="of a group's members in 24 hours, above 0 and at most 1"
    )


class LookAgain(Table):
    """Looks that follow a change."""

    after: Annotated[tuple[Pause, ...], Len(1, 10)] = Field(
        default=(timedelta(seconds=30), timedelta(minutes=5)),
        description='list of durations such as ["30s", "5m"]',
    )


class CatchUp(Table):
    """Reading the System Log for what the hook missed."""

    every: Pause = Field(default=timedelta(seconds=60), description='duration such as "60s"')


class Audit(Table):
    """The scheduled audit."""

    every: Pause = Field(default=timedelta(hours=24), description='duration such as "24h"')
    apply: Flag = Field(default=False, description="look at whom it finds otherwise than wanted")


class Retention(Table):
    """How long what is over is kept: settled events, ended refusals and holds, old steps.

    Not less than anything looks back: grants after our removals count for 30 days, the brake
    counts a day, and both go by another instant than the one at which something is deleted.
    """

    events_days: Annotated[int, Strict(), Ge(RECENT.days + 1), Le(1_000_000)] = Field(
        default=90, description="days that what is over is kept, 31 or more"
    )


class Notify(Table):
    """Where a POST goes on a hold, a breaker, a dead letter, an admin who left."""

    url: Annotated[str, PlainValidator(forms.hook_url)] = Field(
        default="", description="https URL, or empty for none"
    )


class Structure(Table):
    """The whole file."""

    mode: Mode = Field(description='write mode = "observe" or mode = "enforce"')
    listen: Listen = Listen()
    okta: Okta = Field(description="the table [okta] with org_url")
    atlassian: Atlassian = Atlassian()
    directories: Annotated[tuple[Directory, ...], Len(1)] = Field(
        alias="directory",
        description="a [[directory]] with name, okta_app_id and scim_directory_id",
    )
    local_groups: tuple[LocalGroup, ...] = Field(default=(), alias="local_group")
    policy: Policy = Policy()
    scope: Scope = Scope()
    protect: Protect = Protect()
    brake: Brake = Brake()
    look_again: LookAgain = LookAgain()
    catch_up: CatchUp = CatchUp()
    audit: Audit = Audit()
    retention: Retention = Retention()
    expiry: Mapping[str, Day] = Field(default={}, description="dates such as 2027-06-01")
    notify: Notify = Notify()

    @property
    def modes(self) -> Mapping[DirectoryName, Mode]:
        """The mode in force for each directory."""
        return {each.name: each.mode or self.mode for each in self.directories}


Loc = tuple[str | int, ...]


def contradictions(raw: Mapping[str, Any]) -> Iterator[tuple[Loc, str]]:
    """What no single setting shows, told from the raw file so that it is told with the rest."""
    directories = _tables(raw, "directory")
    for index, each in directories:
        if each.get("name") == ORGANIZATION:
            yield ("directory", index, "name"), "is what the organization itself is called"
    for key in ("name", "okta_app_id", "scim_directory_id"):
        yield from _repeated(directories, key)
    for index, each in directories:
        if f"_{each.get('name')}".replace("-", "_").endswith("_file"):
            remedy = "must not end in -file: HOOKS_SCIM_KEY_…FILE names the file of another key"
            yield ("directory", index, "name"), remedy
    yield from _rules(raw)
    known = {"organization", *(f"scim_{each.get('name')}" for _, each in directories)}
    for key in sorted(_table(raw, "expiry").keys() - known):
        yield ("expiry", key), f"unknown key; known are {', '.join(sorted(known))}"


def _rules(raw: Mapping[str, Any]) -> Iterator[tuple[Loc, str]]:
    for index, rule in _tables(raw, "local_group"):
        if ("name" in rule) == ("id" in rule):
            yield ("local_group", index), "give either name or id"
        if rule.get("admin") is True and "id" not in rule:
            yield ("local_group", index, "admin"), "only with id: a glob must not reach admins"
    if raw.get("local_group") and "organization_id" not in _table(raw, "atlassian"):
        yield ("atlassian", "organization_id"), "missing; [[local_group]] needs it"


def _table(raw: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = raw.get(key)
    return found if isinstance(found, dict) else {}


def _tables(raw: Mapping[str, Any], key: str) -> list[tuple[int, dict[str, Any]]]:
    found = raw.get(key)
    rows = enumerate(found) if isinstance(found, list) else ()
    return [(index, each) for index, each in rows if isinstance(each, dict)]


def _repeated(tables: list[tuple[int, dict[str, Any]]], key: str) -> Iterator[tuple[Loc, str]]:
    seen: set[str] = set()
    for index, each in tables:
        value = each.get(key)
        if not isinstance(value, str):
            continue
        # Names that differ in `-` and `_` only would read the same secret.
        same = value.replace("-", "_").casefold()
        if same in seen:
            yield (
                ("directory", index, key),
                "the same as in another [[directory]]; each has its own",
            )
        seen.add(same)
