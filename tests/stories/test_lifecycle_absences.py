"""Away and back, as events, the log, readings and both vendors tell it: a table of lives."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from tests.running import Time
from tests.stories.pair import (
    ALL,
    BACK,
    CLUB,
    DAY,
    GONE,
    HOUR,
    JIRA,
    LOCAL,
    MINUTE,
    RULES,
    SYNCED,
    WIKI,
    Act,
    Pair,
    Row,
    arrive,
    assigned,
    comes_back,
    joins,
    late,
    leaves,
    lost,
    nudged,
    play,
    quits,
    suspended,
    switched,
    together,
    told,
    unassigned,
    unsuspended,
)

pytestmark = pytest.mark.wide


def empty_log(pair: Pair) -> None:
    """It shows nothing of anybody."""
    pair.world.fault("okta", "GET", "/logs", empty_list=True)


def forbidden_log(pair: Pair) -> None:
    pair.world.fault("okta", "GET", "/logs", status=403)


def both(*acts: Act) -> Act:
    """One after the other, a minute apart."""
    return together(*acts, apart=MINUTE)


def first_days() -> list[Row]:
    """The first deployment: what was before it is not known, and takes nothing."""
    rows = []
    for says, log in (("an empty", empty_log), ("a forbidden", forbidden_log)):
        forbidden = log is forbidden_log
        unread = {"history_unread"} if forbidden else set()
        rows += [
            Row(
                f"{says} log, left before",
                (nudged,),
                GONE,
                first=both(log, leaves),
                goes_on=forbidden,
            ),
            Row(
                f"{says} log, left and back before, and is suspended for a while",
                (suspended, unsuspended),
                ALL,
                unread,
                first=both(log, leaves, comes_back),
                goes_on=forbidden,
            ),
            Row(
                f"{says} log, left before and comes back",
                (comes_back,),
                ALL,
                unread,
                first=both(log, leaves),
                goes_on=forbidden,
            ),
            Row(
                f"{says} log, leaves and comes back",
                (leaves, comes_back),
                BACK,
                first=log,
                goes_on=forbidden,
            ),
            Row(
                f"{says} log, unassigned and assigned",
                (unassigned, assigned),
                SYNCED | {CLUB} if forbidden else ALL,
                unread,
                first=log,
                goes_on=forbidden,
            ),
            Row(
                f"{says} log, unassigned and assigned while suspended",
                (suspended, unassigned, assigned, 2 * HOUR, unsuspended),
                SYNCED | {CLUB} if forbidden else ALL,
                unread,
                first=log,
                goes_on=forbidden,
            ),
            Row(
                f"{says} log, unassigned and assigned hours later",
                (unassigned, 3 * HOUR, assigned),
                SYNCED | {CLUB} if forbidden else BACK,
                unread,
                first=log,
                goes_on=forbidden,
            ),
        ]
    return rows


def granted(pair: Pair) -> None:
    """By an admin."""
    pair.world.local_add(JIRA, pair.account)
    pair.nudge(pair.ann)


EVENTS = [
    Row("nothing is heard but the return", (lost(leaves), 2 * HOUR, comes_back), BACK),
    Row(
        "nothing is heard but a suspension after the return",
        (lost(leaves), 2 * HOUR, lost(comes_back), suspended, unsuspended),
        BACK,
    ),
    Row(
        "somebody known leaves and is back unheard, and is suspended for a while",
        (nudged, lost(leaves), DAY, lost(comes_back), DAY, suspended, unsuspended),
        BACK,
    ),
    Row("nothing is heard of the leaving but a change after", (lost(leaves), nudged), GONE),
    Row("nothing is heard of the end but a change after", (lost(unassigned), nudged), GONE),
    Row(
        "nothing is heard but a new assignment hours later",
        (lost(unassigned), 5 * HOUR, assigned),
        BACK,
    ),
    Row(
        "nothing is heard but a new assignment minutes later",
        (lost(unassigned), 5 * MINUTE, assigned),
        ALL,
        taken=set(),
    ),
    Row("nothing is heard of a lost team", (lost(quits("red")), nudged), ALL - {"red", WIKI}),
    Row(
        "leaves, is back unheard, and is looked at later",
        (leaves, lost(comes_back), 2 * HOUR, nudged),
        BACK,
    ),
    Row(
        "the leaving is heard after the return",
        (both(late(leaves), comes_back), arrive),
        BACK,
    ),
    Row(
        "the end is heard after the new assignment",
        (both(late(unassigned), assigned), arrive),
        ALL,
    ),
    Row("leaves and is back before anybody looks", (both(leaves, comes_back),), BACK),
]

SLOW = ("user_lag", "groups_lag", "app_user_lag", "org_search_lag", "scim_read_lag")


AT_ONCE = together(leaves, comes_back)
SLOWLY = [
    Row(f"{name} is slow: leaves and is back at once", (AT_ONCE,), BACK, switches={name: 8.0})
    for name in SLOW
]
SLOWLY += [
    Row(f"all is slow: {says}", acts, ends, switches=dict.fromkeys(SLOW, 40.0))
    for says, acts, ends in (
        ("leaves", (leaves,), GONE),
        ("leaves and is back", (leaves, comes_back), BACK),
        ("leaves and is back at once", (AT_ONCE,), BACK),
        ("unassigned and assigned", (unassigned, assigned), ALL),
        ("out of a team and in again", (quits("red"), joins("red")), ALL),
    )
]
SLOWLY += [
    Row(
        f"{name} is slow: in one more team",
        (joins("blue"),),
        ALL | {"blue"},
        switches={name: 8.0},
        taken=set(),
    )
    for name in SLOW
]

SLOWLY += [
    Row(
        f"the log is {seconds:.0f} s late: {says}",
        acts,
        ends,
        switches={"log_delay": seconds},
    )
    for seconds, says, acts, ends in (
        (30.0, "leaves and is back", (leaves, comes_back), BACK),
        (30.0, "leaves and is back before anybody looks", (AT_ONCE,), BACK),
        (30.0, "unassigned and assigned at once", (both(unassigned, assigned),), ALL),
        (30.0, "only the return is heard", (lost(leaves), 2 * HOUR, comes_back), BACK),
        (1200.0, "leaves and is back", (leaves, comes_back), BACK),
        (1200.0, "unassigned and assigned", (unassigned, assigned), ALL),
        (1200.0, "unassigned for hours", (unassigned, 3 * HOUR, assigned), BACK),
        (1200.0, "only the return is heard", (lost(leaves), 2 * HOUR, comes_back), BACK),
        (1200.0, "only the new one is heard", (lost(unassigned), 5 * MINUTE, assigned), ALL),
    )
]

AGAIN = [
    Row("leaves and is back, twice", (leaves, comes_back) * 2, BACK),
    Row(
        "away for longer than anything is given back",
        (leaves, 100 * DAY, comes_back),
        BACK - {WIKI},
    ),
    Row(
        "back, granted again, and unassigned soon after",
        (leaves, comes_back, DAY, nudged, granted, unassigned, assigned),
        ALL,
    ),
    Row(
        "back, and unassigned and assigned soon after",
        (leaves, comes_back, DAY, nudged, unassigned, assigned),
        BACK,
    ),
    Row(
        "away for hours, and for minutes",
        (unassigned, 3 * HOUR, assigned, unassigned, assigned),
        BACK,
    ),
    Row(
        "away for minutes, and for hours",
        (unassigned, assigned, unassigned, 3 * HOUR, assigned),
        BACK,
    ),
    Row("away for minutes, and leaves", (unassigned, leaves, comes_back, assigned), BACK),
    Row(
        "away for minutes, and leaves unheard",
        (unassigned, lost(leaves), comes_back, assigned),
        BACK,
    ),
    Row("leaves, and is granted a group by hand", (leaves, granted), GONE),
    Row(
        "leaves, and is granted a group again and again",
        (leaves, granted, granted, granted, granted),
        GONE | {JIRA},
        {"granted_again"},
    ),
    *(
        Row(f"{says}: {what}", acts, ends, switches=switches)
        for says, switches in (
            ("Okta takes its groups itself", {"granular_deprovisioning": 60}),
            ("Okta deactivates nobody", {"deprovisioning": False}),
            ("Okta forgets what it pushed", {"forget_pushed_on_unassign": True}),
            ("Okta writes after us", {"provisioning_delay": 45}),
        )
        for what, acts, ends in (
            ("leaves and is back", (leaves, comes_back), BACK),
            ("unassigned and assigned", (unassigned, assigned), ALL),
        )
    ),
    Row(
        "Okta pushes long after us: out of a team and in again",
        (quits("red"), joins("red")),
        ALL,
        switches={"group_push_delay": 240},
    ),
]

PARKING = {"inactive_remove": "400"}
PARKED = [
    Row("parked", (leaves, nudged), LOCAL, {"parked"}, switches=PARKING),
    Row("parked, and back", (leaves, comes_back), BACK, switches=PARKING),
    Row("parked, and back months later", (leaves, 60 * DAY, comes_back), BACK, switches=PARKING),
    Row("parked, and back soon", (unassigned, assigned), ALL, switches=PARKING),
    Row("parked, and back hours later", (unassigned, 3 * HOUR, assigned), BACK, switches=PARKING),
    Row(
        "parked, and back in other teams",
        (leaves, quits("red"), comes_back),
        {"green", CLUB},
        switches=PARKING,
    ),
    Row(
        "parked, and back in an account that is inactive for a while",
        (leaves, switched(provisioning_delay=1200), comes_back),
        BACK,
        switches=PARKING,
    ),
    Row(
        "parked, and no longer so",
        (leaves, switched(inactive_remove="204"), comes_back, leaves),
        GONE,
        switches=PARKING,
    ),
]

# -- from one directory to another -------------------------------------------------------------


def second(pair: Pair) -> None:
    """Another app and its directory, with a group of its own for red."""
    with pair.world.long_ago():
        app = pair.world.add_app("Partners")
        pair.world.add_directory(app, "second")
        pair.world.assign_group(pair.world.add_okta_group("partners"), app)
        pair.world.push_group("red", app, "red partners")


partner, no_partner = joins("partners"), quits("partners")
MOVED = LOCAL | {"red partners"}
DIRECTORIES = [
    Row(
        "moves with an overlap",
        (partner, DAY, unassigned),
        MOVED,
        first=second,
        taken={"red", "green"},
    ),
    Row("moves at once", (both(unassigned, partner),), MOVED, first=second),
    Row("moves with a brief gap", (unassigned, partner), MOVED, first=second),
    Row(
        "moves with a long gap",
        (unassigned, 3 * HOUR, partner),
        MOVED - {JIRA},
        first=second,
    ),
    Row(
        "moves with a long gap nobody heard of",
        (lost(unassigned), 3 * HOUR, partner),
        MOVED - {JIRA},
        first=second,
    ),
    Row(
        "moves with a brief gap nobody heard of",
        (lost(unassigned), 10 * MINUTE, partner),
        MOVED,
        first=second,
    ),
    Row("moves and leaves", (partner, unassigned, leaves), GONE, first=second),
    Row(
        "moves, leaves and is back",
        (partner, unassigned, leaves, comes_back),
        MOVED - {JIRA},
        first=second,
    ),
    Row(
        "moves there and back with overlaps",
        (partner, unassigned, DAY, assigned, no_partner),
        ALL,
        first=second,
    ),
    Row(
        "moves there and back with brief gaps",
        (unassigned, partner, no_partner, assigned),
        ALL,
        first=second,
    ),
    Row(
        "in both, leaves and is back",
        (partner, leaves, comes_back),
        BACK | {"red partners"},
        first=second,
    ),
    Row("in both, out of the second", (partner, no_partner), ALL, first=second),
    Row(
        "moves, and the second app is slow",
        (unassigned, switched(provisioning_delay=600), partner),
        MOVED,
        first=second,
    ),
]

# -- somebody else under the same name ---------------------------------------------------------


def rehired(pair: Pair, **more: bool) -> None:
    pair.ids.append(pair.world.rehire(pair.ann, **more).id)


def kept(pair: Pair) -> None:
    """The old user stays in Okta, under another login."""
    rehired(pair, delete_old=False)


HIRED = together(joins("staff"), joins("red"), apart=timedelta(seconds=2))
NAMESAKES = [
    Row(f"rehired under a new id, {what}", (leaves, how, HIRED), {"red", CLUB})
    for what, how in (("the old deleted", rehired), ("the old kept", kept))
]
NAMESAKES += [
    Row(
        f"rehired under a new id, {what}, and the old id's events come late",
        (late(leaves, how), HIRED, arrive),
        {"red"} | LOCAL,
        {"record_taken"},
    )
    for what, how in (("the old deleted", rehired), ("the old kept", kept))
]
APART = partial(rehired, reuse_record=False)
ELSEWHERE = together(joins("partners"), joins("red"), apart=timedelta(seconds=2))
NAMESAKES += [
    Row(
        "the address of a leaver in a record of its own",
        (leaves, APART, HIRED),
        {"red", CLUB},
    ),
    Row(
        "the address of a leaver in a record of its own, and the leaver's events come late",
        (late(leaves, APART), HIRED, arrive),
        {"red"} | LOCAL,
        {"linked_elsewhere"},
    ),
    Row(
        "rehired in another directory",
        (leaves, rehired, ELSEWHERE),
        {"red partners", CLUB},
        first=second,
    ),
    Row(
        "rehired in another directory, and the old id's events come late",
        (late(leaves, kept), ELSEWHERE, arrive),
        MOVED,
        {"linked_elsewhere"},
        first=second,
    ),
]

EVERY = [
    *first_days(),
    *EVENTS,
    *SLOWLY,
    *AGAIN,
    *PARKED,
    *DIRECTORIES,
    *NAMESAKES,
]


@pytest.mark.parametrize("row", told(EVERY))
async def test_an_absence_ends_as_it_should(
    time: Time, sqlite_url: str, tmp_path: Path, row: Row
) -> None:
    await play(row, time, sqlite_url, tmp_path)


@pytest.mark.parametrize(
    "says",
    [
        "parked, and back hours later",
        "moves with a long gap",
        "all is slow: leaves and is back",
    ],
)
async def test_an_absence_ends_as_it_should_on_postgresql(
    time: Time, postgresql_url: str, tmp_path: Path, says: str
) -> None:
    (row,) = (each for each in EVERY if each.says == says)
    await play(row, time, postgresql_url, tmp_path)


# -- while we only observe ---------------------------------------------------------------------

OBSERVE = {"": "observe"}


async def lived(pair: Pair, *acts: Act | timedelta) -> None:
    for each in acts:
        if isinstance(each, timedelta):
            pair.time.push(each)
        else:
            await pair.act(each)


@pytest.mark.parametrize(
    ("observed", "enforced", "ends"),
    [
        pytest.param(
            (leaves, DAY, comes_back, DAY), (suspended, unsuspended), ALL, id="over before"
        ),
        pytest.param(
            (unassigned, DAY, assigned, DAY),
            (suspended, unsuspended),
            ALL,
            id="unassigned, over before",
        ),
        pytest.param(
            (leaves, lost(comes_back), DAY), (suspended, unsuspended), ALL, id="over unheard"
        ),
        pytest.param((leaves, DAY), (comes_back,), BACK, id="over after"),
        pytest.param((leaves, DAY), (nudged,), GONE, id="not over"),
        pytest.param(
            (leaves, DAY, comes_back, DAY), (leaves, comes_back), BACK, id="another after"
        ),
    ],
)
async def test_observed_first_and_enforced_later(
    time: Time,
    sqlite_url: str,
    tmp_path: Path,
    *,
    observed: tuple[Act | timedelta, ...],
    enforced: tuple[Act | timedelta, ...],
    ends: frozenset[str],
) -> None:
    """What was over while we only observed makes nobody returning."""
    pair = Pair(time)
    service = partial(pair.company.service, sqlite_url, tmp_path, rules=RULES)
    async with service(modes=OBSERVE) as run:
        pair.run = run
        await lived(pair, *observed)
        assert pair.world.changes() == []
        assert {state for *_, state in await run.steps()} <= {"observed"}
        await pair.ended(Row("", (), ALL))
    pair.world.org.hooks.clear()
    pair.world.outbox.clear()
    async with service() as run:
        pair.run = run
        await lived(pair, *enforced)
        await pair.ended(Row("", (), ends))
