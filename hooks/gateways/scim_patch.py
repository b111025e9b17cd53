"""The only changes this project can ask of a SCIM group: add one member, remove one member.

Every PatchOp must be built here. No PUT, no DELETE, no ``replace``, and no ``remove`` that does
not name exactly one member can be expressed; who should be a member, this room must not know.
"""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import structlog

from hooks import figures
from hooks.core.errors import (
    BreakerOpenError,
    HooksError,
    IncompleteError,
    LeaseLostError,
    PermanentError,
    RateLimitedError,
    RejectedError,
    TransientError,
)
from hooks.core.ids import ScimGroupId, ScimUserId
from hooks.core.membership import Action
from hooks.gateways.scim_door import SCIM_JSON
from hooks.gateways.urls import equals, path

if TYPE_CHECKING:
    from collections.abc import Collection

    from hooks.core.ids import DirectoryName
    from hooks.gateways.transport import Transport

log = structlog.get_logger()

#: A group comes with all its members: 50,000 take 11 MiB, and directories may allow 250,000.
MOST_GROUP_BYTES = 64 * 1024 * 1024
#: A directory that does not know selectors says one of these. Source: RFC 7644 section 3.12.
_NO_SELECTORS = frozenset({"invalidPath", "invalidSyntax", "invalidFilter"})
#: Members in one PATCH when they are put back, and tries for each.
_PUT_BACK, _TRIES = 100, 3


class Form(StrEnum):
    """How a directory lets one member be removed."""

    SELECTOR = "selector"  # path 'members[value eq "…"]'; RFC 7644 section 3.5.2.2
    VALUE = "value"  # path 'members' with one value, proved harmless in this directory
    DEAD = "dead"  # neither: the second form took others along


class _Value(msgspec.Struct):
    value: str


class _Group(msgspec.Struct, rename="camel"):
    id: str
    members: list[_Value] | None = None


_GROUP = msgspec.json.Decoder(_Group)


class FormMemory(Protocol):
    """Where a directory's form is kept, for all replicas."""

    async def get(self) -> str | None:
        """The form as it was put, or ``None``."""

    async def put(self, form: str) -> None:
        """Keep it."""


class Forgetful:
    """Keeps nothing."""

    async def get(self) -> None:
        """Nothing."""

    async def put(self, form: str) -> None:
        """Nothing is done."""


class Patches:
    """The membership changes of one directory."""

    def __init__(
        self,
        door: Transport,
        root: tuple[str, ...],
        name: DirectoryName,
        form: Form,
        memory: FormMemory,
    ) -> None:
        """``root`` is the path of the directory; ``memory`` keeps its form over restarts."""
        self._door = door
        self._root = root
        self._name = name
        self._memory = memory
        self.form = form
        self._trial = asyncio.Lock()
        figures.FORM_DEAD.labels(name).set(form is Form.DEAD)

    async def send(
        self, group: ScimGroupId, changes: list[tuple[Action, ScimUserId]], deadline: float
    ) -> None:
        """Send all changes in one PATCH, or a single removal in the form the directory takes.

        Raises: RejectedError with code ``form_dead`` if a removal has no form that is safe here;
        else what ``Transport.change`` raises.
        """
        if len(changes) != 1 or changes[0][0] is not Action.REMOVE:
            await self._patch(group, [_operation(*change) for change in changes], deadline)
            return
        user = changes[0][1]
        try:
            if self.form is Form.SELECTOR:
                await self._patch(group, [_operation(Action.REMOVE, user)], deadline)
                return
        except RejectedError as error:
            if error.code == "noTarget":
                return  # was no member; reading again proves it
            if error.code not in _NO_SELECTORS:
                raise
        await self._remove_by_value(group, user, deadline)

    async def members(self, group: ScimGroupId) -> frozenset[ScimUserId]:
        """The ids of a group's members.

        Raises: NotFoundError; IncompleteError for an answer about another group, with a member
        that has no usable id, or without members: a server that leaves them out is not one
        whose group is empty.
        """
        target = path(*self._root, "Groups", ScimGroupId(group))
        answer = await self._door.get(
            "group", target, _GROUP, accept=SCIM_JSON, most_bytes=MOST_GROUP_BYTES
        )
        found = answer.value
        if found.id != group:
            raise IncompleteError("scim answered GET group about another one")
        if found.members is None:
            raise IncompleteError("scim answered GET group without its members")
        members = frozenset(ScimUserId.maybe(each.value) for each in found.members)
        known = frozenset(member for member in members if member is not None)
        if len(known) != len(members):
            raise IncompleteError("scim gave a member without a usable id to GET group")
        return known

    async def _patch(
        self, group: ScimGroupId, operations: list[dict[str, Any]], deadline: float
    ) -> None:
        body = {
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": operations,
        }
        figures.PATCH_OPERATIONS.labels(self._name).observe(len(operations))
        await self._door.change(
            "PATCH",
            "members",
            path(*self._root, "Groups", ScimGroupId(group)),
            msgspec.json.encode(body),
            deadline=deadline,
            content_type=SCIM_JSON,
        )

    # -- the form for directories that refuse selectors ----------------------------------------

    async def _remove_by_value(self, group: ScimGroupId, user: ScimUserId, deadline: float) -> None:
        """Remove with ``path: members`` and one value; the first time between two readings.

        Some services take the value for no more than decoration and empty the group (seen
        2026-11 in one of several SCIM services), so the form is trusted after a trial only.
        """
        tried = False
        if self.form is Form.SELECTOR:
            async with self._trial:
                tried = await self._tried(group, user, deadline)
        if self.form is Form.DEAD:
            raise RejectedError("scim knows no safe way to remove a member", code="form_dead")
        if not tried:
            await self._patch(group, [_by_value(user)], deadline)

    async def _tried(self, group: ScimGroupId, user: ScimUserId, deadline: float) -> bool:
        """Remove between two readings; False if the form is known by now.

        The form is remembered as dead before it is tried, so that a trial that is cut off is
        never repeated on what it left.
        """
        await self._recall()
        if self.form is not Form.SELECTOR:
            return False
        before = await self.members(group)
        if user not in before:
            return True
        others = before - {user}
        after = await self._between(group, user, others, deadline)
        if lost := others - after:
            await self._die(group, lost)
        elif user not in after:
            self.form = Form.VALUE
            log.warning("scim_selectors_refused", directory=self._name, form=self.form.value)
        if self.form is not Form.DEAD:
            await self._memory.put(self.form)
        return True

    async def _between(
        self,
        group: ScimGroupId,
        user: ScimUserId,
        others: Collection[ScimUserId],
        deadline: float,
    ) -> frozenset[ScimUserId]:
        """Try the form; who is a member afterwards."""
        await self._memory.put(Form.DEAD)
        try:
            await self._patch(group, [_by_value(user)], deadline)
        except (PermanentError, LeaseLostError, BreakerOpenError, RateLimitedError):
            await self._memory.put(Form.SELECTOR)  # nothing was done
            raise
        except HooksError:
            await self._die(group, others)  # nobody knows what went
            raise
        try:
            return await self.members(group)
        except HooksError:
            await self._die(group, others)
            raise

    async def _recall(self) -> None:
        known = await self._memory.get()
        if known in set(Form):
            self._become(Form(known))

    def _become(self, form: Form) -> None:
        self.form = form
        figures.FORM_DEAD.labels(self._name).set(form is Form.DEAD)

    async def _die(self, group: ScimGroupId, lost: Collection[ScimUserId]) -> None:
        """No more removals in this form. Adding somebody who is still there is harmless."""
        self._become(Form.DEAD)
        await self._put_back(group, lost)

    async def _put_back(self, group: ScimGroupId, lost: Collection[ScimUserId]) -> None:
        """Give everybody back who went along, whatever is left of the lease.

        The lease is about somebody else, and waiting for another would leave these without.
        """
        users = sorted(lost)
        log.critical("scim_form_took_others", directory=self._name, group=group, members=len(lost))
        missing = 0
        for start in range(0, len(users), _PUT_BACK):
            chunk = users[start : start + _PUT_BACK]
            if not await self._added(group, chunk):
                missing += len(chunk)
        log.critical(
            "scim_members_put_back", directory=self._name, group=group, still_missing=missing
        )

    async def _added(self, group: ScimGroupId, users: list[ScimUserId]) -> bool:
        for _ in range(_TRIES):
            try:
                await self._patch(
                    group, [_operation(Action.ADD, user) for user in users], float("inf")
                )
            except TransientError:
                await asyncio.sleep(1)
            except HooksError:
                return False
            else:
                return True
        return False


def _operation(action: Action, user: ScimUserId) -> dict[str, Any]:
    """One member in or out. Source: RFC 7644 sections 3.5.2.1 and 3.5.2.2."""
    user = ScimUserId(user)  # whatever the types say: a selector is built from this
    if action is Action.ADD:
        return {"op": "add", "path": "members", "value": [{"value": str(user)}]}
    return {"op": "remove", "path": f"members[{equals('value', user)}]"}


def _by_value(user: ScimUserId) -> dict[str, Any]:
    """One member out, without selector. No ``display``: with it some services remove nobody."""
    return {"op": "remove", "path": "members", "value": [{"value": str(ScimUserId(user))}]}
