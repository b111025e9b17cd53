"""What Okta's event hook must be, and which one stands in for which."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooks.core import registration
from hooks.core.ids import HookId, OktaAppId
from hooks.core.log_event import EVENT_TYPES, parse_event, subjects
from hooks.core.registration import (
    MAY_BE_REFUSED,
    Beside,
    EventHook,
    InPlace,
    Trouble,
    Wanted,
)
from hooks.sandbox.okta_expression import passes
from hooks.sandbox.system_log import CATALOG

URL = "https://hooks.example.com/okta/events"
APPS = tuple(OktaAppId(f"0oa0000000000000000{each}") for each in "12")
OTHER = OktaAppId("0oa00000000000000009")
WANTED = Wanted(URL, "Authorization", APPS)
NEEDED = frozenset(EVENT_TYPES)


def hook(number: int = 1, *, active: bool = True, verified: bool = True, **told: Any) -> EventHook:
    spec = replace(registration.first(WANTED, "ours"), **told)
    return EventHook(id=HookId(f"who{number:017}"), spec=spec, active=active, verified=verified)


def event(kind: str, *targets: tuple[str, str]) -> dict[str, Any]:
    told = [{"type": name, "id": found} for name, found in targets]
    return {"eventType": kind, "target": told or None, "outcome": {"result": "SUCCESS"}}


# -- event types -------------------------------------------------------------------------------


def test_every_eligible_type_that_is_understood_is_asked_for_and_no_other() -> None:
    """The catalogue is the sandbox's, after Okta's own."""
    eligible = {kind for kind, (_, _, hooked) in CATALOG.items() if hooked}
    named = (("AppInstance", APPS[0]), ("User", "00u00000000000000001"))
    understood = {
        kind
        for kind in eligible
        if subjects(parse_event(json.dumps(event(kind, *named)).encode()), frozenset(APPS)).ours
    }
    assert understood == NEEDED
    assert registration.first(WANTED, "x").types == NEEDED


def test_only_types_of_provisioning_may_be_left_out() -> None:
    assert {each for each in NEEDED if each.startswith("application.provision")} == MAY_BE_REFUSED
    assert "application.user_membership.remove" not in MAY_BE_REFUSED


# -- the filter --------------------------------------------------------------------------------

_TARGETS = st.lists(
    st.tuples(
        st.sampled_from(["AppInstance", "AppUser", "User", "UserGroup"]),
        st.sampled_from([*APPS, OTHER, "unknown", "00u00000000000000001"]),
    ),
    max_size=4,
)


@given(st.sampled_from(EVENT_TYPES), _TARGETS)
def test_the_filter_keeps_no_event_away_that_is_ours(
    kind: str, targets: list[tuple[str, str]]
) -> None:
    told = event(kind, *targets)
    of_hook = {
        "eventFilterMap": [
            {"event": each, "condition": {"expression": expression}}
            for each, expression in registration.conditions(APPS).items()
        ]
    }
    named = {found for name, found in targets if name == "AppInstance"}
    ours = subjects(parse_event(json.dumps(told).encode()), frozenset(APPS)).ours
    # An AppInstance whose id is none is somebody's app to Okta, and no app to us.
    if ours and not (named and named.isdisjoint(APPS)):
        assert passes(of_hook, told)


def test_the_filter_keeps_other_apps_away() -> None:
    (expression,) = set(registration.conditions(APPS).values())
    of_hook = {
        "eventFilterMap": [
            {"event": each, "condition": {"expression": expression}} for each in EVENT_TYPES
        ]
    }
    assigned = "application.user_membership.add"
    assert not passes(of_hook, event(assigned, ("AppInstance", OTHER)))
    for app in APPS:
        assert passes(of_hook, event(assigned, ("AppUser", "x"), ("AppInstance", app)))
    assert passes(of_hook, event(assigned))


# -- comparing ---------------------------------------------------------------------------------


def test_a_hook_as_it_must_be_is_written_as_it_is() -> None:
    there = hook()
    assert not registration.differences(there, WANTED).any
    assert registration.fits(there, registration.amended(there, WANTED, name=None))
    assert registration.troubles(there, WANTED) == ()


@pytest.mark.parametrize(
    ("told", "trouble"),
    [
        pytest.param({"url": "https://x.example/okta/events"}, Trouble.URL, id="address"),
        pytest.param({"header": "X-Secret"}, Trouble.HEADER, id="header"),
        pytest.param({"types": NEEDED - {"user.lifecycle.deactivate"}}, Trouble.TYPES, id="a type"),
        pytest.param(
            {"conditions": registration.conditions(APPS[:1])}, Trouble.FILTER, id="an app less"
        ),
        pytest.param(
            {"conditions": {"user.lifecycle.deactivate": "event.actor.id eq 'x'"}},
            Trouble.FILTER,
            id="somebody's filter",
        ),
    ],
)
def test_what_keeps_events_away_is_found_and_put_right(
    told: dict[str, Any], trouble: Trouble
) -> None:
    there = hook(**told)
    assert registration.troubles(there, WANTED) == (trouble,)
    spec = registration.amended(there, WANTED, name=None)
    assert not registration.fits(there, spec)
    assert registration.troubles(replace(there, spec=spec), WANTED) == ()


def test_what_receives_nothing_is_told() -> None:
    there = hook(active=False, verified=False)
    assert registration.troubles(there, WANTED) == (Trouble.INACTIVE, Trouble.UNVERIFIED)


def test_what_others_put_into_a_hook_stays() -> None:
    foreign = "user.session.start"
    there = hook(
        types=frozenset({foreign}),
        headers=(("X-Extra", "1"),),
        description="theirs",
        conditions={foreign: "event.outcome.result eq 'FAILURE'"},
    )
    spec = registration.amended(there, WANTED, name=None)
    assert spec.types == NEEDED | {foreign}
    assert (spec.name, spec.headers, spec.description) == ("ours", (("X-Extra", "1"),), "theirs")
    assert spec.conditions == there.spec.conditions
    assert registration.differences(there, WANTED).foreign == (foreign,)


def test_a_hook_without_filter_gets_one_only_when_asked() -> None:
    there = hook(conditions={})
    assert registration.fits(there, registration.amended(there, WANTED, name=None))
    asked = registration.amended(there, WANTED, name=None, filtered=True)
    assert asked.conditions == registration.conditions(APPS)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (URL, URL.replace("hooks.", "HOOKS."), True),
        (URL, URL.replace(".com/", ".com:443/"), True),
        (URL, URL.replace("https", "http"), False),
        (URL, f"{URL}/", False),
        (URL, f"{URL}?x", False),
        (URL, "https://[", False),
        ("https://[", "https://[", True),
    ],
)
def test_addresses_are_compared_as_they_are_called(one: str, other: str, *, same: bool) -> None:
    assert registration.same_url(one, other) is same


# -- standing in -------------------------------------------------------------------------------

_HOOKS = st.lists(
    st.builds(lambda active, verified: (active, verified), st.booleans(), st.booleans()),
    min_size=1,
    max_size=30,
).map(
    lambda states: [
        hook(number, active=active, verified=verified, name=f"ours {number}")
        for number, (active, verified) in enumerate(states)
    ]
)


@given(hooks=_HOOKS, in_place=st.booleans())
def test_what_receives_is_never_touched_before_another_does(
    hooks: list[EventHook], *, in_place: bool
) -> None:
    way = registration.rotation(hooks, hooks, in_place=in_place)
    heard = {each.id for each in hooks if each.receives}
    match way:
        case Beside(name, like, retire, idle):
            assert not in_place
            assert heard == {each.id for each in retire}
            assert len(heard) < registration.MOST_HOOKS
            assert like.id in heard
            assert {each.id for each in idle} == {each.id for each in hooks} - heard
            assert name not in {each.spec.name for each in hooks}
        case InPlace(changed, retire):
            assert in_place or not heard or len(heard) >= registration.MOST_HOOKS
            assert changed.receives is bool(heard)
            assert {changed.id, *(each.id for each in retire)} == {each.id for each in hooks}


@given(_HOOKS, st.sampled_from(range(40)))
def test_only_for_one_that_receives_another_is_taken_away(
    hooks: list[EventHook], number: int
) -> None:
    heir = hook(number).id
    allowed = registration.may_retire(hooks, heir)
    assert allowed is any(each.id == heir and each.active and each.verified for each in hooks)


def test_a_name_goes_round() -> None:
    one, two, other = (hook(each, name=name) for each, name in enumerate(["x", "x 2", "y"]))
    assert registration.next_name("x", [one]) == "x 2"
    assert registration.next_name("x 2", [two]) == "x"
    assert registration.next_name("x 2", [one, two]) == "x 3"
    assert registration.one_family([one, two])
    assert not registration.one_family([one, other])
