"""Username and address mapped differently make one person two accounts. Source: Atlassian,
"Configure user provisioning with Okta"."""

from __future__ import annotations

import httpx
import pytest

from hooks.sandbox import Story0, World
from hooks.sandbox.story import PERSON

OTHER = "new.name@somedomain.example"


@pytest.mark.parametrize(("email", "accounts"), [("login", 1), ("email", 2)])
def test_a_sign_in_by_another_address_makes_another_account(email: str, accounts: int) -> None:
    story = Story0(World())
    world, app = story.world, story.app
    world.map_profile(app, user_name="login", email=email)
    world.set_email(PERSON, OTHER)
    world.update_now(app)
    assert world.sign_in(PERSON, app).email == PERSON
    addresses = {each.email for each in world.organization.accounts.values()}
    assert len(addresses & {PERSON, OTHER}) == accounts


async def test_the_app_tells_what_each_is_made_of(story: Story0, okta: httpx.AsyncClient) -> None:
    story.world.map_profile(story.app, user_name="login", email="email", push=False)
    story.world.set_email(PERSON, OTHER)
    app = (await okta.get(f"/api/v1/apps/{story.app.id}")).json()
    template = app["credentials"]["userNameTemplate"]
    assert (template["template"], template["pushStatus"]) == ("${source.login}", "DONT_PUSH")
    users = (await okta.get(f"/api/v1/apps/{story.app.id}/users")).json()
    (person,) = (each for each in users if each["id"] == story.person.id)
    assert (person["credentials"]["userName"], person["profile"]["email"]) == (PERSON, OTHER)


@pytest.mark.parametrize("role", ["403", "404"])
async def test_an_app_without_a_role_sees_nothing(
    story: Story0, okta: httpx.AsyncClient, role: str
) -> None:
    story.world.switches.okta_role = role  # type: ignore[assignment]
    for path in ("users", "groups", "logs"):
        answer = await okta.get(f"/api/v1/{path}")
        assert answer.status_code == 200
        assert path == "logs" or answer.json() == []
    assert (await okta.get(f"/api/v1/apps/{story.app.id}")).status_code == int(role)
