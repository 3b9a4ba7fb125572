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

POOL_SIZE = 5
POOL_WAIT_SECONDS = 10
SESSION_SETTINGS = {
    "timezone": "UTC",
    "statement_timeout": "30s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "30s",
}

# What passes by itself: try the same work again, on a new connection.
TRANSIENT_ERRORS: tuple[type[BaseException], ...] = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # PostgreSQL died inside COMMIT
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InsufficientResourcesError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    OSError,
    TimeoutError,
)
CLOSING_ERRORS: tuple[type[BaseException], ...] = (SQLAlchemyError, *TRANSIENT_ERRORS)

logger = logging.getLogger(__name__)


def is_transient(error: BaseException) -> bool:
    """Whether the same work may succeed when it is tried again."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        cause = error.orig.__cause__ or error.orig
        return error.connection_invalidated or isinstance(cause, TRANSIENT_ERRORS)
    return isinstance(error, TRANSIENT_ERRORS)


class Db:
    """One transaction, or one read, as a handler sees it.

    `now` is the injected clock's reading at its start: what a handler does happens at that moment.
    """

    def __init__(self, connection: AsyncConnection, driver: Any, now: datetime) -> None:
        self._connection = connection
        self.now = now
        self.driver: asyncpg.Connection[asyncpg.Record] = driver
        self.committed: list[Callable[[], None]] = []

    def after_commit(self, act: Callable[[], None]) -> None:
        """Do this in memory once, and only if, the transaction is committed."""
        self.committed.append(act)

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
        self._clock = clock or SystemClock()
        self._free = asyncio.Semaphore(POOL_SIZE)
        self._idle: list[tuple[AsyncConnection, Any]] = []
        self._engine = create_async_engine(
            make_url(url).set(drivername="postgresql+asyncpg"),
            isolation_level="AUTOCOMMIT",
            poolclass=NullPool,
            connect_args={
                "server_settings": {"application_name": name, **SESSION_SETTINGS},
                "timeout": 10,
                "command_timeout": 60,
            },
        )

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Db]:
        """A connection for reads: each statement sees its own snapshot.

        Raises TimeoutError when none is free for ten seconds.
        """
        async with asyncio.timeout(POOL_WAIT_SECONDS):
            await self._free.acquire()
        connection: AsyncConnection | None = None
        try:
            connection, driver = await self._lend()
            yield Db(connection, driver, self._clock.now())
        except BaseException:
            # Whatever was under way on it is not known: the next one starts on a new connection.
            if connection is not None:
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
            async with db.driver.transaction():
                yield db
            for act in db.committed:
                act()

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
    except CLOSING_ERRORS as error:
        logger.warning("connection lost", extra={"fields": {"error": repr(error)[:200]}})
