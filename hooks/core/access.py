"""What a first answer says about a credential, and about the ids of the file it is used with.

Must live here: every sentence about a credential or a vendor's id, and in which console to look.
Must not know: how the vendors are asked, or what else rests on it.
Sources of what an error means: Okta's OpenAPI description, RFC 6749 section 5.2, Atlassian's
descriptions of user provisioning and of the organization API.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hooks.core.errors import (
    HooksError,
    IncompleteError,
    NotFoundError,
    NowhereError,
    TransientError,
)
from hooks.core.finding import Finding, Verdict
from hooks.core.reading import Missing

if TYPE_CHECKING:
    from hooks.core.reading import App

ORGANIZATION_KEY = "HOOKS_ORG_API_KEY"
#: How our own messages tell a status.
_STATUS = re.compile(r" answered (\d{3}) to ")
_ADMIN = "admin.atlassian.com"
_SERVICE_APP = "Okta's Admin Console, Applications, the service app"
#: What Okta's token endpoint says, and where it is put right.
_TOKEN = {
    "invalid_client": f"{_SERVICE_APP}, General: compare the client id and the public key",
    "invalid_scope": f"{_SERVICE_APP}, Okta API Scopes: grant the four that the README names",
    "use_dpop_nonce": f"{_SERVICE_APP}, General: turn off the demand for DPoP",
}


# -- Okta --------------------------------------------------------------------------------------


def of_okta(names: tuple[str, ...], error: HooksError | None) -> Finding:
    """Whether Okta takes the token, or the service app and its key, which ``names`` are about."""
    place = ", ".join(names)
    if error is None:
        return Finding(Verdict.OK, place, "Okta takes it")
    if isinstance(error, TransientError | IncompleteError):
        return _untried(place, error, "[okta] org_url")
    if remedy := _TOKEN.get(getattr(error, "code", "")):
        return Finding(Verdict.FAIL, place, f"Okta gives no token ({_said(error)})", remedy)
    if _status(error) == "403":
        remedy = "it needs the scope okta.apps.read, and an admin role that sees the app"
        return Finding(Verdict.FAIL, place, f"may read no app ({_said(error)})", remedy)
    where = _SERVICE_APP if len(names) > 1 else "Okta's Admin Console, Security, API, Tokens"
    remedy = f"{where}: see that it is there still, and that [okta] org_url is its organization"
    return Finding(Verdict.FAIL, place, f"Okta refuses it ({_said(error)})", remedy)


def of_app(index: int, answer: App | Missing | HooksError) -> Finding:
    """Whether the app of a directory is there to be read."""
    place = f"[[directory]] {index + 1} okta_app_id"
    if isinstance(answer, Missing | HooksError):
        said = f" ({_said(answer)})" if isinstance(answer, HooksError) else ""
        about = f"Okta shows no app of this id to this credential{said}"
        remedy = (
            "Okta's Admin Console, Applications: the id stands in the app's address; if it is "
            "right, see that the admin role sees the app, and check [okta] org_url"
        )
        return Finding(Verdict.FAIL, place, about, remedy)
    if answer.status != "ACTIVE":
        about = f"the app is {answer.status}, so nobody is touched"
        return Finding(Verdict.FAIL, place, about, "activate it in Okta's Admin Console")
    return Finding(Verdict.OK, place, "the app is ACTIVE")


# -- Atlassian ---------------------------------------------------------------------------------


def of_directory(index: int, key: str, error: HooksError | None) -> Finding:
    """Whether a SCIM key, named ``key`` in the environment, opens the directory of the file."""
    place = f"[[directory]] {index + 1} scim_directory_id"
    where = f"{_ADMIN}, Identity providers"
    if error is None:
        return Finding(Verdict.OK, key, f"opens the directory of {place}")
    if isinstance(error, NotFoundError | NowhereError):
        about = f"Atlassian shows this key no such directory ({_said(error)})"
        remedy = f"{where}: it follows directory/ in the SCIM base URL; a lapsed plan ends it"
        return Finding(Verdict.FAIL, place, about, remedy)
    if isinstance(error, TransientError | IncompleteError):
        return _untried(key, error, "[atlassian] api_url")
    if _status(error) == "403":
        about = f"does not open the directory of {place} ({_said(error)})"
        remedy = f"{where}: take key and id from one and the same directory"
        return Finding(Verdict.FAIL, key, about, remedy)
    about = f"Atlassian refuses it ({_said(error)})"
    remedy = f"{where}: it lasts a year, and ends when another one is made; Okta uses the same"
    return Finding(Verdict.FAIL, key, about, remedy)


def of_organization(error: HooksError | None) -> Finding:
    """Whether the organization key opens the organization of the file."""
    place = "[atlassian] organization_id"
    where = f"{_ADMIN}, API keys"
    if error is None:
        return Finding(Verdict.OK, ORGANIZATION_KEY, f"opens the organization of {place}")
    nowhere = isinstance(_root(error), NotFoundError | NowhereError)
    if nowhere and _status(error) != "403":
        about = f"Atlassian shows this key no such organization ({_said(error)})"
        remedy = f"it stands in the address of {_ADMIN}, once the key's organization is chosen"
        return Finding(Verdict.FAIL, place, about, remedy)
    if isinstance(error, TransientError | IncompleteError):
        return _untried(ORGANIZATION_KEY, error, "[atlassian] api_url")
    if _status(error) == "403":
        about = f"may not manage the organization of {place} ({_said(error)})"
        remedy = f"{where}: see that the key is there, of this organization, and without scopes"
        return Finding(Verdict.FAIL, ORGANIZATION_KEY, about, remedy)
    about = f"Atlassian refuses it ({_said(error)})"
    remedy = f"{where}: make one without scopes; it lasts a year at most, or as long as its maker"
    return Finding(Verdict.FAIL, ORGANIZATION_KEY, about, remedy)


#: No harmless call tells this.
UNTOLD = Finding(
    Verdict.UNCHECKED,
    ORGANIZATION_KEY,
    "whether it may change memberships, which a key with scopes may not",
)


def not_given(*names: str, why: str = "not given here") -> Finding:
    """A secret of a serving process that this one has not; what it opens is not checked."""
    remedy = f"give {' and '.join(names)} here, or as {names[-1]}_FILE, as hooks serve has it"
    return Finding(Verdict.UNCHECKED, ", ".join(names), why, remedy)


# -- any of them -------------------------------------------------------------------------------


def _untried(place: str, error: HooksError, address: str) -> Finding:
    """Nothing is known of the credential: nobody answered, or somebody else."""
    if isinstance(error, IncompleteError):
        remedy = f"see whether {address} is the vendor's"
    else:
        remedy = f"try again later; if it stays so, check {address} and this machine's way out"
    return Finding(Verdict.FAIL, place, f"could not be tried: {_said(error)}", remedy)


def _root(error: HooksError) -> BaseException:
    """A 404 to everything is told as an answer that must not be believed."""
    return error.__cause__ if isinstance(error, IncompleteError) and error.__cause__ else error


def _said(error: HooksError) -> str:
    code = getattr(error, "code", "")
    return str(error) if code in str(error) else f"{error}, {code}"


def _status(error: HooksError) -> str:
    found = _STATUS.search(str(error))
    return found[1] if found else ""
