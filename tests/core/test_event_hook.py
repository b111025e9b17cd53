"""Who may call the hook."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooks.core.event_hook import CHALLENGE_HEADER, authorized, verification

OLD, NEW = b"old secret", b"new secret"


@pytest.mark.parametrize(
    ("presented", "secrets", "expected"),
    [
        pytest.param(OLD, [OLD], True, id="the secret"),
        pytest.param(OLD, [OLD, NEW], True, id="the first of two, while they rotate"),
        pytest.param(NEW, [OLD, NEW], True, id="the second of two, while they rotate"),
        pytest.param(b"old secreT", [OLD, NEW], False, id="one letter off"),
        pytest.param(OLD[:-1], [OLD], False, id="a beginning"),
        pytest.param(OLD + b" ", [OLD], False, id="a space more"),
        pytest.param(None, [OLD], False, id="nothing presented"),
        pytest.param(b"", [OLD], False, id="an empty header"),
        pytest.param(OLD, [], False, id="no secret loaded"),
        pytest.param(b"", [], False, id="nothing against nothing"),
        pytest.param(b"", [b""], False, id="an empty secret opens nothing"),
        pytest.param(None, [b"", OLD], False, id="an empty secret beside a real one"),
        pytest.param("höook".encode(), ["höook".encode()], True, id="bytes beyond ASCII"),
        pytest.param(b"\xff\x00", [OLD], False, id="bytes that are no text"),
    ],
)
def test_only_a_live_secret_opens(
    presented: bytes | None, secrets: list[bytes], *, expected: bool
) -> None:
    assert authorized(presented, secrets) is expected


@given(st.binary(), st.lists(st.binary(min_size=1)))
def test_opening_means_being_one_of_the_secrets(presented: bytes, secrets: list[bytes]) -> None:
    assert authorized(presented, secrets) is (presented in secrets)


class Watched(bytes):
    """A secret whose first differing byte would be told by how long ``==`` takes."""

    __hash__ = bytes.__hash__

    def __eq__(self, other: object) -> bool:
        raise AssertionError("compared byte by byte")


def test_no_secret_is_compared_byte_by_byte() -> None:
    assert authorized(OLD, [Watched(OLD)])
    assert not authorized(NEW, [Watched(OLD)])


def test_every_secret_is_compared_whichever_matches() -> None:
    secrets = iter([OLD, NEW])
    assert authorized(OLD, secrets)
    assert list(secrets) == []


def test_the_challenge_comes_back_under_oktas_name() -> None:
    assert verification("a b\u00e9") == {"verification": "a b\u00e9"}
    assert CHALLENGE_HEADER == "x-okta-verification-challenge"
