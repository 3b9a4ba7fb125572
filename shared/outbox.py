"""The outbox: facts are committed with their effect, then published until acknowledged."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import msgspec
import nats.errors
from nats.js import JetStreamContext
from sqlalchemy import ColumnElement, Interval, Row, delete, func, insert, literal, select, update

from shared.bus import MESSAGE_ID_HEADER, TRACE_HEADER, Bus, backoff_seconds
from shared.clock import new_id
from shared.contracts.base import Event, event_subject
from shared.database import Database, Db, is_transient, wait_for
from shared.failpoints import failpoint
from shared.logs import traceparent
from shared.tables import outbox
from shared.topology import MAX_FACT_BYTES

logger = logging.getLogger(__name__)

BELL = "outbox"
RELAY_BATCH = 200
LEASE = timedelta(seconds=30)
POLL_SECONDS = 1.0
PUBLISH_SECONDS = 5.0
# A row that the bus refuses is tried again after 2, 4, 8 and then every ten seconds.
LONGEST_DELAY_SECONDS = 10.0


async def add_events(db: Db, events: Sequence[Event]) -> None:
    """Put facts into the outbox, in the transaction of what they tell about.

    Raises ValueError for a fact that no stream would take: better no effect than one untold.
    """
    if events:
        await db.execute(insert(outbox), [_row(event, db) for event in events])
        db.ring(BELL)


def _row(event: Event, db: Db) -> dict[str, Any]:
    body = msgspec.json.encode(event)
    if len(body) > MAX_FACT_BYTES:
        raise ValueError(f"{type(event).__name__} has {len(body)} bytes, over {MAX_FACT_BYTES}")
    # Making a Struct checks nothing; reading it back does, organization and all.
    msgspec.json.decode(body, type=type(event))
    return {
        "message_id": new_id(),
        "subject": event_subject(type(event), event.organization_id),
        "body": body,
        "traceparent": traceparent(),
        "created_at": db.now,
    }


class Relay:
    """Publishes what stands in the outbox; any number of replicas share the work.

    A row is leased, published under its message id and deleted once acknowledged, so a crash
    anywhere publishes again under the same id, and consumers' inboxes make that boring.
    """

    def __init__(self, database: Database, bus: Bus, lease: timedelta = LEASE) -> None:
        self._database = database
        self._connection = bus.connection
        self._js: JetStreamContext = bus.connection.jetstream(timeout=PUBLISH_SECONDS)
        self._lease = lease
        self._bell = database.bell(BELL)
        self._stopping = False

    def stop(self) -> None:
        """Publish what stands there now, then no more."""
        self._stopping = True
        self._bell.set()

    async def run(self) -> None:
        """Relay until stopped."""
        attempt = 0
        while not self._stopping:
            await wait_for(self._bell, POLL_SECONDS)
            try:
                while self._connection.is_connected and await self.relay_once():
                    attempt = 0
            except Exception as error:
                if not (is_transient(error) or isinstance(error, nats.errors.Error)):
                    logger.exception("outbox relay failed")
                attempt += 1
                await asyncio.sleep(backoff_seconds(attempt, longest=5.0))

    async def relay_once(self) -> bool:
        """Publish one batch of new facts, and one of those that were refused or that a dead relay
        left; whether there may be more to publish now.

        Raises a nats error when new facts were there and none was taken.
        """
        new = await self._relay(outbox.c.leased_until.is_(None))
        left = await self._relay(outbox.c.leased_until < func.clock_timestamp())
        if new.rows and not new.published:
            raise nats.errors.TimeoutError
        return RELAY_BATCH in (new.rows, left.rows)

    async def _relay(self, which: ColumnElement[bool]) -> "_Relayed":
        rows = await self._take(which)
        if not rows:
            return _Relayed(0, 0)
        failpoint("outbox.leased")
        results = await asyncio.gather(*(self._publish(row) for row in rows))
        failpoint("outbox.published")
        published = [row.position for row, done in zip(rows, results, strict=True) if done]
        refused = [row.position for row, done in zip(rows, results, strict=True) if not done]
        async with self._database.transaction() as db:
            await db.execute(delete(outbox).where(outbox.c.position.in_(published)))
            # Refused rows step aside, so that they never keep the others from the bus.
            wait = func.least(func.power(2.0, outbox.c.attempts), LONGEST_DELAY_SECONDS)
            await db.execute(
                update(outbox)
                .where(outbox.c.position.in_(refused))
                .values(leased_until=func.clock_timestamp() + wait * _SECOND)
            )
        return _Relayed(len(rows), len(published))

    async def _take(self, which: ColumnElement[bool]) -> Sequence[Row[Any]]:
        # A CTE, because PostgreSQL may run a subquery that locks and limits more than once.
        free = (
            select(outbox.c.position)
            .where(which)
            .order_by(outbox.c.position)
            .limit(RELAY_BATCH)
            .with_for_update(skip_locked=True)
            .cte("free")
        )
        async with self._database.transaction() as db:
            leased = await db.execute(
                update(outbox)
                .where(outbox.c.position == free.c.position)
                .values(
                    leased_until=func.clock_timestamp() + self._lease,
                    attempts=outbox.c.attempts + 1,
                )
                .returning(outbox)
            )
            return sorted(leased.all(), key=lambda row: row.position)

    async def _publish(self, row: Row[Any]) -> bool:
        headers = {MESSAGE_ID_HEADER: row.message_id, TRACE_HEADER: row.traceparent}
        try:
            await self._js.publish(row.subject, row.body, headers=headers)
        except (nats.errors.Error, TimeoutError) as error:
            told = {"subject": row.subject, "attempts": row.attempts, "error": repr(error)[:200]}
            logger.warning("event not published yet", extra={"fields": told})
            return False
        return True


_SECOND = literal(timedelta(seconds=1), Interval)


class _Relayed(NamedTuple):
    rows: int
    published: int
