"""Every metric of the project, so that one look shows what can be watched and no name repeats.

Labels are operation names, lanes and the operator's own words; never an id, never an address.
"""

from __future__ import annotations

from itertools import product

from prometheus_client import Counter, Gauge, Histogram

from hooks.core.log_event import EVENT_TYPES as TYPES
from hooks.core.memory import Claim

# What is known beforehand is there from the start: a series that begins with its first rise does
# not rise, as Prometheus sees it.

# -- calls to vendors --------------------------------------------------------------------------

#: ``outcome``: ok, missing, rejected, forbidden, credential, nowhere, limited, held, unavailable,
#: lost, incomplete, lease, cancelled. ``held`` is one we did not send ourselves (breaker).
VENDOR_CALLS = Counter(
    "hooks_vendor_calls",
    "Calls to Okta and Atlassian by what came of them.",
    ["vendor", "operation", "outcome"],
)
VENDOR_SECONDS = Histogram(
    "hooks_vendor_call_seconds",
    "Seconds from wanting to call a vendor to its answer, waiting for a turn included.",
    ["vendor", "operation"],
    buckets=(0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8),
)
BREAKER_OPEN = Gauge(
    "hooks_breaker_open",
    "1 while a credential is refused, or an id names nothing, and nothing but a trial is sent.",
    ["credential"],
)
BUDGET_LEFT = Gauge(
    "hooks_vendor_budget_left",
    "Calls left in the vendor's current window, as its last answer said.",
    ["vendor", "bucket"],
)
PATCH_OPERATIONS = Histogram(
    "hooks_scim_patch_operations",
    "Membership changes that travelled in one PATCH.",
    ["directory"],
    buckets=(1, 2, 5, 10, 25, 50, 100),
)
FORM_DEAD = Gauge(
    "hooks_scim_form_dead",
    "1 if this directory refuses selectors and its other form removed more than one member.",
    ["directory"],
)

# -- looks -------------------------------------------------------------------------------------

LOOKS = Counter("hooks_looks", "Leases worked on, by what came of them.", ["kind", "verdict"])
_ENDED = ("settled", "failed", "dead", "lease_lost", "store_failed")
_ROUNDS = ("group", "push", "census", "history", "purge", "audit")
for _look in (
    *product(("user", *_ROUNDS), _ENDED),
    *product(("user",), ("look_again", "retry")),
    ("census", "not_configured"),
):
    LOOKS.labels(*_look)
LOOK_SECONDS = Histogram(
    "hooks_look_seconds",
    "Seconds from taking a lease to settling it.",
    ["kind"],
    buckets=(0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6),
)
for _kind in ("user", *_ROUNDS):
    LOOK_SECONDS.labels(_kind)
UNSIZED = Counter(
    "hooks_removals_unsized",
    "Removals planned from a group whose size nobody told, so that no share of it is kept.",
)
CONTRADICTED = Counter(
    "hooks_contradictions",
    "Looks at which a young event said otherwise than the reading, by what it said.",
    ["claim"],
)
for _claim in Claim:
    CONTRADICTED.labels(_claim)

# -- changes -----------------------------------------------------------------------------------

_UNTIL_GONE = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 15, 30, 60, 300, 900, 3600)
#: ``since``: published at Okta, received here.
REVOKED_SECONDS = Histogram(
    "hooks_revoked_seconds",
    "Seconds from the oldest event to the 2xx of the last removal it led to, one a person.",
    ["since"],
    buckets=_UNTIL_GONE,
)
PROVED_SECONDS = Histogram(
    "hooks_proved_seconds",
    "The same until all of them were seen to be gone, where the same look saw it.",
    ["since"],
    buckets=_UNTIL_GONE,
)
for _since in ("published", "received"):
    REVOKED_SECONDS.labels(_since)
    PROVED_SECONDS.labels(_since)
STEPS = Counter(
    "hooks_steps",
    "Steps that came to something, by interface, change and what became of them.",
    ["via", "action", "state"],
)
for _step in product(
    ("scim", "organization"),
    ("remove", "add"),
    ("settled", "failed", "parked", "abandoned", "observed"),
):
    STEPS.labels(*_step)

# -- deliveries --------------------------------------------------------------------------------

DELIVERIES = Counter("hooks_deliveries", "POSTs to the hook by the status answered.", ["answer"])
for _answer in ("204", "400", "401", "408", "413", "415", "503"):
    DELIVERIES.labels(_answer)
ACKNOWLEDGE_SECONDS = Histogram(
    "hooks_acknowledge_seconds",
    "Seconds from a delivery's head to its 204; Okta waits three.",
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3),
)
EVENTS = Counter("hooks_events", "Events acknowledged: new ones, and ones known before.", ["seen"])
for _seen in ("new", "known"):
    EVENTS.labels(_seen)
EVENT_TYPES = Counter(
    "hooks_events_by_type",
    "Events stored by type, of deliveries and of the log; what the hook does not send is `other`.",
    ["type", "origin"],
)
for _type in product((*TYPES, "other"), ("hook", "log")):
    EVENT_TYPES.labels(*_type)

# -- the System Log ----------------------------------------------------------------------------

LOGGED = Counter(
    "hooks_log_events",
    "Events the System Log showed before any delivery did: those a hook can send, and others.",
    ["sent_by"],
)
for _sender in ("hook", "log"):
    LOGGED.labels(_sender)
DELIVERIES_FAILED = Counter(
    "hooks_deliveries_failed_at_okta",
    "Deliveries that failed, as Okta's System Log says; they are caught up with by themselves.",
)

# -- alarms -----------------------------------------------------------------------------------

#: ``outcome``: told, rejected, unavailable, late, fault. ``late`` was not sent by us, because
#: somebody else may tell it by now.
NOTIFICATIONS = Counter(
    "hooks_notifications", "Notifications of alarms by what came of them.", ["outcome"]
)
for _outcome in ("told", "rejected", "unavailable", "late", "fault"):
    NOTIFICATIONS.labels(_outcome)

# -- the store, read when somebody asks --------------------------------------------------------

STORE_UP = Gauge("hooks_store_up", "1 if the store could be read for this scrape.")
LINE = Gauge("hooks_line", "People and groups that wait, are worked on, or gave up.", ["state"])
OLDEST_SECONDS = Gauge("hooks_line_oldest_seconds", "How long the first in line has been due.")
UNSETTLED_SECONDS = Gauge(
    "hooks_unsettled_oldest_seconds",
    "Age of the oldest event whose person has not been looked at to the end.",
)
HELD = Gauge("hooks_held", "Holds that wait for somebody's decision.")
#: ``what``: held, dead, parked.
AGE_SECONDS = Gauge(
    "hooks_oldest_seconds",
    "Age of the oldest hold, dead letter and parked removal; 0 where there is none.",
    ["what"],
)
DRIFT = Gauge(
    "hooks_drift", "Memberships otherwise than wanted, by kind, as the last audit found.", ["kind"]
)
KEY_DAYS_LEFT = Gauge(
    "hooks_key_days_left", "Days until a key ends, as [expiry] says; negative after it.", ["key"]
)
INCIDENTS = Gauge(
    "hooks_incidents", "Limits of the brake that were reached, until all of it is decided and done."
)
ALARM = Gauge("hooks_alarm", "1 while an alarm of this kind stands; see `hooks alarms`.", ["alarm"])
REFUSED = Gauge(
    "hooks_refused", "Things left alone now, by reason; see `hooks steps --refused`.", ["cause"]
)
WAITING_LONG = Gauge(
    "hooks_people_waiting_over_an_hour",
    "People with whom Okta or Atlassian has not been done for over an hour.",
)
PAUSED = Gauge("hooks_paused", "1 while `hooks pause` keeps everything from being written.")
BEHIND_SECONDS = Gauge(
    "hooks_catch_up_behind_seconds",
    "How long ago the end of the System Log was last reached; no value before the first time.",
)
MISSED = Gauge(
    "hooks_events_missed",
    "Events of the last day that only the System Log showed, though a hook can send them.",
)
STORED = Gauge("hooks_events_stored", "Events in the store.")
