"""No bytes surprise the parser."""

from __future__ import annotations

import json
from time import process_time
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from hooks.core.errors import MalformedError
from hooks.core.log_event import claim, clean, parse_delivery, parse_event, subjects
from tests.core.worlds import ANN, APP

EXAMPLES = settings(max_examples=120)

texts = st.text(st.characters(exclude_categories=[]), max_size=20)
atoms = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**400), 10**400),
    st.floats(),
    texts,
    st.sampled_from([ANN, APP, "User", "AppInstance", "SUCCESS", "\x00", "\ud83d", "x" * 300]),
)
anything = st.recursive(
    atoms,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
keys = st.sampled_from(["type", "id", "result", "displayName"])
targets = st.lists(st.dictionaries(keys, anything) | anything, max_size=3)
entries = st.fixed_dictionaries(
    {},
    optional={
        "uuid": anything,
        "eventType": anything | st.sampled_from(["user.lifecycle.deactivate"]),
        "published": anything | st.datetimes().map(str),
        "outcome": st.dictionaries(keys, anything) | anything,
        "target": targets | anything,
    },
)
envelopes = st.fixed_dictionaries(
    {"data": st.fixed_dictionaries({"events": st.lists(entries | anything, max_size=3)})},
    optional={"eventId": anything},
)


def parse(body: bytes) -> None:
    """Holds every law about one body: nothing but MalformedError, and only what columns hold."""
    try:
        delivery = parse_delivery(body)
    except MalformedError:
        return
    assert delivery == parse_delivery(body)
    texts_of = [delivery.id]
    for event in delivery.events:
        texts_of += [event.uuid, event.type, *event.users, *event.groups, *event.apps]
        assert event.published is None or event.published.utcoffset() is not None
        assert event == parse_event(event.raw)
        subjects(event, frozenset({APP}))
        claim(event)
    for text in texts_of:
        assert "\x00" not in text
        assert len(text.encode()) <= 4 * 128


@EXAMPLES
@given(st.binary(max_size=200))
@example(b"[" * 100_000)
@example(b'{"a":' * 100_000)
@example(b'{"data":{"events":[' + b"[" * 100_000 + b"]" * 100_000 + b"]}}")
@example(b'{"data":{"events":[{"target":' + b"[" * 100_000 + b"]" * 100_000 + b"}]}}")
@example(b'{"data":{"events":[{"target":' + b"[" * 900 + b"]" * 900 + b"}]}}")
@example(b'{"data":{"events":[{"published":' + b"9" * 100_000 + b"}]}}")
@example(b'{"data":{"events":[{"published":-1e99999}]}}')
@example(b'{"data":{"events":[{"eventType":"\\ud800\\u0000","uuid":"\\udfff"}]}}')
@example(b'{"data":{"events":[{"eventType":"a\x00b"}]},"eventId":"\x00"}')
@example(b'{"data":{"events":[{"eventType":"\xff\xfe\xc0\x80"}]}}')
@example(b'{"data":{"events":[1]},"data":{"events":[{},{}]},"data":null}')
@example(b"null")
def test_no_bytes_raise_anything_but_malformed(body: bytes) -> None:
    parse(body)


@EXAMPLES
@given(st.binary(max_size=100), st.integers(0, 60))
def test_no_damage_to_a_good_delivery_raises_anything_else(damage: bytes, place: int) -> None:
    good = json.dumps({"eventId": "d", "data": {"events": [{"eventType": "x", "uuid": "y"}]}})
    parse(good[:place].encode() + damage + good[place:].encode())
    parse(good[:place].encode() + damage + good[place + len(damage) :].encode())


@EXAMPLES
@given(envelopes | anything, st.booleans())
def test_no_wrong_type_anywhere_raises_anything_else(value: Any, escaped: Any) -> None:
    parse(json.dumps(value, ensure_ascii=escaped).encode(errors="surrogatepass"))


@EXAMPLES
@given(anything)
def test_an_entry_is_never_lost_for_a_wrong_type_that_is_good_json(value: Any) -> None:
    """Numbers out of range and lone surrogates have tests of their own."""
    raw = json.dumps({"data": {"events": [value, {"uuid": value}]}})
    if "\\ud" not in raw:
        assert len(parse_delivery(raw.encode()).events) == 2


@EXAMPLES
@given(entries)
def test_the_same_bytes_are_the_same_event(entry: Any) -> None:
    raw = json.dumps({"data": {"events": [entry, entry]}}).encode()
    try:
        first, second = parse_delivery(raw).events
    except MalformedError:
        return
    assert first == second
    assert first.uuid == second.uuid


@EXAMPLES
@given(anything, st.integers(0, 200))
def test_a_cleaned_value_fits_every_column(value: Any, length: int) -> None:
    found = clean(value, length)
    assert found.encode().decode() == found
    assert "\x00" not in found
    assert len(found) <= length
    if isinstance(value, str) and value.isascii() and "\x00" not in value:
        assert found == value[:length]


def test_the_time_grows_with_the_length_and_not_with_its_square() -> None:
    """Okta waits 3 s, and everybody else's deliveries wait behind this one."""
    began = process_time()
    parse(b'[\\"' + b'\\"' * 6000)
    assert process_time() - began < 0.3
