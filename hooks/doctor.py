"""Everything that can be wrong, looked at once, in parts; nothing is changed anywhere.

Must live here: which part is looked at with what, and what follows from a door that is closed.
Must not know: what an answer means, or how findings look.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from hooks import probe, visit_atlassian, visit_okta, visit_store
from hooks.core import checkup_atlassian, checkup_here, checkup_okta
from hooks.core.access import ORGANIZATION_KEY
from hooks.core.finding import Finding, Part, Verdict
from hooks.gateways.okta_review import OktaReview
from hooks.gateways.organization import Organization

if TYPE_CHECKING:
    from datetime import date

    from hooks.clock import Clock
    from hooks.core.ids import AccountId, DirectoryName, OrganizationId
    from hooks.core.membership import Mode, OrganizationGroup
    from hooks.core.policy import Policy
    from hooks.core.reach import Mention
    from hooks.core.registration import Wanted
    from hooks.gateways.transport import Transport
    from hooks.probe import Opened, Ways
    from hooks.store.chain import Signer
    from hooks.store.database import Database
    from hooks.store.sealing import Sealer
    from hooks.visit_okta import AppVisit
    from hooks.visit_store import Remembered


#: Looked at without asking a vendor.
HERE = frozenset({Part.SETTINGS, Part.STORE})
Report = Mapping[Part, Sequence[Finding]]


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """What hooks.toml says, as far as it is looked at."""

    modes: Mapping[DirectoryName, Mode]
    policy: Policy
    named: Sequence[Mention]
    hook: Wanted
    directories: Sequence[str]
    organization: OrganizationId | None
    ends: Mapping[str, date]
    never_checked: Sequence[Finding]


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeps:
    """The store and the keys given for it; ``database`` may say why there is none.

    ``file`` is SQLite's, ``every`` how often the System Log is read, ``missing`` the names of
    secrets that are not given.
    """

    database: Database | str
    sealer: Sealer | None
    signer: Signer | None
    file: Path | None
    every: timedelta
    missing: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Doctor:
    """Looks at everything through doors that are open; ``hooks`` are tried in their order.

    ``scopes`` has a door for each scope of the worker's, to tell which of them is not granted.
    """

    file: File
    keeps: Keeps
    ways: Ways
    hooks: Sequence[Transport]
    profiles: Transport | None
    scopes: Mapping[str, Transport]
    clock: Clock

    async def examine(self, parts: Collection[Part] = tuple(Part)) -> Report:
        """Look at these parts; one that fails keeps no other from being looked at.

        Nobody is asked for what is here, and everybody for anything else.
        """
        if HERE.issuperset(parts):
            store, _ = await self._store()
            found = {Part.SETTINGS: self._settings(), Part.STORE: store}
        else:
            found = await self._everything()
        return {part: found[part] for part in Part if part in parts}

    async def _everything(self) -> dict[Part, list[Finding]]:
        (store, remembered), opened, hook = await asyncio.gather(
            self._store(), probe.try_each(self.ways), self._hook()
        )
        okta, apps, log = await self._okta(opened)
        scim, organization, policy = await asyncio.gather(
            self._scim(opened, apps, remembered),
            self._organization(opened, apps, remembered),
            self._policy(opened),
        )
        links = await self._links(opened, [account for _, account in scim])
        return {
            Part.SETTINGS: self._settings(),
            Part.STORE: store,
            Part.HOOK: [*hook, *self._deliveries(remembered), *log],
            Part.OKTA: okta,
            Part.APPS: [finding for app in apps for finding in app.findings],
            Part.SCIM: [finding for findings, _ in scim for finding in findings],
            Part.ORGANIZATION: [*organization, *links],
            Part.POLICY: policy,
            Part.CLOCKS: self._clocks(),
        }

    # -- here ----------------------------------------------------------------------------------

    def _settings(self) -> list[Finding]:
        return [
            *checkup_here.of_settings(self.file.modes, len(self.file.policy.rules)),
            *checkup_here.of_secrets(self.keeps.missing),
        ]

    async def _store(self) -> tuple[list[Finding], Remembered | None]:
        keeps = self.keeps
        if isinstance(keeps.database, str):
            return list(checkup_here.of_store(keeps.database)), None
        found = await visit_store.visit(
            keeps.database,
            self.file.modes,
            sealer=keeps.sealer,
            signer=keeps.signer,
            every=keeps.every,
            file=keeps.file,
        )
        if isinstance(found, str):
            return list(checkup_here.of_store(found)), None
        store, remembered = found
        return list(checkup_here.of_store(store)), remembered

    def _deliveries(self, remembered: Remembered | None) -> list[Finding]:
        if remembered is None:
            about = "when one was last stored: the store does not say"
            return [Finding(Verdict.UNCHECKED, "deliveries", about)]
        now = self.clock.now()
        return [checkup_okta.of_deliveries(remembered.delivered, remembered.missed, now)]

    def _clocks(self) -> list[Finding]:
        """By what the answers said of the time, whatever they were asked for."""
        ways = self.ways
        okta = None if isinstance(ways.okta, str) else ways.okta.door.pace.skew
        doors = [each.scim.door for each in ways.directories if not isinstance(each.scim, str)]
        if isinstance(ways.organization, Organization):
            doors.append(ways.organization.door)
        skews = [each.pace.skew for each in doors if each.pace.skew is not None]
        return [
            checkup_here.of_clock("Okta", okta),
            checkup_here.of_clock("Atlassian", max(skews, key=abs, default=None)),
        ]

    # -- Okta ----------------------------------------------------------------------------------

    async def _hook(self) -> list[Finding]:
        return await visit_okta.hook([OktaReview(each) for each in self.hooks], self.file.hook)

    async def _okta(self, opened: Opened) -> tuple[list[Finding], list[AppVisit], list[Finding]]:
        """What it shows, each app, and what the System Log says."""
        okta = self.ways.okta
        if isinstance(okta, str) or opened.no_okta:
            closed = Finding(Verdict.UNCHECKED, "apps", opened.no_okta)
            log = Finding(Verdict.UNCHECKED, "System Log", opened.no_okta)
            nothing = visit_okta.AppVisit((), opened.no_okta, opened.no_okta)
            first = visit_okta.AppVisit((closed,), opened.no_okta, opened.no_okta)
            reviews = {scope: OktaReview(each) for scope, each in self.scopes.items()}
            missing = [] if isinstance(okta, str) else await visit_okta.granted(reviews)
            apps = [first, *[nothing] * (len(self.ways.directories) - 1)]
            return [*opened.okta, *missing], apps, [log]
        review = OktaReview(okta.door)
        sight, signs = await asyncio.gather(
            visit_okta.sight(okta, review), visit_okta.log(review, self.clock.now())
        )
        profiles = OktaReview(self.profiles) if self.profiles else None
        found = await asyncio.gather(
            *(
                visit_okta.app(
                    _place(index), each.app, okta, review=review, profiles=profiles, signs=signs
                )
                for index, each in enumerate(self.ways.directories)
            )
        )
        return [*opened.okta, *sight], list(found), list(checkup_okta.of_log(signs))

    # -- Atlassian -----------------------------------------------------------------------------

    async def _scim(
        self, opened: Opened, apps: Sequence[AppVisit], remembered: Remembered | None
    ) -> list[tuple[list[Finding], AccountId | None]]:
        return list(
            await asyncio.gather(
                *(self._directory(index, opened, app, remembered) for index, app in enumerate(apps))
            )
        )

    async def _directory(
        self, index: int, opened: Opened, app: AppVisit, remembered: Remembered | None
    ) -> tuple[list[Finding], AccountId | None]:
        way = self.ways.directories[index]
        findings = [opened.scim[index]]
        setting = f"scim_{way.name}"
        ends = checkup_atlassian.of_expiry(
            setting, way.secret, self.file.ends.get(setting), self.clock.now().date()
        )
        if isinstance(way.scim, str):
            return findings, None
        if opened.no_scim[index]:
            return [*findings, ends], None
        seen, account = await visit_atlassian.directory(_place(index), way.scim, app.people)
        forms = remembered.forms if remembered else {}
        form = checkup_atlassian.of_form(_place(index), forms.get(way.scim.name))
        return [*findings, *seen, *([form] if form else []), ends], account

    async def _organization(
        self, opened: Opened, apps: Sequence[AppVisit], remembered: Remembered | None
    ) -> list[Finding]:
        way, file = self.ways.organization, self.file
        if way is None or file.organization is None:
            about = "local groups and admin roles: no organization_id is given"
            return [Finding(Verdict.UNCHECKED, "[atlassian] organization_id", about)]
        now = self.clock.now()
        ends = checkup_atlassian.of_expiry(
            "organization", ORGANIZATION_KEY, file.ends.get("organization"), now.date()
        )
        if isinstance(way, str):
            return list(opened.organization)
        if isinstance(opened.groups, str):
            return [*opened.organization, ends]
        writing = checkup_atlassian.of_writing(
            remembered.written if remembered else None,
            now,
            refused=bool(remembered and remembered.writes_refused),
        )
        places = [(_place(index), each.people) for index, each in enumerate(apps)]
        accounts, access = await asyncio.gather(
            visit_atlassian.accounts(way.review, places),
            self._access(way, opened.groups, apps, remembered),
        )
        return [*opened.organization, writing, ends, *accounts, *access]

    async def _access(
        self,
        organization: Organization,
        groups: Sequence[OrganizationGroup],
        apps: Sequence[AppVisit],
        remembered: Remembered | None,
    ) -> list[Finding]:
        """What groups give that we may not touch, and what a login grants anew."""
        why = [each.pushed for each in apps if isinstance(each.pushed, str)]
        if why:
            about = f"whether groups that we may not touch give any: {why[0]}"
            found = [Finding(Verdict.UNCHECKED, "app access", about)]
        else:
            pushed = {name for each in apps for name in each.pushed}
            found = await visit_atlassian.access(organization, self.file.policy, groups, pushed)
        ours = await visit_atlassian.giving(organization, self.file.policy, groups)
        again = checkup_atlassian.of_again(remembered.again if remembered else (), ours)
        return [*found, *([again] if again else [])]

    async def _links(self, opened: Opened, accounts: Sequence[AccountId | None]) -> list[Finding]:
        way = self.ways.organization
        if not isinstance(way, Organization) or isinstance(opened.groups, str):
            return []
        account = next((each for each in accounts if each is not None), None)
        return [await visit_atlassian.links(way, account, self.file.directories)]

    # -- the policy ----------------------------------------------------------------------------

    async def _policy(self, opened: Opened) -> list[Finding]:
        """What `policy check` says of rules and names."""
        return [
            *await probe.judged(self.ways, self.file.policy, self.file.named, opened),
            *self.file.never_checked,
        ]


def _place(index: int) -> str:
    return f"[[directory]] {index + 1}"
