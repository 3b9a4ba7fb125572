"""One database per service: transactions that nobody but the chassis commits.

Connections are in autocommit mode as SQLAlchemy sees them; a transaction is asyncpg's own, so that
Core statements and the few hot ones on the driver's connection share it.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import asyncpg
from sqlalchemy import CursorResult, Executable
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from shared.clock import Clock, SystemClock
from shared.logs import describe

POOL_SIZE = 5
POOL_WAIT_SECONDS = 10
CONNECT_SECONDS = 10
SESSION_SETTINGS = {
    "timezone": "UTC",
    "statement_timeout": "30s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "30s",
}

logger = logging.getLogger(__name__)


class DatabaseAway(Exception):
    """No connection can be had now: the server is away or starting, or all are in use."""


# Nobody can write now: whatever the work is, it is worth waiting for.
AWAY_ERRORS: tuple[type[BaseException], ...] = (
    DatabaseAway,
    asyncpg.DiskFullError,
    asyncpg.ReadOnlySQLTransactionError,  # it has become a replica
)
# Somebody was in the way, or the connection broke: likely to pass when tried again, but work that
# takes too long, or that ends the server, would meet it every time.
PASSING_ERRORS: tuple[type[BaseException], ...] = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # PostgreSQL died inside COMMIT
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InvalidCachedStatementError,
    ConnectionError,
    TimeoutError,
)
DRIVER_ERRORS: tuple[type[BaseException], ...] = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    SQLAlchemyError,
    OSError,
    TimeoutError,
)


def is_away(error: BaseException) -> bool:
    """Whether the database is not there for anybody now."""
    return isinstance(_cause(error), AWAY_ERRORS)


def is_transient(error: BaseException) -> bool:
    """Whether the same work may succeed when it is tried again."""
    cause = _cause(error)
    if isinstance(cause, ValueError):
        return False  # asyncpg's complaint about a parameter is an InterfaceError too
    return is_away(error) or isinstance(cause, PASSING_ERRORS)


def _cause(error: BaseException) -> BaseException:
    if isinstance(error, DBAPIError) and error.orig is not None:
        return error.orig.__cause__ or error.orig
    return error


class Db:
    """One transaction, or one read, as a handler sees it.

    `now` is the injected clock's reading at its start: what a handler does happens at that moment.
    """

    def __init__(
        self,
        connection: AsyncConnection,
        driver: Any,
        now: datetime,
        bell: Callable[[str], asyncio.Event],
    ) -> None:
        self._connection = connection
        self._bell = bell
        self.now = now
        self.driver: asyncpg.Connection[asyncpg.Record] = driver
        self.committed: list[Callable[[], None]] = []

    def after_commit(self, act: Callable[[], None]) -> None:
        """Do this in memory once, and only if, the transaction is committed."""
        self.committed.append(act)

    def ring(self, bell: str) -> None:
        """Tell a loop of this process, once this is committed, that there is work for it."""
        self.after_commit(self._bell(bell).set)

    async def execute(
        self,
        statement: Executable,
        parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    ) -> CursorResult[Any]:
        """Run a Core statement in this transaction."""
        return await self._connection.execute(statement, parameters)


class Database:
    """A service's own database.

    Connections stay checked out of the engine and are lent one by one: SQLAlchemy's checkout
    costs more than most of our reads (0.2 ms against 0.1 ms).
    """

    def __init__(self, url: str, clock: Clock | None = None, name: str = "billing") -> None:
        self.clock = clock or SystemClock()
        self._free = asyncio.Semaphore(POOL_SIZE)
        self._idle: list[tuple[AsyncConnection, Any]] = []
        self._bells: dict[str, asyncio.Event] = {}
        self._engine = create_async_engine(
            make_url(url).set(drivername="postgresql+asyncpg"),
            isolation_level="AUTOCOMMIT",
            poolclass=NullPool,
            hide_parameters=True,  # they are customers' data, and errors are logged
            connect_args={
                "server_settings": {"application_name": name, **SESSION_SETTINGS},
                "timeout": CONNECT_SECONDS,
                "command_timeout": 60,
            },
        )

    def bell(self, name: str) -> asyncio.Event:
        """What `Db.ring` rings."""
        return self._bells.setdefault(name, asyncio.Event())

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Db]:
        """A connection for reads: each statement sees its own snapshot.

        Raises DatabaseAway when none can be had, or none is free for ten seconds.
        """
        connection, driver = await self._borrow()
        try:
            yield Db(connection, driver, self.clock.now(), self.bell)
        except BaseException:
            # Whatever was under way on it is not known: the next one starts on a new connection.
            await asyncio.shield(_discard(connection))
            raise
        else:
            self._idle.append((connection, driver))
        finally:
            self._free.release()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Db]:
        """One transaction: committed on leaving, rolled back on any error."""
        async with self.read() as db:
            transaction = db.driver.transaction()
            await transaction.start()
            # Nothing here on an error: its connection is closed, which rolls back. asyncpg's own
            # `async with` would put another error in its place when that has happened already,
            # and so turn a cancellation into what reads like a lost connection.
            yield db
            await transaction.commit()
            for act in db.committed:
                act()

    async def _borrow(self) -> tuple[AsyncConnection, Any]:
        try:
            async with asyncio.timeout(POOL_WAIT_SECONDS):
                await self._free.acquire()
        except TimeoutError:
            raise DatabaseAway(f"all {POOL_SIZE} connections are in use") from None
        try:
            return await self._lend()
        except BaseException as error:
            self._free.release()
            if isinstance(error, DRIVER_ERRORS):
                raise DatabaseAway(f"no connection: {describe(error)}"[:200]) from error
            raise

    async def _lend(self) -> tuple[AsyncConnection, Any]:
        while self._idle:
            connection, driver = self._idle.pop()
            if not driver.is_closed():
                return connection, driver
            await _discard(connection)  # the server went away while this one was idle
        connection = await self._engine.connect()
        raw = await connection.get_raw_connection()
        return connection, raw.driver_connection

    async def close(self) -> None:
        """Close every connection that is not in use."""
        while self._idle:
            await _discard(self._idle.pop()[0])
        await self._engine.dispose()


async def _discard(connection: AsyncConnection) -> None:
    try:
        await connection.invalidate()
        await connection.close()
    except DRIVER_ERRORS as error:
        logger.warning("connection lost", extra={"fields": {"error": describe(error)[:200]}})


async def wait_for(bell: asyncio.Event, seconds: float) -> None:
    """Wait until the bell rings, at most so long; afterwards it is silent."""
    try:
        async with asyncio.timeout(seconds):
            await bell.wait()
    except TimeoutError:
        return  # time to look anyway: a replica may have left work behind
    finally:
        bell.clear()
