"""One type per identifier, validated where it enters.

An id of one kind passed for another fails type checks; a string that could break out of a URL
path or a SCIM selector never becomes an id.
"""

from __future__ import annotations

import re
from typing import ClassVar, Self

from hooks.core.errors import MalformedError


class Identifier(str):
    """A string of a known shape; ``__new__`` refuses any other."""

    __slots__ = ()
    shape: ClassVar[re.Pattern[str]] = re.compile(r"[^\x00-\x1f]+")

    def __new__(cls, value: str) -> Self:
        """Raise MalformedError for a value of another shape; the value itself is not repeated."""
        if not cls.shape.fullmatch(value):
            msg = f"not a {cls.__name__}"
            raise MalformedError(msg)
        return super().__new__(cls, value)

    @classmethod
    def maybe(cls, value: object) -> Self | None:
        """The id, or None where the value is not one."""
        known = isinstance(value, str) and cls.shape.fullmatch(value)
        return str.__new__(cls, value) if known else None


class OktaId(Identifier):
    """Any Okta id: 20 letters and digits."""

    __slots__ = ()
    shape = re.compile(r"[A-Za-z0-9]{20}")


class OktaUserId(OktaId):
    """``00u…``; an AppUser's own id (``0ua…``) is never one."""

    __slots__ = ()


class OktaGroupId(OktaId):
    """``00g…``, of an Okta group or of an APP_GROUP."""

    __slots__ = ()


class OktaAppId(OktaId):
    """``0oa…``"""

    __slots__ = ()


class PushMappingId(OktaId):
    """``gPm…``, a group push mapping."""

    __slots__ = ()


class HookId(OktaId):
    """``who…``, an event hook."""

    __slots__ = ()


class Uuid(Identifier):
    """A UUID in its usual text form."""

    __slots__ = ()
    shape = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


class ScimDirectoryId(Uuid):
    """The segment after ``directory/`` of the SCIM base URL; not the organization's directory."""

    __slots__ = ()


class ScimUserId(Uuid):
    """A SCIM user of one directory; not the account id."""

    __slots__ = ()


class ScimGroupId(Uuid):
    """A SCIM group of one directory."""

    __slots__ = ()


class OrganizationId(Uuid):
    """An Atlassian organization."""

    __slots__ = ()


class OrganizationGroupId(Uuid):
    """A group of the organization, synced or local; a synced one has another id over SCIM."""

    __slots__ = ()


class OrganizationDirectoryId(Identifier):
    """The organization's own directory of a group; not the SCIM directory. ``-`` is none."""

    __slots__ = ()
    shape = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")


class AccountId(Identifier):
    """An Atlassian account: 24 hex digits, or ``712020:<uuid>``."""

    __slots__ = ()
    shape = re.compile(r"[A-Za-z0-9][A-Za-z0-9:_-]{0,127}")


class DirectoryName(Identifier):
    """What the operator calls one pair of an Okta app and an Atlassian SCIM directory."""

    __slots__ = ()
    shape = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
