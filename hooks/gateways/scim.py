"""One Atlassian SCIM directory: who is there, in which groups, and one membership more or less.

Its paths, queries, shapes and paging must live here; who should be in which group, this room
must not know.

Every answer is checked to be about what was asked. All reads raise what ``Transport.get``
raises, and IncompleteError for an answer that must not be believed.
Source: developer.atlassian.com/cloud/admin/user-provisioning/rest, RFC 7643, RFC 7644.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from hooks.core.errors import BreakerOpenError, IncompleteError, NotFoundError
from hooks.core.ids import AccountId, DirectoryName, ScimDirectoryId, ScimGroupId, ScimUserId
from hooks.core.membership import Action, Group
from hooks.core.reading import MISSING, Missing, ScimRecord
from hooks.gateways.scim_batch import Batches, Step
from hooks.gateways.scim_door import SCIM_JSON, root_of, scim_door
from hooks.gateways.scim_patch import (
    MOST_GROUP_BYTES,
    Forgetful,
    Form,
    FormMemory,
    Patches,
)
from hooks.gateways.urls import equals, path, with_query
from hooks.gateways.wire import MOST_BYTES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    import aiohttp

    from hooks.clock import Clock
    from hooks.gateways.credential import Credential

T = TypeVar("T")

#: Calls at once. Atlassian publishes no limit for SCIM; its 429 will say if this is too many.
AT_ONCE = 64
#: Resources asked for in one page; the server may give fewer.
PAGE = 100


class _Ref(msgspec.Struct):
    value: str
    display: str


class _External(msgspec.Struct, rename="camel"):
    atlassian_account_id: str | None = None


class _User(msgspec.Struct, rename="camel"):
    id: str
    user_name: str
    external_id: str | None = None
    active: bool | None = None
    groups: list[_Ref] | None = None
    external: _External | None = msgspec.field(
        default=None, name="urn:scim:schemas:extension:atlassian-external:1.0"
    )


class _Group(msgspec.Struct, rename="camel"):
    id: str
    display_name: str


class _Page(msgspec.Struct, Generic[T], rename="camel"):
    total_results: int
    resources: list[T] = msgspec.field(default_factory=list, name="Resources")


@dataclass(frozen=True, slots=True)
class _Kind(Generic[T]):
    """A resource type: its endpoint, its name in messages, and how to read a page."""

    endpoint: str
    operation: str
    page: msgspec.json.Decoder[_Page[T]]
    id: Callable[[T], str]
    most_bytes: int = MOST_BYTES


_USER = msgspec.json.Decoder(_User)
_USERS: _Kind[_User] = _Kind(
    "Users", "users", msgspec.json.Decoder(_Page[_User]), lambda user: user.id
)
_GROUPS: _Kind[_Group] = _Kind(
    "Groups",
    "groups",
    msgspec.json.Decoder(_Page[_Group]),
    lambda group: group.id,
    MOST_GROUP_BYTES,
)


class Scim:
    """One directory, with its key."""

    def __init__(
        self,
        *,
        client: aiohttp.ClientSession,
        api_url: str,
        directory: ScimDirectoryId,
        name: DirectoryName,
        credential: Credential,
        clock: Clock,
        form: Form = Form.SELECTOR,
        memory: FormMemory | None = None,
        root: tuple[str, ...] | None = None,
    ) -> None:
        """``name`` is the operator's; ``form`` how members can be removed, where it is known.

        ``memory`` keeps the form over restarts; ``root`` is the path of the directory where it
        is not Atlassian's.
        """
        self.name = name
        self.root = root or root_of(directory)
        self.door = scim_door(
            client,
            api_url,
            self.root,
            credential,
            clock,
            name=name,
            methods=frozenset({"GET", "PATCH"}),
            most=AT_ONCE,
        )
        self._patches = Patches(self.door, self.root, name, form, memory or Forgetful())
        self._batches = Batches(self._send, self._alone)

    # -- reading -------------------------------------------------------------------------------

    async def user(self, user: ScimUserId) -> ScimRecord | Missing:
        """A record by id."""
        target = path(*self.root, "Users", ScimUserId(user))
        try:
            answer = await self.door.get("user", target, _USER, accept=SCIM_JSON)
        except NotFoundError:
            return MISSING
        if answer.value.id != user:
            raise IncompleteError("scim answered GET user about another one")
        return _record(answer.value)

    async def users_by_external_id(self, external_id: str) -> tuple[ScimRecord, ...]:
        """All records with exactly this externalId. A directory that is gone raises."""
        found = await self._matching(
            _USERS, "externalId", external_id, lambda user: user.external_id == external_id
        )
        return tuple(map(_record, found))

    async def users_by_user_name(self, user_name: str) -> tuple[ScimRecord, ...]:
        """All records with this userName, letter case aside (RFC 7643 section 4.1.1)."""
        wanted = user_name.casefold()
        found = await self._matching(
            _USERS, "userName", user_name, lambda user: user.user_name.casefold() == wanted
        )
        return tuple(map(_record, found))

    async def group_named(self, name: str) -> Group | Missing:
        """The group of exactly this name. Raises: IncompleteError if there are several."""
        wanted = name.casefold()
        found = await self._matching(
            _GROUPS, "displayName", name, lambda group: group.display_name.casefold() == wanted
        )
        exact = [group for group in found if group.display_name == name]
        if len(exact) > 1:
            raise IncompleteError("scim has several groups of one name")
        return _group(exact[0].id, name) if exact else MISSING

    async def members(self, group: ScimGroupId) -> frozenset[ScimUserId] | Missing:
        """Everybody the group itself lists.

        Raises: IncompleteError if it came without any list of members.
        """
        try:
            return frozenset(map(ScimUserId, await self._patches.members(group)))
        except NotFoundError:
            await self._ask_anything()  # a directory that is gone has no group either
            return MISSING
        except BreakerOpenError:
            await self._ask_anything()  # only a list tells that the directory is back
            raise

    async def everybody(self, place: str = "") -> AsyncIterator[tuple[tuple[ScimRecord, ...], str]]:
        """All records, page by page, and the place where the list goes on, empty at its end.

        From ``place`` on. An entry may come twice. Raises: IncompleteError if the number of
        records changes meanwhile: what follows may have moved to a page that is read already.
        """
        start, total = (int(each) for each in place.split()) if place else (1, -1)
        while total < 0 or start <= total:
            page = await self._page(_USERS, {"startIndex": start, "count": PAGE})
            if total not in (-1, page.total_results) or not (
                page.resources or start > page.total_results
            ):
                raise IncompleteError("scim changed GET users while it was paging")
            total = page.total_results
            start += len(page.resources)
            yield tuple(map(_record, page.resources)), f"{start} {total}" if start <= total else ""

    # -- changing ------------------------------------------------------------------------------

    async def remove(self, group: ScimGroupId, user: ScimUserId, *, deadline: float) -> None:
        """Take one member out. Returning means "submitted"; only a reading proves it gone.

        ``deadline`` is when the lease ends, in seconds of ``hooks.clock.elapsed``.
        Removing somebody who is no member returns as well. May travel with other changes to the
        group; its outcome is its own.
        Raises: LeaseLostError (not sent), LostReplyError (sent or not: read), NotFoundError
        (directory, group or user), RejectedError with the vendor's code or ``form_dead``,
        ForbiddenError, CredentialError, TransientError (again later).
        """
        await self._batches.submit(group, Action.REMOVE, ScimUserId(user), deadline)

    async def add(self, group: ScimGroupId, user: ScimUserId, *, deadline: float) -> None:
        """Put one member in; as ``remove``. Adding a member who is there is harmless."""
        await self._batches.submit(group, Action.ADD, ScimUserId(user), deadline)

    @property
    def form(self) -> Form:
        """How members can be removed here; DEAD means removals are refused."""
        return self._patches.form

    def snapshot(self) -> dict[str, Any]:
        """For a status page; counts and states only."""
        return {
            **self.door.snapshot(),
            "form": self.form.value,
            "waiting": self._batches.waiting,
        }

    async def aclose(self) -> None:
        """Let changes in flight end; call before the client closes."""
        await self._batches.aclose()

    async def _send(self, group: ScimGroupId, steps: list[Step]) -> None:
        changes = [(step.action, step.user) for step in steps]
        await self._patches.send(group, changes, min(step.deadline for step in steps))

    def _alone(self, step: Step) -> bool:
        return step.action is Action.REMOVE and self.form is not Form.SELECTOR

    # -- lists ---------------------------------------------------------------------------------

    async def _ask_anything(self) -> None:
        """Ask for a list of one. Raises: NowhereError if there is no such directory."""
        target = with_query(path(*self.root, "Users"), {"startIndex": 1, "count": 1})
        await self.door.get("users", target, _USERS.page, accept=SCIM_JSON, lists=True)

    async def _matching(
        self, kind: _Kind[T], attribute: str, wanted: str, matches: Callable[[T], bool]
    ) -> list[T]:
        """All resources a filter finds; a list that changes under way is read once more.

        Raises: IncompleteError if one does not match: the filter was ignored, and this might be
        the first page of everybody.
        """
        for last in (False, True):
            found = await self._walk(kind, equals(attribute, wanted))
            if found is not None:
                if not all(map(matches, found)):
                    raise IncompleteError(f"scim ignored the filter of GET {kind.operation}")
                return found
            if last:
                break
        raise IncompleteError(f"scim changed GET {kind.operation} while it was paging")

    async def _walk(self, kind: _Kind[T], wanted: str) -> list[T] | None:
        """Every page once, or None if the pages do not add up.

        The count that came is trusted, not the one asked for. Source: RFC 7644 section 3.4.2.4.
        """
        found: dict[str, T] = {}
        start, total = 1, None
        while total is None or start <= total:
            page = await self._page(kind, {"filter": wanted, "startIndex": start, "count": PAGE})
            if total is not None and page.total_results != total:
                return None
            if not page.resources and page.total_results >= start:
                return None
            total = page.total_results
            found.update((kind.id(each), each) for each in page.resources)
            start += len(page.resources)
        return list(found.values()) if len(found) == total else None

    async def _page(self, kind: _Kind[T], query: dict[str, str | int]) -> _Page[T]:
        answer = await self.door.get(
            kind.operation,
            with_query(path(*self.root, kind.endpoint), query),
            kind.page,
            accept=SCIM_JSON,
            most_bytes=kind.most_bytes,
            lists=True,
        )
        return answer.value


def _record(user: _User) -> ScimRecord:
    """The noun. Raises: IncompleteError for an id that is none, in it or in its groups."""
    record = ScimUserId.maybe(user.id)
    if record is None:
        raise IncompleteError("scim gave a user without a usable id")
    return ScimRecord(
        record,
        user.user_name,
        user.external_id,
        user.active,
        AccountId.maybe(user.external.atlassian_account_id) if user.external else None,
        None if user.groups is None else _groups(user.groups),
    )


def _groups(refs: list[_Ref]) -> frozenset[Group]:
    groups = frozenset(_group(each.value, each.display) for each in refs)
    if len({group.id for group in groups}) != len(groups):
        raise IncompleteError("scim gave one group two names")
    return groups


def _group(value: str, display: str) -> Group:
    group = ScimGroupId.maybe(value)
    if group is None:
        raise IncompleteError("scim gave a group without a usable id")
    return Group(group, display)
