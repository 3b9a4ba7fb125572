"""What a process does by itself, again and again: jobs, replays, and a look at its own state."""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import nats.errors
from alembic.script import ScriptDirectory
from nats.js.errors import NotFoundError
from sqlalchemy import (
    ColumnElement,
    Select,
    Table,
    and_,
    delete,
    func,
    literal_column,
    select,
    text,
    true,
)

from shared.answers import KEPT_FOR
from shared.bus import Bus, backoff_seconds
from shared.consumers import AWAY, Consumer
from shared.contracts.base import Event
from shared.database import Database, Db, is_transient, wait_for
from shared.dead_letters import REPLAY_BELL, count_parked
from shared.failpoints import failpoint
from shared.health import (
    Health,
    Progress,
    consumer_pending,
    dead_letters_parked,
    outbox_age,
    outbox_waiting,
    steps_parked,
)
from shared.logs import begin_trace, describe
from shared.outbox import add_events
from shared.service import Periodic, Service
from shared.steps import Step
from shared.tables import answers, inbox, outbox, steps

logger = logging.getLogger(__name__)

REPLAY_SECONDS = 5.0
FORGET_SECONDS = 10.0
# Rows let go in one transaction, so that it stays short after a long pause.
FORGET_ROWS = 20_000
# A message delivered again after this long was handled by somebody who remembers no more; nothing
# waits on the bus that long, and the relay's repetitions come within minutes of its return.
HEARD_FOR = timedelta(days=30)
# Counting more would cost more than it tells.
COUNTED_ROWS = 100_000


async def repeat(periodic: Periodic, service: str, database: Database, health: Health) -> None:
    """Do a job whenever it is due, until canceled."""
    name = f"{service}.{periodic.name}"
    progress = health.follow(name)
    attempt = 0
    while True:
        progress.waits(1)
        try:
            await do_job(periodic, service, database)
        except Exception as error:
            attempt += 1
            if is_transient(error):
                progress.excuses.add(AWAY)
                logger.warning(
                    "job waits", extra={"fields": {"job": name, "error": describe(error)}}
                )
            else:
                logger.exception("job failed", extra={"fields": {"job": name}})
            await asyncio.sleep(backoff_seconds(attempt, longest=5.0))
        else:
            attempt = 0
            progress.excuses.clear()
            progress.waits(0)
            await asyncio.sleep(periodic.seconds)


async def do_job(
    periodic: Periodic, service: str, database: Database, *, patiently: bool = False
) -> None:
    """Do a job once, unless another replica is doing it; `patiently`, do it after that one."""
    key = func.hashtextextended(f"{service}.{periodic.name}", 0)
    async with database.transaction() as db:
        # An optimisation only: the job itself is idempotent.
        if patiently:
            await db.execute(select(func.pg_advisory_xact_lock(key)))
        elif not (await db.execute(select(func.pg_try_advisory_xact_lock(key)))).scalar_one():
            return
        begin_trace()
        await add_events(db, await periodic.job(db))
        failpoint(f"{periodic.name}.uncommitted")
    failpoint(f"{periodic.name}.committed")


async def forget_old_rows(db: Db, kinds: Iterable[Step[Any, Any]] = ()) -> Sequence[Event]:
    """Let go of answers that nobody asks for any more, of messages long heard, and of concluded
    steps of these kinds. What is parked or under way stays.
    """
    await _forget(db, answers, answers.c.answered_at < db.now - KEPT_FOR)
    # By the server's time, as the bus delivers again by its own: our clock may be set ahead.
    await _forget(db, inbox, inbox.c.heard_at < func.statement_timestamp() - HEARD_FOR)
    for kind in kinds:
        if kind.kept_for is not None:
            concluded = and_(steps.c.status == "concluded", steps.c.kind == kind.kind)
            old = steps.c.concluded_at < db.now - kind.kept_for
            await _forget(db, steps, concluded & old)
    return ()


async def _forget(db: Db, table: Table, old: ColumnElement[bool]) -> None:
    place: ColumnElement[Any] = literal_column("ctid")
    chosen = select(place).select_from(table).where(old).limit(FORGET_ROWS)
    await db.execute(delete(table).where(place == func.any(func.array(chosen.scalar_subquery()))))


async def replay(consumers: Sequence[Consumer], database: Database) -> None:
    """Hand letters that an operator wants replayed to their handlers, until canceled."""
    bell = database.bell(REPLAY_BELL)
    while True:
        try:
            while any([await each.replay_one() for each in consumers]):
                pass
        except Exception as error:
            if not is_transient(error):
                logger.exception("replay failed")
        await wait_for(bell, REPLAY_SECONDS)


class Monitor:
    """Looks at the bus and the database: for metrics, for liveness and for readiness."""

    def __init__(
        self,
        service: Service,
        database: Database,
        bus: Bus,
        consumers: Mapping[str, Progress],
    ) -> None:
        self._service = service
        self._database = database
        self._connection = bus.connection
        self._js = bus.connection.jetstream()
        self._consumers = consumers
        self._seen: set[str] = set()

    async def run(self, seconds: float) -> None:
        """Look every so often, until canceled."""
        while True:
            self._excuse_the_bus()
            # Each by itself: facts that wait are counted while the bus is away, and the other way.
            for look in (self._look_at_consumers, self._count_rows):
                try:
                    await look()
                except Exception as error:
                    if not (is_transient(error) or isinstance(error, nats.errors.Error)):
                        logger.exception("monitor failed")
            await asyncio.sleep(seconds)

    def _excuse_the_bus(self) -> None:
        for progress in self._consumers.values():
            if self._connection.is_connected:
                progress.excuses.discard("bus")
            else:
                progress.excuses.add("bus")

    async def _look_at_consumers(self) -> None:
        if not self._connection.is_connected:
            return
        for durable in self._service.durables:
            progress = self._consumers[durable.name]
            try:
                info = await self._js.consumer_info(durable.stream, durable.name)
            except NotFoundError:
                logger.error("consumer is gone", extra={"fields": {"name": durable.name}})  # noqa: TRY400
                # One that was never there is not this process's loss: it only has to wait.
                progress.is_gone = durable.name in self._seen
                continue
            self._seen.add(durable.name)
            progress.is_gone = False
            # Only what nobody has been given: what is being tried again later is not waiting.
            progress.waits(info.num_pending or 0)
            waiting = (info.num_pending or 0) + (info.num_ack_pending or 0)
            consumer_pending.labels(durable.name).set(waiting)

    async def _count_rows(self) -> None:
        async with self._database.read() as db:
            dead_letters_parked.set(await count_parked(db))
            outbox_waiting.set(await count(db, outbox, true()))
            outbox_age.set(await _outbox_age(db))
            steps_parked.set(await count(db, steps, steps.c.status == "parked"))

    async def bus_problem(self) -> str | None:
        """Why nothing comes from the bus, if nothing does."""
        if not self._connection.is_connected:
            return "not connected"
        for durable in self._service.durables:
            try:
                await self._js.consumer_info(durable.stream, durable.name)
            except NotFoundError:
                return f"consumer {durable.name} is missing"
        return None


async def count(db: Db, table: Table, which: ColumnElement[bool]) -> int:
    """How many rows there are, up to COUNTED_ROWS."""
    some: Select[Any] = (
        select(literal_column("1")).select_from(table).where(which).limit(COUNTED_ROWS)
    )
    counted = await db.execute(select(func.count()).select_from(some.subquery()))
    return int(counted.scalar_one())


async def _outbox_age(db: Db) -> float:
    """Seconds since the oldest fact was committed that is not on the bus, 0 without one."""
    oldest = select(outbox.c.created_at).order_by(outbox.c.position).limit(1)
    created_at = (await db.execute(oldest)).scalar_one_or_none()
    return 0.0 if created_at is None else max(0.0, (db.now - created_at).total_seconds())


class Migrations:
    """Whether the database has the tables that this code needs."""

    def __init__(self, service: Service, database: Database) -> None:
        location = str(service.versions)
        scripts = ScriptDirectory(location, version_locations=[location])
        self._head = scripts.get_current_head()
        self._known = {script.revision for script in scripts.walk_revisions()}
        self._database = database

    async def problem(self) -> str | None:
        """What is missing; a version that this code does not know yet is a newer one, and fine:
        migrations go first, and leave what running code needs.
        """
        async with self._database.read() as db:
            found = await db.execute(text("SELECT version_num FROM alembic_version"))
            version = found.scalar_one_or_none()
        if version == self._head or (version is not None and version not in self._known):
            return None
        return f"migrations at {version}, this code needs {self._head}"
