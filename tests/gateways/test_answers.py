"""Codes and links, whatever the vendors send."""

from __future__ import annotations

import json
import re
import uuid

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooks.core.errors import IncompleteError
from hooks.gateways.answers import code_of, decoded, next_link

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["errorCode", "scimType", "code", "error", "errors", "message", "status", "detail"]
            )
            | st.text(max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(
            {"errorCode": "E0000007", "errorSummary": "Not found: a@b.example"},
            "E0000007",
            id="okta",
        ),
        pytest.param(
            {"error": "invalid_client", "error_description": "no"}, "invalid_client", id="oauth"
        ),
        pytest.param(
            {"schemas": ["…:Error"], "status": "409", "scimType": "uniqueness", "detail": "a@b"},
            "uniqueness",
            id="scim",
        ),
        pytest.param(
            {"schemas": ["…:Error"], "status": "404", "detail": "gone"},
            "",
            id="scim without a type",
        ),
        pytest.param(
            {"message": "Bad a@b", "scimErrorType": "invalidValue", "stackTrace": []},
            "invalidValue",
            id="atlassian's bad group",
        ),
        pytest.param(
            {"error": "Access denied for a@b", "traceId": "abc"}, "", id="prose and a trace"
        ),
        pytest.param(
            {"errors": [{"id": "1", "code": "ADMIN-UAM-400-2", "detail": "a@b"}]},
            "ADMIN-UAM-400-2",
            id="organization",
        ),
        pytest.param({"code": 429, "message": "slow down"}, "429", id="gateway"),
        pytest.param(
            {"timestamp": 1, "path": "/x", "status": 404, "error": "Not Found"}, "", id="spring"
        ),
        pytest.param([], "", id="a list"),
    ],
)
def test_codes_are_found_in_every_envelope(body: object, code: str) -> None:
    assert code_of(json.dumps(body).encode()) == code


@given(JSON | st.binary())
def test_a_code_is_short_and_plain_whatever_comes(body: object) -> None:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    assert re.fullmatch(r"[A-Za-z0-9_.-]{0,64}", code_of(raw))


@given(st.emails(), st.sampled_from(["errorCode", "scimType", "code", "error"]))
def test_an_address_is_never_a_code(address: str, key: str) -> None:
    assert code_of(json.dumps({key: address, "errors": [{key: address}]}).encode()) == ""


def test_depth_and_brackets_do_not_stop_the_parser() -> None:
    assert code_of(b"[" * 100_000) == ""
    assert code_of(b'{"errors":' * 100_000) == ""
    with pytest.raises(IncompleteError):
        decoded(msgspec.json.Decoder(list[object]), b"[" * 100_000)


SELF = '<https://x.example/a?after=1>; rel="self"'
NEXT = '<https://x.example/a?after=2,3>; rel="next"'


@pytest.mark.parametrize(
    ("values", "link"),
    [
        pytest.param([SELF, NEXT], "https://x.example/a?after=2,3", id="two headers"),
        pytest.param([f"{SELF}, {NEXT}"], "https://x.example/a?after=2,3", id="one header"),
        pytest.param(['<u>; title="a; b, c"; rel=next'], "u", id="other parameters"),
        pytest.param(['<u>; rel="prev NEXT"'], "u", id="several relations"),
        pytest.param([SELF], None, id="none"),
        pytest.param([NEXT, NEXT], "https://x.example/a?after=2,3", id="the same twice"),
        pytest.param(['<https://x.example/?q=rel=next>; rel="self"'], None, id="in a target"),
        pytest.param([], None, id="no header"),
    ],
)
def test_the_next_link_is_found(values: list[str], link: str | None) -> None:
    assert next_link(values) == link


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(['https://x.example/a; rel="next"'], id="no brackets"),
        pytest.param([NEXT, '<u>; rel="next"'], id="two of them"),
        pytest.param(['<u; rel="next"'], id="an open bracket"),
        pytest.param(['<u> rel="next"'], id="no semicolon"),
    ],
)
def test_a_next_link_that_cannot_be_read_is_not_the_end(values: list[str]) -> None:
    with pytest.raises(IncompleteError):
        next_link(values)


@given(st.lists(st.text(alphabet='<>;,= "relnxtRELNXT/*-', max_size=40) | st.text(), max_size=3))
def test_any_link_header_gives_a_link_or_is_refused(values: list[str]) -> None:
    try:
        found = next_link(values)
    except IncompleteError:
        return
    assert found is None or any(found in value for value in values)


@given(st.binary())
def test_what_is_no_json_of_the_shape_is_refused_without_quoting_it(body: bytes) -> None:
    with pytest.raises(IncompleteError) as caught:
        decoded(msgspec.json.Decoder(dict[str, uuid.UUID]), b'{"a":' + body)
    assert str(caught.value) == "an answer of another shape"
    assert caught.value.__cause__ is None
