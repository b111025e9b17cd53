"""Calls to the directory that a careful client never makes."""

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

from .faults import Request

SAFE_SELECTOR = re.compile(r'^members\[value eq "[0-9a-f-]{36}"\]$')
# Source: Atlassian OpenAPI, parameters of each operation.
DECLARED = {
    "Users": {"attributes", "excludedAttributes", "filter", "startIndex", "count"},
    "Groups": {"filter", "startIndex", "count"},
}


def broken(request: Request, announced: set[str]) -> Iterator[str]:
    """Each broken rule as a sentence that names the call.

    ``announced`` are SCIM users of whom one DELETE each is expected.
    """
    call = f"{request.method} {request.path}"
    # /scim/directory/{id}/Users/{id}
    resource, *below = request.path.split("/")[4:] or [""]
    if request.method == "DELETE" and resource == "Users" and below and below[0] in announced:
        announced.discard(below[0])  # a second one is not
    elif request.method in {"PUT", "DELETE"}:
        yield f"{call}: destroys what it does not name"
    if request.method == "GET" and resource in DECLARED and not below:
        undeclared = set(parse_qs(request.query, keep_blank_values=True)) - DECLARED[resource]
        if undeclared:
            yield f"{call}: undeclared parameters {sorted(undeclared)}"
    if request.method == "PATCH":
        yield from (f"{call}: {what}" for what in _broken_patch(request.body, resource))


def _broken_patch(body: bytes, resource: str) -> Iterator[str]:
    try:
        content = json.loads(body)
    except ValueError:
        yield "not JSON"
        return
    found = content.get("Operations", []) if isinstance(content, dict) else []
    for operation in found:
        if not isinstance(operation, dict):
            continue
        op = str(operation.get("op", "")).lower()
        if op == "replace":
            yield "replace"
        elif op == "remove" and resource == "Groups" and not _names_one(operation):
            yield "remove that does not name exactly one member"


def _names_one(operation: dict[str, Any]) -> bool:
    path, value = operation.get("path"), operation.get("value")
    if isinstance(path, str) and SAFE_SELECTOR.match(path):
        return "value" not in operation
    return path == "members" and isinstance(value, list) and len(value) == 1
