"""What a user would write instead: one removal after another inside the request, and no store.

python -m tests.bench.naive PORT TOLD. Written for the comparison, with Flask and its own server. It
keeps its connections, which is kinder than most such scripts are, and it believes the event, asks
nobody whether the person has come back since, retries nothing and proves nothing.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

import httpx
from flask import Flask, Response, request

from tests.bench.servers import SECRET

LEFT = "user.lifecycle.deactivate"
_PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


class Receiver:
    """Takes everybody who was deactivated out of every group they are in."""

    def __init__(self, told: dict[str, Any]) -> None:
        scim = f"{told['atlassian']}/scim/directory/{told['directory']}"
        organization = f"{told['atlassian']}/admin/v2/orgs/{told['organization']}"
        self.user_base = told["user_base"]
        self.scim = _client(scim, told["scim_key"])
        self.organization = _client(organization, told["organization_key"])

    def receive(self) -> Response:
        if request.headers.get("Authorization") != SECRET:
            return Response(status=401)
        for event in json.loads(request.data)["data"]["events"]:
            if event["eventType"] == LEFT:
                for target in event["target"]:
                    if target["type"] == "User":
                        self.leave(target["alternateId"])
        return Response(status=204)

    def leave(self, login: str) -> None:
        found = self.scim.get("/Users", params={"filter": f'userName eq "{login}"'})
        for user in found.raise_for_status().json()["Resources"]:
            for group in user.get("groups", ()):
                change = {"op": "remove", "path": f'members[value eq "{user["id"]}"]'}
                body = {"schemas": [_PATCH], "Operations": [change]}
                self.scim.patch(f"/Groups/{group['value']}", json=body).raise_for_status()
            self.leave_local(user["urn:scim:schemas:extension:atlassian-external:1.0"])

    def leave_local(self, extension: dict[str, str]) -> None:
        account = extension["atlassianAccountId"]
        found = self.organization.post(
            "/directories/-/groups/search", json={"accountIds": [account], "limit": 100}
        )
        for group in found.raise_for_status().json()["data"]:
            if group["name"].startswith("local-"):
                there = f"/directories/{self.user_base}/groups/{group['id']}/memberships"
                self.organization.delete(f"{there}/{account}").raise_for_status()


def _client(url: str, key: str) -> httpx.Client:
    return httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60)


def main() -> None:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    app = Flask(__name__)
    app.post("/okta/events")(Receiver(json.loads(sys.argv[2])).receive)
    app.run("127.0.0.1", int(sys.argv[1]))


if __name__ == "__main__":
    main()
