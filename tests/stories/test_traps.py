"""Answers that lie. Who is caught keeps everything; beside them a control loses what is stale."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from tests.running import Time
from tests.stories.stage import AFTER, BEFORE, Kind, Stage, staged


@dataclass(frozen=True)
class Trap:
    """``lay`` lays it before anything happens, ``spring`` after; ``lift`` takes it away.

    ``apart``: it strikes a whole directory, so the controls live in another one. ``alone``: it
    strikes everything, so there are no controls. ``nudged``: afterwards an event has to come.
    ``cause`` is why everybody who is caught is left alone, where it is one.
    """

    says: str
    kinds: tuple[Kind, ...]
    lay: Callable[[Stage], None] = lambda _: None
    spring: Callable[[Stage], None] = lambda _: None
    lift: Callable[[Stage], None] = Stage.lift
    apart: bool = False
    alone: bool = False
    nudged: bool = False
    more: str = ""
    cause: str = ""


def switch(name: str, *, on: bool) -> Callable[[Stage], None]:
    return lambda stage: setattr(stage.company.world.switches, name, on)


def hide(*modes: str) -> Callable[[Stage], None]:
    return lambda stage: stage.company.world.hide(stage.company.app, mode=modes[0])  # type: ignore[arg-type]


def status(kind: Kind, value: str, moving_to: str | None = None) -> Callable[[Stage], None]:
    return lambda stage: stage.company.world.set_status(stage.caught[kind], value, moving_to)


def assignment(kind: Kind, value: str) -> Callable[[Stage], None]:
    return lambda stage: stage.company.world.set_app_user_status(
        stage.caught[kind], stage.company.app, value
    )


def directory(name: str, *, value: bool) -> Callable[[Stage], None]:
    return lambda stage: setattr(stage.company.directory, name, value)


def external_ids(make: Callable[[Stage, str, int], str | None]) -> Callable[[Stage], None]:
    """Write something into the externalId of the records of those who are caught."""

    def write(stage: Stage) -> None:
        for number, login in enumerate(stage.caught.values()):
            stage.record(login).external_id = make(stage, login, number)

    return write


def own_id(stage: Stage, login: str, _: int = 0) -> str:
    return stage.company.world.user(login).id


def somebody_elses(stage: Stage, _: str, number: int) -> str:
    return own_id(stage, stage.company.hire(f"somebody-else-{number}"))


def twin(stage: Stage) -> None:
    """A second record with the same externalId."""
    for login in stage.caught.values():
        stage.company.world.add_scim_user(
            stage.company.directory, f"twin-of-{login}", external_id=own_id(stage, login)
        )


def untwin(stage: Stage) -> None:
    directory = stage.company.directory
    for login in stage.caught.values():
        directory.delete_user(directory.named(f"twin-of-{login}")[0], stage.run.time.now())


def bare(stage: Stage) -> None:
    """Records of those who are caught come without their groups."""
    for login in stage.caught.values():
        record = stage.record(login)
        body = {"id": record.id, "userName": record.user_name, "active": True,
                "externalId": own_id(stage, login)}  # fmt: skip
        page = {"totalResults": 1, "startIndex": 1, "itemsPerPage": 1, "Resources": [body]}
        stage.fault(rf"/Users/{record.id}$", vendor="scim", status=200, body=body)
        found = rf"/Users\?.*{own_id(stage, login)}"
        stage.fault(found, vendor="scim", status=200, body=page)


def everything_404(stage: Stage) -> None:
    """The org_url is that of another org, which knows nobody."""
    stage.fault("/api/", status=404)


def make_break_glass(stage: Stage) -> None:
    stage.company.world.add_okta_group("Break glass")
    stage.run.time.push(timedelta(seconds=61))


def back(kind: Kind, value: str = "ACTIVE") -> Callable[[Stage], None]:
    def lift(stage: Stage) -> None:
        stage.lift()
        status(kind, value)(stage)

    return lift


ALL: tuple[Kind, ...] = ("left", "unassigned", "lost")
TRAPS = [
    Trap("an empty list of groups", ("lost",), nudged=True,
         lay=lambda stage: stage.fault("/users/{user}/groups", empty_list=True),
         cause="groups_empty"),
    Trap("a list of groups of nobody at all", ("lost",), nudged=True,
         lay=lambda stage: stage.fault("/users/{user}/groups", status=404)),
    Trap("an app that is hidden: 403", ALL, apart=True, lay=hide("403"),
         cause="app_unread"),
    Trap("an app that is hidden: 404", ALL, apart=True, lay=hide("404"), nudged=True,
         cause="app_unread"),
    Trap("an app that shows nobody and no mappings", ALL, apart=True, lay=hide("empty"),
         nudged=True),
    Trap("an app that is switched off", ("left", "lost"), apart=True,
         spring=lambda stage: stage.company.world.deactivate_app(stage.company.app),
         lift=lambda stage: stage.company.world.activate_app(stage.company.app),
         cause="app_not_active"),
    Trap("mappings that are not listed", ALL, apart=True, nudged=True,
         lay=lambda stage: stage.fault(f"/apps/{stage.app}/group-push", empty_list=True),
         cause="orphaned"),
    Trap("a user status nobody knows", ("lost",),
         lay=status("lost", "ON_SABBATICAL"), lift=back("lost"),
         cause="status_unknown"),
    Trap("a user who is being activated", ("lost",),
         lay=status("lost", "ACTIVATING"), lift=back("lost"),
         cause="in_transition"),
    Trap("a user on the way to ACTIVE", ("left",),
         spring=status("left", "DEPROVISIONED", "ACTIVE"), lift=back("left", "DEPROVISIONED"),
         cause="in_transition"),
    Trap("a user on the way to PROVISIONED", ("lost",),
         lay=status("lost", "ACTIVE", "PROVISIONED"), lift=back("lost"),
         cause="in_transition"),
    Trap("an assignment status nobody knows", ("lost",),
         lay=assignment("lost", "HIBERNATING"), lift=assignment("lost", "ACTIVE"),
         cause="status_unknown"),
    Trap("a user who only is staged", ("lost",), nudged=True,
         lay=status("lost", "STAGED"), lift=back("lost")),
    Trap("an assignment that was only imported", ("lost",), nudged=True,
         lay=assignment("lost", "IMPORTED"), lift=assignment("lost", "ACTIVE")),
    Trap("another org at this address: 404 for everything", ALL, alone=True, nudged=True,
         lay=everything_404),
    Trap("a login page for everything", ALL, alone=True,
         lay=lambda stage: stage.fault("/api/", status=200, body="<html>sign in</html>")),
    Trap("a redirect for everything", ALL, alone=True,
         lay=lambda stage: stage.fault("/api/", redirect="https://elsewhere.example/")),
    Trap("two records with the same externalId", ALL, nudged=True, lay=twin, lift=untwin,
         cause="record_several"),
    Trap("a record that is somebody else's", ALL, nudged=True,
         lay=external_ids(somebody_elses),
         lift=external_ids(own_id),
         cause="record_taken"),
    Trap("records without groups", ALL, nudged=True, lay=bare,
         cause="memberships_unread"),
    Trap("no record shows groups", ALL, alone=True, nudged=True,
         lay=switch("scim_groups_shown", on=False), lift=switch("scim_groups_shown", on=True),
         cause="memberships_unread"),
    Trap("a filter that is ignored", ALL, alone=True, nudged=True,
         lay=switch("filter_ignored", on=True), lift=switch("filter_ignored", on=False),
         cause="record_unread"),
    Trap("a directory that died: 404 for everything", ALL, apart=True, nudged=True,
         lay=directory("dead", value=True), lift=directory("dead", value=False)),
    Trap("a directory that redirects", ALL, apart=True,
         lay=lambda stage: stage.fault(
             stage.company.directory.id, vendor="scim", method=None,
             redirect="https://elsewhere.example/")),
    Trap("a protected group that cannot be found", ALL, alone=True, nudged=True,
         more='[protect]\nokta_groups = ["Break glass"]\n',
         lift=make_break_glass,
         cause="protection_unknown"),
]  # fmt: skip


@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: trap.says)
async def test_who_is_caught_keeps_everything_and_the_control_loses_what_is_stale(
    time: Time, sqlite_url: str, tmp_path: Path, trap: Trap
) -> None:
    async with staged(
        time, sqlite_url, tmp_path, trap.kinds, apart=trap.apart, more=trap.more
    ) as stage:
        if trap.alone:
            stage.free.clear()
        trap.lay(stage)
        await stage.act(trap.spring)
        assert stage.of_caught() == {kind: BEFORE[kind] for kind in trap.kinds}
        if not trap.alone:
            assert stage.of_free() == {kind: AFTER[kind] for kind in trap.kinds}
        if trap.cause:
            causes = [await stage.run.causes(login) for login in stage.caught.values()]
            assert causes == [{trap.cause}] * len(causes)
        trap.lift(stage)
        if trap.nudged:
            await stage.nudge(*stage.caught.values())
        await stage.run.settle(within=timedelta(hours=3))
        assert stage.of_caught() == {kind: AFTER[kind] for kind in trap.kinds}
