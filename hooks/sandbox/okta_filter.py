"""Okta's SCIM-style ``filter`` and ``search`` expressions, evaluated on JSON objects.

Source: Okta docs "core-okta-api" filters: ``eq ne sw co ew pr gt ge lt le``, and, or, not,
parentheses; ``and`` binds tighter than ``or``.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

Json = dict[str, Any]
Test = Callable[[Json], bool]

TOKEN = re.compile(
    r"""\s*(?:(?P<paren>[()])|"(?P<string>(?:[^"\\]|\\.)*)"|(?P<word>[A-Za-z0-9_.:+-]+))"""
)
COMPARE: dict[str, Callable[[str, str], bool]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "sw": lambda a, b: a.startswith(b),
    "ew": lambda a, b: a.endswith(b),
    "co": lambda a, b: b in a,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
}


class FilterError(Exception):
    """The expression is not one."""


def compile_filter(text: str) -> Test:
    """A predicate; strings compare without case, as Okta's do."""
    parser = Parser(list(_tokens(text)))
    test = parser.either()
    if not parser.done:
        raise FilterError(text)
    return test


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    position, text = 0, text.strip()
    while position < len(text):
        found = TOKEN.match(text, position)
        if found is None:
            raise FilterError(text)
        kind = found.lastgroup or ""
        yield kind, re.sub(r"\\(.)", r"\1", found[kind])
        position = found.end()


class Parser:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.tokens = tokens
        self.position = 0

    @property
    def done(self) -> bool:
        return self.position == len(self.tokens)

    def _next(self) -> tuple[str, str]:
        if self.done:
            raise FilterError("unexpected end")
        self.position += 1
        return self.tokens[self.position - 1]

    def _take(self, kind: str, text: str) -> bool:
        if not self.done:
            found_kind, found = self.tokens[self.position]
            if found_kind == kind and found.lower() == text:
                self.position += 1
                return True
        return False

    def either(self) -> Test:
        tests = [self.both()]
        while self._take("word", "or"):
            tests.append(self.both())
        return lambda item: any(test(item) for test in tests)

    def both(self) -> Test:
        tests = [self.one()]
        while self._take("word", "and"):
            tests.append(self.one())
        return lambda item: all(test(item) for test in tests)

    def one(self) -> Test:
        if self._take("word", "not"):
            test = self.one()
            return lambda item: not test(item)
        if self._take("paren", "("):
            test = self.either()
            if not self._take("paren", ")"):
                raise FilterError("parenthesis not closed")
            return test
        return self._comparison()

    def _comparison(self) -> Test:
        kind, path = self._next()
        operator = self._next()[1].lower()
        if kind != "word" or operator not in (*COMPARE, "pr"):
            raise FilterError(f"{path} {operator}")
        if operator == "pr":
            return lambda item: any(value is not None for value in values(item, path))
        wanted = self._next()[1].lower()
        compare = COMPARE[operator]
        return lambda item: any(
            compare(str(value).lower(), wanted) for value in values(item, path) if value is not None
        )


def values(item: Any, path: str) -> Iterator[Any]:
    """All values under a dotted path; a list means each of its entries."""
    if isinstance(item, list):
        for entry in item:
            yield from values(entry, path)
        return
    name, _, rest = path.partition(".")
    if not isinstance(item, dict) or name not in item:
        return
    if rest:
        yield from values(item[name], rest)
    else:
        yield item[name]
