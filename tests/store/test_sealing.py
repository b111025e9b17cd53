"""What is sealed opens in its own row, with a key that is given, and nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooks.core.errors import UnsealedError
from hooks.store.sealing import Sealer

OLD, NEW = bytes(32), bytes(range(32))


@given(st.binary(max_size=4096), st.text(max_size=64))
def test_what_is_sealed_opens_in_its_row(plain: bytes, row: str) -> None:
    sealer = Sealer([NEW])
    sealed = sealer.seal(plain, row)
    assert sealer.open(sealed, row) == plain
    assert not plain or plain not in sealed or len(plain) < 8


def test_the_same_value_is_never_sealed_alike_twice() -> None:
    sealer = Sealer([NEW])
    assert sealer.seal(b"ann@example.com", "a") != sealer.seal(b"ann@example.com", "a")


def test_a_value_moved_to_another_row_does_not_open() -> None:
    sealer = Sealer([NEW])
    with pytest.raises(UnsealedError, match="belongs to another row"):
        sealer.open(sealer.seal(b"ann@example.com", "a"), "b")


def test_the_newest_key_seals_and_every_given_key_opens() -> None:
    before = Sealer([OLD]).seal(b"then", "row")
    rotated = Sealer([NEW, OLD])
    assert rotated.open(before, "row") == b"then"
    assert Sealer([NEW]).open(rotated.seal(b"now", "row"), "row") == b"now"


def test_without_its_key_a_value_stays_shut_and_the_message_names_the_key() -> None:
    sealed = Sealer([OLD]).seal(b"ann@example.com", "row")
    with pytest.raises(UnsealedError, match=sealed[:4].hex()) as caught:
        Sealer([NEW]).open(sealed, "row")
    assert "ann" not in str(caught.value)


@given(st.data())
def test_no_change_to_a_sealed_value_goes_unnoticed(data: st.DataObject) -> None:
    sealer = Sealer([NEW])
    sealed = bytearray(sealer.seal(b"ann@example.com", "row"))
    place = data.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(UnsealedError):
        sealer.open(bytes(sealed), "row")


@pytest.mark.parametrize("length", [0, 3, 4, 9, 12, 16, 20, 31])
def test_a_value_cut_short_is_a_failure_of_the_store(length: int) -> None:
    sealed = Sealer([NEW]).seal(b"ann@example.com", "row")
    with pytest.raises(UnsealedError):
        Sealer([NEW]).open(sealed[:length], "row")
