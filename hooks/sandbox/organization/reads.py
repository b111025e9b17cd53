"""Searches and reads of accounts, groups and directories of the organization."""

from bisect import bisect
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import islice

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hooks.sandbox.world import World

from . import pages
from .answers import (
    EnvelopeError,
    Json,
    RefusedError,
    account_json,
    group_json,
    parsed,
    role_assignments,
)
from .asks import check_groups, check_users, fits_account, fits_group, has_term, in_query
from .nouns import Account, OrgGroup

LISTS_END = datetime(2027, 7, 1, tzinfo=UTC)
NOT_IN_DIRECTORY = "One or more user not found in the directory"
JIRA_ONLY = ("system-administrators", "atlassian-addons")


class OrganizationReads:
    def __init__(self, world: World) -> None:
        self.world = world
        self.organization = world.organization

    def _at(self) -> datetime:
        return self.world.ago(self.world.switches.org_search_lag)

    # --- what a path names --------------------------------------------------------------------

    def user_base(self, request: Request, *, write: bool = False) -> str | None:
        """The directory of the path; None for ``-``, which is any."""
        identity = str(request.path_params["directory_id"])
        if identity in self.organization.user_bases:
            return identity
        if identity == "-" and (not write or self.world.switches.wildcard_write == "204"):
            return None
        raise RefusedError("ADMIN-UAM-404-1", "Directory not found")

    def group(self, request: Request, user_base: str | None) -> OrgGroup:
        found = self.organization.groups.get(request.path_params["group_id"])
        if found is None or not self._listed(found) or user_base not in (None, found.user_base):
            raise RefusedError("ADMIN-UAM-404-3")
        return found

    def _listed(self, group: OrgGroup) -> bool:
        hidden = group.name.lower().startswith(JIRA_ONLY)
        if hidden and not self.world.switches.jira_only_groups_listed:
            return False
        return group.readable and self.organization.known(group, self._at())

    # --- users --------------------------------------------------------------------------------

    async def search_users(self, request: Request) -> Response:
        return self._users(request, parsed(await request.body()))

    async def list_users(self, request: Request) -> Response:
        self._sunset()
        return self._users(request, in_query(request))

    def _users(self, request: Request, parameters: Json) -> Response:
        switches, user_base = self.world.switches, self.user_base(request)
        question = pages.question(request, parameters, switches.org_users_page, switches)
        check_users(question.asked, strict=switches.org_filter_values == "400")
        # What lies before the page or far behind it need not be judged again for each page.
        start = None if switches.org_cursor == "offset" else question.start
        most = None if switches.org_cursor == "offset" else question.limit + 1
        shown = (
            (account.id, account)
            for account in self._candidates(question.asked, start)
            if self._shown(account, question.asked, user_base)
        )
        found = dict(islice(shown, most))
        expand = question.asked.get("expand", [])

        def told(account: Account) -> Json:
            return account_json(self.organization, account, expand, self._at())

        return pages.listed(request, found, question, told, switches)

    def _candidates(self, asked: Json, start: str | None) -> Iterable[Account]:
        """Whom the ids in the question leave, in the order of their ids, behind ``start``."""
        accounts = self.organization.accounts
        wanted: Iterable[str] = accounts
        if "accountIds" in asked:
            self._all_known(asked["accountIds"])
            wanted = asked["accountIds"]
        if "groupIds" in asked:
            members = self._members(asked["groupIds"])
            wanted = members & set(wanted) if "accountIds" in asked else members
        ids = sorted(wanted)
        return (accounts[i] for i in ids[bisect(ids, start) if start else 0 :] if i in accounts)

    def _members(self, group_ids: list[str]) -> set[str]:
        groups = (self.organization.groups.get(i) for i in group_ids)
        shown = [g for g in groups if g is not None and self._listed(g)]
        return {i for g in shown for i in self.organization.members_at(g, self._at())}

    def _all_known(self, account_ids: list[str]) -> None:
        unknown = set(account_ids) - self.organization.accounts.keys()
        if unknown and self.world.switches.unknown_account_search == "404":
            raise RefusedError("ADMIN-UAM-404-1", NOT_IN_DIRECTORY)

    def _shown(self, account: Account, asked: Json, user_base: str | None) -> bool:
        organization, at = self.organization, self._at()
        if not organization.known(account, at):
            return False
        bases = account.user_bases
        if "directoryIds" in asked:
            bases = bases & set(asked["directoryIds"])
        if not bases or (user_base is not None and user_base not in bases):
            return False
        status = organization.status_at(account, at)
        if status == "inactive" and not self.world.switches.deactivated_listed:
            return False
        return fits_account(account, status, asked)

    # --- groups -------------------------------------------------------------------------------

    async def search_groups(self, request: Request) -> Response:
        return self._groups(request, parsed(await request.body()))

    async def list_groups(self, request: Request) -> Response:
        self._sunset()
        return self._groups(request, in_query(request))

    def _groups(self, request: Request, parameters: Json) -> Response:
        switches, user_base = self.world.switches, self.user_base(request)
        question = pages.question(request, parameters, switches.org_groups_page, switches)
        check_groups(question.asked, strict=switches.org_filter_values == "400")
        bases = {user_base} if user_base else set(self.organization.user_bases)
        bases &= set(question.asked.get("directoryIds", bases))
        found = {
            group.id: group
            for group in self._groups_of(question.asked)
            if self._listed(group)
            and group.user_base in bases
            and fits_group(group, question.asked)
        }
        expand = question.asked.get("expand", [])

        def told(group: OrgGroup) -> Json:
            return group_json(self.organization, group, expand, self._at())

        return pages.listed(request, found, question, told, switches)

    def _groups_of(self, asked: Json) -> Iterable[OrgGroup]:
        organization, at = self.organization, self._at()
        if "accountIds" not in asked:
            return organization.groups.values()
        self._all_known(asked["accountIds"])
        accounts = [organization.accounts.get(i) for i in asked["accountIds"]]
        hidden = not self.world.switches.deactivated_groups_listed
        return (
            group
            for account in accounts
            if account is not None
            and organization.known(account, at)
            and not (hidden and organization.status_at(account, at) == "inactive")
            for group in organization.groups_at(account, at)
        )

    async def get_group(self, request: Request) -> Response:
        group = self.group(request, self.user_base(request))
        expand = in_query(request).get("expand", [])
        return JSONResponse({"data": group_json(self.organization, group, expand, self._at())})

    async def get_role_assignments(self, request: Request) -> Response:
        group = self.group(request, self.user_base(request))
        switches = self.world.switches
        question = pages.question(request, in_query(request), switches.org_groups_page, switches)
        found = {a["resourceId"]: a for a in role_assignments(self.organization, group)}
        return pages.listed(request, found, question, dict, switches)

    # --- directories and the organization itself ----------------------------------------------

    async def list_directories(self, request: Request) -> Response:
        switches, bases = self.world.switches, self.organization.user_bases
        question = pages.question(request, in_query(request), switches.org_groups_page, switches)
        wanted = set(question.asked.get("directoryIds", bases))
        if "accountId" in question.asked:
            account = self.organization.accounts.get(str(question.asked["accountId"]))
            wanted &= account.user_bases if account else set()
        found = {
            identity: {"directoryId": identity, "name": name, "links": {}}
            for identity, name in bases.items()
            if identity in wanted and has_term(question.asked, name)
        }
        return pages.listed(request, found, question, dict, switches)

    async def list_organizations(self, request: Request) -> Response:
        """Empty for a key bound to one organization. Source: jira.js live tests."""
        return JSONResponse({"data": [], "links": {"self": str(request.url)}})

    async def get_organization(self, request: Request) -> Response:
        here = str(request.url)
        return JSONResponse(
            {
                "data": {
                    "id": self.organization.id,
                    "type": "orgs",
                    "attributes": {"name": self.organization.name},
                    "relationships": {
                        name: {"links": {"related": f"{here}/{name}"}}
                        for name in ("domains", "users")
                    },
                    "links": {"self": here},
                }
            }
        )

    async def list_domains(self, request: Request) -> Response:
        """Source: Atlassian v1 OpenAPI ``DomainPage``."""
        mode, here = self.world.switches.domains, str(request.url)
        if mode != "answers":
            raise EnvelopeError(int(mode), "No message available")
        data = [
            {
                "id": f"domain-{number}",
                "type": "domains",
                "attributes": {"name": name, "claim": {"type": "dns", "status": status}},
                "links": {"self": f"{here}/domain-{number}"},
            }
            for number, (name, status) in enumerate(sorted(self.organization.domains.items()))
        ]
        return JSONResponse({"data": data, "links": {"self": here}})

    def _sunset(self) -> None:
        mode = self.world.switches.get_lists
        if mode == "dated":
            mode = "ok" if self.world.now() < LISTS_END else "410"
        if mode != "ok":
            raise EnvelopeError(int(mode), "No message available")
