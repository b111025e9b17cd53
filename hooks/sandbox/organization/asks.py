"""What a search may ask, and what fits it. Source: spec texts of v2 (jira.js)."""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request

from .answers import Json, RefusedError, composite
from .nouns import Account, OrgGroup

USERS = frozenset(
    {
        "accountIds",
        "accountStatus",
        "claimStatus",
        "cursor",
        "directoryIds",
        "emailDomains",
        "emails",
        "expand",
        "groupIds",
        "limit",
        "membershipStatus",
        "mfaEnabled",
        "resourceIds",
        "roleIds",
        "searchTerm",
        "sortBy",
        "status",
    }
)
GROUPS = frozenset(
    {
        "accountIds",
        "cursor",
        "directoryIds",
        "expand",
        "groupIds",
        "groupNames",
        "limit",
        "resourceIds",
        "resourceOwners",
        "roleIds",
        "searchTerm",
        "sortBy",
    }
)
USERS_EXPAND = frozenset({"platformRoles", "counts.resources", "productAccess", "groups"})
GROUPS_EXPAND = frozenset({"counts.resources", "counts.users"})
# How many values a filter takes. Source: terraform-provider-atlassian, its validations.
MOST = {
    "accountIds": 10,
    "directoryIds": 10,
    "emailDomains": 10,
    "emails": 100,
    "groupIds": 10,
    "roleIds": 10,
}
LISTS = (*MOST, "accountStatus", "expand", "groupNames", "membershipStatus", "status")
# Declared, and not modelled here: refused rather than ignored.
UNMODELLED = ("mfaEnabled", "resourceIds", "resourceOwners", "sortBy")


def in_query(request: Request) -> Json:
    """The same question in a query: lists as repeated or comma-separated values."""
    query = request.query_params
    found: Json = {}
    for name in query:
        values = [part for text in query.getlist(name) for part in text.split(",")]
        found[name] = values if name in LISTS else query[name]
    return found


def check_users(asked: Json, *, strict: bool) -> None:
    _check(asked, USERS_EXPAND, strict=strict)
    _exclusive(asked, "emails", "searchTerm")


def check_groups(asked: Json, *, strict: bool) -> None:
    _check(asked, GROUPS_EXPAND, strict=strict)
    _exclusive(asked, "groupNames", "searchTerm")
    _exclusive(asked, "groupNames", "groupIds")


def _check(asked: Json, expandable: frozenset[str], *, strict: bool) -> None:
    for name in UNMODELLED:
        if name in asked:
            raise RefusedError("ADMIN-UAM-400-1", f"The sandbox does not model {name}")
    for name in LISTS:
        if name in asked:
            _check_values(name, asked[name], strict=strict)
    unknown = set(asked.get("expand", [])) - expandable
    if unknown:
        raise RefusedError("ADMIN-UAM-400-1", f"Unknown expand: {sorted(unknown)}")


def _check_values(name: str, values: Any, *, strict: bool) -> None:
    if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
        raise RefusedError("ADMIN-UAM-400-1", f"{name} must be an array of strings")
    most = MOST.get(name, len(values))
    if strict and name != "expand" and not 1 <= len(values) <= most:
        raise RefusedError("ADMIN-UAM-400-1", f"{name} must contain between 1 and {most} values")


def _exclusive(asked: Json, one: str, other: str) -> None:
    if one in asked and other in asked:
        raise RefusedError("ADMIN-UAM-400-1", f"{one} and {other} exclude each other")


def fits_account(account: Account, status: str, asked: Json) -> bool:
    """Whether every filter lets it pass; ``status`` is its ``accountStatus``."""
    return (
        asked.get("claimStatus", account.claim) == account.claim
        and ("searchTerm" not in asked or has_term(asked, account.name, account.email))
        and all(_any(asked[name], of(account, status)) for name, of in FILTERS if name in asked)
    )


# A filter, and what an account offers to it.
FILTERS: tuple[tuple[str, Callable[[Account, str], set[str]]], ...] = (
    ("emails", lambda account, _: {account.email.lower()}),
    ("emailDomains", lambda account, _: {account.email.rpartition("@")[2].lower()}),
    ("status", lambda account, status: {composite(account, status)}),
    ("accountStatus", lambda _, status: {status}),
    ("membershipStatus", lambda account, _: {account.membership}),
    ("roleIds", lambda account, _: {role.lower() for role in account.roles}),
)


def fits_group(group: OrgGroup, asked: Json) -> bool:
    """``groupNames`` are exact but for case."""
    if "groupIds" in asked and group.id not in asked["groupIds"]:
        return False
    roles = {"atlassian/user"} if group.default_for else set()
    if "roleIds" in asked and not _any(asked["roleIds"], roles):
        return False
    if "groupNames" in asked and not _any(asked["groupNames"], {group.name.lower()}):
        return False
    return has_term(asked, group.name)


def has_term(asked: Json, *texts: str) -> bool:
    term = str(asked.get("searchTerm", "")).lower()
    return any(term in text.lower() for text in texts)


def _any(wanted: list[str], found: set[str]) -> bool:
    return any(each.lower() in found for each in wanted)
