"""Every mistake an operator can make is told, all of them together, and no value with them."""

from __future__ import annotations

import base64
import os
import pickle
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm

from hooks.core.errors import SettingsError
from hooks.core.ids import DirectoryName
from hooks.core.membership import Mode
from hooks.core.policy import Orphaned, Restore, Suspended
from hooks.settings import Holder, OktaKey, OktaToken, Role, Secret, Settings, load
from hooks.settings.forms import Address

APP = "0oa00000000000000001"
UUID = "00000000-0000-4000-8000-00000000000"
DIRECTORY = f"""
[[directory]]
name = "main"
okta_app_id = "{APP}"
scim_directory_id = "{UUID}2"
"""
SECOND = DIRECTORY.replace("main", "lab-2").replace("01", "02").replace("0002", "0003")
OKTA = '[okta]\norg_url = "https://example.okta.com"\n'
LEAST = 'mode = "observe"\n' + OKTA + DIRECTORY

PEM_KEY = generate_private_key(SECP256R1())
PEM = PEM_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
LOCKED = PEM_KEY.private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")
).decode()
PUBLIC_JWK = ECAlgorithm.to_jwk(PEM_KEY.public_key())
JWK = ECAlgorithm.to_jwk(PEM_KEY)


def sealing(byte: int) -> str:
    return base64.urlsafe_b64encode(bytes([byte]) * 32).decode()


ENVIRON = {
    "HOOKS_HOOK_SECRET": "h" * 32,
    "HOOKS_OKTA_API_TOKEN": "00token",
    "HOOKS_SCIM_KEY": "scim-key",
    "HOOKS_SEALING_KEYS": sealing(1),
}


class Desk:
    """Writes what an operator wrote, and loads it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(
        self, toml: str = LEAST, environ: Mapping[str, str] = ENVIRON, need: Role = Role.SERVE
    ) -> Settings:
        path = self.folder / "hooks.toml"
        path.write_text(toml)
        return load({"HOOKS_CONFIG": str(path), **environ}, need=need)

    def refusal(
        self, toml: str = LEAST, environ: Mapping[str, str] = ENVIRON, need: Role = Role.SERVE
    ) -> list[str]:
        with pytest.raises(SettingsError) as refused:
            self.load(toml, environ, need)
        first, *lines = str(refused.value).replace(f"{self.folder}/", "").splitlines()
        assert first == f"settings: {len(lines)} mistake{'s' if len(lines) > 1 else ''}"
        return [line.removeprefix("  ") for line in lines]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def without(*names: str) -> dict[str, str]:
    return {name: text for name, text in ENVIRON.items() if name not in names}


def test_the_least_file_gets_every_default_of_the_design(desk: Desk) -> None:
    found = desk.load()
    assert found.mode is Mode.OBSERVE
    assert found.listen.public == Address("0.0.0.0", 8080)
    assert found.listen.operations == Address("127.0.0.1", 9090)
    assert found.okta.model_dump() == {
        "org_url": "https://example.okta.com",
        "hook_url": None,
        "hook_header": "Authorization",
        "history_days": 30,
    }
    assert found.atlassian.api_url == "https://api.atlassian.com"
    assert found.atlassian.organization_id is None
    assert found.local_groups == ()
    assert found.policy.suspended is Suspended.KEEP
    assert found.policy.restore is Restore.OURS
    assert found.policy.orphaned is Orphaned.REPORT
    assert found.policy.brief_absence == timedelta(hours=1)
    assert found.brake.model_dump() == {
        "left_per_hour": 200,
        "other_per_hour": 25,
        "other_per_day": 100,
        "share_of_group": 0.5,
    }
    assert found.look_again.after == (timedelta(seconds=30), timedelta(minutes=5))
    assert found.catch_up.every == timedelta(minutes=1)
    assert found.audit.every == timedelta(days=1)
    assert found.retention.events_days == 90
    assert found.notify.url == ""
    assert found.modes == {"main": Mode.OBSERVE}


def test_the_example_in_infra_loads_and_says_nothing_but_defaults(desk: Desk) -> None:
    example = (Path(__file__).parents[1] / "infra/hooks.example.toml").read_text()
    assert desk.load(example).model_dump() == desk.load().model_dump()


def test_what_the_example_leaves_out_for_now_loads_too(desk: Desk) -> None:
    example = (Path(__file__).parents[1] / "infra/hooks.example.toml").read_text()
    later = r"^# ((?:organization_id|\[\[local_group\]\]|name =|while_member_of).*)$"
    whole = re.sub(later, r"\1", example, flags=re.MULTILINE)
    found = desk.load(whole, ENVIRON | {"HOOKS_ORG_API_KEY": "org-key"})
    assert found.atlassian.organization_id
    assert found.local_groups[0].while_member_of == ("Production-Jira",)


def test_a_directory_may_have_a_mode_of_its_own(desk: Desk) -> None:
    environ = without("HOOKS_SCIM_KEY") | {
        "HOOKS_SCIM_KEY_MAIN": "key-1",
        "HOOKS_SCIM_KEY_LAB_2": "key-2",
    }
    found = desk.load(LEAST + SECOND + 'mode = "enforce"', environ)
    lab = DirectoryName("lab-2")
    assert found.modes == {"main": Mode.OBSERVE, "lab-2": Mode.ENFORCE}
    assert found.secrets.scim_key(lab).reveal() == "key-2"
    assert found.secrets.scim_name(lab) == "HOOKS_SCIM_KEY_LAB_2"


def test_a_name_may_end_in_file_where_no_variable_does(desk: Desk) -> None:
    assert desk.load(LEAST.replace("main", "profile")).modes == {"profile": Mode.OBSERVE}


def test_expiry_takes_dates_of_known_credentials(desk: Desk) -> None:
    found = desk.load(LEAST + "[expiry]\nscim_main = 2027-06-01\norganization = 2027-07-01")
    assert found.expiry == {"scim_main": date(2027, 6, 1), "organization": date(2027, 7, 1)}


RULE = f'[atlassian]\norganization_id = "{UUID}1"\n[[local_group]]\n'

FILE_MISTAKES = [
    pytest.param(
        OKTA + DIRECTORY,
        ['hooks.toml: mode: missing; write mode = "observe" or mode = "enforce"'],
        id="mode has no default",
    ),
    pytest.param(
        LEAST.replace('"observe"', '"on"'),
        [
            (
                "hooks.toml: mode: should be 'enforce' or 'observe';"
                ' write mode = "observe" or mode = "enforce"'
            )
        ],
        id="unknown mode",
    ),
    pytest.param(
        LEAST + "[brake]\nleft_per_hour = 0",
        [
            (
                "hooks.toml: [brake] left_per_hour: should be greater than or equal to 1;"
                " people who left, an hour"
            )
        ],
        id="a limit of nobody",
    ),
    pytest.param(
        LEAST + "[brake]\nleft_per_hour = true",
        ["hooks.toml: [brake] left_per_hour: should be a valid integer; people who left, an hour"],
        id="a flag is no number",
    ),
    pytest.param(
        LEAST + "[brake]\nshare_of_group = nan",
        [
            (
                "hooks.toml: [brake] share_of_group: should be less than or equal to 1;"
                " of a group's members in 24 hours, above 0 and at most 1"
            )
        ],
        id="not a number",
    ),
    pytest.param(
        LEAST + "[brake]\nleft_an_hour = 1\n[zzz]\na = 1",
        [
            "hooks.toml: [brake] left_an_hour: unknown key; did you mean left_per_hour?",
            "hooks.toml: zzz: unknown key; take it out",
        ],
        id="unknown keys, one with a likely meaning",
    ),
    pytest.param(
        LEAST + "scim_key = 'top-secret'",
        ["hooks.toml: [[directory]] 1 scim_key: unknown key; take it out"],
        id="a secret in the file is refused and not repeated",
    ),
    pytest.param(
        "secrets = 1\n" + LEAST,
        ["hooks.toml: secrets: unknown key; take it out"],
        id="secrets is no table of the file",
    ),
    pytest.param(
        LEAST.replace("https://example", "http://example"),
        ["hooks.toml: [okta] org_url: write https://; plain http is for loopback hosts only"],
        id="plain http",
    ),
    pytest.param(
        LEAST.replace("example.okta", "example-admin.okta"),
        [
            (
                "hooks.toml: [okta] org_url: write the address without `-admin`:"
                " that host is the admin console"
            )
        ],
        id="the admin console",
    ),
    pytest.param(
        LEAST.replace("okta.com", "okta.com/app"),
        ['hooks.toml: [okta] org_url: write the origin alone, such as "https://example.okta.com"'],
        id="more than an origin",
    ),
    pytest.param(
        LEAST.replace("https://example", "https://me:pw@example"),
        ["hooks.toml: [okta] org_url: take the user name and password out of the URL"],
        id="a password in the URL",
    ),
    pytest.param(
        LEAST.replace("https://example.okta.com", "https://[bad"),
        ["hooks.toml: [okta] org_url: write a URL that begins with https://"],
        id="no URL at all",
    ),
    pytest.param(
        LEAST + '[atlassian]\napi_url = "http://api.atlassian.com"',
        ["hooks.toml: [atlassian] api_url: write https://; plain http is for loopback hosts only"],
        id="plain http to Atlassian",
    ),
    pytest.param(
        LEAST + '[notify]\nurl = "http://example.com/x"',
        ["hooks.toml: [notify] url: write https://; plain http is for loopback hosts only"],
        id="plain http to the notified",
    ),
    pytest.param(
        LEAST.replace("[okta]", '[okta]\nhook_url = "http://hooks.example.com/okta/events"'),
        ["hooks.toml: [okta] hook_url: write https://; plain http is for loopback hosts only"],
        id="plain http from Okta",
    ),
    pytest.param(
        LEAST.replace("[okta]", '[okta]\nhook_url = "https://hooks.example.com/"'),
        [
            (
                "hooks.toml: [okta] hook_url: write the whole URL,"
                ' such as "https://hooks.example.com/okta/events"'
            )
        ],
        id="an address that is no door",
    ),
    pytest.param(
        LEAST.replace("[okta]", '[okta]\nhook_header = "Author ization"'),
        [
            (
                "hooks.toml: [okta] hook_header: write the name of an HTTP header,"
                ' such as "Authorization"'
            )
        ],
        id="no header name",
    ),
    pytest.param(
        LEAST.replace("[okta]", "[okta]\nhistory_days = 91"),
        [
            (
                "hooks.toml: [okta] history_days: should be less than or equal to 90;"
                " how far the first start reads back; Okta keeps 90 days"
            )
        ],
        id="longer than Okta remembers",
    ),
    pytest.param(
        LEAST + '[listen]\npublic = "8080"\noperations = "127.0.0.1:99999"',
        [
            (
                'hooks.toml: [listen] public: write "host:port",'
                ' such as "127.0.0.1:9090" or "[::1]:9090"'
            ),
            (
                'hooks.toml: [listen] operations: write "host:port",'
                ' such as "127.0.0.1:9090" or "[::1]:9090"'
            ),
        ],
        id="no addresses",
    ),
    pytest.param(
        LEAST
        + '[audit]\nevery = "1 day"\n[catch_up]\nevery = 60\n[policy]\nbrief_absence = "9999d"',
        [
            "hooks.toml: [policy] brief_absence: write ten years or less",
            (
                "hooks.toml: [catch_up] every: write a whole number and a unit,"
                ' such as "500ms", "30s", "5m", "24h"'
            ),
            (
                "hooks.toml: [audit] every: write a whole number and a unit,"
                ' such as "500ms", "30s", "5m", "24h"'
            ),
        ],
        id="durations",
    ),
    pytest.param(
        LEAST + '[look_again]\nafter = ["30s", "0s"]',
        ['hooks.toml: [look_again] after 2: write a second or more, such as "30s"'],
        id="no pause at all",
    ),
    pytest.param(
        LEAST + "[look_again]\nafter = []",
        ['hooks.toml: [look_again] after: is empty; list of durations such as ["30s", "5m"]'],
        id="never looking again",
    ),
    pytest.param(
        LEAST + '[policy]\nsuspended = "drop"',
        [
            (
                "hooks.toml: [policy] suspended: should be 'keep' or 'strip';"
                " what happens to suspended people's access"
            )
        ],
        id="unknown policy",
    ),
    pytest.param(
        'mode = "observe"\n' + OKTA,
        [
            (
                "hooks.toml: directory: missing;"
                " a [[directory]] with name, okta_app_id and scim_directory_id"
            )
        ],
        id="no directory",
    ),
    pytest.param(
        'mode = "observe"\n' + DIRECTORY,
        ["hooks.toml: okta: missing; the table [okta] with org_url"],
        id="no okta",
    ),
    pytest.param(
        LEAST.replace(APP, "0oa/../x").replace(UUID, "x"),
        [
            (
                "hooks.toml: [[directory]] 1 okta_app_id:"
                " write the 20 letters and digits of the app's id"
            ),
            (
                "hooks.toml: [[directory]] 1 scim_directory_id:"
                " write the UUID that follows directory/ in the SCIM URL"
            ),
        ],
        id="ids of another shape",
    ),
    pytest.param(
        LEAST + DIRECTORY.replace("[[directory]]", "[[directory]]\nmode = 'x'"),
        [
            (
                "hooks.toml: [[directory]] 2 mode: should be 'enforce' or 'observe';"
                " only if it differs from the mode above"
            ),
            (
                "hooks.toml: [[directory]] 2 name:"
                " the same as in another [[directory]]; each has its own"
            ),
            (
                "hooks.toml: [[directory]] 2 okta_app_id:"
                " the same as in another [[directory]]; each has its own"
            ),
            (
                "hooks.toml: [[directory]] 2 scim_directory_id:"
                " the same as in another [[directory]]; each has its own"
            ),
        ],
        id="the same directory twice, told beside another mistake",
    ),
    pytest.param(
        LEAST.replace("main", "my-file"),
        [
            (
                "hooks.toml: [[directory]] 1 name: must not end in -file:"
                " HOOKS_SCIM_KEY_…FILE names the file of another key"
            )
        ],
        id="a name that would be read as a file",
    ),
    pytest.param(
        LEAST + "[expiry]\nscim_lab = 2027-06-01\nscim_main = '2027-06-01'",
        [
            "hooks.toml: [expiry] scim_main: should be a valid date; dates such as 2027-06-01",
            "hooks.toml: [expiry] scim_lab: unknown key; known are organization, scim_main",
        ],
        id="expiry of nothing we know, and a text for a date",
    ),
    pytest.param(
        LEAST + '[[local_group]]\nname = "a"',
        ["hooks.toml: [atlassian] organization_id: missing; [[local_group]] needs it"],
        id="local groups of no organization",
    ),
    pytest.param(
        LEAST + RULE + f'name = "a"\nid = "{UUID}4"',
        [
            "hooks.toml: [[local_group]] 1: give either name or id",
            (
                "environment: HOOKS_ORG_API_KEY: missing; an organization API key,"
                " needed with [atlassian] organization_id"
            ),
        ],
        id="name and id, and no key for the organization",
    ),
    pytest.param(
        LEAST + RULE + 'name = "a*"\nadmin = true\nwhile_member_of = []',
        [
            (
                "hooks.toml: [[local_group]] 1 while_member_of: is empty;"
                " Okta groups, any of which justifies membership; or leave it out"
            ),
            "hooks.toml: [[local_group]] 1 admin: only with id: a glob must not reach admins",
            (
                "environment: HOOKS_ORG_API_KEY: missing; an organization API key,"
                " needed with [atlassian] organization_id"
            ),
        ],
        id="admin groups by glob, justified by nobody",
    ),
    pytest.param(
        "brake = 1\n" + LEAST,
        ["hooks.toml: brake: must be a table"],
        id="no table",
    ),
]


@pytest.mark.parametrize(("toml", "told"), FILE_MISTAKES)
def test_a_mistake_in_the_file_is_told_with_place_and_remedy(
    desk: Desk, toml: str, told: list[str]
) -> None:
    assert desk.refusal(toml) == told


def test_mistakes_of_file_and_environment_are_told_together(desk: Desk) -> None:
    assert desk.refusal(LEAST + "[brake]\nx = 1", {}) == [
        "hooks.toml: [brake] x: unknown key; take it out",
        (
            "environment: HOOKS_HOOK_SECRET: missing; 32 characters or more,"
            " the same as in Okta's event hook"
        ),
        "environment: HOOKS_SEALING_KEYS: missing; `hooks keys new` prints one",
        (
            "environment: HOOKS_SCIM_KEY: missing; the SCIM API key of the directory main"
            " (also read from HOOKS_SCIM_KEY_MAIN)"
        ),
        (
            "environment: HOOKS_OKTA_CLIENT_ID: missing; give it with HOOKS_OKTA_PRIVATE_KEY,"
            " or HOOKS_OKTA_API_TOKEN instead"
        ),
    ]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        pytest.param(
            None,
            "not found; write it as infra/hooks.example.toml shows, or name it in HOOKS_CONFIG",
            id="no file",
        ),
        pytest.param(b"mode = ", "is not TOML: Invalid value (at end of document)", id="no TOML"),
        pytest.param(b"\xff", "is not UTF-8 text", id="no text"),
        pytest.param(b"x = " + b"[" * 5000, "is nested too deeply", id="too deep"),
        pytest.param(
            b"x = " + b"9" * 5000,
            "cannot be read; check its path, owner and mode",
            id="a number without end",
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_told(
    tmp_path: Path, content: bytes | None, told: str
) -> None:
    path = tmp_path / "hooks.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError) as refused:
        load({"HOOKS_CONFIG": str(path), **ENVIRON}, need=Role.SERVE)
    assert str(refused.value) == f"settings: 1 mistake\n  {path}: {told}"


def test_the_file_is_hooks_toml_in_the_working_folder_unless_named(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.load()
    monkeypatch.chdir(desk.folder)
    assert load(ENVIRON, need=Role.SERVE).mode is Mode.OBSERVE


APP_KEY = without("HOOKS_OKTA_API_TOKEN") | {
    "HOOKS_OKTA_CLIENT_ID": APP,
    "HOOKS_OKTA_PRIVATE_KEY": PEM,
}
NO_KEY = (
    "is no RSA or EC private key in PEM (without password) or JWK form;"
    " a PEM keeps its line breaks best in HOOKS_OKTA_PRIVATE_KEY_FILE"
)
NO_SEALING_KEY = (
    "each key is 32 random bytes in URL-safe base64, several are separated by commas,"
    " the newest comes first; `hooks keys new` prints one"
)
NO_DATABASE = (
    "write sqlite:///path (a file: what is accepted must last) or"
    " postgresql://user:password@host/database, without a driver"
)
ENVIRONMENT_MISTAKES = [
    pytest.param(
        {"HOOKS_HOOK_SECRET": "h" * 31},
        "HOOKS_HOOK_SECRET: needs 32 printable ASCII characters or more, no space at either end",
        id="a short hook secret",
    ),
    pytest.param(
        {"HOOKS_HOOK_SECRET_NEXT": "é" * 32},
        "HOOKS_HOOK_SECRET_NEXT:"
        " needs 32 printable ASCII characters or more, no space at either end",
        id="a hook secret no header holds",
    ),
    pytest.param(
        {"HOOKS_SEALING_KEYS": "c2hvcnQ="}, f"HOOKS_SEALING_KEYS: {NO_SEALING_KEY}", id="short key"
    ),
    pytest.param(
        {"HOOKS_SEALING_KEYS": sealing(1) + ","},
        f"HOOKS_SEALING_KEYS: {NO_SEALING_KEY}",
        id="an empty key",
    ),
    pytest.param(
        {"HOOKS_SEALING_KEYS": f"{sealing(1)}, {sealing(1)}"},
        "HOOKS_SEALING_KEYS: holds the same key twice",
        id="one key twice",
    ),
    pytest.param(
        {"HOOKS_SCIM_KEY": "a\nb"},
        "HOOKS_SCIM_KEY: holds a space or an unprintable character; copy it again",
        id="a key with a line break",
    ),
    pytest.param(
        {"HOOKS_SCIM_KEY_MAIN": "x"},
        "HOOKS_SCIM_KEY: give only one of HOOKS_SCIM_KEY, HOOKS_SCIM_KEY_MAIN",
        id="two names for one key",
    ),
    pytest.param(
        {"HOOKS_SCIM_KEY_FILE": "x"},
        "HOOKS_SCIM_KEY: give only one of HOOKS_SCIM_KEY, HOOKS_SCIM_KEY_FILE",
        id="text and file",
    ),
    pytest.param(
        {"HOOKS_CHAIN_KEY_FILE": "no such file"},
        "HOOKS_CHAIN_KEY_FILE: the file cannot be read; check its path, owner and mode",
        id="a file that is not there",
    ),
    pytest.param(
        {"HOOKS_CHAIN_KEY_FILE": "\0"},
        "HOOKS_CHAIN_KEY_FILE: the file cannot be read; check its path, owner and mode",
        id="a path that is none",
    ),
    pytest.param(
        {"HOOKS_CHAIN_KEY_FILE": os.devnull},
        "HOOKS_CHAIN_KEY_FILE: the file is empty; write the secret into it",
        id="an empty file",
    ),
    pytest.param(
        {"HOOKS_CHAIN_KEY_FILE": "/dev/zero"},
        "HOOKS_CHAIN_KEY_FILE: the file is larger than any secret; check its path",
        id="an endless file",
    ),
    pytest.param(
        {"HOOKS_CHAIN_KEY": "short"},
        "HOOKS_CHAIN_KEY: is 32 random bytes in URL-safe base64; `hooks keys new` prints one",
        id="a short chain key",
    ),
    pytest.param(
        {"HOOKS_ORG_API_KEY": "key"},
        "HOOKS_ORG_API_KEY: of no use without [atlassian] organization_id; give both or neither",
        id="a key for no organization",
    ),
    pytest.param(
        {"HOOKS_OKTA_CLIENT_ID": APP},
        "HOOKS_OKTA_API_TOKEN: give either this or HOOKS_OKTA_CLIENT_ID"
        " with HOOKS_OKTA_PRIVATE_KEY",
        id="token and app",
    ),
    pytest.param(
        APP_KEY | {"HOOKS_OKTA_API_TOKEN": "", "HOOKS_OKTA_CLIENT_ID": ""},
        "HOOKS_OKTA_CLIENT_ID: missing; the client id of the app",
        id="a key of no app",
    ),
    pytest.param(
        APP_KEY | {"HOOKS_OKTA_API_TOKEN": "", "HOOKS_OKTA_PRIVATE_KEY": ""},
        "HOOKS_OKTA_PRIVATE_KEY: missing; the private key of the app",
        id="an app without key",
    ),
    *(
        pytest.param(
            APP_KEY | {"HOOKS_OKTA_API_TOKEN": "", "HOOKS_OKTA_PRIVATE_KEY": text},
            f"HOOKS_OKTA_PRIVATE_KEY: {NO_KEY}",
            id=which,
        )
        for which, text in {
            "a locked PEM": LOCKED,
            "a public JWK": PUBLIC_JWK,
            "a broken JWK": "{",
            "a JWK of nothing": "{}",
            "a symmetric JWK": '{"kty": "oct", "k": "c2VjcmV0"}',
            "no key": "hello",
        }.items()
    ),
    *(
        pytest.param(
            {"HOOKS_DATABASE_URL": url}, f"HOOKS_DATABASE_URL: {NO_DATABASE}", id=f"database {url}"
        )
        for url in (
            "hooks.db",
            "sqlite://",
            "sqlite:///",
            "sqlite:///:memory:",
            "sqlite+aiosqlite:///x",
            "postgresql+asyncpg://host/x",
            "postgresql://host:port/x",
            "mysql://host/x",
        )
    ),
]


@pytest.mark.parametrize(("environ", "told"), ENVIRONMENT_MISTAKES)
def test_a_mistake_in_the_environment_is_told_with_place_and_remedy(
    desk: Desk, environ: dict[str, str], told: str
) -> None:
    assert desk.refusal(environ=ENVIRON | environ) == [f"environment: {told}"]


def test_several_directories_need_a_key_each(desk: Desk) -> None:
    environ = ENVIRON | {"HOOKS_SCIM_KEY_MAIN": "key-1"}
    assert desk.refusal(LEAST + SECOND, environ) == [
        "environment: HOOKS_SCIM_KEY_LAB_2: missing; the SCIM API key of the directory lab-2"
    ]


def test_the_operations_listener_needs_a_token_off_loopback(desk: Desk) -> None:
    exposed = LEAST + '[listen]\noperations = "0.0.0.0:9090"'
    assert desk.refusal(exposed) == [
        (
            "environment: HOOKS_OPERATIONS_TOKEN: missing;"
            " needed while [listen] operations is off loopback"
        )
    ]
    desk.load(exposed, need=Role.LOOK)
    found = desk.load(exposed, ENVIRON | {"HOOKS_OPERATIONS_TOKEN": "t" * 32})
    assert found.secrets.operations_token == Secret("t" * 32)
    desk.load(LEAST + '[listen]\noperations = "[::1]:9090"')


@pytest.mark.parametrize(
    ("role", "names"),
    [
        pytest.param(Role.SERVE, set(ENVIRON), id="serve"),
        pytest.param(
            Role.RECEIVE, {"HOOKS_HOOK_SECRET", "HOOKS_SEALING_KEYS"}, id="serve --no-worker"
        ),
        pytest.param(Role.WORK, set(ENVIRON) - {"HOOKS_HOOK_SECRET"}, id="serve --only-worker"),
        pytest.param(Role.LOOK, set(ENVIRON) - {"HOOKS_HOOK_SECRET"}, id="look"),
        pytest.param(Role.STORE, {"HOOKS_SEALING_KEYS"}, id="events"),
        pytest.param(Role.POLICY, set(), id="policy check"),
    ],
)
def test_a_process_reads_only_what_its_role_needs(desk: Desk, role: Role, names: set[str]) -> None:
    asked = set[str]()

    class Watched(dict[str, str]):
        def get(self, name: str, default: Any = None) -> Any:
            asked.add(name)
            return super().get(name, default)

    desk.folder.joinpath("hooks.toml").write_text(LEAST)
    config = str(desk.folder / "hooks.toml")
    load(Watched(ENVIRON, HOOKS_CONFIG=config), need=role)
    assert asked & set(ENVIRON) == names


def test_register_reads_the_admin_credential_and_the_hook_secret_only(desk: Desk) -> None:
    admin = {
        "HOOKS_HOOK_SECRET": "h" * 32,
        "HOOKS_OKTA_ADMIN_CLIENT_ID": APP,
        "HOOKS_OKTA_ADMIN_PRIVATE_KEY": PEM,
    }
    found = desk.load(environ=admin, need=Role.REGISTER)
    assert found.secrets.okta(Holder.ADMIN) == OktaKey(APP, Secret(PEM))
    with pytest.raises(KeyError):
        found.secrets.okta()
    with pytest.raises(KeyError):
        _ = found.secrets.database_url


def test_to_see_the_hook_takes_the_admin_credential_and_the_store_only(desk: Desk) -> None:
    environ = {"HOOKS_OKTA_ADMIN_API_TOKEN": "00admin", "HOOKS_SEALING_KEYS": sealing(1)}
    found = desk.load(environ=environ, need=Role.HOOK)
    assert found.secrets.okta(Holder.ADMIN) == OktaToken(Secret("00admin"))
    with pytest.raises(KeyError):
        found.secrets.okta()
    with pytest.raises(KeyError):
        _ = found.secrets.hook


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com/okta/events",
        "https://hooks.example.com:8443/okta/events",
        "http://127.0.0.1:8080/okta/events",
    ],
)
def test_where_okta_reaches_us_is_a_door_of_ours(desk: Desk, url: str) -> None:
    found = desk.load(LEAST.replace("[okta]", f'[okta]\nhook_url = "{url}"'))
    assert found.okta.hook_url == url


@pytest.mark.parametrize("text", [pytest.param(PEM, id="PEM"), pytest.param(JWK, id="JWK")])
def test_a_service_app_signs_with_its_key(desk: Desk, text: str) -> None:
    environ = APP_KEY | {"HOOKS_OKTA_PRIVATE_KEY": text}
    assert desk.load(environ=environ).secrets.okta() == OktaKey(APP, Secret(text))


def test_what_is_read_is_held_in_the_form_it_is_used_in(desk: Desk) -> None:
    environ = ENVIRON | {
        "HOOKS_HOOK_SECRET_NEXT": "n" * 32,
        "HOOKS_SEALING_KEYS": f"{sealing(2)}, {sealing(1).rstrip('=')}",
        "HOOKS_CHAIN_KEY": sealing(3),
    }
    found = desk.load(environ=environ).secrets
    assert found.hook == (Secret("h" * 32), Secret("n" * 32))
    assert found.sealing_keys == (b"\2" * 32, b"\1" * 32)
    assert found.chain_key == b"\3" * 32
    assert found.organization_key is None
    assert found.okta() == OktaToken(Secret("00token"))
    assert found.scim_key(DirectoryName("main")) == Secret("scim-key")


@pytest.mark.parametrize(
    ("url", "ours"),
    [
        pytest.param("", "sqlite+pysqlite:///hooks.db", id="default"),
        pytest.param("sqlite:////data/x.db", "sqlite+pysqlite:////data/x.db", id="sqlite"),
        pytest.param("postgresql://u:p@h:1/d", "postgresql+psycopg://u:p@h:1/d", id="postgresql"),
    ],
)
def test_the_driver_of_the_database_is_ours(desk: Desk, url: str, ours: str) -> None:
    found = desk.load(environ=ENVIRON | {"HOOKS_DATABASE_URL": url})
    assert found.secrets.database_url.reveal() == ours


def test_a_file_gives_its_text_less_the_last_line_break(desk: Desk) -> None:
    key = desk.folder / "key"
    environ = without("HOOKS_SCIM_KEY") | {"HOOKS_SCIM_KEY_FILE": str(key)}
    for content in ("from-a-file", "from-a-file\n", "from-a-file\r\n"):
        key.write_bytes(content.encode())
        found = desk.load(environ=environ)
        assert found.secrets.scim_key(DirectoryName("main")).reveal() == "from-a-file"


def test_secrets_are_read_again_from_their_files(desk: Desk) -> None:
    main = DirectoryName("main")
    scim, hook = desk.folder / "scim", desk.folder / "hook"
    scim.write_text("old")
    hook.write_text("h" * 32)
    environ = without("HOOKS_SCIM_KEY", "HOOKS_HOOK_SECRET") | {
        "HOOKS_SCIM_KEY_FILE": str(scim),
        "HOOKS_HOOK_SECRET_FILE": str(hook),
    }
    secrets = desk.load(environ=environ).secrets
    assert secrets.reload() == frozenset()
    assert not secrets.reread("HOOKS_SCIM_KEY")

    scim.write_text("new")
    hook.write_text("too short")
    with pytest.raises(SettingsError, match="HOOKS_HOOK_SECRET_FILE: needs 32"):
        secrets.reload()
    assert secrets.scim_key(main).reveal() == "old"  # all or nothing
    assert secrets.reread("HOOKS_SCIM_KEY")  # a mistake elsewhere does not matter to one
    assert secrets.scim_key(main).reveal() == "new"
    assert not secrets.reread("HOOKS_HOOK_SECRET")
    assert secrets.hook == (Secret("h" * 32),)

    hook.write_text("n" * 32)
    assert secrets.reload() == {"HOOKS_HOOK_SECRET"}
    assert secrets.hook == (Secret("n" * 32),)


def test_a_secret_shows_itself_to_nobody_who_does_not_ask(desk: Desk) -> None:
    secret = Secret("tell-nobody")
    found = desk.load(environ=ENVIRON | {"HOOKS_SCIM_KEY": "tell-nobody"})
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r:>40}",
        repr(OktaToken(secret)),
        repr(found),
        str(found),
        repr(found.secrets),
        repr(found.model_dump()),
        found.model_dump_json(),
    ]
    assert not [text for text in shown if "tell-nobody" in text]
    assert secret.reveal() == "tell-nobody"
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_secrets_compare_by_their_text_and_to_nothing_else() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("é")}) == 2


def test_no_mistake_repeats_what_was_written(desk: Desk) -> None:
    value = "never-say-this"
    toml = f"""
mode = "{value}"
[okta]
org_url = "{value}"
hook_header = "{value} {value}"
[policy]
restore = "{value}"
[listen]
public = "{value}"
[audit]
every = "{value}"
[[directory]]
name = "{value.upper()}"
okta_app_id = "{value}"
scim_directory_id = "{value}"
password = "{value}"
[brake]
left_per_hour = "{value}"
"""
    names = (
        *("HOOKS_HOOK_SECRET", "HOOKS_SEALING_KEYS", "HOOKS_OKTA_PRIVATE_KEY"),
        *("HOOKS_CHAIN_KEY", "HOOKS_DATABASE_URL", "HOOKS_SCIM_KEY_FILE"),
    )
    told = desk.refusal(toml, dict.fromkeys(names, value))
    assert len(told) == 16
    assert value not in "".join(told).casefold()


def test_importing_settings_brings_no_cryptography_and_no_database() -> None:
    program = (
        "import sys, pydantic, hooks.settings;"
        "print([n for n in ('cryptography', 'jwt', 'sqlalchemy', 'httpx', 'okta')"
        " if n in sys.modules])"
    )
    root = Path(__file__).parents[1]
    ran = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=root
    )
    assert ran.stdout.strip() == "[]"


# Laws.

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
TABLES = st.sampled_from(sorted(set(Settings.model_fields) | {"directory", "local_group"}))
NAMES = st.sampled_from(
    sorted(
        name + suffix
        for name in (*ENVIRON, *APP_KEY, "HOOKS_DATABASE_URL", "HOOKS_CHAIN_KEY", "HOOKS_CONFIG")
        for suffix in ("", "_FILE")
    )
)


@settings(max_examples=150)
@given(
    text=st.binary() | st.text().map(lambda text: (LEAST + text).encode(errors="surrogatepass")),
    environ=st.dictionaries(NAMES, st.text()),
    role=st.sampled_from(Role),
)
def test_no_text_makes_load_raise_anything_but_settings_error(
    text: bytes, environ: dict[str, str], role: Role
) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(text)
        file.flush()
        try:
            load({"HOOKS_CONFIG": file.name, **ENVIRON, **environ}, need=role)
        except SettingsError as error:
            assert str(error).startswith("settings: ")  # noqa: PT017  # either ending is right


@settings(max_examples=300)
@given(
    changes=st.dictionaries(TABLES, VALUES, max_size=3),
    inner=st.dictionaries(st.tuples(TABLES, st.text()), VALUES, max_size=3),
)
def test_no_table_makes_load_raise_anything_but_settings_error(
    changes: dict[str, Any], inner: dict[tuple[str, str], Any]
) -> None:
    whole = changes | {table: {key: value} for (table, key), value in inner.items()}
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", errors="surrogatepass") as file:
        file.write("".join(f"{written(key)} = {written(value)}\n" for key, value in whole.items()))
        file.flush()
        with pytest.raises(SettingsError):
            load({"HOOKS_CONFIG": file.name}, need=Role.SERVE)


def written(value: object) -> str:
    """The value as TOML."""
    match value:
        case bool() | None:
            return "true" if value else "false"
        case int() | float() | date():
            return str(value)
        case str():
            escaped = "".join(f"\\U{ord(each):08x}" for each in value if each.isprintable())
            return f'"{escaped}"'
        case list():
            return f"[{', '.join(written(each) for each in value)}]"
        case dict():
            rows = ", ".join(f"{written(key)} = {written(each)}" for key, each in value.items())
            return f"{{{rows}}}"
        case _:
            raise TypeError(type(value))
