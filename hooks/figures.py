"""Every metric of the project, so that one look shows what can be watched and no name repeats.

Labels are operation names, lanes and the operator's own words; never an id, never an address.
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

# -- calls to vendors --------------------------------------------------------------------------

#: ``outcome``: ok, missing, rejected, forbidden, credential, limited, held, unavailable, lost,
#: incomplete, lease, cancelled. ``held`` is one we did not send ourselves (breaker, budget).
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
    "1 while a credential is refused and nothing but a trial is sent with it.",
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
LOOK_SECONDS = Histogram(
    "hooks_look_seconds",
    "Seconds from taking a lease to settling it.",
    ["kind"],
    buckets=(0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6),
)
