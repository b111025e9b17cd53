"""Writes to the organization: members of groups, and what a careful client never writes."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hooks.sandbox.world import World

from .answers import RefusedError, parsed
from .nouns import Account, OrgGroup
from .reads import NOT_IN_DIRECTORY, OrganizationReads


class OrganizationWrites:
    def __init__(self, world: World, reads: OrganizationReads) -> None:
        self.world = world
        self.organization = world.organization
        self.reads = reads

    # --- members ------------------------------------------------------------------------------

    async def add(self, request: Request) -> Response:
        body = parsed(await request.body())
        if not isinstance(body.get("accountId"), str):
            raise RefusedError("ADMIN-UAM-400-1", "accountId is required")
        group, account = self._named(request, body["accountId"])
        switches = self.world.switches
        if group.synced or not group.modifiable:
            self._refuse_synced(group)
        elif self._inactive(account, switches.inactive_add):
            raise RefusedError("ADMIN-UAM-400-2")
        elif account.id in group.members:
            if switches.org_add_member == "409":
                raise RefusedError("ADMIN-UAM-409-2")
        elif switches.licence_limit and group.default_for is not None:
            raise RefusedError("ADMIN-UAM-409-3")
        else:
            self.organization.join(group, account, self.world.now())
        return self._done(f"User {account.id} was added to group {group.id}")

    async def remove(self, request: Request) -> Response:
        group, account = self._named(request, request.path_params["account_id"])
        switches = self.world.switches
        if group.synced or not group.modifiable:
            self._refuse_synced(group)
        elif self._inactive(account, switches.inactive_remove):
            raise RefusedError("ADMIN-UAM-400-2")
        elif account.id not in group.members:
            if switches.org_remove_nonmember == "404":
                raise RefusedError("ADMIN-UAM-404-1", "User is not a member of the group")
        elif group.name.lower() == "org-admins" and switches.org_admins_remove == "403":
            raise RefusedError("ADMIN-UAM-403-1")
        else:
            # Out of org-admins too: the role is another thing and stays.
            self.organization.leave(group, account, self.world.now())
        return self._done(f"User {account.id} was removed from group {group.id}")

    def _named(self, request: Request, account_id: str) -> tuple[OrgGroup, Account]:
        user_base = self.reads.user_base(request, write=True)
        group = self.reads.group(request, user_base)
        account = self.organization.accounts.get(account_id)
        # An id of a SCIM user is no account here either. Source: baton-atlassian, recorded.
        if account is None or group.user_base not in account.user_bases:
            raise RefusedError("ADMIN-UAM-404-1", NOT_IN_DIRECTORY)
        return group, account

    def _refuse_synced(self, group: OrgGroup) -> None:
        if not group.synced or self.world.switches.synced_write == "403":
            raise RefusedError("ADMIN-UAM-403-1")

    def _inactive(self, account: Account, mode: str) -> bool:
        status = self.organization.status_at(account, self.world.now())
        return status != "active" and mode == "400"

    def _done(self, message: str) -> Response:
        if self.world.switches.org_write_reply == "200":
            return JSONResponse({"message": message})
        return Response(status_code=204)

    # --- what destroys ------------------------------------------------------------------------

    async def delete_group(self, request: Request) -> Response:
        group = self.reads.group(request, self.reads.user_base(request, write=True))
        if group.synced:
            raise RefusedError("ADMIN-UAM-403-1")
        self.organization.drop_group(group)
        return Response(status_code=204)

    async def delete_user(self, request: Request) -> Response:
        self.reads.user_base(request, write=True)
        self.organization.forget(self._account(request))
        return Response(status_code=204)

    async def suspend(self, request: Request) -> Response:
        self._account(request).membership = "suspended"
        return Response(status_code=204)

    async def restore(self, request: Request) -> Response:
        self._account(request).membership = "active"
        return Response(status_code=204)

    async def assign_role(self, request: Request) -> Response:
        account, role = self._account(request), str(parsed(await request.body()).get("role"))
        account.roles = [*dict.fromkeys([*account.roles, role])]
        return Response(status_code=204)

    async def revoke_role(self, request: Request) -> Response:
        """The only way to end an administrator. Source: Postman texts of the admin API."""
        account, role = self._account(request), str(parsed(await request.body()).get("role"))
        account.roles = [each for each in account.roles if each != role]
        return Response(status_code=204)

    def _account(self, request: Request) -> Account:
        account = self.organization.accounts.get(request.path_params["account_id"])
        if account is None:
            raise RefusedError("ADMIN-UAM-404-1", NOT_IN_DIRECTORY)
        return account
