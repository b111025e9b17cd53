"""The policy of another file beside the settings in force: for a trial, and nothing else of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from hooks.core.errors import SettingsError
from hooks.core.membership import Mode
from hooks.core.policy import Restore, Suspended
from hooks.settings import Role, Settings, load, with_policy
from tests.test_settings import ENVIRON, LEAST, UUID

Other = Callable[[str], Settings]
OWN = LEAST + '[policy]\nrestore = "none"\n[protect]\nusers = ["root@example.com"]\n'


@pytest.fixture
def other(tmp_path: Path) -> Other:
    """Writes the other file, and loads its policy beside the least settings."""
    own, path = tmp_path / "hooks.toml", tmp_path / "other.toml"
    own.write_text(OWN)
    environ = {"HOOKS_CONFIG": str(own), **ENVIRON}
    settings = load(environ, need=Role.LOOK)

    def loaded(toml: str) -> Settings:
        path.write_text(toml)
        return with_policy(settings, str(path), environ)

    return loaded


def test_the_whole_policy_is_the_other_files_and_all_else_is_ours(other: Other) -> None:
    found = other(
        """
        mode = "enforce"
        [okta]
        org_url = "https://elsewhere.okta.com"
        [[directory]]
        name = "elsewhere"
        [unheard_of]
        key = 1
        [policy]
        suspended = "strip"
        brief_absence = "5m"
        [scope]
        only_okta_groups = ["Pilot"]
        [brake]
        left_per_hour = 7
        """
    )
    assert (found.policy.suspended, found.policy.brief_absence) == (
        Suspended.STRIP,
        timedelta(minutes=5),
    )
    assert (found.scope.only_okta_groups, found.brake.left_per_hour) == (("Pilot",), 7)
    assert found.policy.restore is Restore.OURS, "the default: our own is not mixed in"
    assert found.protect.users == ()
    assert found.okta.org_url == "https://example.okta.com"
    assert found.modes == {"main": Mode.OBSERVE}
    assert found.secrets.scim_key(found.directories[0].name).reveal() == ENVIRON["HOOKS_SCIM_KEY"]


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        pytest.param("[policy", "other.toml: is not TOML", id="no TOML"),
        pytest.param("[policy]\nx = 1", "other.toml: [policy] x: unknown key", id="unknown key"),
        pytest.param("[brake]\nleft_per_hour = 0", "other.toml: [brake] left_per_hour", id="value"),
        pytest.param(
            f'[[local_group]]\nid = "{UUID}2"',
            "other.toml: [atlassian] organization_id: missing; [[local_group]] needs it",
            id="rules without an organization",
        ),
    ],
)
def test_a_mistake_is_told_with_the_other_files_name(other: Other, toml: str, told: str) -> None:
    with pytest.raises(SettingsError) as refused:
        other(toml)
    assert told in str(refused.value)
