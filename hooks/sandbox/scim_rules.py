"""Calls to the directory that a careful client never makes."""

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

SAFE_SELECTOR = re.compile(r'^members\[value eq "[0-9a-f-]{36}"\]$')
# Source: Atlassian OpenAPI, parameters of each operation.
DECLARED = {
    "Users": {"attributes", "excludedAttributes", "filter", "startIndex", "count"},
    "Groups": {"filter", "startIndex", "count"},
}


def broken(method: str, path: str, query: str, body: bytes) -> Iterator[str]:
    """Each broken rule as a sentence that names the call."""
    call = f"{method} {path}"
    resource = path.split("/")[4] if path.count("/") >= 4 else ""
    if method in ("PUT", "DELETE"):
        yield f"{call}: destroys what it does not name"
    if method == "GET" and path.count("/") == 4 and resource in DECLARED:
        undeclared = set(parse_qs(query, keep_blank_values=True)) - DECLARED[resource]
        if undeclared:
            yield f"{call}: undeclared parameters {sorted(undeclared)}"
    if method == "PATCH":
        yield from (f"{call}: {what}" for what in _broken_patch(body, resource))


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
