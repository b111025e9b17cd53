"""A life of Ann's over two directories, each with its app: what happens, what we see of it.

She begins in force in ``main`` alone. Each directory has a group for each of her two Okta groups,
one of which she never leaves; in the organization she is in the three groups of ``lives``.
Okta puts her into a group once, and takes her out only while she is in force there; what it
believes it has pushed, it does not push again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from hooks.core.history import LogFacts, Logged, Moment
from hooks.core.ids import DirectoryName, OktaAppId
from hooks.core.membership import Standing
from hooks.core.memory import Claim, Claimed, Link, Memory
from hooks.core.plan import Plan
from hooks.core.policy import Policy
from hooks.core.reading import MISSING, AppUser, Missing, ScimRecord
from tests.core.lives import ALL, RULES, SETTLED, sent
from tests.core.worlds import (
    APP,
    ASSIGNED,
    BESIDE,
    EVERYONE,
    KNOWN,
    MAIN,
    NOW,
    PERSON,
    USER,
    World,
    app_id,
    beside,
    group,
    local_id,
    local_plan,
    look,
    mapping,
    record,
    scim_user,
    source,
)

#: The numbers of each directory's first and second group.
TEAMS = {MAIN: (1, 2), BESIDE: (3, 4)}
_APPS: dict[DirectoryName, OktaAppId] = {MAIN: APP, BESIDE: app_id(2)}
_RECORDS = {MAIN: 1, BESIDE: 2}


@dataclass
class Place:
    """She in one directory. ``granted``: some Okta group of hers assigns the app.

    ``groups`` are those she is in, ``pushed`` those Okta believes she is in; first or second.
    """

    name: DirectoryName
    granted: bool = False
    assigned: bool = False
    provisioned: bool = False
    groups: frozenset[int] = frozenset()
    pushed: frozenset[int] = frozenset()
    links: tuple[Link, ...] = ()
    memory: Memory = field(default_factory=Memory)

    def push(self, wanted: Iterable[int]) -> None:
        """Okta adds what it does not believe to be there."""
        new = frozenset(wanted) - self.pushed
        self.groups, self.pushed = self.groups | new, self.pushed | new

    @property
    def app_user(self) -> AppUser | Missing:
        """As Okta shows it now."""
        record = scim_user(_RECORDS[self.name])
        return replace(ASSIGNED, external_id=record) if self.assigned else MISSING

    def record(self, *, active: bool) -> tuple[ScimRecord, ...]:
        """Hers, if Okta ever made one."""
        if not self.provisioned:
            return ()
        inside = [group(TEAMS[self.name][each - 1]) for each in self.groups]
        found = record(*inside, number=_RECORDS[self.name])
        return (replace(found, active=active and self.assigned),)


@dataclass
class Life:
    """``new``: she begins in force nowhere, with her groups of the organization from an admin.

    ``quick``: Okta's own removals arrive. ``mute``: the System Log shows nothing of anybody.
    ``freezes``: her account is inactive while she is in force nowhere, and cannot be changed then.
    """

    policy: Policy = RULES
    new: bool = False
    freezes: bool = False
    quick: bool = True
    mute: bool = False
    at: datetime = NOW - timedelta(days=20)
    active: bool = True
    suspended: bool = False
    member: bool = True
    inside: frozenset[int] = ALL
    lines: list[Moment] = field(default_factory=list)
    local: Memory = field(default_factory=Memory)
    places: dict[DirectoryName, Place] = field(default_factory=dict)
    #: Whether she was ever in force; since when she is nowhere, and if deactivated since; how many
    #: of these times were an absence.
    been: bool = False
    away: tuple[datetime, bool] | None = None
    absences: int = 0

    def __post_init__(self) -> None:
        """We saw her present in the first directory, or nobody ever saw her."""
        self.places = {name: Place(name) for name in TEAMS}
        if self.new:
            return
        self.turn(MAIN)
        self.lines.clear()
        before = self.at - timedelta(hours=1)
        known = replace(KNOWN, standing=Standing.PRESENT, standing_at=before)
        self.places[MAIN].memory = known
        self.local = Memory(standing=Standing.PRESENT, standing_at=before)

    # -- what happens --------------------------------------------------------------------------

    def wait(self, minutes: float) -> None:
        self.at += timedelta(minutes=minutes)

    def turn(self, what: str) -> Claimed | None:
        """Let one thing become its opposite, if it can; the event that tells of it.

        ``user``: active or not; ``suspension``; ``team``: the second Okta group; or a directory,
        which an Okta group of hers assigns or no more.
        """
        match what:
            case "user":
                self.active, self.suspended = not self.active, False
                self._log(Logged.ACTIVATED if self.active else Logged.DEACTIVATED)
            case "suspension":
                self.suspended = self.active and not self.suspended
            case "team":
                self.member = not self.member
            case _:
                place = self.places[DirectoryName(what)]
                place.granted = not place.granted
        self._okta()
        self._account()
        return self.claim(what)

    def _okta(self) -> None:
        """Okta assigns and pushes as it now must."""
        for place in self.places.values():
            wanted = self.active and place.granted
            if wanted is not place.assigned:
                place.assigned = wanted
                place.provisioned |= wanted
                self._log(Logged.ASSIGNED if wanted else Logged.UNASSIGNED, _APPS[place.name])
            if place.assigned:
                place.push({1, 2} if self.member else {1})
                gone = frozenset[int]() if self.member or not self.quick else frozenset({2})
                place.groups, place.pushed = place.groups - gone, place.pushed - gone

    def _log(self, what: Logged | None, app: OktaAppId | None = None) -> None:
        if what:
            self.lines.append(Moment(self.at, what, app))

    def _account(self) -> None:
        """What the absences were, told without the log and without anything we saw."""
        here = any(place.assigned for place in self.places.values())
        self.been |= here
        if not here and self.been:
            since, left = self.away or (self.at, False)
            self.away = since, left or not self.active
        elif self.away:
            since, left = self.away
            self.absences += left or self.at - since >= self.policy.brief_absence
            self.away = None

    def claim(self, what: str) -> Claimed | None:
        """The event of what happens now; whoever is inactive is assigned nothing."""
        uuid = f"{what} {self.at}"
        match what:
            case "user":
                said = Claim.ACTIVE if self.active else Claim.DEACTIVATED
                return Claimed(uuid, said, "", self.at)
            case "suspension":
                said = Claim.SUSPENDED if self.suspended else Claim.ACTIVE
                return Claimed(uuid, said, "", self.at) if self.active else None
            case "team":
                said = Claim.JOINED if self.member else Claim.LEFT
                return Claimed(uuid, said, source(2), self.at)
            case _:
                place = self.places[DirectoryName(what)]
                said = Claim.ASSIGNED if place.assigned else Claim.UNASSIGNED
                return Claimed(uuid, said, _APPS[place.name], self.at) if self.active else None

    def comes_back(self) -> Claimed:
        """Whatever she was, she is in force now, somewhere; the event that says so."""
        if not any(place.granted for place in self.places.values()):
            self.turn(MAIN)
        if not self.active:
            self.turn("user")
        if self.suspended:
            self.turn("suspension")
        return Claimed(f"back {self.at}", Claim.ACTIVE, "", self.at)

    # -- where she must end --------------------------------------------------------------------

    @property
    def synced(self) -> dict[DirectoryName, frozenset[int]]:
        """Her groups of each directory."""
        return {place.name: place.groups for place in self.places.values()}

    def wanted(self) -> tuple[frozenset[int], dict[DirectoryName, frozenset[int]]]:
        """What she must have in the end, in force: in the organization, and in each directory.

        A group without a condition goes with the first absence that was one.
        """
        teams = frozenset({1, 2}) if self.member else frozenset({1})
        local = {3} | (set() if self.absences else {1}) | ({2} if self.member else set())
        synced = {
            place.name: teams if place.assigned else frozenset[int]()
            for place in self.places.values()
        }
        return frozenset(local), synced

    # -- what we see ---------------------------------------------------------------------------

    def worlds(self, claims: Iterable[Claimed] = ()) -> tuple[World, World]:
        status = "SUSPENDED" if self.suspended else "ACTIVE"
        first, second = self.places[MAIN], self.places[BESIDE]
        here = any(place.assigned for place in self.places.values()) and not self.suspended
        main = World(
            user=replace(USER, status=status if self.active else "DEPROVISIONED"),
            member_of=frozenset({EVERYONE, source(1), *([source(2)] if self.member else [])}),
            app_user=first.app_user,
            links=first.links,
            records=first.record(active=self.active),
            log=LogFacts() if self.mute else LogFacts.of(self.lines),
            claims=tuple(replace(each, first_look=self.at) for each in claims),
            memory=first.memory,
            local=self.local,
            account=replace(PERSON, status="active" if here or not self.freezes else "inactive"),
            account_in=frozenset(map(local_id, self.inside)),
            at=self.at,
        )
        there = beside(
            main,
            app_user=second.app_user,
            mappings=tuple(mapping(TEAMS[BESIDE][each - 1], of=each) for each in (1, 2)),
            links=second.links,
            records=second.record(active=self.active),
            memory=second.memory,
        )
        return main, there

    def look(self, *claims: Claimed) -> Plan:
        """One look of ours, and what it sends."""
        worlds = self.worlds(claims)
        plan = look(*worlds, policy=self.policy)
        after = sent(plan, *worlds)
        for world, decided in zip(after, plan.directories, strict=True):
            place = self.places[decided.name]
            place.links = world.links
            place.memory = replace(
                world.memory,
                ever_in_force=world.memory.ever_in_force or decided.in_force,
                scim_id=decided.record.id if decided.record else world.memory.scim_id,
                user_name=decided.user_name or world.memory.user_name,
            )
            numbers = {group(each).id: at for at, each in enumerate(TEAMS[place.name], 1)}
            for found in world.records:
                place.groups = frozenset(numbers[each.id] for each in found.groups or ())
        assert after[0].local
        assert isinstance(after[0].account_in, frozenset)
        self.local = after[0].local
        self.inside = frozenset(int(each[-12:]) for each in after[0].account_in)
        return plan

    def settle(self, *claims: Claimed) -> None:
        """Look until nothing is left to do."""
        plan = self.look(*claims)
        for _ in range(SETTLED):
            self.wait(5)
            plan = self.look()
        assert not [*plan.steps]
        assert local_plan(plan).standing is Standing.PRESENT
