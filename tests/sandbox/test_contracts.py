"""Every answer against the vendors' published schemas."""

from __future__ import annotations

from functools import cache
from typing import Any

import httpx
import jsonschema
import pytest

from hooks.sandbox import HOOK_TYPES, Story0
from tests.shared import shared


@cache
def contract(name: str) -> dict[str, Any]:
    read: dict[str, Any] = shared(f"contracts/{name}.json")
    return read


def bare(value: Any) -> Any:
    """Without nulls: both vendors write them where their schemas do not allow it."""
    if isinstance(value, dict):
        return {k: bare(v) for k, v in value.items() if v is not None}
    return [bare(v) for v in value] if isinstance(value, list) else value


def declared(document: dict[str, Any], schema: dict[str, Any]) -> set[str]:
    """All properties the schema names, its ``allOf`` included."""
    if "$ref" in schema:
        return declared(document, resolved(document, schema["$ref"]))
    names = set(schema.get("properties", {}))
    return names.union(*(declared(document, part) for part in schema.get("allOf", [])))


def resolved(document: dict[str, Any], ref: str) -> dict[str, Any]:
    node: Any = document
    for part in ref.removeprefix("#/").split("/"):
        node = node[part]
    found: dict[str, Any] = node
    return found


def check(name: str, schema_name: str, bodies: list[Any]) -> None:
    document = contract(name)
    schema = document["components"]["schemas"][schema_name]
    validator = jsonschema.Draft202012Validator({**schema, "components": document["components"]})
    assert bodies
    for body in bodies:
        validator.validate(bare(body))
        undeclared = set(body) - declared(document, schema)
        assert not undeclared, f"{schema_name}: {undeclared}"


def as_list(body: Any) -> list[Any]:
    return body if isinstance(body, list) else [body]


@pytest.fixture
def lively(story: Story0) -> Story0:
    """Every kind of event, an error, a suspended person."""
    world = story.world
    story.remove_from_old_group()
    story.come_back()
    world.suspend(story.colleague)
    world.lock(story.colleague)
    world.add_hook("https://receiver.test/x", "secret", HOOK_TYPES)
    world.set_mapping_status("Production-StatusPage", "ERROR")
    world.deactivate(story.colleague)
    world.activate(story.colleague, imported=True)
    return story


def username_template(body: dict[str, Any]) -> str:
    """As Okta's own SDK reads it."""
    from okta.models.application_credentials_username_template import (
        ApplicationCredentialsUsernameTemplate,
    )

    return str(ApplicationCredentialsUsernameTemplate.model_validate(body).template)


@pytest.mark.parametrize(
    ("path", "schema"),
    [
        ("/users", "User"),
        ("/users/{user}", "UserGetSingleton"),
        ("/users/{user}/groups", "Group"),
        ("/groups", "Group"),
        ("/groups/{group}", "Group"),
        ("/groups/{group}/users", "User"),
        ("/apps/{app}", "Application"),
        ("/apps/{app}/users", "AppUser"),
        ("/apps/{app}/users/{user}", "AppUser"),
        ("/apps/{app}/groups", "ApplicationGroupAssignment"),
        ("/apps/{app}/group-push/mappings", "GroupPushMapping"),
        ("/eventHooks", "EventHook"),
        ("/users/nobody", "Error"),
        ("/logs?limit=1001", "Error"),
    ],
)
async def test_okta(lively: Story0, okta: httpx.AsyncClient, path: str, schema: str) -> None:
    told = path.format(user=lively.person.id, group=lively.statuspage.id, app=lively.app.id)
    bodies = as_list((await okta.get(f"/api/v1{told}")).json())
    if schema == "Application":
        # Declared by the schemas of the single kinds of app, which this contract leaves out.
        assert bodies[0].pop("name") == "atlassian"
        template = bodies[0].pop("credentials")["userNameTemplate"]
        assert username_template(template) == "${source.email}"
    check("okta-management", schema, bodies)


async def test_the_log(lively: Story0, okta: httpx.AsyncClient) -> None:
    events = (await okta.get("/api/v1/logs?limit=1000")).json()
    assert len({event["eventType"] for event in events}) > 15
    for event in events:
        # Real events carry ``device``, which the published schema does not know.
        event.pop("device")
    check("okta-management", "LogEvent", events)


#: What this contract leaves out; the models of Okta's own SDK are made of the whole description.
BEYOND = frozenset({"/api/v1/apps/{id}/features", "/api/v1/mappings", "/api/v1/mappings/{id}"})


async def test_what_the_contract_leaves_out_is_as_okta_s_own_sdk_reads_it(
    lively: Story0, okta: httpx.AsyncClient
) -> None:
    from okta.models.list_profile_mappings import ListProfileMappings
    from okta.models.profile_mapping import ProfileMapping
    from okta.models.user_provisioning_application_feature import (
        UserProvisioningApplicationFeature,
    )

    (feature,) = (await okta.get(f"/api/v1/apps/{lively.app.id}/features")).json()
    read = UserProvisioningApplicationFeature.model_validate(feature).to_dict()
    assert read["capabilities"]["update"]["lifecycleDeactivate"] == {"status": "ENABLED"}
    target = f"/api/v1/mappings?targetId={lively.app.id}"
    (listed,) = (await okta.get(target)).json()
    assert ListProfileMappings.model_validate(listed).id == listed["id"]
    whole = (await okta.get(f"/api/v1/mappings/{listed['id']}")).json()
    properties = ProfileMapping.model_validate(whole).properties or {}
    assert properties["email"].expression == "user.email"


async def test_every_okta_path_is_in_the_contract(story: Story0) -> None:
    from hooks.sandbox.okta import DECLARED

    document = contract("okta-management")
    known = {
        path.replace("{appId}", "{id}")
        .replace("{userId}", "{id}")
        .replace("{groupId}", "{id}"): operations["get"]
        for path, operations in document["paths"].items()
        if "get" in operations
    }
    for path, names in DECLARED.items():
        if path in BEYOND:
            continue
        parameters = [
            resolved(document, p["$ref"]) if "$ref" in p else p
            for p in known[path].get("parameters", [])
        ]
        query = {p["name"] for p in parameters if p["in"] == "query"}
        assert names == query or (path == "/api/v1/users/{id}/groups" and not query), path


def recorded_spelling(body: Any) -> Any:
    """``resourceType`` is upper case in the schema and ``User`` in every recorded answer."""
    if isinstance(body, dict):
        return {
            k: v.upper() if k == "resourceType" else recorded_spelling(v) for k, v in body.items()
        }
    return [recorded_spelling(v) for v in body] if isinstance(body, list) else body


@pytest.mark.parametrize(
    ("path", "schema"),
    [
        ("/Users", "ScimUserListResponse"),
        ("/Users/{user}", "ScimUser"),
        ("/Groups", "ScimGroupListResponse"),
        ("/Groups/{group}", "ScimGroup"),
        ("/Groups/nothing", "ScimError"),
        ('/Users?filter=active eq "x"', "ScimError"),
    ],
)
async def test_scim(lively: Story0, scim: httpx.AsyncClient, path: str, schema: str) -> None:
    record = lively.world.record(lively.directory, lively.person.login)
    group = lively.directory.group_named("Production-Confluence")
    assert group is not None
    body = (await scim.get(path.format(user=record.id, group=group.id))).json()
    check("atlassian-scim", schema, [recorded_spelling(body)])
    for resource in recorded_spelling(body).get("Resources", []):
        check("atlassian-scim", "ScimUser" if "userName" in resource else "ScimGroup", [resource])


async def test_scim_refusals(lively: Story0, scim: httpx.AsyncClient) -> None:
    response = await scim.get("/Users", headers={"Authorization": "Bearer x"})
    check("atlassian-scim", "Failure", [response.json()])
    response = await scim.post("/Users", json={"userName": lively.person.login})
    check("atlassian-scim", "ScimError", [response.json()])


async def test_every_scim_path_of_the_contract_is_served(
    story: Story0, scim: httpx.AsyncClient
) -> None:
    record = story.world.record(story.directory, story.person.login)
    group = next(iter(story.directory.groups))
    for path, operations in contract("atlassian-scim")["paths"].items():
        told = path.replace("{directoryId}", story.directory.id)
        told = told.replace("{userId}", record.id).replace("{id}", group)
        if "get" in operations:
            response = await scim.get(f"https://api.atlassian.test{told}")
            assert response.status_code == 200, path
