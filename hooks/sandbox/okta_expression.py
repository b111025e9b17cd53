"""Filters of event hooks: the part of Okta's expression language they may use.

Source: Okta help "event-hooks-el": ``eq``, ``ne``, ``&&`` and ``||`` over fields of the event, and
``event.target.?[…].size()>0`` or ``eq 0``, whose conditions must hold for one and the same
target. Two such parts may each be true of another one, as in an example of Okta's own.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

Json = dict[str, Any]
Test = Callable[[Json], bool]

TOKEN = re.compile(
    r"""\s*(?:
    (?P<sign>&&|\|\||\(|\)) |
    (?P<targets>event\.target\.\?\[(?P<inside>[^\]]*)\]\.size\(\)\s*(?P<sized>>|eq)\s*0) |
    (?P<path>[A-Za-z.]+)\s+(?P<compare>eq|ne)\s+'(?P<value>[^']*)'
    )""",
    re.VERBOSE,
)


class ExpressionError(Exception):
    """The expression is not one."""


def compile_expression(text: str) -> Test:
    """A predicate on one LogEvent."""
    tokens = list(_tokens(text))
    test = _either(tokens)
    if tokens:
        raise ExpressionError(text)
    return test


def passes(hook_filter: Json | None, event: Json) -> bool:
    """Whether a hook's filter lets an event through; a type it does not name is not filtered."""
    for each in (hook_filter or {}).get("eventFilterMap") or []:
        if each["event"] == event["eventType"]:
            return compile_expression(each["condition"]["expression"])(event)
    return True


def _tokens(text: str) -> Iterator[re.Match[str]]:
    position, text = 0, text.strip()
    while position < len(text):
        found = TOKEN.match(text, position)
        if found is None:
            raise ExpressionError(text)
        yield found
        position = found.end()


def _sign(tokens: list[re.Match[str]], sign: str) -> bool:
    if tokens and tokens[0]["sign"] == sign:
        tokens.pop(0)
        return True
    return False


def _either(tokens: list[re.Match[str]]) -> Test:
    tests = [_both(tokens)]
    while _sign(tokens, "||"):
        tests.append(_both(tokens))
    return lambda item: any(test(item) for test in tests)


def _both(tokens: list[re.Match[str]]) -> Test:
    tests = [_one(tokens)]
    while _sign(tokens, "&&"):
        tests.append(_one(tokens))
    return lambda item: all(test(item) for test in tests)


def _one(tokens: list[re.Match[str]]) -> Test:
    if _sign(tokens, "("):
        test = _either(tokens)
        if not _sign(tokens, ")"):
            raise ExpressionError("parenthesis not closed")
        return test
    if not tokens or tokens[0]["sign"]:
        raise ExpressionError("a comparison is missing")
    found = tokens.pop(0)
    if found["targets"]:
        inside = compile_expression(found["inside"])
        some = found["sized"] == ">"
        return lambda item: any(inside(target) for target in item["target"] or []) is some
    path, wanted, same = found["path"], found["value"], found["compare"] == "eq"
    return lambda item: (_value(item, path.removeprefix("event.")) == wanted) is same


def _value(item: Any, path: str) -> object:
    for name in path.split("."):
        item = item.get(name) if isinstance(item, dict) else None
    return item
