"""Calls to the organization that a careful client never makes."""

import json
import re
from collections.abc import Iterator

from hooks.sandbox.faults import Request

from .asks import GROUPS, USERS
from .store import Organization

HERE = r"/admin/v2/orgs/[^/]+/directories/(?P<base>[^/]+)"
SEARCH = re.compile(HERE + r"/(?P<what>users|groups)/search$")
LIST = re.compile(HERE + r"/(users|groups)$")
MEMBERS = re.compile(HERE + r"/groups/(?P<group>[^/]+)/memberships(/(?P<account>[^/]+))?$")
LIVING_V1 = re.compile(
    r"/admin/v1/orgs(/[^/]+(/domains|/events(-stream|/[^/]+)?|/event-actions)?)?$"
)
DECLARED = {"users": USERS, "groups": GROUPS}
PROTECTED = re.compile(
    r"org-admins$|site-admins$|system-administrators$|atlassian-addons", re.IGNORECASE
)


def broken(request: Request, organization: Organization) -> Iterator[str]:
    """Each broken rule as a sentence that names the call."""
    call = f"{request.method} {request.path}"
    yield from (f"{call}: {what}" for what in _broken(request, organization))


def _broken(request: Request, organization: Organization) -> Iterator[str]:
    path, method = request.path, request.method
    members = MEMBERS.match(path)
    if members is not None and method == ("DELETE" if members["account"] else "POST"):
        if members["base"] == "-":
            yield "a write that names no directory"
        group = organization.groups.get(members["group"])
        if group is not None and PROTECTED.match(group.name):
            yield f"writes to the protected group {group.name}"
    elif (search := SEARCH.match(path)) is not None and method == "POST":
        yield from _broken_search(request, DECLARED[search["what"]])
    elif method != "GET" and not path.endswith("/get-scim-links-for-email"):
        yield "changes more than a membership"
    elif method == "GET" and LIST.match(path):
        yield "a list that ends in 2027"
    elif path.startswith("/admin/v1/") and not LIVING_V1.match(path):
        yield "a call that v2 has replaced"


def _broken_search(request: Request, declared: frozenset[str]) -> Iterator[str]:
    try:
        asked = json.loads(request.body or b"{}")
    except ValueError:
        asked = None
    if not isinstance(asked, dict):
        yield "not a JSON object"
        return
    if undeclared := set(asked) - declared:
        yield f"undeclared parameters {sorted(undeclared)}"
    if "cursor" in asked and len(asked) > 1:
        yield "a cursor with other parameters, which are discarded"
    if request.query:
        yield "a search with a query, which is ignored"
