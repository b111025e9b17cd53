"""What is left of a vendor's budget, as it counts."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from hooks.gateways.rate import Rate
from hooks.gateways.windows import Left, Usual, Windows
from tests.gateways.stage import START

LIMIT = 100
RESET = START + timedelta(seconds=60)


class Spent:
    """Looks that make two calls of ``users`` and one each of two more, and what is told of it."""

    def __init__(self, together: float) -> None:
        usual = Usual()
        for _ in range(30):
            usual.learn(Counter(users=2, groups=1, apps=1))
        self.windows = Windows(usual, own_share=1.0, reserve=0.25)
        self.together = together
        self.counted = 0.0

    def call(self, bucket: str) -> None:
        window = self.windows.begin(bucket)
        self.counted += 1 if bucket == "users" else self.together
        if bucket == "users":
            rate = Rate(limit=LIMIT, remaining=LIMIT - round(self.counted), reset=RESET)
            self.windows.learn(bucket, rate, START)
        window.busy -= 1

    def left(self) -> Left:
        left = self.windows.left("users", START)
        assert left
        return left


@pytest.mark.parametrize(
    ("together", "price"),
    [
        pytest.param(1.0, 4, id="all as one"),
        pytest.param(0.5, 3, id="one of two"),
        pytest.param(0.0, 2, id="each apart"),
    ],
)
def test_a_look_costs_what_the_vendor_counts_of_it(together: float, price: float) -> None:
    spent = Spent(together)
    for bucket in ["users", *["groups", "apps"] * 10, "users"]:
        spent.call(bucket)
    assert spent.left().price == pytest.approx(price, abs=0.1)
    heard = spent.left().counted
    for _ in range(4):
        spent.call("apps")  # of which no answer in the first bucket can know
    assert heard - spent.left().counted == pytest.approx(4 * together, abs=0.3)


def test_until_answers_have_shown_it_a_look_costs_all_its_calls() -> None:
    spent = Spent(0.0)
    spent.call("users")
    assert spent.left().price == pytest.approx(4, abs=0.1)


def test_what_others_had_used_before_is_no_share_of_ours() -> None:
    spent = Spent(0.0)
    spent.counted = 40
    for bucket in ["users", *["groups", "apps"] * 10, "users"]:
        spent.call(bucket)
    assert spent.left().price == pytest.approx(2, abs=0.1)


def test_something_is_kept_to_the_end_but_never_more_than_at_the_begin() -> None:
    spent = Spent(1.0)
    spent.call("users")
    kept = []
    for second in (0, 30, 59):
        left = spent.windows.left("users", START + timedelta(seconds=second))
        assert left
        kept.append(left.kept)
    assert kept == pytest.approx([25, 12.5, 12], abs=0.1)  # three looks of four calls


def test_whoever_needs_more_than_there_ever_is_is_let_in_all_the_same() -> None:
    unused = Left(whole=5, ours=5, usual=5, counted=10, price=12, kept=1.25)
    assert unused.room(kept=True, looks=1)
    assert not unused.room(kept=True, needs=(0.5, 0), looks=1)


def test_what_is_only_reckoned_to_be_spent_is_asked_for() -> None:
    """Calls that others make look as if ours were counted together."""
    spent = Spent(0.0)
    spent.call("users")
    for _ in range(10):
        spent.call("apps")
    spent.counted = 41  # others
    spent.call("users")
    for _ in range(70):
        spent.call("apps")
    assert spent.left().room(kept=False)
    assert not spent.left().room(kept=True)


def test_one_reset_that_is_too_far_is_forgotten() -> None:
    spent = Spent(1.0)
    at = START
    lengths = []
    for wait in (3600, 60, 60, 60, 60, 60, 60):
        rate = Rate(limit=LIMIT, remaining=LIMIT - 1, reset=at + timedelta(seconds=wait))
        window = spent.windows.begin("users")
        spent.windows.learn("users", rate, at)
        window.busy -= 1
        lengths.append(window.length.total_seconds())
        at += timedelta(seconds=wait + 1)
        spent.windows.left("users", at)
    assert lengths == [3600, 1800, 900, 450, 225, 112.5, 60]


def test_what_is_usual_begins_with_the_first_look_and_is_not_moved_far_by_one() -> None:
    usual = Usual()
    usual.learn(Counter(users=1, groups=300))
    assert (usual.calls("users"), usual.calls("groups")) == (1, 4)
    for _ in range(20):
        usual.learn(Counter(users=1, groups=1))
    usual.learn(Counter(users=1, groups=300))
    assert usual.calls("groups") < 1.3
    for _ in range(30):
        usual.learn(Counter(users=1, groups=40))
    assert 35 < usual.calls("groups") < 40
