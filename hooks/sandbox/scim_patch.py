"""What a SCIM PATCH does to a group or a user, doubtful forms included.

Source of the forms: Okta docs "scim-20" (selector, replace), ssoready pull request 182
(value array, as Entra ID sends it), RFC 7644 section 3.5.2 for everything else. Atlassian
exemplifies only ``add``.
"""

import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from .directory import Directory, ScimGroup, ScimUser
from .scim_json import RefusalError
from .switches import Switches

Json = dict[str, Any]
SELECTOR = re.compile(r"^members\[(?P<filter>.*)\]$", re.DOTALL)
CLAUSE = re.compile(r'^value\s+(?P<op>eq|ne)\s+"(?P<id>[^"]*)"$', re.IGNORECASE)
Test = Callable[[str], bool]


def operations(body: bytes) -> list[Json]:
    """``Operations``, or ``operations`` as one component of Atlassian's OpenAPI spells it."""
    try:
        content = json.loads(body)
    except ValueError:
        raise RefusalError(400, "Request body is not valid JSON", "invalidSyntax") from None
    found = content.get("Operations", content.get("operations")) if _is_object(content) else None
    if not isinstance(found, list) or not found or not all(map(_is_object, found)):
        raise RefusalError(400, "Operations expected", "invalidSyntax")
    return found


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def kind(operation: Json) -> str:
    """``op`` in lower case: Entra ID capitalises it."""
    return str(operation.get("op", "")).lower()


class GroupPatch:
    """Applies the operations of one PATCH to one group."""

    def __init__(
        self, directory: Directory, group: ScimGroup, switches: Switches, now: datetime
    ) -> None:
        self.directory = directory
        self.group = group
        self.switches = switches
        self.now = now

    def apply(self, found: list[Json]) -> None:
        before = list(self.group.members)
        try:
            for operation in found:
                self._one(operation)
        except RefusalError:
            if self.switches.patch_atomic:
                self._put_back(before)
            raise

    def _put_back(self, before: list[str]) -> None:
        self._leave([i for i in self.group.members if i not in set(before)])
        self._join(before)

    def _one(self, operation: Json) -> None:
        match kind(operation):
            case "add":
                self._add(self._value(operation))
            case "remove":
                self._remove(operation)
            case "replace":
                self._replace(operation)
            case other:
                raise RefusalError(400, f"Unknown op: {other}", "invalidSyntax")

    def _value(self, operation: Json) -> Any:
        """The members an operation carries, with ``path`` or, RFC 7644, inside ``value``."""
        path, value = operation.get("path"), operation.get("value")
        if path is None and isinstance(value, dict) and "members" in value:
            return value["members"]
        if path != "members":
            raise RefusalError(400, f"Unsupported path: {path}", "invalidPath")
        return value

    def _replace(self, operation: Json) -> None:
        value = operation.get("value")
        if operation.get("path") == "displayName" or (
            isinstance(value, dict) and "displayName" in value
        ):
            raise RefusalError(400, "displayName is immutable", "mutability")
        members = self._named(self._value(operation))
        self._leave([i for i in self.group.members if i not in set(members)])
        self._join(members)

    def _add(self, value: Any) -> None:
        ids = _ids(value)
        if self.switches.add_unknown_user == "ok":
            ids = [i for i in ids if i in self.directory.users]
        self._join(self._known(ids))

    def _named(self, value: Any) -> list[str]:
        return self._known(_ids(value))

    def _known(self, ids: list[str]) -> list[str]:
        for user_id in ids:
            if user_id not in self.directory.users:
                raise RefusalError(404, f"User {user_id} not found")
        return ids

    # --- remove -----------------------------------------------------------------------------

    def _remove(self, operation: Json) -> None:
        path = str(operation.get("path", ""))
        selector = SELECTOR.match(path)
        if selector is not None:
            self._refuse_unless("selector_only")
            self._remove_selected(selector["filter"])
        elif path != "members":
            raise RefusalError(400, f"Unsupported path: {path}", "invalidPath")
        elif "value" not in operation or operation["value"] in (None, []):
            # RFC 7644 section 3.5.2.2: without a selector all values go.
            self._leave(list(self.group.members))
        else:
            self._refuse_unless("value_only")
            self._remove_values(operation["value"])

    def _refuse_unless(self, form: str) -> None:
        if self.switches.remove_form not in ("both", form):
            raise RefusalError(400, "Unsupported remove operation", self.switches.refusal)

    def _remove_selected(self, text: str) -> None:
        test, named = self._selector(text)
        if named is not None:
            self._remove_one(named)
        else:
            self._leave([i for i in self.group.members if test(i)])

    def _selector(self, text: str) -> tuple[Test, str | None]:
        """What the filter says, and the id if it is one plain ``value eq``."""
        clauses = [_clause(part) for part in re.split(r"\s+or\s+", text, flags=re.IGNORECASE)]
        if len(clauses) > 1 and not self.switches.selector_combines:
            raise RefusalError(400, "Unsupported filter", "invalidFilter")
        if len(clauses) == 1:
            operator, user_id = clauses[0]
            if operator == "eq":
                return (lambda i: i == user_id), user_id
        return (lambda i: any((i == u) is (op == "eq") for op, u in clauses)), None

    def _remove_values(self, value: Any) -> None:
        if isinstance(value, dict):
            if self.switches.value_as_object == "empties":
                self._leave(list(self.group.members))
                return
            value = [value]
        for entry in value if isinstance(value, list) else [value]:
            if isinstance(entry, dict):
                if "display" not in entry or self.switches.value_with_display == "removes":
                    self._remove_one(str(entry.get("value")))
            elif self.switches.value_bare_string == "removes":
                self._remove_one(str(entry))

    def _remove_one(self, user_id: str) -> None:
        if user_id not in self.directory.users:
            _missing(self.switches.remove_unknown_user, f"User {user_id} not found")
        elif user_id not in self.group.members:
            _missing(self.switches.remove_nonmember, f"User {user_id} is not a member")
        self._leave([user_id])

    def _join(self, user_ids: list[str]) -> None:
        self.directory.join(self.group, user_ids, self.now)

    def _leave(self, user_ids: list[str]) -> None:
        self.directory.leave(self.group, user_ids, self.now)


def _ids(value: Any) -> list[str]:
    entries = value if isinstance(value, list) else [value]
    return [str(e.get("value")) if isinstance(e, dict) else str(e) for e in entries]


def _clause(text: str) -> tuple[str, str]:
    found = CLAUSE.match(text.strip())
    if found is None:
        raise RefusalError(400, "Unsupported filter", "invalidFilter")
    return found["op"].lower(), found["id"]


def _missing(mode: str, detail: str) -> None:
    if mode == "noTarget":
        raise RefusalError(400, detail, "noTarget")
    if mode == "404":
        raise RefusalError(404, detail)


def patch_user(directory: Directory, user: ScimUser, found: list[Json], now: datetime) -> None:
    """Okta's two forms: ``value: {"active": false}`` without a path, or ``path: "active"``."""
    for operation in found:
        if kind(operation) not in ("add", "replace"):
            raise RefusalError(400, f"Unsupported op: {operation.get('op')}", "invalidSyntax")
        path, value = operation.get("path"), operation.get("value")
        changes = {str(path): value} if path is not None else value
        if not isinstance(changes, dict):
            raise RefusalError(400, "value must be an object", "invalidValue")
        write_user(directory, user, changes, now)


def write_user(directory: Directory, user: ScimUser, changes: Json, now: datetime) -> None:
    if "active" in changes:
        directory.set_active(user, now, active=str(changes["active"]).lower() == "true")
    if "userName" in changes:
        directory.rename_user(user, str(changes["userName"]))
    if "emails" in changes:
        user.emails = list(changes["emails"])
    name = changes.get("name") or {}
    for key, attribute, source in (
        ("externalId", "external_id", changes),
        ("displayName", "display_name", changes),
        ("title", "title", changes),
        ("givenName", "given_name", name),
        ("familyName", "family_name", name),
    ):
        if key in source:
            setattr(user, attribute, source[key])
    directory.changed(user, now)
