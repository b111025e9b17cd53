"""Random people about whom everything can be read."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from hooks.core.membership import Standing
from hooks.core.reading import MISSING, AppUser, OktaUser, Unread, Why
from tests.core.worlds import (
    ANN,
    EVERYONE,
    KNOWN,
    LOGIN,
    NAMES,
    NOW,
    RECORD,
    World,
    group,
    link,
    mapping,
    record,
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
app_users = st.one_of(
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
