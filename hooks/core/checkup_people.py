"""Whether Okta calls people the same where they sign in and where they are provisioned.

Must live here: every sentence about it, ids and never addresses. Must not know: how anybody is
asked. Atlassian knows people by an address: where the application username is another one than
the primary e-mail address, signing in makes a second account.
Source: Atlassian, "Configure user provisioning with Okta", on verifying the address.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hooks.core.finding import Finding, Verdict, some
from hooks.core.outside import domain, external
from hooks.core.report import counted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from hooks.core.ids import OktaUserId, ScimUserId

#: ``${source.email}`` of a username template, ``user.email`` of a profile mapping. Source: Okta
#: OpenAPI, ApplicationCredentialsUsernameTemplate; Okta Expression Language.
_BRACES = re.compile(r"\$\{(.*)\}", re.DOTALL)
_LOWER = re.compile(r"(?:fn:|String\.)?toLowerCase\((.*)\)", re.DOTALL)
_ATTRIBUTE = re.compile(r"(?:user|source)\.([A-Za-z]\w*)")

_SIGN_ON = "Okta's Admin Console, the app, Sign On, Application username format"
_SAME = f"{_SIGN_ON}: the attribute that is mapped to the primary e-mail; then Update Now"


@dataclass(frozen=True, slots=True)
class UserNames:
    """How the app makes usernames; ``pushes``: it updates them too."""

    template: str
    pushes: bool


@dataclass(frozen=True, slots=True)
class Assigned:
    """Somebody assigned: what Okta calls them at sign-in and tells as their address."""

    user: OktaUserId
    user_name: str
    address: str | None
    record: ScimUserId | None = None
    in_force: bool = True

    @property
    def called(self) -> str:
        """The address, as far as Okta tells it."""
        return self.address or self.user_name

    @property
    def differs(self) -> bool:
        """Two names, of which Atlassian would make two people."""
        return self.called.casefold() != self.user_name.casefold()


@dataclass(frozen=True, slots=True)
class People:
    """Who is assigned, as far as they were read."""

    named: tuple[Assigned, ...]
    whole: bool

    @property
    def differing(self) -> tuple[Assigned, ...]:
        """Those with two names."""
        return tuple(each for each in self.named if each.differs)


def attribute(expression: str) -> str | None:
    """The one attribute of the user that it gives, letter case aside; ``None`` if it does more."""
    text = expression.strip()
    if found := _BRACES.fullmatch(text):
        text = found[1].strip()
    while found := _LOWER.fullmatch(text):
        text = found[1].strip()
    whole = _ATTRIBUTE.fullmatch(text)
    return whole[1] if whole else None


def of_names(
    place: str, names: UserNames | str, address: str, people: People | str
) -> Iterator[Finding]:
    """Whether both are made of one attribute, and are the same for those who are assigned.

    ``address`` is the expression of the primary address, empty where Okta does not say.
    """
    place = f"{place} usernames"
    if isinstance(names, str):
        yield Finding(Verdict.UNCHECKED, place, f"what they are made of: {names}")
    else:
        yield from _of_expressions(place, names, address, people)
    yield from _of_people(place, people)


def _of_expressions(
    place: str, names: UserNames, address: str, people: People | str
) -> Iterator[Finding]:
    signs_in, told = attribute(names.template), attribute(address)
    if signs_in and told and signs_in == told:
        yield Finding(Verdict.OK, place, f"made of {told}, as the primary e-mail is")
    elif signs_in and told:
        differ = not isinstance(people, str) and bool(people.differing)
        about = (
            f"made of {signs_in}, the primary e-mail of {told}: whose two differ get two accounts"
        )
        yield Finding(Verdict.FAIL if differ else Verdict.WARN, place, about, _SAME)
    else:
        about = "whether they are made as the primary e-mail is"
        if not address:
            about += ": Okta does not say what that is made of"
        remedy = "grant okta.profileMappings.read, or compare: the app, Sign On and Provisioning"
        yield Finding(Verdict.UNCHECKED, place, about, remedy)
    if not names.pushes:
        about = "they are not updated when the attribute changes"
        remedy = "the app, Sign On: Update application username on, Create and update"
        yield Finding(Verdict.WARN, place, about, remedy)


def _of_people(place: str, people: People | str) -> Iterator[Finding]:
    if isinstance(people, str):
        yield Finding(Verdict.UNCHECKED, place, f"whether anybody has two names: {people}")
        return
    read = counted(len(people.named), "person", "people")
    of = f"of {'' if people.whole else 'the first '}{read}"
    if not people.differing:
        if people.named:
            yield Finding(Verdict.OK, place, f"{of} everybody's is their primary e-mail")
        return
    ids = some([each.user for each in people.differing])
    count = counted(len(people.differing), "has", "have")
    about = f"{of} {count} a username that is not the primary e-mail: {ids}"
    yield Finding(Verdict.WARN, place, about, _SAME)


def of_accounts(
    place: str, twice: Collection[OktaUserId] | str, asked: int, left: int
) -> Iterator[Finding]:
    """Whether those with two names have two accounts; ``left`` were not asked about."""
    place = f"{place} accounts"
    if isinstance(twice, str):
        yield Finding(Verdict.UNCHECKED, place, f"whether anybody has two accounts: {twice}")
        return
    if twice:
        count = counted(len(twice), "person has", "people have")
        about = f"{count} two accounts, of which we know only one: {some(sorted(twice))}"
        remedy = "make usernames and addresses the same, then have Atlassian support merge them"
        yield Finding(Verdict.FAIL, place, about, remedy)
    elif asked:
        people = counted(asked, "person", "people")
        yield Finding(Verdict.OK, place, f"none of {people} with two names has two accounts")
    if left:
        about = (
            f"whether {left} more with two names have two accounts: only {asked} are asked about"
        )
        yield Finding(Verdict.UNCHECKED, place, about)


def of_domains(place: str, verified: Collection[str] | str, people: People | str) -> Finding | None:
    """Whether people's addresses lie in verified domains: no other account is managed."""
    place = f"{place} domains"
    if isinstance(verified, str) or isinstance(people, str):
        why = verified if isinstance(verified, str) else people
        return Finding(Verdict.UNCHECKED, place, f"whether people's are verified: {why}")
    outside = [each.called for each in people.named if external(each.called, verified)]
    if not people.named:
        return None
    if not outside:
        return Finding(Verdict.OK, place, "everybody's is verified, so accounts are managed")
    about = (
        f"{counted(len(outside), 'address is', 'addresses are')} outside of verified domains"
        f" ({some(sorted(set(map(domain, outside))))}): those accounts may stay active"
    )
    return Finding(Verdict.WARN, place, about, "verify them in Atlassian, unless this is meant")
