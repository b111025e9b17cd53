"""`hooks audit`: who has what they should not, and what it leads to."""

from __future__ import annotations

from tests.cli.conftest import Desk


def test_x(desk: Desk) -> None:
    ran = desk("audit")
    print(ran.out, ran.err, ran.code)
    ran = desk("audit", "--json", "--last")
    print(ran.out, ran.err, ran.code)
    assert 0
