"""The Jira site of the organization: the same accounts and groups, as Jira shows them.

A site also shows the groups that only Jira has, and leaves out members who are inactive unless
asked. Source: Jira platform OpenAPI, ``group/member``, ``group/user`` and ``user/groups``.
"""

import base64
import json
from collections.abc import Awaitable, Callable, Iterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hooks.sandbox.door import Door
from hooks.sandbox.faults import Request as Asked
from hooks.sandbox.world import World

from .answers import Json
from .nouns import Account, OrgGroup

PREFIX = "/ex/jira/{cloud_id}/rest/api/3"
#: Whoever is in one of these administers the site. Source: names in the Jira OpenAPI's examples.
ADMINS = frozenset({"site-admins", "administrators", "jira-administrators", "org-admins"})
PAGE = 50

Handler = Callable[[Request, Account], Awaitable[Response]]


class JiraError(Exception):
    """Answered with ``errorMessages``."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def create_jira(world: World) -> Door:
    """The one Jira site of this world's organization."""
    jira = Jira(world)
    table: list[tuple[str, str, Handler]] = [
        ("GET", "/user/groups", jira.groups_of),
        ("GET", "/group/member", jira.members),
        ("POST", "/group/user", jira.add),
        ("DELETE", "/group/user", jira.remove),
    ]
    app = Starlette(
        routes=[Route(PREFIX + p, jira.around(h), methods=[m]) for m, p, h in table],
    )
    app.router.redirect_slashes = False
    return Door(app, world, "jira", lambda status: messages(f"Answered {status}"), broken)


def broken(request: Asked) -> Iterator[str]:
    """A careful client changes groups in one place only, and that is the organization."""
    if request.method != "GET":
        yield f"{request.method} {request.path}: changes a group through Jira"


def messages(text: str) -> Json:
    return {"errorMessages": [text], "errors": {}}


class Jira:
    def __init__(self, world: World) -> None:
        self.world = world
        self.organization = world.organization

    # --- who asks -----------------------------------------------------------------------------

    def around(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            try:
                return await handler(request, self._caller(request))
            except JiraError as error:
                return JSONResponse(messages(error.message), error.status)

        return endpoint

    def _caller(self, request: Request) -> Account:
        """A person with an API token of theirs: address and token, as Basic."""
        if request.path_params["cloud_id"] != self.organization.site_id:
            raise JiraError(404, "Site not found")
        scheme, _, proof = request.headers.get("authorization", "").partition(" ")
        try:
            email, _, token = base64.b64decode(proof).decode().partition(":")
        except ValueError:
            email = token = ""
        account_id = self.organization.account_ids.get(email.lower(), "")
        account = self.organization.accounts.get(account_id)
        known = scheme.lower() == "basic" and self.organization.keys.get(token) == "site"
        if account is None or account.status != "active" or not known:
            raise JiraError(401, "Client must be authenticated to access this resource.")
        return account

    def _administers(self, account: Account) -> bool:
        names = {group.name.lower() for group in self._groups(account)}
        return bool(names & ADMINS) or any("admin" in role for role in account.roles)

    # --- what is asked about ------------------------------------------------------------------

    def _groups(self, account: Account) -> list[OrgGroup]:
        at = self.world.now()
        found = self.organization.groups_at(account, at)
        return [group for group in found if self.organization.known(group, at)]

    def _account(self, identity: object) -> Account:
        account = self.organization.accounts.get(str(identity or ""))
        if not identity:
            raise JiraError(400, "The accountId is required.")
        if account is None:
            raise JiraError(404, "The user does not exist.")
        return account

    def _group(self, request: Request) -> OrgGroup:
        """By exactly one of ``groupId`` and ``groupname``."""
        query = request.query_params
        if ("groupId" in query) is ("groupname" in query):
            raise JiraError(400, "Exactly one of groupId and groupname is required.")
        at, name = self.world.now(), query.get("groupname", "").lower()
        for group in self.organization.groups.values():
            named = group.name.lower() == name or group.id == query.get("groupId")
            if named and self.organization.known(group, at):
                return group
        raise JiraError(404, "The group does not exist.")

    # --- reads --------------------------------------------------------------------------------

    async def groups_of(self, request: Request, _: Account) -> Response:
        account = self._account(request.query_params.get("accountId"))
        return JSONResponse([self._named(each, request) for each in self._groups(account)])

    async def members(self, request: Request, _: Account) -> Response:
        """Inactive ones only if ``includeInactiveUsers`` says so; at most 50 in a page."""
        group, query = self._group(request), request.query_params
        everybody = query.get("includeInactiveUsers") == "true"
        at = self.world.now()
        every = [self.organization.accounts[i] for i in self.organization.members_at(group, at)]
        accounts = [account for account in every if everybody or self._active(account)]
        start = int(query["startAt"]) if query.get("startAt", "").isdigit() else 0
        size = int(query["maxResults"]) if query.get("maxResults", "").isdigit() else PAGE
        shown = accounts[start : start + min(size, PAGE)]
        return JSONResponse(
            {
                "self": str(request.url),
                "maxResults": min(size, PAGE),
                "startAt": start,
                "total": len(accounts),
                "isLast": start + len(shown) >= len(accounts),
                "values": [self._person(each, request) for each in shown],
            }
        )

    def _active(self, account: Account) -> bool:
        return self.organization.status_at(account, self.world.now()) == "active"

    def _named(self, group: OrgGroup, request: Request) -> Json:
        here = f"{request.base_url}ex/jira/{self.organization.site_id}/rest/api/3"
        return {
            "name": group.name,
            "groupId": group.id,
            "self": f"{here}/group?groupId={group.id}",
        }

    def _person(self, account: Account, request: Request) -> Json:
        here = f"{request.base_url}ex/jira/{self.organization.site_id}/rest/api/3"
        return {
            "accountId": account.id,
            "accountType": account.type,
            "active": self._active(account),
            "displayName": account.name,
            "emailAddress": account.email,
            "self": f"{here}/user?accountId={account.id}",
        }

    # --- writes -------------------------------------------------------------------------------

    async def add(self, request: Request, caller: Account) -> Response:
        try:
            body = json.loads(await request.body())
        except ValueError:
            body = None
        named = body.get("accountId") if isinstance(body, dict) else None
        group, account = self._writable(request, caller, named)
        self.organization.join(group, account, self.world.now())
        return JSONResponse(self._named(group, request), 201)

    async def remove(self, request: Request, caller: Account) -> Response:
        """Who is no member is an error that says so. Source: baton-jira."""
        named = request.query_params.get("accountId")
        group, account = self._writable(request, caller, named)
        if not self._active(account) and self.world.switches.jira_inactive_remove == "404":
            raise JiraError(404, "The user does not exist.")
        if account.id not in self.organization.members_at(group, self.world.now()):
            raise JiraError(400, f"User '{account.id}' is not a member of '{group.name}'.")
        if not group.synced:
            self.organization.leave(group, account, self.world.now())
        return Response(status_code=200)

    def _writable(
        self, request: Request, caller: Account, identity: object
    ) -> tuple[OrgGroup, Account]:
        group, account = self._group(request), self._account(identity)
        if not self._administers(caller):
            raise JiraError(403, "Site administration is required.")
        if group.synced and self.world.switches.jira_synced_write == "403":
            raise JiraError(403, "The group is managed by an identity provider.")
        return group, account
