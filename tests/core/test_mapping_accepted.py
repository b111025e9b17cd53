"""An accepted mapping: a renamed target keeps its group, a moved one is matched by its new name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.core.worlds import NAMES, PRESENT, changes, link, look, mapping, target


@pytest.mark.parametrize(
    ("to", "expected"), [(2, ["-team-2"]), (3, [])], ids=["renamed", "moved to a group of no name"]
)
def test_only_a_renamed_target_keeps_its_group(to: int, expected: list[str]) -> None:
    """She is in ``team-2``, and not in the source of its mapping."""
    world = replace(
        PRESENT,
        mappings=(mapping(1), mapping(2, to=to)),
        links=(link(1), replace(link(2), accept=True)),
        names={**NAMES, target(to): "crimson"},
    )
    assert changes(look(world)) == expected
