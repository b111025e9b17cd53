"""Somebody whose login is sealed with a key that is lost is looked at all the same."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from sqlalchemy import select
from structlog.testing import capture_logs

from hooks.store import seals
from hooks.store.database import Tx
from hooks.store.sealing import Sealer
from hooks.store.tables import Tie
from tests.running import Running, Time
from tests.stories.company import STAFF, Company

LOST = Sealer([bytes([9]) * 32])
_tie = Tie.__table__  # type: ignore[attr-defined]


def lose(tx: Tx, sealer: Sealer) -> int:
    """Every login was sealed with a key that nobody has any more; how many."""
    rows = tx.execute(select(_tie.c.user, _tie.c.directory).where(_tie.c.user_name.is_not(None)))
    place = seals.Place.LOGINS
    before = seals.read(tx, place, [tuple(row) for row in rows])
    again = [
        seals.Sealed(each.where, each.row, LOST.seal(sealer.open(each.value, each.row), each.row))
        for each in before
    ]
    seals.replace(tx, place, before, again)
    return len(again)


async def lost(run: Running) -> None:
    count = await run.house.database.write(lambda tx: lose(tx, run.house.sealer))
    assert count > 0


async def test_leavers_lose_their_groups_and_the_key_is_named_once(
    company: Company, database_url: str, tmp_path: Path
) -> None:
    ann, bob, cat = company.hire("ann", "red", "green"), company.hire("bob", "red"), company.hire(
        "cat", "blue"
    )  # fmt: skip
    async with company.service(database_url, tmp_path) as run:
        await lost(run)
        with capture_logs() as said:
            company.world.deactivate(ann)
            company.world.remove_from_group(bob, STAFF)
            await run.settle()
        assert company.groups(ann) == set()
        assert company.groups(bob) == set()
        assert company.groups(cat) == {"blue"}
        (warning,) = [each for each in said if each["event"] == "login_locked"]
        assert LOST.keys[0] in warning["error"]
        assert "@" not in str(warning)
        assert await run.dead() == []


async def test_whoever_is_deleted_loses_their_groups_too(
    company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    ann = company.hire("ann", "red")
    async with company.service(sqlite_url, tmp_path) as run:
        await lost(run)
        company.world.deactivate(ann)
        company.world.delete_user(ann)
        await run.settle()
        assert company.groups(ann) == set()


async def test_a_deleted_person_who_may_be_a_protected_one_keeps_everything(
    time: Time, company: Company, sqlite_url: str, tmp_path: Path
) -> None:
    """Only the login tells that it is her, and it cannot be opened; with the key it can."""
    ann = company.hire("ann", "red")
    user = company.world.user(ann).id
    more = f'[protect]\nusers = ["{ann}"]'
    async with company.service(sqlite_url, tmp_path, more=more) as run:
        await lost(run)
        company.world.deactivate(ann)
        company.world.delete_user(ann)
        await run.settle()
        assert company.groups(ann) == {"red"}
        assert await run.causes(user) == {"protection_unknown"}
        time.push(timedelta(days=2))
        await run.settle()
        assert company.groups(ann) == {"red"}
