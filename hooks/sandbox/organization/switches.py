"""What is doubtful about the organization: its admin API, and how SCIM directories reach it.

"Unknown" means that no source says it. Atlassian's spec texts are those that jira.js carries.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass
class OrganizationSwitches:
    """The part of ``Switches`` that is about the organization. Seconds are plain numbers."""

    # --- Atlassian organization: what it is told, and when -----------------------------------
    propagation_delay: float = 0.0
    """Seconds by which synced groups and accounts trail their SCIM directory. Not published."""
    org_search_lag: float = 0.0
    """Seconds by which reads of groups and members trail writes made while this is above zero."""
    all_members_group: bool = True
    """Whether each directory has its group of everybody. Source: Atlassian, Okta set-up."""
    default_name_create: Literal["unsynced", "409"] = "unsynced"
    """A SCIM group named as a built-in or default one: made and never synced (Atlassian OpenAPI),
    or a conflict (older text)."""
    lapsed_links_shown: bool = False
    """Whether links into such a directory are told for ever. ACCESS-1369: the system still takes
    "the old (removed) provisioning directory into account"."""
    auto_app_access: bool = False
    """A log-in grants the default groups again. Source: resolution.de, default groups page."""
    unmanaged_deactivation: Literal["ignored", "deactivated"] = "ignored"
    """What ``active: false`` does to an account nobody claimed. Unknown."""

    unlinked_managed: Literal["deactivated", "unchanged"] = "deactivated"
    """What deleting its SCIM user does to a claimed account. Source: spec texts of 2026; the blog
    of 2025 only says that it can be reactivated afterwards."""
    unlinked_unmanaged: Literal["unchanged", "deactivated"] = "unchanged"
    """The same to an account nobody claimed: "deactivates the account if managed"."""
    unlinked_groups: Literal["left", "kept"] = "left"
    """Whether its synced groups are gone with it, or kept, out of reach of SCIM. Unknown."""

    # --- Atlassian organization: writes -------------------------------------------------------
    inactive_remove: Literal["204", "400"] = "204"
    """Removing a deactivated account: done, or ADMIN-UAM-400-2 "Inactive user". Unknown."""
    inactive_add: Literal["204", "400"] = "400"
    """The same for adding one. Some operation must have the code 400-2; unknown which."""
    synced_write: Literal["403", "204"] = "403"
    """A write to a synced group: ADMIN-UAM-403-1 (v1 OpenAPI), or accepted and without effect."""
    org_remove_nonmember: Literal["204", "404"] = "204"
    """Unknown."""
    org_add_member: Literal["204", "409"] = "204"
    """Adding a member again; 409-2 "at times". Source: baton-atlassian, measured."""
    org_admins_remove: Literal["204", "403"] = "204"
    """Out of ``org-admins``: the role stays (notes on the API), or an error (older notes)."""
    wildcard_write: Literal["404", "204"] = "404"
    """``-`` for the directory of a write. Documented for reads only."""
    licence_limit: bool = False
    """Adding to a group that grants an app is 409-3. Source: baton-atlassian, recorded."""
    org_write_reply: Literal["204", "200"] = "204"
    """204 and empty, or 200 with a message as v1 has it."""

    # --- Atlassian organization: searches -----------------------------------------------------
    unknown_account_search: Literal["empty", "404"] = "empty"
    """A search that names an account the directory does not have. 404-1 is recorded, its call
    is not."""
    deactivated_listed: bool = True
    """Whether ``users/search`` lists deactivated accounts. Source: the filter for them exists."""
    deactivated_groups_listed: bool = True
    """Whether ``groups/search`` finds the groups of a deactivated account. Unknown."""
    roles_without_expand: bool = False
    """``platformRoles`` come without ``expand``. Unknown."""
    empty_roles_shown: bool = True
    """Whether ``platformRoles`` is there for an account without any. Every field is optional."""
    expand_groups_given: bool = True
    """Whether ``expand=groups`` is honoured. Source: spec texts of users/search."""
    managed_by_shown: bool = True
    external_synced_shown: bool = True
    management_access_shown: bool = True
    counts_shown: bool = True
    """Whether ``expand`` brings ``counts``; the three above: whether groups carry the field."""
    jira_only_groups_listed: bool = True
    """Whether ``system-administrators`` and ``atlassian-addons*`` are returned. baton-jira says
    no; here yes, so that a client has to leave them alone by itself."""
    org_users_page: int = 50
    org_groups_page: int = 20
    """Pages without ``limit``. Source: spec texts."""
    org_page_maximum: int = 100
    """Source: a connector's comment."""
    org_limit_over: Literal["400", "clamp"] = "400"
    """What a ``limit`` above the maximum does. Unknown."""
    org_filter_values: Literal["400", "any"] = "400"
    """More values than a filter takes (10 ids, 100 addresses): refused, as
    terraform-provider-atlassian has it, or taken."""
    org_next: Literal["bare", "url", "query"] = "bare"
    """Form of ``links.next``: a cursor, a URL, or ``?cursor=…``. Each has its source."""
    org_cursor: Literal["after", "offset"] = "after"
    """What a cursor remembers: the last item, or how many; then pages shift under changes."""

    # --- Atlassian organization: doors --------------------------------------------------------
    get_lists: Literal["dated", "ok", "404", "410"] = "dated"
    """``GET …/users`` and ``GET …/groups``, which end on 2027-06-30: 410 from then on, or as said
    here whatever the date. Source: spec texts."""
    v1_endpoints: Literal["410", "404"] = "410"
    """What the calls that v2 replaced answer. Source: changelog, June 2026."""
    wrong_organization: Literal["routing", "404-2", "403-2"] = "routing"
    """What an id answers that is none of an organization of the key. Each is known to exist; of
    which call, is not."""
    scoped_write: Literal["403-1", "403-2"] = "403-1"
    """A change with a key that may only read. The first was seen in the field."""
    org_401: Literal["proxy", "errors"] = "proxy"
    """``{"code":401,"message"}`` or ADMIN-UAM-401-1."""
    org_403: Literal["errors", "recorded"] = "errors"
    """A revoked key: ADMIN-UAM-403-2, or the shape recorded for v1."""
    org_429: Literal["proxy", "errors"] = "proxy"
    """``{"code":429,"message"}`` or ADMIN-429-1."""
    org_error_status: Literal["string", "number"] = "string"
    """``errors[].status``; both were seen. Source: baton-atlassian."""
    org_rate_headers: bool = True
    """``X-RateLimit-*`` with an ISO reset. Source: Atlassian v1 OpenAPI, introduction."""
    org_rate_limit: int | None = None
    """Requests per minute, enforced with 429; no number is published."""
    org_rate_counts: Literal["key", "endpoint"] = "key"
    """What the rate counts together. "For each endpoint", says the introduction of the v2
    reference; of the limits nothing was seen."""
    org_events_per_minute: int = 10
    """Source: spec texts of events, May 2025."""
    org_event_delay: float = 0.0
    """Seconds until an event is listed; up to a day is told."""
    jira_synced_write: Literal["403", "200"] = "403"
    """A write to a synced group through the Jira site: refused, or accepted and without effect.
    Unknown."""
    jira_inactive_remove: Literal["200", "404"] = "200"
    """Removing a deactivated account there. Unknown."""
    domains: Literal["answers", "403", "404"] = "answers"
    """``GET /admin/v1/orgs/{id}/domains``, of the old version and still described."""
    scim_links: Literal["answers", "403", "404", "405"] = "answers"
    """``get-scim-links``. Known second-hand only."""
