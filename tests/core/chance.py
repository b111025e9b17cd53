"""Random people about whom everything can be read."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import strategies as st

from hooks.core.history import LogFacts, Logged, Moment
from hooks.core.membership import Action, Standing, State
from hooks.core.memory import Claim, Claimed, Memory, PastStep
from hooks.core.plan import Reason
from hooks.core.reading import (
    MISSING,
    Account,
    AppUser,
    Missing,
    OktaUser,
    Successor,
    Unread,
    Why,
)
from tests.core.worlds import (
    ANN,
    ANNS,
    APP,
    ASSIGNED,
    BOB,
    BOBS,
    EVERYONE,
    KNOWN,
    LOGIN,
    NAMES,
    NOW,
    PERSON,
    RECORD,
    USER,
    World,
    app_id,
    beside,
    group,
    known,
    link,
    local,
    local_id,
    mapping,
    record,
    rule,
    rule_by_id,
    scim_user,
    source,
    target,
)

USER_IN_FORCE = ["ACTIVE", "PROVISIONED", "PASSWORD_EXPIRED", "LOCKED_OUT", "RECOVERY"]
APP_USER_IN_FORCE = ["ACTIVE", "PROVISIONED", "IMPLICIT", "APPROVED", "PENDING", "STAGED"]
APP_USER_ENDED = ["DEPROVISIONED", "REVOKED", "INACTIVE", "UNASSIGNED"]
NUMBERS = st.integers(1, 4)

users = st.builds(
    OktaUser,
    st.just(ANN),
    st.sampled_from([*USER_IN_FORCE, "DEPROVISIONED", "SUSPENDED"]),
    st.sampled_from([None, None, None, "DEPROVISIONED"]),
    st.just(LOGIN),
)
app_users: st.SearchStrategy[AppUser | Missing] = st.one_of(
    st.just(MISSING),
    st.builds(
        AppUser,
        st.just(ANN),
        st.sampled_from([*APP_USER_IN_FORCE, *APP_USER_ENDED, "SUSPENDED"]),
        st.sampled_from([None, RECORD]),
        st.just(LOGIN),
    ),
)
unread = st.builds(Unread, st.sampled_from(Why), st.sampled_from([None, NOW]))


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """A person about whom everything can be read. ``team-8`` is nobody's, ``team-9`` is never."""
    listed, links = [], []
    for number in range(1, draw(st.integers(1, 6)) + 1):
        of, to = draw(NUMBERS), draw(NUMBERS)
        fate = draw(st.sampled_from(["ACTIVE", "ACTIVE", "ERROR", "INACTIVE", "vanished"]))
        if fate != "vanished":
            listed.append(mapping(number, fate, of=of, to=to))
        if fate == "vanished" or draw(st.booleans()):
            links.append(link(number, of=of, to=to))
    listed.append(mapping(9))
    names = {**NAMES, target(9): "org-admins"}
    everything = [*(group(number) for number in range(1, 5)), group(8), group(9, "org-admins")]
    return World(
        user=draw(users),
        member_of=draw(st.frozensets(NUMBERS.map(source))) | {EVERYONE},
        app_user=draw(app_users),
        mappings=tuple(listed),
        links=tuple(links),
        records=(record(*draw(st.sets(st.sampled_from(everything)))),),
        names=names,
        memory=replace(KNOWN, standing=draw(st.sampled_from([None, *Standing]))),
    )


# -- the organization --------------------------------------------------------------------------

#: Hours before the look at which things happen.
HOURS = st.sampled_from([0.1, 0.5, 2, 30, 80, 900])
instants = HOURS.map(lambda hours: NOW - timedelta(hours=hours))
maybe_instants = st.none() | instants
#: Groups no rule may touch whatever it says: synced, not modifiable, never listed, admins'.
UNTOUCHABLE = frozenset(map(local_id, (5, 6, 7, 8)))
#: A group no rule names.
UNNAMED = local_id(9)
_EVERY_GROUP = (
    *(local(number) for number in range(1, 5)),
    local(5, synced=True),
    local(6, modifiable=False),
    local(7, "org-admins"),
    local(8, "administrators"),
    local(9, "another"),
)
_conditions = st.lists(NUMBERS.map(source), max_size=2, unique=True)
rules = st.lists(
    st.one_of(
        st.builds(
            lambda text, groups, lost: rule(text, *groups, unresolved=lost),
            st.sampled_from(["local-*", "local-1", "LOCAL-2", "local-[34]", "*admin*"]),
            _conditions,
            st.sampled_from([(), (), (), ("nowhere",)]),
        ),
        st.builds(
            lambda number, groups: rule_by_id(number, *groups), st.integers(1, 7), _conditions
        ),
    ),
    max_size=3,
).map(tuple)
claims = st.lists(
    st.builds(
        Claimed,
        st.uuids().map(str),
        st.sampled_from(Claim),
        st.sampled_from(["", APP, app_id(2), *map(source, range(1, 5))]),
        st.integers(-5, 700).map(lambda ago: NOW - timedelta(seconds=ago)),
        st.sampled_from([None, NOW, NOW - timedelta(seconds=30), NOW - timedelta(hours=1)]),
    ),
    max_size=3,
).map(tuple)
moments = st.one_of(
    st.builds(Moment, instants, st.sampled_from([Logged.DEACTIVATED, Logged.ACTIVATED])),
    st.builds(
        Moment,
        instants,
        st.sampled_from([Logged.ASSIGNED, Logged.UNASSIGNED]),
        st.sampled_from([APP, app_id(2)]),
    ),
)
logs = st.frozensets(moments, max_size=5).map(lambda found: LogFacts() | LogFacts(tuple(found)))
local_steps = st.lists(
    st.builds(
        lambda action, number, state, why, at: PastStep(
            0, action, local_id(number), State(state), "", why, at, f"local-{number}"
        ),
        st.sampled_from([Action.REMOVE, Action.REMOVE, Action.ADD]),
        st.integers(1, 5),
        st.sampled_from(State),
        st.sampled_from([Reason.LEFT, Reason.UNASSIGNED, Reason.SUSPENDED, Reason.LOST_RULE]),
        instants,
    ),
    max_size=4,
).map(lambda steps: tuple(replace(each, id=place) for place, each in enumerate(steps, 1)))
local_memories = st.builds(
    Memory,
    standing=st.sampled_from([None, *Standing]).filter(lambda each: each is not Standing.UNCLEAR),
    standing_at=instants,
    absent_since=maybe_instants,
    returned=maybe_instants,
    accounted=maybe_instants,
    waiting_since=maybe_instants,
    history=local_steps,
)


@st.composite
def organized_worlds(draw: st.DrawFn) -> tuple[World, ...]:
    """Somebody in one directory or two, and what the organization keeps and remembers of them."""
    first = replace(
        draw(worlds()),
        user=draw(_often),
        app_user=draw(_assigned | app_users),
        claims=draw(st.just(()) | claims),
        log=draw(logs),
        organization=draw(_organizations),
        account_in=frozenset(draw(st.sets(st.sampled_from([each.id for each in _EVERY_GROUP])))),
        account=draw(st.just(PERSON) | _accounts),
        account_before=draw(st.sampled_from([None, PERSON])),
        local=draw(st.none() | local_memories),
        watched_since=draw(maybe_instants),
        history=draw(logs),
    )
    if draw(st.booleans()):
        return (first,)
    held_by = draw(st.sampled_from([ANN, ANN, ANN, BOB]))
    there = record(
        number=2, external_id=held_by, account=draw(st.sampled_from([ANNS, ANNS, ANNS, BOBS, None]))
    )
    elsewhere = beside(
        first,
        app_user=draw((_assigned | app_users).map(_elsewhere)),
        memory=draw(
            st.builds(
                Memory,
                scim_id=st.sampled_from([None, scim_user(2)]),
                user_name=st.just(LOGIN),
                ever_in_force=st.booleans(),
                standing=st.sampled_from([None, *Standing]),
            )
        ),
        records=draw(st.sampled_from([(), (there,), (there,)])),
        successors=draw(st.sampled_from([(), (), (Successor(BOB),)])),
    )
    return first, elsewhere


_often: st.SearchStrategy[OktaUser | Missing] = st.sampled_from(
    [
        USER,
        USER,
        replace(USER, status="DEPROVISIONED"),
        replace(USER, status="DEPROVISIONED"),
        replace(USER, status="SUSPENDED"),
        MISSING,
    ]
)
_assigned: st.SearchStrategy[AppUser | Missing] = st.sampled_from(
    [ASSIGNED, ASSIGNED, ASSIGNED, MISSING]
)
_organizations = st.tuples(
    *(
        st.sampled_from([None, None, None, (f"was-{each.name}", each.synced)]).map(
            lambda was, each=each: known(each, was=was)  # type: ignore[misc]
        )
        for each in _EVERY_GROUP
    )
)
_accounts = st.builds(
    Account,
    st.just(ANNS),
    st.sampled_from(["atlassian", "atlassian", None, "app"]),
    st.sampled_from(["active", "inactive", None]),
    st.sampled_from([frozenset(), frozenset(), None, frozenset({"org-admin"})]),
)


def _elsewhere(assigned: AppUser | Missing) -> AppUser | Missing:
    if not isinstance(assigned, AppUser) or assigned.external_id is None:
        return assigned
    return replace(assigned, external_id=scim_user(2))
