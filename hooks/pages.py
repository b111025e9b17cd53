"""Pages of lists, packed to be kept, and opened again.

Must live here: which kinds of lists there are, and how each noun becomes a row. Must not know:
who reads a list, or what for.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from hooks.core.ids import (
    AccountId,
    OktaAppId,
    OktaGroupId,
    OktaUserId,
    OrganizationDirectoryId,
    OrganizationGroupId,
    PushMappingId,
    ScimGroupId,
    ScimUserId,
)
from hooks.core.membership import Group, OrganizationGroup
from hooks.core.reading import Account, App, AppUser, OktaGroup, OktaUser, PushMapping, ScimRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Row = Any


class Kind(StrEnum):
    """What a list is of: ``USERS`` whoever is not deactivated, ``DEACTIVATED`` whoever is."""

    RECORDS = "records"
    SCIM_MEMBERS = "scim_members"
    ACCOUNTS = "accounts"
    ORGANIZATION_GROUPS = "organization_groups"
    ACCOUNTS_OF = "accounts_of"
    OKTA_GROUPS = "okta_groups"
    APP = "app"
    MAPPINGS = "mappings"
    APP_USERS = "app_users"
    USERS = "users"
    DEACTIVATED = "deactivated"
    USERS_OF = "users_of"


@dataclass(frozen=True, slots=True)
class Part:
    """One list: its kind, the directory it is of, and the group, where there is one."""

    kind: Kind
    directory: str = ""
    group: str = ""

    @property
    def name(self) -> str:
        """What it is called among the kept pages."""
        return f"{self.kind}:{self.directory}:{self.group}"

    @classmethod
    def named(cls, name: str) -> Part:
        """The list of this name."""
        kind, directory, group = name.split(":", 2)
        return cls(Kind(kind), directory, group)


def packed(kind: Kind, nouns: Iterable[Any]) -> bytes:
    """A page as bytes."""
    row = _ROWS[kind][0]
    return zlib.compress(msgspec.json.encode([row(each) for each in nouns]), 1)


def unpacked(kind: Kind, body: bytes) -> list[Any]:
    """The nouns of a page."""
    noun = _ROWS[kind][1]
    return [noun(row) for row in msgspec.json.decode(zlib.decompress(body))]


def _record(row: Row) -> ScimRecord:
    groups = row[5]
    return ScimRecord(
        ScimUserId(row[0]),
        row[1],
        row[2],
        row[3],
        AccountId.maybe(row[4]),
        None
        if groups is None
        else frozenset(Group(ScimGroupId(each), name) for each, name in groups),
    )


def _record_row(each: ScimRecord) -> Row:
    groups = None if each.groups is None else [(str(one.id), one.display) for one in each.groups]
    account = each.account and str(each.account)
    return (str(each.id), each.user_name, each.external_id, each.active, account, groups)


def _account(row: Row) -> Account:
    roles, managed = None if row[3] is None else frozenset(row[3]), row[4] if row[4:] else None
    return Account(AccountId(row[0]), row[1], row[2], roles, managed)


def _account_row(each: Account) -> Row:
    roles = None if each.roles is None else sorted(each.roles)
    return (str(each.id), each.type, each.status, roles, each.managed)


def _organization_group(row: Row) -> OrganizationGroup:
    return OrganizationGroup(
        OrganizationGroupId(row[0]), row[1], OrganizationDirectoryId(row[2]), row[3], row[4]
    )


def _organization_group_row(each: OrganizationGroup) -> Row:
    return (str(each.id), each.name, str(each.directory), each.synced, each.modifiable)


def _okta_group(row: Row) -> OktaGroup:
    return OktaGroup(OktaGroupId(row[0]), row[1], row[2], OktaAppId.maybe(row[3]))


def _okta_group_row(each: OktaGroup) -> Row:
    return (str(each.id), each.name, each.type, each.app and str(each.app))


def _app_user(row: Row) -> AppUser:
    return AppUser(OktaUserId(row[0]), row[1], ScimUserId.maybe(row[2]), row[3])


def _app_user_row(each: AppUser) -> Row:
    return (str(each.user), each.status, each.external_id and str(each.external_id), each.user_name)


def _mapping(row: Row) -> PushMapping:
    return PushMapping(PushMappingId(row[0]), OktaGroupId(row[1]), OktaGroupId(row[2]), row[3])


def _mapping_row(each: PushMapping) -> Row:
    return (str(each.id), str(each.source), str(each.target), each.status)


def _user(row: Row) -> OktaUser:
    return OktaUser(OktaUserId(row[0]), row[1], row[2], row[3])


def _user_row(each: OktaUser) -> Row:
    return (str(each.id), each.status, each.transitioning_to, each.login)


#: A noun as a row, and a row as the noun.
_ROWS: dict[Kind, tuple[Callable[[Any], Row], Callable[[Row], Any]]] = {
    Kind.RECORDS: (_record_row, _record),
    Kind.SCIM_MEMBERS: (str, ScimUserId),
    Kind.ACCOUNTS: (_account_row, _account),
    Kind.ORGANIZATION_GROUPS: (_organization_group_row, _organization_group),
    Kind.ACCOUNTS_OF: (str, AccountId),
    Kind.OKTA_GROUPS: (_okta_group_row, _okta_group),
    Kind.APP: (
        lambda each: (str(each.id), each.status),
        lambda row: App(OktaAppId(row[0]), row[1]),
    ),
    Kind.MAPPINGS: (_mapping_row, _mapping),
    Kind.APP_USERS: (_app_user_row, _app_user),
    Kind.USERS: (_user_row, _user),
    Kind.DEACTIVATED: (_user_row, _user),
    Kind.USERS_OF: (lambda each: each and str(each), lambda row: row and OktaUserId(row)),
}
