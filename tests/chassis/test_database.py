"""Connections that come and go, and transactions that nobody else commits."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from shared.clock import FixedClock
from shared.database import POOL_SIZE, Database, DatabaseAway, Db, is_away, is_transient
from tests.chassis.stage import Stage
from tests.chassis.toys import add_effect


async def fail(db: Db, statement: str) -> None:
    await db.execute(text(statement))


async def error_of(database: Database, statement: str) -> BaseException:
    """What a statement of Core's raises."""
    with pytest.raises(DBAPIError) as raised:
        async with database.transaction() as db:
            await fail(db, statement)
    return raised.value


async def write_and_fail(database: Database, act: Callable[[], None]) -> None:
    async with database.transaction() as db:
        await add_effect(db, "acme", "lost")
        db.after_commit(act)
        db.ring("steps")
        raise RuntimeError("no")


async def test_a_transaction_is_committed_as_one_or_not_at_all(stage: Stage) -> None:
    rung: list[str] = []
    async with stage.database("shop") as database:
        async with database.transaction() as db:
            await add_effect(db, "acme", "kept")
            await db.driver.execute("INSERT INTO effects (organization_id, what) VALUES ('a', 'b')")
            db.after_commit(lambda: rung.append("kept"))
            db.ring("outbox")
            assert not database.bell("outbox").is_set()
        assert database.bell("outbox").is_set()
        with pytest.raises(RuntimeError):
            await write_and_fail(database, lambda: rung.append("lost"))
        assert not database.bell("steps").is_set()
    assert await stage.effects("shop") == ["kept", "b"]
    assert rung == ["kept"]


async def test_everything_in_a_transaction_happens_at_one_moment_of_the_given_clock(
    stage: Stage,
) -> None:
    moment = datetime(2027, 2, 28, tzinfo=UTC)
    database = Database(stage.databases["shop"].dsn, FixedClock(moment))
    async with database.transaction() as db:
        assert db.now == moment
    await database.close()


async def test_connections_are_bounded_and_waiting_for_one_is_too(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.database.POOL_WAIT_SECONDS", 0.2)
    release = asyncio.Event()

    async def hold(database: Database) -> None:
        async with database.read():
            await release.wait()

    async with stage.database("shop") as database:
        holders = [asyncio.create_task(hold(database)) for _ in range(POOL_SIZE)]
        await asyncio.sleep(0.3)
        with pytest.raises(DatabaseAway, match="in use"):
            async with database.read():
                raise AssertionError("a sixth connection")
        release.set()
        await asyncio.gather(*holders)
        async with database.read() as db:
            assert (await db.execute(text("SELECT 1"))).scalar_one() == 1


async def test_a_canceled_transaction_leaves_its_connection_clean(stage: Stage) -> None:
    async def work(database: Database) -> None:
        async with database.transaction() as db:
            await add_effect(db, "acme", "canceled")
            await db.execute(text("SELECT pg_sleep(60)"))

    async with stage.database("shop") as database:
        for _ in range(POOL_SIZE + 1):
            task = asyncio.create_task(work(database))
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        async with database.transaction() as db:
            await add_effect(db, "acme", "next")
    assert await stage.effects("shop") == ["next"]


async def test_connections_that_died_while_idle_are_replaced_without_a_failure(
    stage: Stage,
) -> None:
    async with stage.database("shop") as database:

        async def use() -> None:
            async with database.transaction() as db:
                await db.execute(text("SELECT pg_sleep(0.05)"))

        await asyncio.gather(*(use() for _ in range(POOL_SIZE)))
        stage.postgres.kill()
        with pytest.raises((DatabaseAway, asyncpg.PostgresConnectionError)):
            await use()
        stage.postgres.start()
        await asyncio.gather(*(use() for _ in range(POOL_SIZE * 2)))


async def test_a_server_killed_under_a_statement_is_worth_another_try(stage: Stage) -> None:
    async def sleep(database: Database) -> BaseException:
        return await error_of(database, "SELECT pg_sleep(60)")

    async with stage.database("shop") as database:
        task = asyncio.create_task(sleep(database))
        await asyncio.sleep(0.3)
        stage.postgres.kill()
        error = await task
        assert is_transient(error)
        assert not is_away(error)
        stage.postgres.start()


@pytest.mark.parametrize(
    ("statement", "transient"),
    [
        ("SELECT 1/0", False),
        ("SELECT nothing FROM nowhere", False),
        ("INSERT INTO effects (organization_id) VALUES ('a')", False),
        ("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40001'; END $$", True),
        ("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '57014'; END $$", True),
    ],
)
async def test_what_passes_by_itself_is_told_from_what_is_wrong(
    stage: Stage, statement: str, *, transient: bool
) -> None:
    async with stage.database("shop") as database:
        error = await error_of(database, statement)
    assert is_transient(error) is transient
    assert not is_away(error)


def test_a_full_disk_and_a_replica_are_waited_out() -> None:
    for error in (asyncpg.DiskFullError("x"), asyncpg.ReadOnlySQLTransactionError("x")):
        assert is_away(error)
        assert is_transient(error)


async def test_an_error_does_not_repeat_what_was_to_be_stored(stage: Stage) -> None:
    async with stage.database("shop") as database:
        with pytest.raises(DBAPIError) as raised:
            async with database.transaction() as db:
                await add_effect(db, "acme", "hunter2\0")
    assert "hunter2" not in str(raised.value)
