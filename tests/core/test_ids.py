"""Nothing that could break out of a path or a selector becomes an id."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooks.core.errors import MalformedError
from hooks.core.ids import (
    AccountId,
    DirectoryName,
    Identifier,
    OktaAppId,
    OktaGroupId,
    OktaUserId,
    PushMappingId,
    ScimDirectoryId,
    ScimGroupId,
    ScimUserId,
    Uuid,
)

OKTA = [OktaUserId, OktaGroupId, OktaAppId, PushMappingId]
UUIDS = [Uuid, ScimDirectoryId, ScimUserId, ScimGroupId]
EVERY: list[type[Identifier]] = [*OKTA, *UUIDS, AccountId, DirectoryName]
GOOD: dict[type[Identifier], str] = {
    **dict.fromkeys(OKTA, "00u66lvd7lpjidYi0h7A"),
    **dict.fromkeys(UUIDS, "247b915a-0000-4000-8000-00000000000a"),
    AccountId: "712020:247b915a-0000-4000-8000-00000000000a",
    DirectoryName: "main-2_b",
}
DANGEROUS = set("\"'\\/.% \t\r\n\x00\x1f\x7f?#&;=+,()[]{}<>*|`$^~!@\u00e9\u2028\ud800\U0001d7d8")


@pytest.mark.parametrize("kind", EVERY)
def test_a_good_id_is_the_string_it_was(kind: type[Identifier]) -> None:
    assert kind(GOOD[kind]) == GOOD[kind]
    assert type(kind.maybe(GOOD[kind])) is kind


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize("bad", sorted(DANGEROUS), ids=ascii)
def test_one_dangerous_character_is_enough_to_refuse(kind: type[Identifier], bad: str) -> None:
    good = GOOD[kind]
    for place in (0, 5, len(good) - 1, len(good)):
        for value in (good[:place] + bad + good[place:], good[:place] + bad + good[place + 1 :]):
            assert kind.maybe(value) is None
            with pytest.raises(MalformedError) as caught:
                kind(value)
            assert value not in str(caught.value)


@pytest.mark.parametrize("kind", EVERY)
@given(value=st.one_of(st.text(max_size=40), st.text("09afAF-:_. \"'/%\n", max_size=40)))
def test_no_accepted_id_holds_anything_dangerous(kind: type[Identifier], value: str) -> None:
    if kind.maybe(value) is not None:
        assert DANGEROUS.isdisjoint(value)
        assert value.isascii()
        assert value.isprintable()


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize("value", [None, 7, 1.5, b"00u66lvd7lpjidYi0h7A", [], {}, True, ""])
def test_what_is_no_string_of_the_shape_is_no_id(kind: type[Identifier], value: object) -> None:
    assert kind.maybe(value) is None


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        pytest.param(OktaUserId, "00u66lvd7lpjidYi0h7", id="19 characters"),
        pytest.param(OktaUserId, "00u66lvd7lpjidYi0h7AA", id="21 characters"),
        pytest.param(ScimUserId, "247b915a00004000800000000000000a", id="uuid without hyphens"),
        pytest.param(ScimUserId, "{247b915a-0000-4000-8000-00000000000a}", id="uuid in braces"),
        pytest.param(ScimUserId, "247b915a-0000-4000-8000-00000000000g", id="not hexadecimal"),
        pytest.param(DirectoryName, "Main", id="capital letter"),
        pytest.param(DirectoryName, "-main", id="hyphen first"),
        pytest.param(DirectoryName, "m" * 33, id="33 characters"),
        pytest.param(AccountId, "a" * 129, id="129 characters"),
    ],
)
def test_another_shape_is_refused(kind: type[Identifier], value: str) -> None:
    assert kind.maybe(value) is None


def test_the_selector_that_empties_a_group_is_no_id() -> None:
    with pytest.raises(MalformedError):
        ScimUserId('x" or value ne "y')
