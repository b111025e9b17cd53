"""Opens everything once, in order, and closes it in reverse.

Must live here: which part gets which. Must not know: what any of them does.
"""

from __future__ import annotations

import random
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from hooks import policies, ways
from hooks.alarm import Alarms
from hooks.audit import Audit
from hooks.catchup import CatchUp
from hooks.clock import Clock
from hooks.core import alarm
from hooks.core.errors import SettingsError
from hooks.core.ids import DirectoryName
from hooks.gateways.crowds import Crowds
from hooks.gateways.notify import Notify
from hooks.gateways.wire import open_client
from hooks.observe import Directory, Observer
from hooks.purge import Purge
from hooks.reconcile import Reconciler
from hooks.rounds import Rounds
from hooks.store import chain, cursor
from hooks.store.database import Database
from hooks.store.intake import Intake
from hooks.store.sealing import Sealer
from hooks.survey import Survey
from hooks.worker import Worker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from hooks.pins import PolicyInForce
    from hooks.settings import Settings


@dataclass(frozen=True, slots=True)
class House:
    """Everything a process has open. ``worker`` only where the role talks to vendors."""

    settings: Settings
    clock: Clock
    database: Database
    sealer: Sealer
    intake: Intake
    signer: chain.Signer | None = None
    observer: Observer | None = None
    policy: PolicyInForce | None = None
    audit: Audit | None = None
    worker: Worker | None = None
    catch_up: CatchUp | None = None
    notify: Notify | None = None

    def alarms(self, *, loaded: Callable[[], bool]) -> Alarms:
        """What finds alarms and tells them; ``loaded`` tells of the hook's secret."""

        def here() -> dict[str, int]:
            today = self.clock.now().date()
            names = [alarm.name(alarm.Kind.BREAKER, each) for each in self.refused()]
            names += [
                alarm.name(alarm.Kind.EXPIRY, key)
                for key, day in self.settings.expiry.items()
                if (day - today).days < alarm.WARN_DAYS
            ]
            return {**dict.fromkeys(names, 1), alarm.Kind.NO_SECRET: int(not loaded())}

        return Alarms(
            database=self.database,
            clock=self.clock,
            here=here,
            notify=self.notify,
            organization=urlsplit(self.settings.okta.org_url).netloc,
            every=self.settings.catch_up.every,
            jitter=random.SystemRandom().random,
            strange=self.worker.strange_key if self.worker else None,
        )

    def refused(self) -> list[str]:
        """The credentials that are refused at the moment, as the operator calls them."""
        if self.observer is None:
            return []
        doors = [self.observer.okta.door, *(each.scim.door for _, each in self._directories())]
        breakers = [each.breaker for each in doors]
        if self.observer.organization:
            breakers += self.observer.organization.breakers
        return [each.name for each in breakers if each.refused]

    def vendors(self) -> dict[str, object]:
        """The state of each credential and its budget: states and counts only."""
        if self.observer is None:
            return {}
        scims = {f"scim {name}": each.scim.snapshot() for name, each in self._directories()}
        found: dict[str, object] = {"okta": self.observer.okta.door.snapshot(), **scims}
        if self.observer.organization:
            found["organization"] = self.observer.organization.snapshot()
        return found

    def _directories(self) -> list[tuple[str, Directory]]:
        return sorted(self.observer.directories.items()) if self.observer else []


@asynccontextmanager
async def opened(
    settings: Settings, *, vendors: bool, tells: bool = False, clock: Clock | None = None
) -> AsyncIterator[House]:
    """Open the store, and with ``vendors`` the gateways and the worker. The schema is current.

    ``tells`` opens the way to whoever is to be notified, if anybody is.
    """
    clock = clock or Clock()
    secrets = settings.secrets
    sealer = Sealer(secrets.sealing_keys)
    signer = chain.Signer(secrets.chain_key) if secrets.chain_key else None
    async with AsyncExitStack() as stack:
        database = Database(secrets.database_url.reveal(), clock)
        stack.callback(database.close)
        apps = frozenset(each.okta_app_id for each in settings.directories)
        intake = Intake(database, sealer, apps)
        stack.push_async_callback(intake.aclose)
        house = House(settings, clock, database, sealer, intake, signer)
        url = settings.notify.url if tells else ""
        if not vendors and not url:
            yield house
            return
        http = await stack.enter_async_context(open_client())
        house = replace(house, notify=Notify(client=http, url=url) if url else None)
        if not vendors:
            yield house
            return
        okta = ways.okta(settings, http, clock)
        directories = [
            Directory(
                each.name,
                each.okta_app_id,
                ways.scim(settings, each.name, http, clock, _Forms(database, each.name)),
                each.scim_directory_id,
            )
            for each in settings.directories
        ]
        for each in directories:
            stack.push_async_callback(each.scim.aclose)
        observer = Observer(
            okta=okta,
            directories=directories,
            organization=ways.organization(settings, http, clock),
            database=database,
            sealer=sealer,
            clock=clock,
        )
        policy = policies.in_force(settings, okta, database)
        audit = Audit(
            observer=observer, policy=policy, database=database, sealer=sealer, clock=clock
        )
        dice = random.SystemRandom()
        reconciler = Reconciler(
            observer=observer,
            policy=policy,
            database=database,
            sealer=sealer,
            signer=signer,
            clock=clock,
            jitter=dice.random,
        )
        worker = Worker(
            database=database,
            reconciler=reconciler,
            rounds=Rounds(
                survey=Survey(observer=observer, database=database, sealer=sealer),
                purge=Purge(database, timedelta(days=settings.retention.events_days), signer),
                audit=audit,
                audit_every=settings.audit.every,
                audit_applies=settings.audit.apply,
                database=database,
                history=timedelta(days=settings.okta.history_days),
                clock=clock,
            ),
            modes=settings.modes,
            clock=clock,
            jitter=dice.random,
            signer=signer,
            crowds=Crowds(house.intake.arriving),
        )
        catch_up = CatchUp(
            database=database,
            okta=okta.log,
            sealer=sealer,
            apps=apps,
            every=settings.catch_up.every,
            clock=clock,
            jitter=dice.random,
            bell=worker.bell,
        )
        yield replace(
            house, observer=observer, policy=policy, audit=audit, worker=worker, catch_up=catch_up
        )


async def check_names(house: House) -> None:
    """A directory's name stands for one Okta app for good.

    Under another app nobody would be known to be assigned, and everybody remembered would look
    as if they had been unassigned. Raises: SettingsError.
    """
    apps = {each.name: each.okta_app_id for each in house.settings.directories}
    strange = await house.database.read(lambda tx: cursor.named_otherwise(tx, apps))
    if strange:
        names = ", ".join(map(repr, map(str, strange)))
        raise SettingsError(
            f"hooks.toml: [[directory]] {names} stood for another okta_app_id before;"
            " give the new app's directory a name of its own"
        )


@dataclass(frozen=True, slots=True)
class _Forms:
    """How members can be removed from one directory, kept in the store."""

    database: Database
    name: DirectoryName

    async def get(self) -> str | None:
        return await self.database.read(lambda tx: cursor.get(tx, f"form/{self.name}"))

    async def put(self, form: str) -> None:
        await self.database.write(lambda tx: cursor.put(tx, f"form/{self.name}", form))
