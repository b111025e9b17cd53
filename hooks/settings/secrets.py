"""The secrets a role needs, read from the environment or the files it names, and never shown.

Every secret `NAME` may be given as `NAME_FILE` instead, the path of a file that holds it.
Only files can change while a process lives; reading again is reading those.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from hooks.core.ids import DirectoryName
from hooks.settings import demand as names
from hooks.settings import forms
from hooks.settings.demand import Demand, Holder, Wanted
from hooks.settings.mistakes import Mistake, refusal

DEFAULT_DATABASE = "sqlite:///hooks.db"
_LARGEST_FILE = 64 * 1024  # a path that names the wrong file must not fill the memory


class Secret:
    """A text that only `reveal` shows; comparing takes the same time wherever texts differ."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text, for the one call that sends it or derives from it."""
        return self._text

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        mine, theirs = (each.encode(errors="surrogatepass") for each in (self._text, other._text))
        return hmac.compare_digest(mine, theirs)

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __repr__(self) -> str:
        return "Secret(…)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written anywhere")


@dataclass(frozen=True, slots=True)
class OktaKey:
    """An Okta service app, which signs for its access tokens (`private_key_jwt`)."""

    client_id: str
    private_key: Secret  # PEM or JWK


@dataclass(frozen=True, slots=True)
class OktaToken:
    """An Okta API token."""

    token: Secret


class Secrets:
    """The secrets of this process, and the way to read them again.

    Asking for one outside the role is a KeyError: a fault of ours, not of the operator's.
    """

    def __init__(self, environ: Mapping[str, str], demand: Demand) -> None:
        """Nothing is read yet; `reload` does, and must be called first."""
        self._environ = environ
        self._demand = demand
        self._held: Mapping[str, Secret | None] = {}

    def reload(self) -> frozenset[str]:
        """Read all of them again; tell the names of those that changed.

        Raises:
            SettingsError: every mistake at once; what was held before is held still.
        """
        held, mistakes = self.read()
        if mistakes:
            raise refusal(mistakes)
        changed = frozenset(name for name in held if held[name] != self._held.get(name))
        self._held = held
        return changed

    def reread(self, name: str) -> bool:
        """Read one again, before its credential is believed to be refused; True if it changed.

        ``name`` is the one of the environment, such as `HOOKS_ORG_API_KEY`. Mistakes elsewhere
        do not matter; a file that cannot be used now leaves what was held.
        """
        wanted = next(each for each in self._demand.wanted() if name in each.names)
        secret, mistake = _read(self._environ, wanted)
        known = wanted.names[0]
        if mistake or secret == self._held[known]:
            return False
        self._held = {**self._held, known: secret}
        return True

    def read(self) -> tuple[dict[str, Secret | None], list[Mistake]]:
        """What the environment holds now, and everything that is wrong with it."""
        held: dict[str, Secret | None] = {}
        mistakes: list[Mistake] = []
        spoilt: set[str] = set()
        for wanted in self._demand.wanted():
            known = wanted.names[0]
            held[known], mistake = _read(self._environ, wanted)
            if mistake:
                mistakes.append(mistake)
                spoilt.add(known)
        for account in self._demand.accounts():
            none = self._demand.lenient and not any(held[each] for each in account.names)
            if spoilt.isdisjoint(account.names) and not none:
                mistakes += _incomplete(account, held)
        if held.get(names.ORGANIZATION) and not self._demand.organization:
            remedy = "of no use without [atlassian] organization_id; give both or neither"
            mistakes.append(Mistake(_place(names.ORGANIZATION), remedy))
        return held, mistakes

    def given(self, *names: str) -> bool:
        """Whether one of these was given, for a role that does without what is not."""
        return any(self._held.get(name) for name in names)

    @property
    def database_url(self) -> Secret:
        """With our driver; secret because it may hold a password."""
        held = self._held[names.DATABASE]
        return Secret(forms.database_url(held.reveal() if held else DEFAULT_DATABASE))

    @property
    def hook(self) -> tuple[Secret, ...]:
        """What Okta may send: the secret, and while it is rotated the next one."""
        return tuple(each for each in (self._held[names.HOOK], self._held[names.HOOK_NEXT]) if each)

    @property
    def sealing_keys(self) -> tuple[bytes, ...]:
        """32 bytes each, newest first."""
        return forms.sealing_keys(self._must(names.SEALING).reveal())

    @property
    def chain_key(self) -> bytes | None:
        """32 bytes that prove the journal, if there is one; never for a role that writes none."""
        held = self._held.get(names.CHAIN)
        return forms.chain_key(held.reveal()) if held else None

    @property
    def operations_token(self) -> Secret | None:
        """What the operations listener asks for, where it asks."""
        return self._held[names.OPERATIONS]

    @property
    def organization_key(self) -> Secret | None:
        """Of the Atlassian organization, where the file names one."""
        return self._held[names.ORGANIZATION]

    def scim_key(self, directory: DirectoryName) -> Secret:
        """Of one directory."""
        return self._must(self.scim_name(directory))

    def scim_name(self, directory: DirectoryName) -> str:
        """What the key of a directory is called in `reread` and in alarms."""
        return self._demand.scim_names(directory)[0]

    def okta(self, account: Holder = Holder.READER) -> OktaKey | OktaToken:
        """How to sign in to Okta."""
        token = self._held[account.api_token]
        if token:
            return OktaToken(token)
        return OktaKey(self._must(account.client_id).reveal(), self._must(account.private_key))

    def _must(self, name: str) -> Secret:
        held = self._held[name]
        if held is None:
            raise KeyError(name)
        return held


def _place(name: str) -> str:
    return f"environment: {name}"


def _incomplete(account: Holder, held: Mapping[str, Secret | None]) -> list[Mistake]:
    """An Okta credential is an app with its key, or a token, never half of one or both."""
    app, key, token = (held[name] for name in account.names)
    if token and (app or key):
        remedy = f"give either this or {account.client_id} with {account.private_key}"
        return [Mistake(_place(account.api_token), remedy)]
    if app and not key:
        return [Mistake(_place(account.private_key), "missing; the private key of the app")]
    if key and not app:
        return [Mistake(_place(account.client_id), "missing; the client id of the app")]
    if not token and not app:
        remedy = f"missing; give it with {account.private_key}, or {account.api_token} instead"
        return [Mistake(_place(account.client_id), remedy)]
    return []


def _read(environ: Mapping[str, str], wanted: Wanted) -> tuple[Secret | None, Mistake | None]:
    """The secret if there is one, or what is wrong with it. An empty variable is a missing one."""
    given = [name for each in wanted.names for name in (each, f"{each}_FILE") if environ.get(name)]
    if not given:
        remedy = wanted.missing
        if remedy and len(wanted.names) > 1:
            remedy += f" (also read from {', '.join(wanted.names[1:])})"
        return None, Mistake(_place(wanted.names[0]), remedy) if remedy else None
    name = given[0]
    if len(given) > 1:
        return None, Mistake(_place(name), f"give only one of {', '.join(given)}")
    try:
        text = _file(environ[name]) if name.endswith("_FILE") else environ[name]
        wanted.judge(text)
    except ValueError as error:
        return None, Mistake(_place(name), str(error))
    return Secret(text), None


def _file(path: str) -> str:
    """The file's text less its last line break."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
        text = content.decode().removesuffix("\n").removesuffix("\r")
    except (OSError, ValueError):
        raise ValueError("the file cannot be read; check its path, owner and mode") from None
    if not text:
        raise ValueError("the file is empty; write the secret into it")
    if len(content) > _LARGEST_FILE:
        raise ValueError("the file is larger than any secret; check its path")
    return text
