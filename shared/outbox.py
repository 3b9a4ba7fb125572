"""The outbox: facts are committed with their effect, then published until acknowledged."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta

import msgspec
import nats.errors
from nats.js import JetStreamContext
from nats.js.errors import APIError, NoStreamResponseError
from sqlalchemy import delete, func, insert, select, update

from shared.bus import MESSAGE_ID_HEADER, TRACE_HEADER, Bus, backoff_seconds
from shared.clock import new_id
from shared.contracts.base import Event, event_subject
from shared.database import Database, Db, is_transient
from shared.failpoints import failpoint
from shared.logs import traceparent
from shared.tables import outbox

logger = logging.getLogger(__name__)

RELAY_BATCH = 200
LEASE = timedelta(seconds=30)
POLL_SECONDS = 1.0
PUBLISH_SECONDS = 5.0


async def add_events(db: Db, events: Sequence[Event]) -> None:
    """Put facts into the outbox, in the transaction of what they tell about."""
    if not events:
        return
    rows = [
        {
            "message_id": new_id(),
            "subject": event_subject(type(event), event.organization_id),
            "body": msgspec.json.encode(event),
            "traceparent": traceparent(),
            "created_at": db.now,
        }
        for event in events
    ]
    await db.execute(insert(outbox), rows)


class Relay:
    """Publishes what stands in the outbox; any number of replicas share the work.

    A row is leased, published under its message id and deleted once acknowledged, so a crash
    anywhere publishes again under the same id, and consumers' inboxes make that boring.
    """

    def __init__(self, database: Database, bus: Bus) -> None:
        self._database = database
        self._js: JetStreamContext = bus.connection.jetstream(timeout=PUBLISH_SECONDS)
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Something was committed: publish it now."""
        self._woken.set()

    async def run(self) -> None:
        """Relay until canceled."""
        attempt = 0
        while True:
            try:
                relayed = await self.relay_once()
                attempt = 0
            except Exception as error:
                if not (is_transient(error) or isinstance(error, nats.errors.Error)):
                    logger.exception("outbox relay failed")
                attempt += 1
                await asyncio.sleep(backoff_seconds(attempt))
                continue
            if relayed < RELAY_BATCH:
                await self._wait()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await self._woken.wait()
        except TimeoutError:
            return  # a replica may have died holding a lease, so look again
        finally:
            self._woken.clear()

    async def relay_once(self) -> int:
        """Lease, publish and delete one batch; returns how many rows were published."""
        async with self._database.transaction() as db:
            moment = func.clock_timestamp()
            free = (
                select(outbox.c.position)
                .where((outbox.c.leased_until.is_(None)) | (outbox.c.leased_until < moment))
                .order_by(outbox.c.position)
                .limit(RELAY_BATCH)
                .with_for_update(skip_locked=True)
            )
            leased = await db.execute(
                update(outbox)
                .where(outbox.c.position.in_(free.scalar_subquery()))
                .values(leased_until=moment + LEASE)
                .returning(outbox)
            )
            rows = sorted(leased.all(), key=lambda row: row.position)
        if not rows:
            return 0
        results = await asyncio.gather(
            *(self._publish(row.subject, row.body, row.message_id, row.traceparent) for row in rows)
        )
        failpoint("outbox.published")
        published = [row.position for row, done in zip(rows, results, strict=True) if done]
        refused = [row.position for row, done in zip(rows, results, strict=True) if not done]
        async with self._database.transaction() as db:
            await db.execute(delete(outbox).where(outbox.c.position.in_(published)))
            await db.execute(
                update(outbox).where(outbox.c.position.in_(refused)).values(leased_until=None)
            )
        if refused:
            raise nats.errors.TimeoutError
        return len(published)

    async def _publish(self, subject: str, body: bytes, message_id: str, trace: str) -> bool:
        headers = {MESSAGE_ID_HEADER: message_id, TRACE_HEADER: trace}
        try:
            await self._js.publish(subject, body, headers=headers)
        except (nats.errors.Error, NoStreamResponseError, APIError, TimeoutError) as error:
            logger.warning("event not published yet", extra={"fields": {"error": repr(error)}})
            return False
        return True
