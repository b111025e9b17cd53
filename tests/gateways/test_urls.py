"""Nothing breaks out of a path, a query, a filter or a selector."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooks.core.errors import MalformedError
from hooks.core.ids import ScimUserId
from hooks.core.membership import Action
from hooks.gateways.scim_patch import _by_value, _operation
from hooks.gateways.urls import equals, path, with_query

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
HOSTILE = st.text(alphabet='abc/.?#%&=+"\\ \n\r\t[]\N{SNOWMAN}')


@given(st.lists(TEXT | HOSTILE, min_size=1, max_size=4))
def test_a_segment_stays_one_segment(parts: list[str]) -> None:
    if any(part in ("", ".", "..") for part in parts):
        with pytest.raises(MalformedError):
            path(*parts)
        return
    made = path(*parts)
    assert [unquote(part) for part in made.split("/")[1:]] == parts
    assert urlsplit("https://x.example" + made).path == made
    assert made.isascii()


@given(st.dictionaries(st.sampled_from(["filter", "q"]), TEXT | HOSTILE, min_size=1))
def test_a_query_is_read_as_it_was_meant(query: dict[str, str]) -> None:
    made = with_query("/a", query)
    read = parse_qs(urlsplit(made).query, keep_blank_values=True, strict_parsing=True)
    assert read == {key: [value] for key, value in query.items()}


@given(TEXT | HOSTILE)
def test_a_filter_holds_exactly_the_text(text: str) -> None:
    made = equals("userName", text)
    attribute, operator, value = made.split(" ", 2)
    assert (attribute, operator) == ("userName", "eq")
    assert json.loads(value) == text


def test_half_a_surrogate_pair_cannot_be_asked_for() -> None:
    with pytest.raises(MalformedError):
        equals("userName", "\ud800")


@given(st.text() | HOSTILE | st.uuids().map(str))
def test_a_selector_names_one_uuid_or_is_never_built(text: str) -> None:
    try:
        user = ScimUserId(text)
    except MalformedError:
        for action in Action:
            with pytest.raises(MalformedError):
                _operation(action, text)  # type: ignore[arg-type]  # that is the test
        with pytest.raises(MalformedError):
            _by_value(text)  # type: ignore[arg-type]  # as above
        return
    assert _operation(Action.REMOVE, user) == {
        "op": "remove",
        "path": f'members[value eq "{text}"]',
    }
    assert _by_value(user)["value"] == _operation(Action.ADD, user)["value"] == [{"value": text}]
