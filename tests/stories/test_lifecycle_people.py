"""What happens to people in Okta and Atlassian, each with its end: a table, and who tells more."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest

from tests.running import Time
from tests.stories.company import DOMAIN
from tests.stories.pair import (
    ALL,
    BACK,
    DAY,
    GONE,
    HOUR,
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
    together,
    told,
    unassigned,
    unsuspended,
)

pytestmark = pytest.mark.wide

MODES: tuple[Literal["403", "404"], ...] = ("403", "404")
STRIP = '[policy]\nsuspended = "strip"\n'
WIFE = f"anne@{DOMAIN}"


def flaps(group: str, *, ends_in: bool) -> Act:
    """A group rule cannot make up its mind."""
    turns = [quits(group), joins(group)] * 4
    return together(*turns, *([] if ends_in else [quits(group)]), apart=timedelta(milliseconds=700))


def by_hand(pair: Pair) -> None:
    pair.world.assign(pair.ann, pair.app)


def no_more_by_hand(pair: Pair) -> None:
    pair.world.unassign(pair.ann, pair.app)


def renamed(pair: Pair) -> None:
    """Her login; the record keeps the old name."""
    pair.world.rename_login(pair.ann, WIFE)
    pair.ann = WIFE


def married(pair: Pair) -> None:
    """Her name everywhere."""
    pair.world.change_login(pair.ann, WIFE)
    pair.ann = WIFE


def status(name: str) -> Act:
    def become(pair: Pair) -> None:
        pair.world.set_status(pair.ann, name)
        pair.nudge(pair.ann)

    return become


def account(**changes: object) -> Act:
    return lambda pair: pair.world.set_account(pair.account, **changes)


def deleted(pair: Pair) -> None:
    pair.world.delete_user(pair.ann)


SUSPENDED = [
    Row("suspended and kept", (suspended, nudged), ALL, taken=set()),
    Row("suspended and stripped", (suspended, nudged), GONE, more=STRIP),
    Row("suspended and kept, and back", (suspended, unsuspended), ALL, taken=set()),
    Row("suspended and stripped, and back", (suspended, unsuspended), ALL, more=STRIP),
    Row(
        "suspended for forty days and stripped, and back",
        (suspended, 40 * DAY, unsuspended),
        ALL,
        more=STRIP,
    ),
    Row(
        "suspended and stripped, and leaves",
        (suspended, leaves),
        GONE,
        more=STRIP,
    ),
    Row(
        "suspended and stripped, leaves, and is back",
        (suspended, leaves, comes_back),
        BACK,
        more=STRIP,
    ),
    Row("out of the app while suspended and kept", (suspended, unassigned), GONE),
    Row("out of the app while suspended and stripped", (suspended, unassigned), GONE, more=STRIP),
    Row("out of the app, and no longer suspended", (suspended, unassigned, unsuspended), GONE),
    Row(
        "out of the app and in again soon while suspended",
        (suspended, unassigned, assigned, unsuspended),
        ALL,
    ),
    Row(
        "out of the app and in again soon while suspended and stripped",
        (suspended, unassigned, assigned, unsuspended),
        ALL,
        more=STRIP,
    ),
    Row(
        "out of the app for hours while suspended",
        (suspended, unassigned, 3 * HOUR, assigned, unsuspended),
        BACK,
    ),
]

SUSPENDED += [
    Row(
        "out of the app for hours while suspended and stripped",
        (suspended, unassigned, 3 * HOUR, assigned, unsuspended),
        BACK,
        more=STRIP,
    ),
    Row(
        "suspended and stripped, and out of a team meanwhile",
        (suspended, quits("red"), unsuspended),
        ALL - {"red", WIKI},
        more=STRIP,
    ),
    Row(
        "suspended and stripped, and back unheard",
        (suspended, lost(unsuspended), nudged),
        ALL,
        more=STRIP,
    ),
    Row(
        "suspended and stripped, leaves unheard and is back",
        (suspended, lost(leaves), DAY, comes_back),
        BACK,
        more=STRIP,
    ),
]

GROUPS = [
    Row("a rule flaps and ends in", (flaps("red", ends_in=True),), ALL, taken=set()),
    Row(
        "a rule flaps and ends in, and Okta pushes slowly",
        (flaps("red", ends_in=True),),
        ALL,
        switches={"group_push_delay": 20},
        taken=set(),
    ),
    Row("a rule flaps and ends out", (flaps("red", ends_in=False),), ALL - {"red", WIKI}),
    Row(
        "a rule flaps and ends out, and Okta pushes slowly",
        (flaps("red", ends_in=False),),
        ALL - {"red", WIKI},
        switches={"group_push_delay": 20},
    ),
    Row("a rule of the app flaps and ends in", (flaps("staff", ends_in=True),), ALL, taken=set()),
    Row("a rule of the app flaps and ends out", (flaps("staff", ends_in=False),), GONE),
    Row("assigned by hand too, and the group ends", (by_hand, unassigned), ALL, taken=set()),
    Row("assigned by hand too, and the hand ends", (by_hand, no_more_by_hand), ALL, taken=set()),
    Row(
        "assigned by hand too, and both end",
        (by_hand, unassigned, no_more_by_hand),
        GONE,
    ),
    Row("unassigned and assigned within minutes", (unassigned, assigned), ALL),
    Row(
        "unassigned and assigned before anybody looks",
        (together(unassigned, assigned),),
        ALL,
        taken=set(),
    ),
    Row(
        "unassigned and assigned, and only the first arrives",
        (together(unassigned, lost(assigned)),),
        ALL,
        taken=set(),
    ),
    Row(
        "unassigned and assigned, and only the second arrives",
        (together(lost(unassigned), assigned),),
        ALL,
        taken=set(),
    ),
    Row(
        "unassigned and seen so, assigned unheard, and looked at soon",
        (unassigned, lost(assigned), nudged),
        ALL,
    ),
    Row(
        "unassigned and seen so, assigned unheard, and looked at hours later",
        (unassigned, lost(assigned), 5 * HOUR, nudged),
        ALL,
    ),
    Row(
        "unassigned and assigned, and the first arrives after the second",
        (together(late(unassigned), assigned), arrive),
        ALL,
    ),
    Row(
        "unassigned and assigned again and again within minutes",
        (unassigned, assigned) * 3,
        ALL,
    ),
]

NAMES = [
    Row("another login", (renamed, nudged), ALL, taken=set()),
    Row("another login, and leaves", (renamed, leaves), GONE),
    Row("marries", (married, nudged), ALL, taken=set()),
    Row("marries, and leaves", (married, leaves), GONE),
    Row("marries, leaves, and is back", (married, leaves, comes_back), BACK),
    Row(
        "marries, and is unassigned and assigned",
        (married, unassigned, assigned),
        ALL,
    ),
    Row("leaves, marries, and is back", (leaves, renamed, comes_back), BACK),
]

STATUSES = [
    *(
        Row(f"a person who is {name}", (status(name), nudged), ALL, taken=set())
        for name in ("PASSWORD_EXPIRED", "LOCKED_OUT", "RECOVERY", "PROVISIONED")
    ),
    Row(
        "her password expires",
        (lambda pair: pair.world.expire_password(pair.ann), nudged),
        ALL,
        taken=set(),
    ),
    Row("locks herself out", (lambda pair: pair.world.lock(pair.ann), nudged), ALL, taken=set()),
    *(
        Row(f"leaves while {name}", (status(name), leaves), GONE)
        for name in ("LOCKED_OUT", "RECOVERY")
    ),
    Row("is STAGED", (status("STAGED"), nudged), ALL, taken=set()),
    Row(
        "has a status nobody knows", (status("NOVEL"), nudged), ALL, {"status_unknown"}, taken=set()
    ),
    Row("leaves slowly", (leaves,), GONE, switches={"deactivation_delay": 120}),
    Row("comes back slowly", (leaves, comes_back), BACK, switches={"activation_delay": 120}),
    Row(
        "comes back slowly, DEPROVISIONED all the while",
        (leaves, comes_back),
        BACK,
        switches={"activation_delay": 120, "activating_as": "DEPROVISIONED"},
    ),
    Row(
        "is DEPROVISIONED and moving to ACTIVE for hours, when we first hear of it",
        (lost(leaves), comes_back),
        ALL,
        {"in_transition"},
        switches={"activation_delay": 40 * 3600, "activating_as": "DEPROVISIONED"},
        goes_on=True,
        taken=set(),
    ),
    Row(
        "is activating for hours",
        (leaves, comes_back),
        GONE,
        {"in_transition"},
        switches={"activation_delay": 40 * 3600},
        goes_on=True,
    ),
]


def assignment(name: str) -> Act:
    """What Okta says of her assignment, by itself."""

    def become(pair: Pair) -> None:
        pair.world.set_app_user_status(pair.ann, pair.app, name)
        pair.nudge(pair.ann)

    return become


STATUSES += [
    Row(f"her assignment is {name}", (assignment(name),), ends)
    for name, ends in (
        ("PENDING", ALL), ("SUSPENDED", ALL), ("IMPORTED", ALL), ("REVOKED", GONE),
    )
]  # fmt: skip
STATUSES += [
    Row(
        f"an ended assignment reads {name}: {says}",
        acts,
        ends,
        switches={"unassigned_app_user": name},
    )
    for name in ("DEPROVISIONED", "UNASSIGNED")
    for says, acts, ends in (
        ("leaves and is back", (leaves, comes_back), BACK),
        ("unassigned and assigned", (unassigned, assigned), ALL),
        ("unassigned", (unassigned,), GONE),
    )
]


def hidden(mode: Literal["403", "404"]) -> Act:
    """Okta narrows our role: it does not show her any more."""

    def hide(pair: Pair) -> None:
        pair.world.hide(pair.world.user(pair.ann), mode=mode)
        pair.nudge(pair.ann)

    return hide


def shown(pair: Pair) -> None:
    pair.world.hidden.clear()
    pair.nudge(pair.ann)


STATUSES += [
    Row(
        "our role hides her: 403",
        (hidden("403"), quits("red")),
        ALL - {"red"},
        {"user_unread"},
        taken=set(),
        goes_on=True,
    ),
    Row(
        "our role hides her: 404",
        (hidden("404"), quits("red")),
        ALL - {"red"},
        {"absence_unproved"},
        taken=set(),
    ),
    Row(
        "our role hides her, and leaves: 403",
        (hidden("403"), leaves),
        ALL,
        {"user_unread"},
        goes_on=True,
        taken=set(),
    ),
    Row("our role hides her, and leaves, which the log shows: 404", (hidden("404"), leaves), GONE),
    *(
        Row(f"our role hides her for a while: {mode}", (hidden(mode), shown), ALL, taken=set())
        for mode in MODES
    ),
    *(
        Row(
            f"our role hides her for a while, and leaves: {mode}",
            (hidden(mode), leaves, shown),
            GONE,
        )
        for mode in MODES
    ),
]


def app_off(pair: Pair) -> None:
    pair.world.deactivate_app(pair.app)


def app_on(pair: Pair) -> None:
    pair.world.activate_app(pair.app)


STATUSES += [
    Row("leaves while the app is off", (app_off, leaves, app_on), GONE),
    Row("is moved while the app is off", (app_off, quits("red"), app_on), ALL - {"red", WIKI}),
]

ACCOUNTS = [
    *(
        Row(f"an account of type {kind} leaves", (leaves,), ALL, {"protected"}, account(type=kind))
        for kind in ("app", "customer")
    ),
    *(
        Row(
            f"an account of type {kind} is unassigned",
            (unassigned,),
            ALL,
            {"protected"},
            account(type=kind),
        )
        for kind in ("app", "customer")
    ),
    Row("an account nobody claimed leaves", (leaves,), GONE, first=account(claim="unmanaged")),
    Row(
        "an account nobody claimed leaves and is deactivated",
        (leaves,),
        GONE,
        first=account(claim="unmanaged"),
        switches={"unmanaged_deactivation": "deactivated"},
    ),
    Row(
        "an account nobody claimed is back",
        (leaves, comes_back),
        BACK,
        first=account(claim="unmanaged"),
    ),
]

DELETED = [
    Row("leaves and is deleted at once", (together(leaves, deleted),), GONE),
    Row("leaves and is deleted long after", (leaves, 100 * DAY, deleted), GONE),
    Row("is deleted, and only that arrives", (together(lost(leaves), deleted),), GONE),
    Row(
        "leaves unheard and is deleted days later",
        (lost(leaves), 10 * DAY, deleted),
        GONE,
    ),
    Row(
        "leaves unheard and is deleted longer after than the log reaches",
        (lost(leaves), 100 * DAY, deleted),
        GONE,
    ),
]

EVERY = [*SUSPENDED, *GROUPS, *NAMES, *STATUSES, *ACCOUNTS, *DELETED]


@pytest.mark.parametrize("row", told(EVERY))
async def test_a_life_ends_as_it_should(
    time: Time, sqlite_url: str, tmp_path: Path, row: Row
) -> None:
    await play(row, time, sqlite_url, tmp_path)


@pytest.mark.parametrize(
    "says",
    [
        "suspended and stripped, and back",
        "unassigned and assigned within minutes",
        "marries, and leaves",
    ],
)
async def test_a_life_ends_as_it_should_on_postgresql(
    time: Time, postgresql_url: str, tmp_path: Path, says: str
) -> None:
    (row,) = (each for each in EVERY if each.says == says)
    await play(row, time, postgresql_url, tmp_path)
