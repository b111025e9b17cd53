"""Who is back after an absence, since when, and until when. Design 3.3."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from hooks.core.asks import Asking, AskLog
from hooks.core.history import LogFacts, Logged, Moment
from hooks.core.membership import Action, Standing, State
from hooks.core.memory import Claim, Claimed, Memory, PastStep
from hooks.core.reading import MISSING, Answer, Reading
from hooks.core.refusal import Cause
from hooks.core.returning import (
    LATE,
    Back,
    Standed,
    Undecided,
    after,
    back,
    best,
    derived,
)
from tests.core.worlds import (
    APP,
    DOWN,
    FORBIDDEN,
    NOW,
    PRESENT,
    app_id,
    beside,
    local_id,
    logged,
    reading,
)

OTHER = app_id(2)
HERE = frozenset({APP})
BRIEF = timedelta(hours=1)
SAID = Claimed("1", Claim.ACTIVE, "", NOW, NOW)
RETURNS = Back(Standing.RETURNING, forfeits=True)
STAYS = Back(Standing.PRESENT)
#: Present, though what was taken in an absence that does not count is not given back for it.
STAYS_FORFEITING = Back(Standing.PRESENT, forfeits=True)
WAITS = Undecided(Cause.HISTORY_LATE)


def ago(hours: float) -> datetime:
    return NOW - timedelta(hours=hours)


def remembered(standing: Standing | None, seen: float = 2) -> Memory:
    """Settled so ``seen`` hours ago, and since then absent if at all."""
    if standing is None:
        return Memory()
    since = ago(seen) if standing.absent else None
    return Memory(standing=standing, standing_at=ago(seen), absent_since=since)


def seen(
    log: Answer | None = None,
    *claims: Claimed,
    watched: float | None = None,
    history: LogFacts | None = None,
) -> Reading:
    world = replace(
        PRESENT,
        claims=claims,
        watched_since=None if watched is None else ago(watched),
        history=history or LogFacts(),
    )
    return reading(world, answers={} if log is None else {AskLog(): log})


def judged(
    memory: Memory,
    log: Answer | None = None,
    *claims: Claimed,
    watched: float | None = None,
    history: LogFacts | None = None,
) -> Back | Undecided | Asking:
    found = seen(log, *claims, watched=watched, history=history)
    return back(found, memory, HERE, HERE, BRIEF)


def unassigned(began: float, ended: float | None = None) -> LogFacts:
    """The log of an absence by unassignment, in hours ago."""
    return logged(unassigned=ago(began), assigned=None if ended is None else ago(ended))


def deactivated(began: float, ended: float | None = None) -> LogFacts:
    return logged(deactivated=ago(began), activated=None if ended is None else ago(ended))


PRESENT_BEFORE = remembered(Standing.PRESENT, 200)
#: Since when we wait, if it is long enough.
LONG_WAITED = NOW - LATE
#: The log has had its time to show whatever an event said.
SETTLED_BEFORE = replace(PRESENT_BEFORE, late_since=LONG_WAITED)


# -- the log is not asked ----------------------------------------------------------------------


def test_whoever_returns_goes_on_returning() -> None:
    memory = replace(remembered(Standing.RETURNING), returned=ago(1))
    for watched in (None, 2):
        assert judged(memory, watched=watched) == Back(Standing.RETURNING)
    assert judged(replace(memory, returned=None), watched=2) == Back(Standing.RETURNING)


def test_a_return_that_began_while_we_only_observed_is_over_and_forfeits() -> None:
    memory = replace(remembered(Standing.RETURNING), returned=ago(3))
    assert judged(memory, watched=2) == STAYS_FORFEITING


def test_whom_we_saw_deactivated_returns() -> None:
    assert judged(remembered(Standing.LEFT)) == RETURNS
    assert judged(remembered(Standing.LEFT, 0.01), watched=1) == RETURNS, "however short"
    assert judged(remembered(Standing.LEFT), watched=1) == Asking(frozenset({AskLog()}))


@pytest.mark.parametrize(
    "standing", [None, Standing.PRESENT, Standing.SUSPENDED, Standing.OUTSIDE, Standing.UNCLEAR]
)
def test_whom_nothing_stirs_is_present(standing: Standing | None) -> None:
    assert judged(remembered(standing)) == STAYS
    for claim in (Claim.SUSPENDED, Claim.JOINED, Claim.LEFT, Claim.UNASSIGNED):
        assert judged(remembered(standing), None, replace(SAID, claim=claim, about=APP)) == STAYS


# -- the log is asked --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("memory", "claims", "history"),
    [
        pytest.param(remembered(Standing.UNASSIGNED), (), None, id="we saw them unassigned"),
        pytest.param(PRESENT_BEFORE, (SAID,), None, id="said to be active"),
        pytest.param(
            PRESENT_BEFORE,
            (replace(SAID, claim=Claim.ASSIGNED, about=APP),),
            None,
            id="said to be assigned",
        ),
        pytest.param(
            replace(PRESENT_BEFORE, late_since=ago(1)), (), None, id="we wait for the log"
        ),
        pytest.param(
            remembered(None), (), deactivated(9), id="away at the first start, as the log said then"
        ),
    ],
)
def test_the_log_is_asked_once_when_there_is_a_reason(
    memory: Memory, claims: tuple[Claimed, ...], history: LogFacts | None
) -> None:
    assert judged(memory, None, *claims, history=history) == Asking(frozenset({AskLog()}))
    for unread in (DOWN, FORBIDDEN):
        found = judged(memory, unread, *claims, history=history)
        assert found == Undecided(Cause.HISTORY_UNREAD, unread)
    odd = judged(memory, MISSING, *claims, history=history)
    assert isinstance(odd, Undecided)
    assert odd.cause is Cause.HISTORY_UNREAD


@pytest.mark.parametrize(
    "history",
    [
        pytest.param(deactivated(9, 8), id="over at the first start"),
        pytest.param(LogFacts(), id="nothing in the history"),
    ],
)
def test_history_that_is_over_makes_nobody_ask(history: LogFacts) -> None:
    assert judged(remembered(None), history=history) == STAYS
    assert judged(PRESENT_BEFORE, history=deactivated(300)) == STAYS, "and we saw them since"


def test_an_assignment_to_an_app_that_is_not_ours_asks_nothing() -> None:
    elsewhere = replace(SAID, claim=Claim.ASSIGNED, about=OTHER)
    assert judged(PRESENT_BEFORE, None, elsewhere) == STAYS
    found = back(seen(None, elsewhere), PRESENT_BEFORE, HERE, HERE | {OTHER}, BRIEF)
    assert found == Asking(frozenset({AskLog()}))


# -- what the log tells of somebody we did not see away ----------------------------------------


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        pytest.param(LogFacts(), STAYS, id="nothing"),
        pytest.param(deactivated(9, 8), RETURNS, id="a deactivation"),
        pytest.param(deactivated(0.2, 0.1), RETURNS, id="a deactivation, however brief"),
        pytest.param(unassigned(9, 7), RETURNS, id="a long unassignment"),
        pytest.param(unassigned(9, 8.5), STAYS, id="a brief one"),
        pytest.param(unassigned(9, 8), RETURNS, id="one of exactly that length"),
        pytest.param(
            unassigned(9, 8.5) | deactivated(8.9, 8.8), RETURNS, id="a deactivation inside"
        ),
        pytest.param(
            unassigned(9, 7) | unassigned(5, 4.9), RETURNS, id="a long one before a brief one"
        ),
        pytest.param(unassigned(9, 8.9) | unassigned(5, 4.9), STAYS, id="two brief ones"),
    ],
)
def test_an_absence_that_ended(log: LogFacts, expected: Back) -> None:
    assert judged(SETTLED_BEFORE, log, SAID) == expected
    assert judged(replace(remembered(None), late_since=LONG_WAITED), log, SAID) == expected


LONG = deactivated(9, 8)


def test_an_absence_over_before_we_watched_has_no_consequence() -> None:
    assert judged(SETTLED_BEFORE, LONG, SAID, watched=7) == STAYS
    assert judged(SETTLED_BEFORE, LONG, SAID, watched=8) == STAYS
    assert judged(SETTLED_BEFORE, LONG, SAID, watched=8.5) == RETURNS


def test_an_absence_counts_once() -> None:
    counted = replace(SETTLED_BEFORE, accounted=ago(7))
    assert judged(counted, LONG, SAID) == STAYS
    assert judged(counted, LONG | deactivated(3, 2), SAID) == RETURNS, "another one"
    assert judged(replace(counted, accounted=ago(9.5)), LONG, SAID) == RETURNS


def test_an_unassignment_without_an_end_that_began_just_now_is_brief() -> None:
    assert judged(SETTLED_BEFORE, unassigned(0.5), SAID) == STAYS


@pytest.mark.parametrize("log", [unassigned(3), deactivated(0.1)])
def test_a_log_that_does_not_show_the_end_is_waited_for_and_then_believed(log: LogFacts) -> None:
    def waiting(how_long: timedelta) -> Memory:
        return replace(PRESENT_BEFORE, late_since=NOW - how_long)

    assert judged(PRESENT_BEFORE, log, SAID) == WAITS
    almost = waiting(LATE - timedelta(seconds=1))
    assert judged(almost, log) == WAITS
    assert judged(waiting(LATE), log) == RETURNS


def test_a_log_that_shows_the_end_late_tells_how_long_it_was() -> None:
    assert judged(SETTLED_BEFORE, unassigned(3, 2.5)) == STAYS
    waiting = replace(PRESENT_BEFORE, late_since=ago(0.1))
    assert judged(waiting, unassigned(0.9, 0.1)) == STAYS
    assert judged(waiting, unassigned(3, 0.1)) == RETURNS


def test_whom_we_saw_present_since_did_not_return_now() -> None:
    """The log lost the end of an absence; we looked meanwhile, and they were there."""
    memory = replace(remembered(Standing.PRESENT, 2), late_since=LONG_WAITED)
    assert judged(memory, unassigned(3)) == STAYS
    assert judged(memory, unassigned(1.5)) == RETURNS


def test_an_open_absence_in_the_history_of_the_first_start_is_over_since_before_it() -> None:
    """They are in force now, it began before we watched, and nobody knows when it ended."""
    fresh = remembered(None)
    late = replace(fresh, late_since=NOW - LATE)
    history = unassigned(9)
    assert judged(fresh, LogFacts(), watched=5, history=history) == WAITS
    assert judged(late, LogFacts(), watched=5, history=history) == STAYS
    assert judged(late, unassigned(9, 6), watched=5, history=history) == STAYS
    assert judged(late, unassigned(9, 4), watched=5, history=history) == RETURNS


def test_an_absence_that_was_accounted_for_and_has_no_end_does_not_count_again() -> None:
    memory = replace(SETTLED_BEFORE, accounted=ago(2))
    assert judged(memory, unassigned(3)) == STAYS


# -- what the log tells of somebody we saw away ------------------------------------------------


def test_an_unassignment_that_was_brief_by_the_log_is_none() -> None:
    memory = remembered(Standing.UNASSIGNED, 9)
    assert judged(memory, unassigned(9.1, 8.5)) == STAYS
    assert judged(memory, unassigned(9.1, 8.5) | deactivated(8.9, 8.8)) == RETURNS
    assert judged(memory, unassigned(9.1, 7)) == RETURNS


def test_where_the_log_shows_no_end_our_own_readings_count() -> None:
    for log in (LogFacts(), unassigned(0.6)):
        assert judged(remembered(Standing.UNASSIGNED, 0.5), log) == STAYS
    long = replace(remembered(Standing.UNASSIGNED, 1), late_since=LONG_WAITED)
    for log in (LogFacts(), unassigned(1.2)):
        assert judged(long, log) == RETURNS
    assert judged(remembered(Standing.UNASSIGNED, 0.5), deactivated(0.6)) == RETURNS


def test_seen_away_without_an_instant_counts_from_the_settled_look() -> None:
    memory = replace(remembered(Standing.UNASSIGNED, 0.5), absent_since=None)
    assert judged(memory, LogFacts()) == STAYS
    memory = replace(remembered(Standing.UNASSIGNED, 3), absent_since=None)
    assert judged(replace(memory, late_since=LONG_WAITED), LogFacts()) == RETURNS
    assert judged(Memory(standing=Standing.UNASSIGNED), LogFacts()) == STAYS, "as if just now"


@pytest.mark.parametrize("standing", [Standing.UNASSIGNED, Standing.LEFT])
def test_an_absence_seen_and_ended_while_we_only_observed_has_no_consequence(
    standing: Standing,
) -> None:
    memory = remembered(standing, 9)
    assert judged(memory, deactivated(9.1, 8), watched=5) == STAYS_FORFEITING
    assert judged(memory, unassigned(9.1, 8), watched=5) == STAYS_FORFEITING


@pytest.mark.parametrize("standing", [Standing.UNASSIGNED, Standing.LEFT])
def test_an_absence_seen_while_we_only_observed_and_ended_since_counts(standing: Standing) -> None:
    assert judged(remembered(standing, 9), deactivated(9.1, 4), watched=5) == RETURNS


@pytest.mark.parametrize("standing", [Standing.UNASSIGNED, Standing.LEFT])
def test_an_absence_seen_while_we_only_observed_that_ends_nobody_knows_when(
    standing: Standing,
) -> None:
    memory = remembered(standing, 9)
    assert judged(memory, LogFacts(), watched=5) == WAITS
    late = replace(memory, late_since=LONG_WAITED)
    assert judged(late, LogFacts(), watched=5) == STAYS_FORFEITING


def test_a_reading_that_lagged_behind_the_end_does_not_make_a_brief_absence_long() -> None:
    """Away for a minute; our reading of it came a second late, and the next one hours after."""
    second = 1 / 3600
    assert judged(remembered(Standing.UNASSIGNED, 5), unassigned(5 + 1 / 60, 5 + second)) == STAYS


def test_a_brief_absence_whose_end_the_log_shows_late_is_waited_for() -> None:
    """Away for 55 minutes; seven minutes later we look, and the log is ten behind."""
    minute = 1 / 60
    assert judged(remembered(Standing.UNASSIGNED, 62 * minute), unassigned(62 * minute)) == WAITS


def test_a_deactivation_we_saw_ourselves_lies_inside_though_the_log_is_silent() -> None:
    gone = Memory(standing=Standing.LEFT, standing_at=ago(0.5), absent_since=ago(0.5))
    found = after(gone, Standing.UNASSIGNED, quiet=True, now=ago(0.2))
    memory = Memory(standing=found.standing, standing_at=ago(0.2), absent_since=found.absent_since)
    assert judged(memory, LogFacts()) == RETURNS


# -- apps --------------------------------------------------------------------------------------


def test_only_apps_they_are_in_or_the_log_speaks_of_count() -> None:
    """In force in the second; the log speaks of the first only, out of which they moved."""
    moved = LogFacts.of([Moment(ago(9), Logged.UNASSIGNED, APP)])
    both = frozenset({APP, OTHER})
    found = back(seen(moved, SAID), SETTLED_BEFORE, frozenset({OTHER}), both, BRIEF)
    assert found == STAYS
    gap = moved | LogFacts.of([Moment(ago(7), Logged.ASSIGNED, OTHER)])
    found = back(seen(gap, SAID), SETTLED_BEFORE, frozenset({OTHER}), both, BRIEF)
    assert found == RETURNS
    silent = LogFacts.of([Moment(ago(9), Logged.UNASSIGNED, app_id(3))]) | deactivated(2, 1)
    found = back(seen(silent, SAID), SETTLED_BEFORE, HERE, HERE, BRIEF)
    assert found == RETURNS


# -- what a look leaves ------------------------------------------------------------------------


def left_by(
    memory: Memory, standing: Standing, *, quiet: bool = True, forfeits: bool = False
) -> Standed:
    return after(memory, standing, quiet=quiet, now=NOW, forfeits=forfeits)


RETURNING = Memory(
    standing=Standing.RETURNING, standing_at=ago(1), absent_since=ago(9), returned=ago(2)
)


def test_a_return_ends_when_two_later_looks_agree() -> None:
    away = Memory(standing=Standing.LEFT, standing_at=ago(9), absent_since=ago(9))
    first = left_by(away, Standing.RETURNING, forfeits=True)
    assert first == Standed(Standing.RETURNING, 0, ago(9), NOW)
    second = left_by(RETURNING, Standing.RETURNING)
    assert second == Standed(Standing.RETURNING, 1, ago(9), ago(2))
    third = left_by(replace(RETURNING, agreed=1), Standing.RETURNING)
    assert third == Standed(Standing.PRESENT, 2, ago(9), ago(2), accounted=ago(2))


def test_a_look_that_had_something_to_do_begins_the_counting_anew() -> None:
    busy = left_by(replace(RETURNING, agreed=1), Standing.RETURNING, quiet=False)
    assert busy == Standed(Standing.RETURNING, 0, ago(9), ago(2))


def test_a_return_without_an_instant_begins_now() -> None:
    found = left_by(replace(RETURNING, returned=None), Standing.RETURNING)
    assert found.returned == NOW


@pytest.mark.parametrize("was", [Standing.LEFT, Standing.UNASSIGNED, Standing.RETURNING])
@pytest.mark.parametrize("now", [Standing.SUSPENDED, Standing.OUTSIDE, Standing.UNCLEAR])
def test_a_standing_that_proves_nothing_keeps_the_proof_of_an_absence(
    was: Standing, now: Standing
) -> None:
    memory = replace(RETURNING, standing=was, agreed=1, accounted=ago(20))
    assert left_by(memory, now) == Standed(None, 1, ago(9), ago(2), ago(20))


@pytest.mark.parametrize("was", [None, Standing.PRESENT, Standing.SUSPENDED, Standing.OUTSIDE])
@pytest.mark.parametrize("now", [Standing.SUSPENDED, Standing.OUTSIDE, Standing.PRESENT])
def test_without_such_a_proof_every_clear_standing_is_remembered(
    was: Standing | None, now: Standing
) -> None:
    assert left_by(Memory(standing=was), now) == Standed(now)
    assert left_by(Memory(standing=was), Standing.UNCLEAR).standing is None


def test_an_absence_is_as_old_as_its_first_reading() -> None:
    first = left_by(PRESENT_BEFORE, Standing.UNASSIGNED)
    assert first == Standed(Standing.UNASSIGNED, absent_since=NOW)
    seen_before = remembered(Standing.UNASSIGNED, 5)
    for standing in (Standing.UNASSIGNED, Standing.LEFT):
        assert left_by(seen_before, standing) == Standed(standing, absent_since=ago(5))
    assert left_by(RETURNING, Standing.LEFT).absent_since == NOW, "another one"


def test_a_brief_absence_leaves_no_return_and_one_that_forfeits_does() -> None:
    away = remembered(Standing.UNASSIGNED, 0.5)
    brief = left_by(away, Standing.PRESENT)
    assert brief == Standed(Standing.PRESENT, absent_since=ago(0.5))
    assert left_by(away, Standing.PRESENT, forfeits=True).returned == NOW


def test_what_was_accounted_for_stays_so() -> None:
    memory = replace(PRESENT_BEFORE, accounted=ago(20), returned=ago(21))
    for standing in (Standing.PRESENT, Standing.LEFT, Standing.SUSPENDED, Standing.UNCLEAR):
        found = left_by(memory, standing)
        assert (found.accounted, found.returned) == (ago(20), ago(21))
    assert left_by(memory, Standing.RETURNING).accounted == ago(20)


def test_a_return_that_was_only_observed_keeps_its_instant() -> None:
    found = left_by(RETURNING, Standing.PRESENT, forfeits=True)
    assert (found.standing, found.returned) == (Standing.PRESENT, ago(2))


# -- an organization configured later ----------------------------------------------------------


def of_directories(*memories: Memory, local: Memory | None = None) -> Memory:
    first, *others = memories
    worlds = [replace(PRESENT, memory=first, local=local)]
    worlds += [beside(PRESENT, memory=each) for each in others]
    return derived(reading(*worlds))


def test_what_is_remembered_of_the_organization_goes_first() -> None:
    mine = remembered(Standing.SUSPENDED, 7)
    assert of_directories(remembered(Standing.LEFT), local=mine) == mine


@pytest.mark.parametrize(
    ("memories", "expected"),
    [
        pytest.param([Memory()], Memory(), id="nothing is remembered"),
        pytest.param([remembered(Standing.OUTSIDE)], Memory(), id="outside"),
        pytest.param(
            [remembered(Standing.LEFT, 5)], remembered(Standing.LEFT, 5), id="as in the only one"
        ),
        pytest.param(
            [remembered(Standing.LEFT, 5), remembered(Standing.OUTSIDE, 1)],
            Memory(standing=Standing.LEFT, standing_at=ago(1), absent_since=ago(5)),
            id="where they are outside does not count",
        ),
        pytest.param(
            [remembered(Standing.UNASSIGNED, 5), remembered(Standing.PRESENT, 3)],
            Memory(standing=Standing.PRESENT, standing_at=ago(3), absent_since=ago(5)),
            id="the best of both",
        ),
        pytest.param(
            [remembered(Standing.UNASSIGNED, 5), remembered(Standing.LEFT, 3)],
            Memory(standing=Standing.UNASSIGNED, standing_at=ago(3), absent_since=ago(3)),
            id="absent from all only since the last",
        ),
        pytest.param(
            [remembered(Standing.RETURNING, 2)],
            remembered(Standing.PRESENT, 2),
            id="a return to a directory is none to the organization",
        ),
    ],
)
def test_an_organization_configured_later_knows_what_the_directories_show(
    memories: list[Memory], expected: Memory
) -> None:
    assert of_directories(*memories) == expected


def test_what_we_wait_for_and_what_we_took_there_is_kept() -> None:
    step = PastStep(1, Action.REMOVE, local_id(1), State.SETTLED)
    mine = Memory(late_since=ago(1), history=(step,))
    found = of_directories(remembered(Standing.LEFT, 5), local=mine)
    assert (found.standing, found.late_since, found.history) == (
        Standing.LEFT,
        ago(1),
        (step,),
    )
    assert of_directories(Memory(), local=mine) == mine


def test_the_best_standing_counts_and_outside_does_not() -> None:
    order = [
        Standing.PRESENT,
        Standing.RETURNING,
        Standing.UNCLEAR,
        Standing.SUSPENDED,
        Standing.UNASSIGNED,
        Standing.LEFT,
    ]
    for place, each in enumerate(order):
        assert best([Standing.OUTSIDE, *reversed(order[place:])]) is each
    assert best([Standing.OUTSIDE]) is Standing.OUTSIDE
    assert best([]) is Standing.OUTSIDE
