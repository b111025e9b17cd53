"""Which SCIM record belongs to which account: the admin API of user provisioning."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hooks.sandbox.world import World

from .answers import EnvelopeError, Json, RefusedError, parsed


class ScimLinks:
    """Known from generated clients and notes only, so that they may be missing altogether."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.organization = world.organization

    async def of_account(self, request: Request) -> Response:
        return self._answer(request.path_params["account_id"])

    async def of_email(self, request: Request) -> Response:
        email = str(parsed(await request.body()).get("email", "")).lower()
        return self._answer(self.organization.account_ids.get(email, ""))

    def _answer(self, account_id: str) -> Response:
        match self.world.switches.scim_links:
            case "403":
                raise RefusedError("ADMIN-UAM-403-1")
            case "404":
                raise EnvelopeError(404, "No message available")
            case "405":
                raise RefusedError("ADMIN-UAM-405-1")
            case "answers":
                return JSONResponse(self._links(account_id))

    def _links(self, account_id: str) -> list[Json]:
        own = [
            (record.id, directory.id)
            for directory in self.organization.directories
            if not directory.dead or self.world.switches.lapsed_links_shown
            for record in directory.linked(account_id)
        ]
        return [
            {
                "scimUserId": scim_id,
                "atlassianAccountId": account_id,
                "orgId": self.organization.id,
                "directoryId": directory_id,
            }
            for scim_id, directory_id in own + self.organization.foreign_links.get(account_id, [])
        ]

    async def unlink(self, request: Request) -> Response:
        """The record stays, without its account."""
        directory = self.world.directories.get(request.path_params["directory_id"])
        record = directory.users.get(request.path_params["scim_id"]) if directory else None
        if record is None:
            raise RefusedError("ADMIN-UAM-404-1")
        record.account_id = None
        return Response(status_code=204)

    async def delete_records(self, request: Request) -> Response:
        """Every record of the account, in all directories. Source: spec texts, a field script."""
        for directory in self.organization.directories:
            for record in directory.linked(request.path_params["account_id"]):
                directory.delete_user(record, self.world.now())
        return Response(status_code=204)
