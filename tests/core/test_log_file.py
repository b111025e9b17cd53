"""A file of events, however it is printed and however broken: every good event, every bad line."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterable, Iterator
from itertools import repeat
from time import process_time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hooks.core import log_file
from hooks.core.log_entry import Broken, Exported, Found, Piece
from hooks.core.log_file import (
    CUT_OFF,
    EMPTY,
    ENDS,
    MOST_BYTES,
    NOT_JSON,
    STRANGE,
    TOO_DEEP,
    TOO_LONG,
    UTF_16,
    LogFile,
)

MANY = settings(max_examples=300)


def uuid(number: int) -> str:
    return f"e0000000-0000-4000-8000-{number:012d}"


def event(number: int) -> dict[str, object]:
    """Everything that could mislead: brackets and quotes in strings, numbers, depth, no values."""
    return {
        "actor": {"id": "00u1", "detail": None, "says": 'a\\"},{ "uuid": ['},
        "uuid": uuid(number),
        "published": "2026-11-21T09:29:59.000Z",
        "eventType": "user.lifecycle.deactivate",
        "target": [{"type": "User", "id": "00u" + "0" * 17, "more": [[1, {"k": -1.5e3}], True]}],
        "none": {},
    }


def raw(number: int) -> bytes:
    return json.dumps(event(number)).encode()


def pieces(parts: Iterable[bytes]) -> Iterator[Piece]:
    file = LogFile()
    for part in parts:
        yield from file.feed(part)
    yield from file.end()


def read(body: bytes, length: int = 2**16) -> list[Piece]:
    return list(pieces(body[at : at + length] for at in range(0, len(body), length)))


def told(found: Iterable[Piece]) -> list[object]:
    """Events by their number, exported lines by their uuid, broken ones by line and reason."""
    return [
        int(each.event.uuid[-12:])
        if isinstance(each, Found)
        else (each.line, each.why)
        if isinstance(each, Broken)
        else each.uuid
        for each in found
    ]


# -- every form --------------------------------------------------------------------------------

ONE_TWO = [event(1), event(2)]
ENVELOPE = {"eventType": "com.okta.event_hook", "data": {"events": ONE_TWO}, "eventId": "d"}


def wrapped(number: int) -> bytes:
    """A line as our own export writes it."""
    head = {"uuid": uuid(number), "type": "x", "received": "2026-11-21T09:30:00.000Z"}
    return json.dumps(head | {"event": event(number)}).encode()


FORMS = [
    pytest.param(json.dumps(ENVELOPE).encode(), id="a delivery"),
    pytest.param(json.dumps(ENVELOPE, indent=2).encode(), id="a delivery, pretty-printed"),
    pytest.param(json.dumps(ONE_TWO).encode(), id="an array on one line"),
    pytest.param(json.dumps(ONE_TWO, indent=2).encode(), id="an array, pretty-printed"),
    pytest.param(b"[\n%s,\n%s\n]\n" % (raw(1), raw(2)), id="an array, one element a line"),
    pytest.param(b"[%s]\n[%s]" % (raw(1), raw(2)), id="pages put together"),
    pytest.param(b"%s\n%s\n" % (raw(1), raw(2)), id="JSON lines"),
    pytest.param(b"%s\n%s" % (raw(1), raw(2)), id="JSON lines without the last line break"),
    pytest.param(b"%s\r\n%s\r\n" % (raw(1), raw(2)), id="JSON lines, CRLF"),
    pytest.param(b"\n\n%s\n\n\n%s\n" % (raw(1), raw(2)), id="JSON lines with empty ones"),
    pytest.param(b"\xef\xbb\xbf%s\n\xef\xbb\xbf%s" % (raw(1), raw(2)), id="byte order marks"),
    pytest.param(b"%s\n%s\n" % (wrapped(1), wrapped(2)), id="our own export"),
    pytest.param(b'{"result":%s}\n{"result":%s}\n' % (raw(1), raw(2)), id="of a log collector"),
]


@pytest.mark.parametrize("body", FORMS)
@pytest.mark.parametrize("length", [1, 7, 2**16])
def test_every_form_is_read_whatever_the_pieces(body: bytes, length: int) -> None:
    assert told(read(body, length)) == [1, 2]


def test_an_event_is_what_a_delivery_would_make_of_it() -> None:
    odd = raw(1).replace(b"00u1", b"\xff\xc3\xa9")
    (found,) = read(b"[\n\n" + odd + b"]")
    assert isinstance(found, Found)
    assert (found.line, found.event.raw) == (3, odd)
    assert found.event.type == "user.lifecycle.deactivate"
    assert found.event.users == ("00u" + "0" * 17,)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"event": None, "payload": "none is kept"}, Exported(1, uuid(9), lost=False)),
        ({"event": None, "error": "sealed with another key"}, Exported(1, uuid(9), lost=True)),
    ],
    ids=["no payload", "a lost key"],
)
def test_a_line_of_our_export_without_an_event_is_known_by_its_uuid(
    more: dict[str, object], expected: Exported
) -> None:
    head = {"uuid": uuid(9).upper(), "type": "x", "received": "2026-11-21T09:30:00.000Z"}
    assert read(json.dumps(head | more).encode()) == [expected]


def test_an_odd_event_in_our_export_keeps_the_uuid_it_was_given() -> None:
    head = {"uuid": uuid(9), "type": "", "received": "2026-11-21T09:30:00.000Z"}
    (found,) = read(json.dumps(head | {"event": {"eventType": "x"}}).encode())
    assert isinstance(found, Found)
    assert (found.event.uuid, found.event.type) == (uuid(9), "x")


# -- what is broken ----------------------------------------------------------------------------

BROKEN = [
    pytest.param(b"", [(1, EMPTY)], id="nothing"),
    pytest.param(b" \n\n", [(1, EMPTY)], id="white space"),
    pytest.param(b"[]", [], id="no events"),
    pytest.param(b"name,when\nann,2026\n", [(1, NOT_JSON), (2, NOT_JSON)], id="CSV"),
    pytest.param(b"<html>\n<body>\n", [(1, NOT_JSON), (2, NOT_JSON)], id="HTML"),
    pytest.param(b"null\n12\n", [(1, STRANGE)], id="JSON of another kind"),
    pytest.param(b'{"a": 1}\n%s' % raw(2), [(1, STRANGE), 2], id="an object of another kind"),
    pytest.param(b"[%s,\n3,\n%s]" % (raw(1), raw(2)), [1, (2, STRANGE), 2], id="a number"),
    pytest.param(
        b"\xff\xfe" + raw(1).decode().encode("utf-16-le"), [(1, UTF_16)], id="another encoding"
    ),
    pytest.param(b"%s\n%s\n%s" % (raw(1), raw(2)[:99], raw(3)), [1, (2, NOT_JSON), 3], id="cut"),
    pytest.param(
        b"[\n%s,\n%s,\n%s\n]" % (raw(1), raw(2)[:99], raw(3)),
        [1, (3, NOT_JSON), 3],
        id="cut in an array",
    ),
    pytest.param(
        b'%s\n{"uuid":"x",\n%s' % (raw(1), raw(3)), [1, (2, CUT_OFF), 3], id="cut between fields"
    ),
    pytest.param(
        b'%s\n{"actor":\n%s\n%s' % (raw(1), raw(3), raw(4)),
        [1, 3, (2, CUT_OFF), 4],
        id="cut behind a name",
    ),
    pytest.param(
        b'%s\n{"target":[\n%s\n%s' % (raw(1), raw(3), raw(4)),
        [1, 3, 4, (2, ENDS)],
        id="cut in a list",
    ),
    pytest.param(b"%s\n%s" % (raw(1), raw(2)[:-1]), [1, (2, ENDS)], id="a file cut off"),
    pytest.param(b"%s\n%s" % (raw(1), raw(2)[:99]), [1, (2, ENDS)], id="cut off in a string"),
    pytest.param(b"[%s,\n%s" % (raw(1), raw(2)), [1, 2, (2, ENDS)], id="an array cut off"),
    pytest.param(
        json.dumps(ENVELOPE).encode()[:-60],
        [1, (1, ENDS)],
        id="a delivery cut off",
    ),
    pytest.param(b"%s}\n%s" % (raw(1), raw(2)), [1, (1, NOT_JSON), 2], id="a bracket too many"),
    pytest.param(b"\0\0\0%s\n\0\0\n%s" % (raw(1), raw(2)), [(1, NOT_JSON), 1, (2, NOT_JSON), 2],
                 id="NUL bytes"),
    pytest.param(
        b"%s\n%s\n%s" % (raw(1), b'{"a":' * 5000, raw(2)),
        [1, (2, TOO_DEEP), 2],
        id="objects too deep",
    ),
    pytest.param(
        b"%s\n%s\n%s" % (raw(1), b"[" * 5000, raw(2)),
        [1, (2, TOO_DEEP), 2, (3, ENDS)],
        id="arrays too deep",
    ),
    pytest.param(
        b'%s\n{"a":"%s"}\n%s' % (raw(1), b"x" * MOST_BYTES, raw(2)),
        [1, (2, TOO_LONG), 2],
        id="an object too long",
    ),
    pytest.param(
        b'%s\n{"a":"%s\n%s' % (raw(1), b"x" * 2 * MOST_BYTES, raw(2)),
        [1, (2, TOO_LONG), 2],
        id="a string without end",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), BROKEN)
def test_what_is_broken_is_told_with_its_line_and_hides_nothing_else(
    body: bytes, expected: list[object]
) -> None:
    assert told(read(body)) == expected


def test_a_quote_too_few_does_not_make_a_string_of_the_next_event() -> None:
    good = [json.dumps({**event(number), "says": "more"}).encode() for number in (1, 2, 3)]
    bad = good[1].replace(b'"more"}', b'"more}')
    assert told(read(b"[%s, %s, %s]" % (good[0], bad, good[2]))) == [1, (1, NOT_JSON), 3]


def test_a_list_left_open_is_told() -> None:
    """What stands behind it seems to be its content, up to the end of the event."""
    bad = raw(2).replace(b"true]}]", b"true")
    assert told(read(b"[%s, %s, %s]" % (raw(1), bad, raw(3)))) == [1, (1, NOT_JSON), 3]


junk = st.sampled_from(
    [
        *(b"{", b"}", b"[", b"]", b'"', b":", b",", b"\n", b"\r", b"\\", b"\0", b" "),
        *(b'"a"', b"true", b"nul", b"1.5", b"\xef\xbb\xbf", b"\xff\xfe", b'{"a":'),
        *(b'"eventType"', b'{\n "uuid":', raw(901), raw(902)[:80], raw(903)[60:]),
    ]
)
garbage = st.lists(junk | st.binary(max_size=5), max_size=30).map(b"".join)


@MANY
@given(garbage, st.integers(1, 40))
@example(b"[" * 100_000, 2**16)
@example(b'{"a":' * 100_000, 2**16)
@example(b'[{"a":' * 20_000, 2**16)
@example(b'"' * 100_000, 2**16)
@example(b'{"eventType":' * 20_000, 2**16)
@example(b'{"uuid":"","eventType":"","published":' + b"9" * 10_000 + b"}", 2**16)
@example(b'{"eventType":"\\ud800","uuid":"\\u0000","published":"2026-11-21T09:29:59.000Z"}', 9)
def test_no_bytes_raise_anything_and_the_pieces_make_no_difference(
    body: bytes, length: int
) -> None:
    assert read(body) == read(body, length)


@MANY
@given(
    st.lists(garbage.map(lambda each: each.replace(b"\n", b"")), min_size=2, max_size=6),
    st.sampled_from([None, 2]),
    st.sampled_from([b"", b","]),
    st.integers(1, 200),
)
def test_good_lines_between_garbage_are_all_found(
    rows: list[bytes], indent: int | None, comma: bytes, length: int
) -> None:
    lines = []
    for number, row in enumerate(rows):
        lines += [row, json.dumps(event(number), indent=indent).encode() + comma]
    body = b"\n".join(lines)
    for whole in (body, b"[\n%s\n]" % body):
        found = [each for each in read(whole, length) if isinstance(each, Found)]
        numbers = [int(each.event.uuid[-12:]) for each in found]
        assert [each for each in numbers if each < 900] == list(range(len(rows)))
        beginnings = whole.split(b"\n")
        assert all(b"{" in beginnings[each.line - 1] for each in found)


@MANY
@given(
    st.integers(0, 10**6),
    st.sampled_from([b"", b'"', b"{", b"}", b"[", b"]", b"\\", b",", b":", b"\0", b"\n", b"x"]),
    st.booleans(),
    st.sampled_from([None, 2]),
    st.integers(1, 300),
)
def test_one_damaged_event_of_an_array_hides_none_of_the_others(
    place: int,
    instead: bytes,
    inserted: bool,  # noqa: FBT001  # hypothesis gives it so
    indent: int | None,
    length: int,
) -> None:
    parts = [json.dumps(event(number), indent=indent).encode() for number in range(5)]
    at = place % len(parts[2])
    parts[2] = parts[2][:at] + instead + parts[2][at + (not inserted) :]
    found = told(read(b"[%s]" % b", ".join(parts), length))
    numbers = [each for each in found if isinstance(each, int)]
    assert [each for each in numbers if each != 2] == [0, 1, 3, 4]


@MANY
@given(st.integers(0, 10**6), st.integers(0, 6), junk, st.sampled_from([None, 2]))
def test_an_event_that_is_lost_to_damage_is_told(
    place: int, cut: int, instead: bytes, indent: int | None
) -> None:
    good = json.dumps([event(1), event(2), event(3)], indent=indent).encode()
    at = place % len(good)
    bad = good[:at] + instead + good[at + cut :]
    found = told(read(bad))
    try:
        json.loads(bad.decode("utf-8", "replace"), strict=False)
    except ValueError:
        assert {1, 2, 3} <= {*found} or any(isinstance(each, tuple) for each in found)


# -- how much it takes -------------------------------------------------------------------------

MOST = 2**14
ENDLESS = {
    "good lines": raw(1) + b"\n",
    "one array on one line": raw(1) + b",",
    "a string without end": b"x",
    "NUL bytes": b"\0",
    "cut lines": raw(1)[:99] + b"\n",
    "unclosed lists": b'{"target":[\n',
    "brackets": b"[{",
    "objects of another kind": b'{"a":1},',
}


@pytest.mark.parametrize("begins", [b"", b"[", b'{"data":{"events":['], ids=["", "array", "data"])
@pytest.mark.parametrize("form", ENDLESS)
def test_memory_is_bounded_whatever_comes(
    form: str, begins: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_file, "MOST_BYTES", MOST)
    part = ENDLESS[form] * (2**12 // len(ENDLESS[form]))
    file = LogFile()
    file.feed(begins + (b'"' if form == "a string without end" else b""))
    file.feed(part)
    tracemalloc.start()
    for each in repeat(part, 6 * MOST // len(part)):
        file.feed(each)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * MOST


def test_the_time_grows_with_the_length_and_not_with_its_square() -> None:
    began = process_time()
    for evil in (b'[{"a":' * 4_000, b'{"eventType":' * 2_000, b'x{"a":' * 4_000, b'\\"' * 20_000):
        read(evil)
    assert process_time() - began < 3
