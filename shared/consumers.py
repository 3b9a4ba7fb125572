"""The ack ladder: commit, then acknowledge; retry, bisect, and at last park what stands alone."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import msgspec
import nats.errors
from nats.aio.msg import Msg
from sqlalchemy.dialects.postgresql import insert

from shared.bus import Bus, Message, acknowledge, backoff_seconds, message_from
from shared.contracts.base import Event
from shared.database import Database, Db, is_transient
from shared.dead_letters import Parked, next_replay, park, park_again
from shared.failpoints import failpoint
from shared.health import messages_total
from shared.logs import begin_trace
from shared.outbox import Relay, add_events
from shared.tables import inbox

logger = logging.getLogger(__name__)

# A message that fails this often for an unknown reason is parked.
MAX_DELIVERIES = 10
LONGEST_DELAY_SECONDS = 300.0
FAILED = "handler_failed"
DECODE_ERRORS = (msgspec.MsgspecError, ValueError, RecursionError)

E = TypeVar("E", bound=Event)


class Handled(msgspec.Struct, frozen=True):
    """What a handler of messages made of them: facts to tell, and what it had to set aside."""

    events: Sequence[Event] = ()
    parked: Sequence[Parked] = ()


BatchHandler = Callable[[Sequence[Message], Db], Awaitable[Handled]]
EventHandler = Callable[[E, Db], Awaitable[Sequence[Event]]]
Splitter = Callable[[Message], Sequence[Message]]


def each_event(consumer: str, kind: type[E], handler: EventHandler[E]) -> BatchHandler:
    """Make a handler of one event a handler of messages: decode, skip what was heard, handle."""

    async def handle(messages: Sequence[Message], db: Db) -> Handled:
        events: list[Event] = []
        parked: list[Parked] = []
        for message in messages:
            begin_trace(message.traceparent)
            try:
                event = msgspec.json.decode(message.body, type=kind)
            except DECODE_ERRORS as error:
                parked.append(unreadable(message, error))
                continue
            if await _is_new(db, consumer, message.message_id or message.body.hex()[:512]):
                events.extend(await handler(event, db))
        return Handled(events, parked)

    return handle


def unreadable(message: Message, error: Exception) -> Parked:
    """A message that does not fit its contract."""
    return Parked(
        subject=message.subject, body=message.body, reason="malformed", detail=str(error)[:500]
    )


async def _is_new(db: Db, consumer: str, message_id: str) -> bool:
    row = {"consumer": consumer, "message_id": message_id, "heard_at": db.now}
    added = await db.execute(insert(inbox).values(row).on_conflict_do_nothing())
    return added.rowcount == 1


class Consumer:
    """Handles the messages of one durable, whoever fetches them."""

    def __init__(
        self,
        name: str,
        handler: BatchHandler,
        database: Database,
        bus: Bus,
        relay: Relay,
        *,
        split: Splitter | None = None,
        max_deliveries: int = MAX_DELIVERIES,
    ) -> None:
        self.name = name
        self._handler = handler
        self._database = database
        self._bus = bus
        self._relay = relay
        self._split = split
        self._max_deliveries = max_deliveries

    async def process(self, raws: list[Msg]) -> None:
        """Handle messages until each is committed, put off, or parked; then acknowledge."""
        try:
            await self._handle_patiently([message_from(raw) for raw in raws], raws)
        except Exception as error:  # noqa: BLE001 -- any bug of a handler ends in a dead letter
            if len(raws) == 1:
                await self._set_aside(raws[0], error)
                return
            # One of them is bad: halve until it stands alone, so that the others get through.
            middle = len(raws) // 2
            await self.process(raws[:middle])
            await self.process(raws[middle:])
            return
        failpoint("consumer.committed")
        await acknowledge(self._bus.connection, raws)
        messages_total.labels(self.name, "handled").inc(len(raws))

    async def _handle_patiently(self, messages: Sequence[Message], raws: Sequence[Msg]) -> None:
        """Handle in one transaction; what passes by itself is waited out, holding the messages."""
        attempt = 0
        while True:
            try:
                return await self._handle(messages)
            except Exception as error:
                if not is_transient(error):
                    raise
                attempt += 1
                logger.warning(
                    "database away, trying again",
                    extra={"fields": {"consumer": self.name, "error": repr(error)[:200]}},
                )
            await asyncio.sleep(backoff_seconds(attempt, longest=5.0))
            await self._hold(raws)

    async def _hold(self, raws: Sequence[Msg]) -> None:
        """Say that the messages are being worked on; with the bus away too, they come again."""
        try:
            for raw in raws:
                await raw.in_progress()
        except nats.errors.Error as error:
            logger.warning("bus away", extra={"fields": {"error": repr(error)[:200]}})

    async def _handle(self, messages: Sequence[Message]) -> None:
        async with self._database.transaction() as db:
            await self._handle_in(messages, db)
            failpoint("consumer.uncommitted")
        self._relay.wake()

    async def _handle_in(self, messages: Sequence[Message], db: Db) -> None:
        done = await self._handler(messages, db)
        await park(db, self.name, done.parked)
        await add_events(db, done.events)

    async def _set_aside(self, raw: Msg, error: Exception) -> None:
        """One message failed alone: put it off with growing delay, at last park its bad parts."""
        message = message_from(raw)
        logger.error(
            "message failed",
            exc_info=error,
            extra={"fields": {"consumer": self.name, "delivered": message.delivered}},
        )
        parts = self._split(message) if self._split else [message]
        bad = parts if len(parts) == 1 else [p for p in parts if not await self._succeeds(p, raw)]
        if bad and message.delivered < self._max_deliveries:
            await raw.nak(delay=min(2.0**message.delivered, LONGEST_DELAY_SECONDS))
            messages_total.labels(self.name, "put_off").inc()
            return
        letters = [
            Parked(subject=part.subject, body=part.body, reason=FAILED, detail=_told(error))
            for part in bad
        ]
        async with self._database.transaction() as db:
            await park(db, self.name, letters)
        await acknowledge(self._bus.connection, [raw])
        messages_total.labels(self.name, "parked").inc(len(letters))

    async def _succeeds(self, part: Message, raw: Msg) -> bool:
        try:
            await self._handle_patiently([part], [raw])
        except Exception:
            logger.exception("part of a message failed", extra={"fields": {"name": self.name}})
            return False
        return True

    async def replay_one(self) -> bool:
        """Hand the next letter marked for replay to the handler; False when there is none."""
        letter: Any = None
        try:
            async with self._database.transaction() as db:
                letter = await next_replay(db, self.name)
                if letter is None:
                    return False
                await self._handle_in([Message(subject=letter.subject, body=letter.body)], db)
        except Exception as error:
            if letter is None or is_transient(error):
                raise
            async with self._database.transaction() as db:
                await park_again(db, letter.letter_id, FAILED, _told(error))
        self._relay.wake()
        return True


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:500]
