"""Every behaviour of the vendors that is doubtful, late or optional, as one field each.

The defaults are what is most likely to be met. Seconds are plain numbers.
"""

from dataclasses import dataclass, field
from typing import Literal

from .organization.switches import OrganizationSwitches


@dataclass
class Switches(OrganizationSwitches):
    """Change a field at any time; it holds from the next call on."""

    # --- Okta: what its jobs do to the directory, and when ---------------------------------
    provisioning_delay: float = 0.0
    """Seconds until ``active`` and group push land in the directory. Source: none published."""
    group_push_delay: float | None = None
    """The same for group push alone; ``None``: as ``provisioning_delay``."""
    deprovisioning: bool = True
    """Okta's "Deactivate Users". Off: an unassignment sends nothing to the directory."""
    push_inactive_app_users: bool = False
    """The tenant flag GROUP PUSH INACTIVE APPUSER. Source: Atlassian community ba-p/2349197."""
    forget_pushed_on_unassign: bool = False
    """Whether Okta forgets, on unassignment, what it has pushed for the person. Unknown."""
    forget_pushed_on_skip: bool = False
    """Whether Okta forgets a pushed member whose removal it skipped. Unknown."""
    mapping_on_group_delete: Literal["ERROR", "INACTIVE", "vanish"] = "ERROR"
    """What becomes of a group push mapping whose source group is deleted. Unknown."""
    deactivation_delay: float = 0.0
    """Seconds a user is ``transitioningToStatus: DEPROVISIONED``. Source: Okta OpenAPI."""
    activation_delay: float = 0.0
    """Seconds a user is ``ACTIVATING``. Source: note on UserStatus in the Okta OpenAPI."""
    activating_as: Literal["ACTIVATING", "DEPROVISIONED"] = "ACTIVATING"
    """Status of a deactivated user until then, always ``transitioningToStatus: ACTIVE``; the
    OpenAPI has both, one beside the other."""
    force_sync: Literal["unlinks", "drops", "harmless"] = "unlinks"
    """What a Force Sync does to accounts nobody claimed: unlinks them and drops them from synced
    groups, the latter alone, or nothing. Source: ACCESS-1003, open; ACCESS-1737."""
    granular_deprovisioning: float | None = None
    """Seconds after a release until Okta itself takes the groups it pushed, if it does at all.
    Source: Okta event catalogue 2026.07.3, ``remove_entitlements``."""
    import_reactivates: bool = True
    """An import logs ``user.lifecycle.reactivate`` before ``.activate``. Source: Okta support."""
    group_delete_logs_members: bool = False
    """Whether deleting a group logs a removal per member. Unknown."""
    events_carry_webhooks: bool = True
    """``debugData.webhooks`` names the hooks an event is meant for. Source: Okta docs."""
    shuffle_targets: bool = False
    """Targets "not always in the same array location". Source: Okta OpenAPI LogEvent."""

    # --- Okta: AppUsers ----------------------------------------------------------------------
    app_user_status: str = "PROVISIONED"
    """Status of a provisioned AppUser; real tenants also show ACTIVE."""
    unassigned_app_user: str = "404"
    """``404``, or the status with which an unassigned AppUser stays readable."""
    app_user_external_id: bool = True
    """Whether AppUsers show ``externalId``, the SCIM id. Source: Okta OpenAPI AppUser."""
    app_user_alternate_id: Literal["userName", "unknown"] = "userName"
    """``alternateId`` of the AppUser target; a recorded event had ``unknown``."""
    app_user_id_reused: bool = True
    """Whether an AppUser keeps its ``0ua…`` id over unassignment. Unknown."""

    # --- Okta: reads ------------------------------------------------------------------------
    user_lag: float = 0.0
    """Seconds by which ``GET /users/{id}`` trails changes made while this is above zero."""
    groups_lag: float = 0.0
    """The same for ``GET /users/{id}/groups`` and ``GET /groups/{id}/users``."""
    app_user_lag: float = 0.0
    """The same for ``GET /apps/{id}/users`` and below."""
    search_lag: float = 0.0
    """Seconds until a new or renamed group is found by ``search``. Source: Okta OpenAPI."""
    log_delay: float = 0.0
    """Seconds between an event and its appearance in the System Log."""
    groups_page: int = 200
    """Page size of ``GET /users/{id}/groups``. Source: okta-sdk-java issue 1286."""
    limit_over_maximum: Literal["400", "clamp"] = "400"
    """What a ``limit`` above the maximum does."""

    app_features: Literal["answers", "400", "404", "bare"] = "answers"
    """``GET /apps/{id}/features``: an error where provisioning is not enabled (Okta OpenAPI), not
    offered for this app (older descriptions name one kind of app only), or without
    ``capabilities``."""
    profile_email_shown: bool = True
    """Whether the profile mapping calls the primary address ``email``. Not published."""
    okta_role: Literal["all", "403", "404"] = "all"
    """What the credential's role sees: everything; or lists are 200 and empty, and what is read by
    id is answered like this. Source: Okta guide for OAuth service apps: roles bound what scopes
    can see."""

    # --- Okta: doors ------------------------------------------------------------------------
    token_lifetime: int = 3600
    """Seconds an access token lives. Source: Okta guide for OAuth service apps."""
    okta_clock: float = 0.0
    """Seconds by which Okta's ``Date`` is ahead of the clock here."""
    require_dpop: bool = False
    """The token endpoint insists on DPoP and refuses without it; proofs are not modelled."""
    ssws_without_space: bool = True
    """Accept ``SSWS<token>``, as okta-sdk-python 3 sends it."""
    okta_rate_headers: bool = True
    okta_rate_limit: int = 600
    """Requests per minute and bucket, told in the headers."""
    okta_rate_remaining: int | None = None
    """A fixed ``X-Rate-Limit-Remaining``; ``None``: counted."""
    okta_rate_enforced: bool = False
    """Answer 429 E0000047 above the limit."""
    okta_rate_window: int = 60
    okta_concurrency: int | None = None
    """Calls at once above which 429 E0000047 comes, with limit and remaining 0 and a reset that is
    only a hint; each call then takes 10 ms. Source: Okta rate limits: 75, or 35 for a trial."""
    hooks_over_http: bool = True
    """Real Okta refuses a plain http hook; here the hook is usually on loopback."""
    hook_warm_up: float = 0.0
    """Seconds after its verification until events are routed to a hook: "several minutes"
    (Okta docs), or a minute (Okta engineering)."""
    hook_filters: Literal["accepted", "refused", "ignored"] = "accepted"
    """Filters of hooks are an early-access feature; what an org without it does is unknown."""
    hook_filter_counts_none: bool = True
    """Whether a filter may say ``.size() eq 0``: both are documented, not together."""
    hook_types_refused: list[str] = field(default_factory=list)
    """Types this org's hooks do not offer yet, though the catalogue calls them eligible."""
    hook_replace_unverifies: Literal["channel", "always"] = "channel"
    """What makes a replaced hook UNVERIFIED. Source of "channel": Okta OpenAPI replaceEventHook,
    which does not say whether the same channel written again counts."""
    retry_keeps_event_id: bool = True
    """A second delivery carries the same ``eventId``. Implied by Okta's docs, not shown."""

    # --- Atlassian SCIM: resources ----------------------------------------------------------
    scim_external_id: Literal["okta_id", "absent", "other"] = "okta_id"
    """What Okta writes into ``externalId``; fixed when the record is made or linked again."""
    scim_active_shown: bool = True
    """A recorded user lacked ``active``."""
    scim_groups_shown: bool = True
    """Whether users carry ``groups`` at all."""
    scim_groups_in_lists: bool = True
    """Whether they do in a list without a filter. Source: none found."""
    scim_groups_when_empty: Literal["list", "missing"] = "list"
    scim_groups_of_inactive: bool = True
    """Whether a deactivated user still carries ``groups``. Source: Atlassian community."""
    scim_extension_shown: bool = True
    """Whether users carry the atlassian-external extension with the account id."""
    scim_page_size: int = 100
    """Page without ``count``: 100 (support KB) or 10000 (old example)."""
    scim_page_maximum: int | None = None
    """Cap on ``count``; none is declared."""
    scim_paging_ignored: bool = False
    """``startIndex`` and ``count`` are ignored, as one independent service does."""
    filter_ignored: bool = False
    """``filter`` is ignored and the first page of everybody comes back."""
    scim_read_lag: float = 0.0
    """Seconds by which ``User.groups`` and ``GET /Groups`` trail writes made while above zero."""
    display_name_case_exact: bool = True
    """Whether ``displayName eq`` distinguishes case. Unknown."""

    # --- Atlassian SCIM: PATCH --------------------------------------------------------------
    patch_reply: Literal["group", "empty"] = "group"
    """200 with the whole resource (Atlassian OpenAPI), or 204 (allowed by Okta)."""
    patch_atomic: bool = True
    """One refused operation undoes the others of its PATCH. Unknown."""
    remove_form: Literal["both", "selector_only", "value_only"] = "both"
    """Which form of ``remove`` the directory takes."""
    refusal: Literal["invalidPath", "invalidSyntax", "invalidFilter", "noTarget"] = "invalidPath"
    """``scimType`` of a refused form."""
    remove_nonmember: Literal["ok", "noTarget", "404"] = "ok"
    remove_unknown_user: Literal["ok", "noTarget", "404"] = "404"
    """A removal that names no user of the directory, for instance an account id."""
    add_unknown_user: Literal["ok", "404"] = "404"
    """An addition that names no user of the directory. Source of 404: Atlassian OpenAPI."""
    value_with_display: Literal["removes", "nobody"] = "removes"
    """A value array whose entry has ``display``: some services remove nobody."""
    value_bare_string: Literal["removes", "nobody"] = "nobody"
    """A value array of bare strings."""
    value_as_object: Literal["removes", "empties"] = "removes"
    """``value`` as one object: one service emptied the group."""
    selector_combines: bool = True
    """``members[value eq "a" or value eq "b"]`` is understood; one service refuses it."""

    # --- Atlassian SCIM: doors --------------------------------------------------------------
    scim_no_directory: Literal["404", "401", "403"] = "404"
    """What a directory answers that is gone, as after a lapse, or never was. Source of 404:
    Atlassian OpenAPI."""
    atlassian_clock: float = 0.0
    """Seconds by which Atlassian's ``Date`` is ahead of the clock here."""
    scim_patch_supported: bool = True
    """What ``ServiceProviderConfig`` says of PATCH; Atlassian's own was not found."""
    scim_rate_headers: bool = False
    scim_rate_limit: int | None = None
    """Requests per minute and directory, enforced with 429; nothing is published."""
    retry_after: Literal["seconds", "date", "absent"] = "seconds"
    """Form of ``Retry-After`` on a 429."""
