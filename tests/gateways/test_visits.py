"""A budget far below the need: few people at a time, each to the end, who came first first."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hooks.core.errors import RateLimitedError
from hooks.gateways.crowds import Reason
from hooks.gateways.pace import Lane, Pace, lane
from hooks.gateways.together import Together
from hooks.gateways.visits import Short, Visitor, Visits, hurries, visiting, visitor
from hooks.gateways.windows import Left, Usual
from tests.gateways.scarce import WINDOW, Person, Vendor, play
from tests.gateways.stage import START, Wall

SOON = START + timedelta(seconds=30)


def headers(limit: int, left: int) -> dict[str, str]:
    return {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": str(left),
        "X-RateLimit-Reset": SOON.isoformat(),
    }


async def call(pace: Pace, told: dict[str, str] | None = None, bucket: str = "") -> None:
    async with pace.turn(bucket) as turn:
        turn.learn(200, told or {})


async def until(pace: Pace, bucket: str = "") -> datetime | None:
    """When to come back; None if the call was made."""
    try:
        await call(pace, bucket=bucket)
    except RateLimitedError as error:
        return error.retry_at
    return None


# -- laws --------------------------------------------------------------------------------------


def windows(vendor: Vendor, people: Sequence[Person]) -> float:
    """How many windows the calls fill that everybody needs."""
    return sum(person.calls for person in people) / vendor.limit


vendors = st.builds(
    Vendor,
    limit=st.integers(10, 60),
    counts=st.sampled_from(["key", "endpoint"]),
    says=st.sampled_from(["headers", "retry", "nothing"]),
    latency=st.sampled_from([0.05, 0.3, 1.0]),
)


@settings(max_examples=60)
@given(vendors, st.lists(st.integers(1, 6), min_size=1, max_size=20), st.integers(0, 90))
def test_everybody_gets_through_in_about_the_time_that_the_calls_take(
    vendor: Vendor, groups: list[int], late: int
) -> None:
    """Whatever the vendor counts together, and whatever it tells."""
    people = [
        Person(f"person-{number:02}", each, late * (number % 3))
        for number, each in enumerate(groups)
    ]
    need = windows(vendor, people)
    assert play(vendor, people) <= 2 * late + WINDOW * (3 + 2 * need)


@settings(max_examples=20)
@given(
    limit=st.integers(30, 60),
    says=st.sampled_from(["headers", "retry", "nothing"]),
    number=st.integers(1, 30),
    processes=st.integers(2, 4),
)
def test_so_they_do_while_several_processes_share_the_budget(
    limit: int, says: Any, number: int, processes: int
) -> None:
    vendor = Vendor(limit, "key", says)
    people = [Person(f"person-{each:02}") for each in range(number)]
    need = windows(vendor, people)
    assert play(vendor, people, processes=processes) <= WINDOW * (3 + 3 * need)


@settings(max_examples=15)
@given(
    limit=st.integers(80, 160),
    counts=st.sampled_from(["key", "endpoint"]),
    groups=st.integers(2, 4),
    latency=st.sampled_from([0.05, 0.3]),
)
def test_while_more_wait_than_fit_the_window_is_used_and_nobody_is_refused(
    limit: int, counts: Any, groups: int, latency: float
) -> None:
    vendor = Vendor(limit, counts, "headers", latency)
    people = [Person(f"person-{each:03}", groups) for each in range(2 * limit)]
    play(vendor, people)
    counted: Counter[int] = Counter()
    for (_, minute), calls in vendor.spent.items():
        counted[minute] = max(counted[minute], calls)
    minutes = sorted(counted)
    need = {each: sum(counted[later] for later in minutes if later >= each) for each in minutes}
    full = [each for each in minutes[1:] if need[each] >= 2 * limit]
    assert full
    assert min(counted[each] for each in full) >= 0.9 * limit
    assert sum(max(0, calls - limit) for calls in vendor.spent.values()) <= 0.01 * vendor.calls


@settings(max_examples=40)
@given(
    spare=st.integers(0, 10),
    groups=st.integers(1, 8),
    number=st.integers(1, 15),
    says=st.sampled_from(["headers", "retry"]),
)
@example(spare=6, groups=4, number=4, says="headers")  # looks are not alike
def test_where_one_fits_into_a_window_one_gets_through_in_each(
    spare: int, groups: int, number: int, says: Any
) -> None:
    people = [Person(f"person-{each:02}", groups) for each in range(number)]
    vendor = Vendor(people[0].calls + spare, "key", says)
    play(vendor, people)
    begins = START.timestamp() % WINDOW
    done = Counter(int((person.done or 0) + begins) // WINDOW for person in people)
    last = max(done)
    assert [window for window in range(1, last) if not done[window]] == []


async def test_whoever_needs_more_than_a_window_has_gets_through_as_well() -> None:
    people = [Person(f"person-{each:02}", 12) for each in range(4)]
    seconds = await asyncio.to_thread(play, Vendor(9), people)
    assert seconds <= WINDOW * 4 * 4  # in two windows what is possible, and some proofs again


@pytest.mark.parametrize("says", ["headers", "retry", "nothing"])
async def test_those_who_came_first_are_not_overtaken_for_long(says: Any) -> None:
    """Ten come in a minute, and six get through; so the last waits for minutes, as do all."""
    people = [Person(f"person-{each:02}", arrives=each * 6.0) for each in range(60)]
    await asyncio.to_thread(play, Vendor(30, "key", says), people)
    backlog = max(person.waited for person in people)
    assert backlog <= WINDOW * 8  # 60 of them take ten minutes, and come in six
    for one in people:
        sooner = [each for each in people if (each.done or 0) < (one.done or 0)]
        assert max((each.arrives for each in sooner), default=0) - one.arrives <= 5 * WINDOW


# -- one decision ------------------------------------------------------------------------------


class Room:
    """Some who wish to call a vendor that has so many calls left until SOON."""

    def __init__(self, left: float | None) -> None:
        self.left = left
        self.usual = Usual()
        self.visits = Visits(self.usual)
        self.people: dict[str, Visitor] = {}

    def who(self, name: str) -> Visitor:
        since = START + timedelta(seconds=ord(name[0]))
        return self.people.setdefault(name, Visitor(name, since))

    def lacks(
        self,
        name: str,
        *,
        bulk: bool = False,
        now: datetime = START,
        due: datetime | None = None,
    ) -> Short | None:
        left = {"": some} if (some := self._left()) else {}
        lack = self.visits.lacks(self.who(name), left, now=now, ends=SOON, due=due, bulk=bulk)
        return lack.short if lack else None

    def _left(self) -> Left | None:
        usual = self.usual.calls("")
        return None if self.left is None else Left(100, self.left, usual, self.left, usual, kept=5)

    def enter(self, *names: str) -> None:
        for name in names:
            self.visits.enter(self.who(name), "", bulk=False)

    def leave(self, name: str) -> None:
        who = self.people.pop(name)
        for leave in who.leaving:
            leave()

    def wait(self, name: str, seconds: float, *, bulk: bool = False) -> None:
        self.visits.turn_away(self.who(name), START + timedelta(seconds=seconds), START, bulk=bulk)
        self.leave(name)


def test_whoever_is_in_leaves_what_those_before_them_need() -> None:
    room = Room(100)
    room.enter("a", "b", "c")
    room.left = 2  # two for each is usual, and each has made one
    assert [room.lacks(each) for each in "abc"] == [None, None, Short.WINDOW]
    room.leave("a")
    assert [room.lacks(each) for each in "bc"] == [None, None]
    room.left = 0
    assert room.lacks("b") is Short.WINDOW


def test_a_crowd_that_is_in_is_not_before_whoever_comes_alone() -> None:
    room, crowd = Room(100), Reason()
    for number in range(30):
        crowd.note(str(number), START)
    for name in "abc":
        room.who(name).reason = crowd
    room.enter("a", "b", "c")
    room.left = 1
    assert room.lacks("d") is None
    room.enter("d")
    assert [room.lacks(each) for each in "abcd"] == [Short.WINDOW] * 3 + [None]


def test_nobody_is_let_in_whose_calls_are_not_there() -> None:
    room = Room(3)
    room.enter("a", "b")
    assert room.lacks("c") is Short.MOMENT  # two are for those two, who may need less
    room.left = 4
    assert room.lacks("c") is None
    room.left = 1
    assert room.lacks("c") is Short.WINDOW
    room.leave("a")
    room.leave("b")
    assert room.lacks("c") is None  # who is the only one may try


def test_bulk_work_is_not_let_in_below_the_floor() -> None:
    room = Room(5)
    assert (room.lacks("a", bulk=True), room.lacks("a")) == (Short.WINDOW, None)


def test_nobody_goes_before_those_who_are_due_and_came_first() -> None:
    room = Room(3)  # two for each is usual
    room.wait("b", 20)
    assert room.lacks("c") is Short.TURN
    assert room.lacks("a") is None  # came before
    assert room.lacks("b") is None  # they themselves
    room.wait("b", 40)
    assert room.lacks("c") is None  # they come in another window
    room.wait("b", 20)
    room.left = 4
    assert room.lacks("c") is None  # there is enough for both


def test_where_nobody_says_what_is_left_there_may_not_be_enough_for_both() -> None:
    room = Room(None)
    room.wait("b", 20)
    assert room.lacks("c") is Short.TURN


def test_whoever_waited_for_their_time_goes() -> None:
    """In the same look: a wait that short is no reason to leave."""
    room = Room(3)
    room.wait("b", 20)
    assert room.lacks("c") is Short.TURN
    assert room.lacks("c", due=START) is None


def test_whose_time_has_come_goes_whoever_is_late() -> None:
    room = Room(3)
    room.wait("b", 10)
    room.wait("c", 20)
    assert room.lacks("c", now=START + timedelta(seconds=19)) is Short.TURN
    assert room.lacks("c", now=START + timedelta(seconds=20)) is None


def test_urgent_goes_before_bulk_and_stays_urgent() -> None:
    room = Room(8)
    room.wait("a", 10, bulk=True)
    room.wait("b", 10)
    assert room.lacks("c", bulk=True) is Short.TURN
    assert room.lacks("b", bulk=True) is None  # a second try is bulk work in the line
    assert room.lacks("a", bulk=True) is Short.TURN
    room.left = 5
    assert room.lacks("b", bulk=True) is None


def test_times_are_given_in_the_order_in_which_they_came() -> None:
    room, step = Room(0), timedelta(seconds=12)
    given = {}
    for name in "acb":
        given[name] = room.visits.later(room.who(name), SOON, step, bulk=False)
        room.visits.turn_away(room.who(name), given[name], START, bulk=False)
    assert given == {"a": SOON, "b": SOON + step, "c": SOON + step}
    assert room.visits.later(room.who("c"), SOON, step, bulk=False) == SOON + 2 * step


def test_whoever_does_not_come_back_is_not_waited_for() -> None:
    room = Room(100)
    room.wait("a", 10)
    later = START + timedelta(seconds=71)
    room.visits.turn_away(room.who("b"), later, later, bulk=False)
    assert room.visits.snapshot()["waiting"] == 1


def test_after_somebody_was_cut_short_one_at_a_time_until_looks_end_well() -> None:
    room = Room(None)
    room.enter("a", "b", "c")
    room.visits.turn_away(room.who("c"), SOON, START, bulk=False)
    assert [room.lacks(each) for each in "abd"] == [None, Short.MOMENT, Short.MOMENT]
    for name in "cba":
        room.leave(name)
    # Two of them ended well: three at once again.
    room.enter("d", "e")
    assert room.lacks("c", now=SOON) is None
    room.enter("f")
    assert room.lacks("c", now=SOON) is Short.MOMENT


def test_what_is_usual_is_learnt_from_whole_looks() -> None:
    room = Room(None)
    for _ in range(20):
        room.enter("a", "a", "a", "a", "a", "a")
        room.leave("a")
    assert 5.9 < room.usual.calls("") < 6
    room.enter("b")
    room.visits.turn_away(room.who("b"), SOON, START, bulk=False)
    room.leave("b")
    assert 5.9 < room.usual.calls("") < 6


# -- through the pace --------------------------------------------------------------------------


async def test_a_look_goes_on_below_the_floor_that_it_came_in_above(wall: Wall) -> None:
    pace = Pace("vendor", wall.clock)
    lane.set(Lane.BULK)
    with visiting("a", START):
        await call(pace, headers(100, 27))
        for _ in range(20):
            assert await until(pace) is None
    assert await until(pace) == SOON


async def test_a_look_that_was_turned_away_is_not_let_in_by_another_door(wall: Wall) -> None:
    pace = Pace("vendor", wall.clock)
    await call(pace, headers(100, 0), bucket="users")
    with visiting("a", START):
        assert await until(pace, "users") == SOON
        assert await until(pace, "groups") == SOON
    with visiting("a", START):
        assert await until(pace, "groups") is None


async def test_what_is_nobodys_in_particular_waits_for_nobody(wall: Wall) -> None:
    """A change that several wait for, or a read that they share."""
    pace = Pace("vendor", wall.clock)
    with visiting("a", START):
        await call(pace, headers(100, 1))
        with visiting("b", START):
            assert await until(pace) is not None
        await asyncio.create_task(nobodys(pace))


async def test_a_look_that_ends_before_its_call_is_made_keeps_nobody_out(wall: Wall) -> None:
    """Its reads go on when one of them has failed, and so does a read that others share."""
    pace = Pace("vendor", wall.clock, most=1)
    async with pace.turn() as turn:
        turn.learn(200, headers(100, 2))
        with visiting("a", START):
            waiting = asyncio.create_task(call(pace, headers(100, 1)))
            await asyncio.sleep(0)
    await waiting
    with visiting("b", START):
        assert await until(pace) is None


async def nobodys(pace: Pace) -> None:
    visitor.set(None)
    assert await until(pace) is None


async def test_the_next_window_is_taken_to_be_as_large_as_the_last(wall: Wall) -> None:
    pace = Pace("vendor", wall.clock)
    await call(pace, headers(2, 0))
    wall.forward(30)
    async with pace.turn(), pace.turn():
        assert await until(pace) == wall.at + timedelta(seconds=1)  # nobody has told of more
    assert await until(pace) is None


async def test_a_window_nobody_tells_of_any_more_is_no_limit(wall: Wall) -> None:
    pace = Pace("vendor", wall.clock)
    await call(pace, headers(2, 0))
    wall.forward(30)
    assert [await until(pace) for _ in range(9)] == [None] * 9


async def test_the_times_of_those_turned_away_are_as_far_apart_as_looks_take(wall: Wall) -> None:
    pace = Pace("vendor", wall.clock)
    await call(pace, headers(6, 0))
    given = []
    for name in "abc":
        with visiting(name, START + timedelta(seconds=ord(name))):
            given.append(await until(pace))
    third = timedelta(seconds=10)  # two of six calls are usual, so three looks in 30 seconds
    assert given == [SOON, SOON + third, SOON + 2 * third]


async def test_a_shared_read_that_was_turned_away_is_made_by_whoever_is_in(wall: Wall) -> None:
    pace, together, gate = Pace("vendor", wall.clock), Together(), asyncio.Event()

    async def read() -> str:
        await call(pace)
        return "here"

    async def of_somebody_else() -> str:
        with visiting("out", SOON):
            return await together.read("app", read)

    before = asyncio.create_task(together.read("app", gate.wait))
    with visiting("in", START):
        await call(pace, headers(100, 1))
        away = asyncio.create_task(of_somebody_else())  # begins the next one, for both
        await asyncio.sleep(0)
        gate.set()
        assert await together.read("app", read) == "here"
    with pytest.raises(RateLimitedError):
        await away
    assert await before


async def test_whoever_is_let_in_waits_for_no_read_of_whoever_is_not(wall: Wall) -> None:
    pace = Pace("vendor", wall.clock, vital=True)
    together, never = Together(), asyncio.Event()

    async def read() -> str:
        await call(pace)
        return "here"

    with visiting("out", START):
        stuck = asyncio.create_task(together.read("app", never.wait))
        await asyncio.sleep(0)
    with visiting("in", START):
        await call(pace)
        assert await asyncio.wait_for(together.read("app", read), 1) == "here"
    stuck.cancel()


# -- where several vendors, or windows, are needed ----------------------------------------------


async def test_a_look_the_first_vendor_does_not_let_in_spends_nothing_elsewhere(wall: Wall) -> None:
    first = Pace("first", wall.clock, vital=True)
    second = Pace("second", wall.clock)
    await call(first, headers(100, 0))
    with visiting("a", START):
        assert await until(first) == SOON
        assert await until(second) == SOON
    assert second.snapshot()["looks"]["waiting"] == 0  # nobody yields there to who cannot come
    with visiting("b", START):
        assert await until(second) is None  # whoever needs only that


async def test_a_look_that_is_cut_short_goes_on_with_the_other_vendor(wall: Wall) -> None:
    """What it may write already, it writes."""
    first = Pace("first", wall.clock, vital=True)
    second = Pace("second", wall.clock)
    with visiting("a", START):
        await call(first, headers(100, 0))
        assert await until(first) is not None
        assert await until(second) is None


def test_nobody_yields_for_long_to_whose_time_has_come() -> None:
    """They may be waiting for another vendor."""
    room = Room(3)
    room.wait("a", 10)
    assert room.lacks("b", now=START + timedelta(seconds=19)) is Short.TURN
    assert room.lacks("b", now=START + timedelta(seconds=20)) is None


async def test_whoever_comes_for_nothing_comes_back_when_all_they_need_is_there(wall: Wall) -> None:
    """Not in a moment, because the first of their calls could be made then."""
    pace = Pace("vendor", wall.clock)
    for name, apps in (("first", 2), ("second", 0)):
        with visiting(name, START):
            await call(pace, headers(100, 50), bucket="users")
            await call(pace, headers(100, apps), bucket="apps")
    with visiting("late", START + timedelta(seconds=1)):
        assert await until(pace, "users") == SOON


async def test_a_crowd_for_one_reason_leaves_some_to_who_comes_for_another(wall: Wall) -> None:
    pace, left = Pace("vendor", wall.clock), 100
    unassigned, deactivated = Reason(), Reason()
    came = 0
    for number in range(99):
        unassigned.note(f"crowd-{number:02}", START)
        with visiting(f"crowd-{number:02}", START, unassigned):
            left -= 1
            try:
                await call(pace, headers(100, left))
                came += 1
            except RateLimitedError:
                assert not hurries()
    assert 70 < came < 80
    with visiting("leaver", START + timedelta(seconds=1), deactivated):
        assert await until(pace) is None
        await call(pace, headers(100, 0))
    with visiting("another", START + timedelta(seconds=2), deactivated):
        assert await until(pace) == SOON
        assert hurries()
    lane.set(Lane.BULK)
    with visiting("audited", START - timedelta(days=1)):  # before the crowd goes no bulk work
        bulk = await until(pace)
    with visiting("crowd-98", START, unassigned):
        crowd = await until(pace)
    assert bulk
    assert crowd
    assert crowd < bulk


async def test_times_are_as_far_apart_as_looks_cost_whatever_is_counted_together(
    wall: Wall,
) -> None:
    """Here two calls of each look are counted that we do not know to be the same window's."""
    pace = Pace("vendor", wall.clock)
    left = 60
    for number in range(15):
        with visiting(f"in-{number}", START):
            for bucket in ("groups", "links", "apps", "users"):
                left -= 1
                await call(pace, headers(60, left), bucket=bucket)
    given = []
    for name in "abc":
        with visiting(name, START + timedelta(seconds=ord(name))):
            at = await until(pace, "users")
            assert at is not None
            given.append(at)
    look = timedelta(seconds=2)  # four of sixty calls in thirty seconds
    assert [each - given[0] for each in given] == [
        0 * look,
        pytest.approx(look, abs=look / 5),
        pytest.approx(2 * look, abs=look / 5),
    ]
