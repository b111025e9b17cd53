"""What a role asks of the environment: which secrets, under which names, of which form."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum, StrEnum

from hooks.core.ids import DirectoryName
from hooks.settings import forms

DATABASE = "HOOKS_DATABASE_URL"
HOOK = "HOOKS_HOOK_SECRET"
HOOK_NEXT = "HOOKS_HOOK_SECRET_NEXT"
SEALING = "HOOKS_SEALING_KEYS"
CHAIN = "HOOKS_CHAIN_KEY"
OPERATIONS = "HOOKS_OPERATIONS_TOKEN"
ORGANIZATION = "HOOKS_ORG_API_KEY"
SCIM = "HOOKS_SCIM_KEY"


class Need(Enum):
    """Kinds of secrets."""

    HOOK = "what Okta sends"
    STORE = "the database, and the keys that seal what is in it"
    CHAIN = "the journal's key"
    VENDORS = "credentials for Okta and Atlassian"
    OPERATIONS = "what the operations listener asks for"
    ADMIN = "the credential that administers Okta's hooks"


class Role(Enum):
    """What a process is for: it reads these kinds of secrets and no others."""

    #: `serve`
    SERVE = frozenset({Need.HOOK, Need.STORE, Need.CHAIN, Need.VENDORS, Need.OPERATIONS})
    #: `serve --no-worker`
    RECEIVE = frozenset({Need.HOOK, Need.STORE, Need.OPERATIONS})
    #: `serve --only-worker`
    WORK = frozenset({Need.STORE, Need.CHAIN, Need.VENDORS, Need.OPERATIONS})
    #: a command that also asks the vendors
    LOOK = frozenset({Need.STORE, Need.CHAIN, Need.VENDORS})
    #: a command that needs nothing but the database
    STORE = frozenset({Need.STORE, Need.CHAIN})
    #: `register`, `rotate-secret`
    REGISTER = frozenset({Need.HOOK, Need.ADMIN})
    #: `hook`
    HOOK = frozenset({Need.STORE, Need.ADMIN})
    #: `doctor`: checks what it is given, and does without what it is not
    DOCTOR = frozenset(Need)
    #: a command that judges the file alone
    POLICY = frozenset[Need]()


class Holder(StrEnum):
    """Whose Okta credential: the worker's, or the one that administers hooks."""

    READER = "HOOKS_OKTA_"
    ADMIN = "HOOKS_OKTA_ADMIN_"

    @property
    def client_id(self) -> str:
        """Where the client id of the service app stands."""
        return f"{self}CLIENT_ID"

    @property
    def private_key(self) -> str:
        """Where its private key stands."""
        return f"{self}PRIVATE_KEY"

    @property
    def api_token(self) -> str:
        """Where the API token stands that may be given instead."""
        return f"{self}API_TOKEN"

    @property
    def names(self) -> tuple[str, str, str]:
        """All three."""
        return self.client_id, self.private_key, self.api_token


@dataclass(frozen=True, slots=True)
class Wanted:
    """One secret of a role: where it may stand, what it must look like, why it must be there."""

    names: tuple[str, ...]
    judge: Callable[[str], object]
    missing: str = ""  # the remedy; empty where it may be missing


@dataclass(frozen=True, slots=True)
class Demand:
    """What the role and the file together ask of the environment."""

    role: Role
    directories: Sequence[DirectoryName]
    organization: bool  # the file names an organization
    exposed: bool  # the operations listener is off loopback

    def __contains__(self, need: Need) -> bool:
        return need in self.role.value

    @property
    def lenient(self) -> bool:
        """Nothing must be given; what is given must be right."""
        return self.role is Role.DOCTOR

    def wanted(self) -> Iterator[Wanted]:
        """Every secret to look for."""
        for each in self._wanted():
            yield replace(each, missing="") if self.lenient else each

    def _wanted(self) -> Iterator[Wanted]:
        if Need.HOOK in self:
            remedy = "missing; 32 characters or more, the same as in Okta's event hook"
            yield Wanted((HOOK,), forms.hook_secret, remedy)
            yield Wanted((HOOK_NEXT,), forms.hook_secret)
        if Need.STORE in self:
            yield Wanted((DATABASE,), forms.database_url)
            yield Wanted((SEALING,), forms.sealing_keys, "missing; `hooks keys new` prints one")
        if Need.CHAIN in self:
            yield Wanted((CHAIN,), forms.chain_key)
        if Need.OPERATIONS in self:
            remedy = "missing; needed while [listen] operations is off loopback"
            yield Wanted((OPERATIONS,), forms.long_token, remedy if self.exposed else "")
        if Need.VENDORS in self:
            yield from _okta(Holder.READER)
            yield from self._atlassian()
        if Need.ADMIN in self:
            yield from _okta(Holder.ADMIN)

    def _atlassian(self) -> Iterator[Wanted]:
        for directory in self.directories:
            names = self.scim_names(directory)
            remedy = f"missing; the SCIM API key of the directory {directory!s}"
            yield Wanted(names, forms.token, remedy)
        remedy = "missing; an organization API key, needed with [atlassian] organization_id"
        yield Wanted((ORGANIZATION,), forms.token, remedy if self.organization else "")

    def scim_names(self, directory: DirectoryName) -> tuple[str, ...]:
        """Where the key of a directory may stand; the first is what it is known by."""
        own = f"{SCIM}_{directory.upper().replace('-', '_')}"
        return (SCIM, own) if len(self.directories) == 1 else (own,)

    def accounts(self) -> Iterator[Holder]:
        """Whose Okta credentials are read."""
        if Need.VENDORS in self:
            yield Holder.READER
        if Need.ADMIN in self:
            yield Holder.ADMIN


def _okta(account: Holder) -> Iterator[Wanted]:
    # Which of them must be there depends on the others, and is judged when all are read.
    yield Wanted((account.client_id,), forms.token)
    yield Wanted((account.private_key,), forms.private_key)
    yield Wanted((account.api_token,), forms.token)
