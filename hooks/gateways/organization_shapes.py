"""The shapes of the organization's answers, and how they become our nouns.

Only what is used is decoded, so that nothing else personal is held. Field names, and the forms
of a link to the next page, must be known here and nowhere else; where the bytes come from, this
room must not know.
Source of fields: Atlassian's description of the organization API v2, as jira.js carries it
(src/admin/models); every field there is optional.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar
from urllib.parse import unquote, urlsplit

import msgspec

from hooks.core.errors import IncompleteError, SettingsError
from hooks.core.ids import (
    AccountId,
    OrganizationDirectoryId,
    OrganizationGroupId,
    OrganizationId,
    ScimUserId,
)
from hooks.core.membership import OrganizationGroup
from hooks.core.reading import MISSING, Account, Missing, ScimLink
from hooks.gateways.urls import origin_of

T = TypeVar("T")

#: Who else than an identity provider may keep a group's members. Source: jira.js
#: multiDirectoryGroup, and Jira's FoundGroup.managedBy for what the words mean.
_KEPT_HERE = frozenset({"admins", "team-members", "open"})
#: What a status, a type or a role looks like.
_WORD = re.compile(r"[A-Za-z0-9_./:-]{1,128}")
#: What a cursor looks like: a token without blanks.
_CURSOR = re.compile(r"[!-~]{1,4096}")


#: What ``claimStatus`` says: whether the account is managed.
CLAIMS = {"managed": True, "unmanaged": False}


class _Camel(msgspec.Struct, rename="camel"):
    """The v2 API spells fields in camel case."""


class _Links(_Camel):
    next: str | None = None


class Page(_Camel, Generic[T]):
    """A page of any list. Source: jira.js linkPageCursor."""

    data: list[T]
    links: _Links | None = None

    @property
    def next(self) -> str | None:
        """The link to the next page as it was sent."""
        return self.links.next if self.links else None


class _UserGroup(_Camel):
    id: str


class UserShape(_Camel):
    """An entry of ``users/search``; ``groups`` and ``platformRoles`` only where asked for."""

    account_id: str
    account_type: str | None = None
    account_status: str | None = None
    claim_status: str | None = None
    status: str | None = None
    platform_roles: list[Any] | None = None
    groups: list[_UserGroup] | None = None


class _Access(_Camel):
    modifiable: bool | None = None


class GroupShape(_Camel):
    """An entry of ``groups/search``."""

    id: str
    name: str
    directory_id: str
    management_access: _Access | None = None
    external_synced: bool | None = None
    managed_by: str | None = None


class OneGroup(_Camel):
    """``GET groups/{id}``."""

    data: GroupShape


class AssignmentShape(_Camel):
    """An entry of ``GET groups/{id}/role-assignments``."""

    roles: list[Any]


class LinkShape(_Camel):
    """An entry of ``get-scim-links``. Source: jira.js src/userProvisioning/models."""

    scim_user_id: str
    org_id: str
    directory_id: str
    atlassian_account_id: str | None = None


def account_of(items: Sequence[UserShape], asked: AccountId) -> Account | Missing:
    """The one account all entries are about; there may be one for each directory.

    Where they differ about its status it has none that could be named; where one came without
    the roles that were asked for, they are not known: no roles told is not the same as none held.
    Raises: IncompleteError if an entry is about another (the filter was ignored), or if entries
    contradict each other.
    """
    if any(item.account_id != asked for item in items):
        raise IncompleteError("organization ignored the filter of POST users search")
    if not items:
        return MISSING
    types = {_word(item.account_type) for item in items if item.account_type is not None}
    if len(types) > 1:
        raise IncompleteError("organization gave one account two types")
    statuses = {_word(item.account_status) for item in items}
    claims = {CLAIMS.get(item.claim_status or "") for item in items}
    told = all(item.platform_roles is not None for item in items)
    roles = (role_names(item.platform_roles or ()) for item in items)
    return Account(
        asked,
        types.pop() if types else None,
        statuses.pop() if len(statuses) == 1 else None,
        frozenset[str]().union(*roles) if told else None,
        claims.pop() if len(claims) == 1 else None,
    )


def entry_of(item: UserShape) -> Account:
    """The account as one entry of a list shows it. Raises: IncompleteError without a usable id."""
    account = AccountId.maybe(item.account_id)
    if account is None:
        raise IncompleteError("organization gave an entry without a usable id to POST users search")
    roles = item.platform_roles
    return Account(
        account,
        _word(item.account_type),
        _word(item.account_status),
        None if roles is None else role_names(roles),
        CLAIMS.get(item.claim_status or ""),
    )


def members_of(items: Iterable[UserShape], group: OrganizationGroupId) -> frozenset[AccountId]:
    """The accounts of entries that were asked for as members of a group.

    Raises: IncompleteError if one does not say that it is: the filter may have been ignored.
    """
    found = set()
    for item in items:
        if all(each.id != group for each in item.groups or ()):
            raise IncompleteError("organization ignored the filter of POST users search")
        found.add(entry_of(item).id)
    return frozenset(found)


def _word(text: str | None) -> str | None:
    """A word of the vendor's, for a journal and a terminal; anything else is ``odd``."""
    return text if text is None or _WORD.fullmatch(text) else "odd"


def role_names(roles: Iterable[object]) -> frozenset[str]:
    """Roles by every name they carry: a role is a text, or an object with an id, key or name.

    Raises: IncompleteError for a role without any.
    """
    return frozenset(name for role in roles for name in _names(role))


def _names(role: object) -> Iterator[str]:
    texts = [role.get(key) for key in ("id", "key", "name")] if isinstance(role, dict) else [role]
    found = [text for text in texts if isinstance(text, str) and text]
    if not found:
        raise IncompleteError("organization gave a role without a name")
    yield from found


def group_of(item: GroupShape) -> OrganizationGroup:
    """The noun; where nobody says who keeps it, it cannot be changed, and the others can.

    Raises: IncompleteError for ids that are none.
    """
    group = OrganizationGroupId.maybe(item.id)
    directory = OrganizationDirectoryId.maybe(item.directory_id)
    if group is None or directory is None:
        raise IncompleteError("organization gave a group without usable ids")
    access = item.management_access
    kept_by = (item.managed_by or "").casefold()
    synced = bool(item.external_synced) or kept_by == "external"
    told = item.external_synced is not None or kept_by in _KEPT_HERE or synced
    modifiable = bool(access and access.modifiable) and told
    return OrganizationGroup(group, item.name, directory, synced, modifiable)


def groups_once(
    found: dict[OrganizationGroupId, OrganizationGroup], items: Iterable[GroupShape]
) -> tuple[OrganizationGroup, ...]:
    """Add to ``found``, and return, the groups that are not in it yet.

    Raises: IncompleteError if one is there already and differs.
    """
    fresh = []
    for group in map(group_of, items):
        if group.id not in found:
            found[group.id] = group
            fresh.append(group)
        elif found[group.id] != group:
            raise IncompleteError("organization gave a group twice and differently")
    return tuple(fresh)


def active_of(
    items: Sequence[UserShape], group: OrganizationGroupId, most: int
) -> frozenset[AccountId]:
    """The people among entries that were asked for as active members of a group.

    Raises: IncompleteError if one is not active or not in the group, as far as it says so, or if
    there are more of those that do not say so than were asked for: a filter was ignored.
    """
    silent = [item for item in items if item.groups is None]
    if (
        any(item.status not in (None, "active") for item in items)
        or any(
            group not in {each.id for each in item.groups or ()}
            for item in items
            if item.groups is not None
        )
        or len(silent) > most
    ):
        raise IncompleteError("organization ignored the filter of POST users search")
    accounts = [AccountId.maybe(item.account_id) for item in items]
    known = frozenset(
        account
        for account, item in zip(accounts, items, strict=True)
        if account is not None
        and item.account_type in (None, "atlassian")
        and item.account_status in (None, "active")
    )
    if None in accounts:
        raise IncompleteError("organization gave an entry without a usable id to POST users search")
    return known


def links_of(
    items: Iterable[LinkShape], organization: OrganizationId, account: AccountId
) -> tuple[ScimLink, ...]:
    """The nouns, each once. Raises: IncompleteError for a link of somebody or somewhere else."""
    found: dict[ScimLink, None] = {}
    for item in items:
        record = ScimUserId.maybe(item.scim_user_id)
        if record is None or not item.directory_id:
            raise IncompleteError("organization gave a link without usable ids")
        if item.org_id.casefold() != organization.casefold() or item.atlassian_account_id not in (
            None,
            account,
        ):
            raise IncompleteError("organization answered GET links about another one")
        found[ScimLink(item.directory_id, record)] = None
    return tuple(found)


# -- the next page -----------------------------------------------------------------------------


def cursor_of(link: str | None, *, origin: str, asked: str) -> str | None:
    """The cursor in a link to the next page, or None where there is no next page.

    Three forms are met: a bare token (what the description says: "cursor to fetch the next
    page"), a query, and a whole address, which must lead to ``origin`` and to the path ``asked``.
    A cursor holds no blank, so a ``+`` in a query is one.
    Raises: IncompleteError for a link that leads elsewhere or has no cursor in it.
    """
    if not link:
        return None
    if "?" not in link and "://" not in link and not re.match(r"cursor=|.*&cursor=", link):
        return _cursor(link)
    query = link
    if "?" in link or "://" in link:
        query = _query(link, origin, asked)
    pairs = (pair.partition("=") for pair in query.split("&"))
    cursors = [unquote(value) for name, _, value in pairs if unquote(name) == "cursor"]
    if len(cursors) != 1:
        raise IncompleteError("organization gave a next link without a cursor")
    return _cursor(cursors[0])


def _query(link: str, origin: str, asked: str) -> str:
    """The query of an address, if it leads on with the same list of the same vendor."""
    try:
        parts = urlsplit(link)
        here = not parts.scheme and not parts.netloc
        here = here or origin_of(f"{parts.scheme}://{parts.netloc}") == origin
    except (ValueError, SettingsError):
        here = False
    if not here or parts.fragment or unquote(parts.path or asked) != unquote(asked):
        raise IncompleteError("organization gave a next link that leads elsewhere")
    return parts.query


def _cursor(text: str) -> str:
    if not _CURSOR.fullmatch(text):
        raise IncompleteError("organization gave a cursor that is none")
    return text
