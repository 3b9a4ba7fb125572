"""The ack ladder: commit, then acknowledge; retry, bisect, and at last park what stands alone."""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import msgspec
from nats.aio.msg import Msg
from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert

from shared.bus import Bus, Message, backoff_seconds, message_from
from shared.contracts.base import Event
from shared.database import Database, Db, is_away, is_transient
from shared.dead_letters import Parked, next_replay, park, park_again
from shared.failpoints import failpoint
from shared.health import Progress, messages_total
from shared.logs import begin_trace, describe
from shared.outbox import add_events
from shared.pulling import acknowledge, hold, put_off
from shared.tables import inbox

logger = logging.getLogger(__name__)

FAILED = "handler_failed"
AWAY = "database"
DECODE_ERRORS = (msgspec.MsgspecError, ValueError, RecursionError)

E = TypeVar("E", bound=Event)


class Ladder(msgspec.Struct, frozen=True):
    """How often and how patiently a message that fails is tried again before it is parked.

    The delay doubles with every delivery: with these ten, some twelve minutes in all. What others
    were in the way of is tried again at once, `contended_tries` times, before it has failed.
    """

    max_deliveries: int = 10
    first_delay_seconds: float = 2.0
    longest_delay_seconds: float = 300.0
    contended_tries: int = 10

    def delay_seconds(self, delivered: int) -> float:
        """How long to put off a message that has been delivered so often."""
        doubled: float = self.first_delay_seconds * 2.0 ** min(delivered - 1, 30)
        return min(doubled, self.longest_delay_seconds)


class Handled(msgspec.Struct, frozen=True):
    """What a handler of messages made of them: facts to tell, and what it had to set aside."""

    events: Sequence[Event] = ()
    parked: Sequence[Parked] = ()


BatchHandler = Callable[[Sequence[Message], Db], Awaitable[Handled]]
EventHandler = Callable[[E, Db], Awaitable[Sequence[Event]]]
Splitter = Callable[[Message], Sequence[Message]]


def each_event(consumer: str, kind: type[E], handler: EventHandler[E]) -> BatchHandler:
    """Make a handler of one event a handler of messages: decode, skip what was heard, handle."""
    decoder = msgspec.json.Decoder(kind)

    async def handle(messages: Sequence[Message], db: Db) -> Handled:
        parked: list[Parked] = []
        # One organization after the other, everywhere in the same order: batches that lock the
        # same rows wait for each other, and never in a circle.
        for message in sorted(messages, key=_by_organization):
            begin_trace(message.traceparent)
            try:
                event = decoder.decode(message.body)
            except DECODE_ERRORS as error:
                parked.append(_letter(message, "malformed", error))
                continue
            if await _is_new(db, consumer, message):
                # Told one by one, because each belongs to the trace of what it followed from.
                await add_events(db, await handler(event, db))
        return Handled(parked=parked)

    return handle


def _by_organization(message: Message) -> str:
    return message.subject.rpartition(".")[2]


def _letter(message: Message, reason: str, error: Exception) -> Parked:
    return Parked(
        subject=message.subject,
        body=message.body,
        reason=reason,
        detail=describe(error),
        organization_id=_organization_of(message.subject),
        message_id=message.message_id,
        traceparent=message.traceparent,
    )


def _organization_of(subject: str) -> str | None:
    match subject.split("."):
        case ["usage", _, organization_id, _] | ["event", _, _, organization_id]:
            return organization_id
    return None


async def _is_new(db: Db, consumer: str, message: Message) -> bool:
    message_id = message.message_id or hashlib.sha256(message.body).hexdigest()
    row = {"consumer": consumer, "message_id": message_id, "heard_at": func.clock_timestamp()}
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
        progress: Progress,
        *,
        split: Splitter | None = None,
        ladder: Ladder | None = None,
    ) -> None:
        self.name = name
        self._handler = handler
        self._database = database
        self._connection = bus.connection
        self._progress = progress
        self._split = split
        self._ladder = ladder or Ladder()

    async def process(self, raws: list[Msg]) -> None:
        """Handle messages until each is committed, put off, or parked; then acknowledge.

        Raises when that cannot be written down; what is not acknowledged comes again.
        """
        self._progress.begun()
        try:
            await self._process(raws)
        finally:
            self._progress.excuses.discard(AWAY)
            self._progress.ended()

    async def _process(self, raws: list[Msg]) -> None:
        try:
            await self._handle_patiently([message_from(raw) for raw in raws], raws)
        except Exception as error:  # noqa: BLE001 -- any bug of a handler ends in a dead letter
            if len(raws) == 1:
                await self._set_aside(raws[0], error)
                return
            # One of them is bad: halve until it stands alone, so that the others get through.
            middle = len(raws) // 2
            await self._process(raws[:middle])
            await self._process(raws[middle:])
            return
        failpoint("consumer.committed")
        await acknowledge(self._connection, raws)
        self._progress.moved()
        messages_total.labels(self.name, "handled").inc(len(raws))

    async def _handle_patiently(self, messages: Sequence[Message], raws: Sequence[Msg]) -> None:
        """Handle in one transaction; what passes by itself is waited out, holding the messages."""
        attempt = contended = 0
        while True:
            try:
                await self._handle(messages)
            except Exception as error:
                attempt += 1
                contended += not is_away(error)
                if not is_transient(error) or contended > self._ladder.contended_tries:
                    raise
                told = {"consumer": self.name, "error": describe(error)[:200]}
                logger.warning("database away, trying again", extra={"fields": told})
            else:
                return
            self._progress.excuses.add(AWAY)
            await asyncio.sleep(backoff_seconds(attempt, longest=5.0))
            await hold(raws)

    async def _handle(self, messages: Sequence[Message]) -> None:
        async with self._database.transaction() as db:
            await self._handle_in(messages, db)
            failpoint("consumer.uncommitted")

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
        bad = await self._bad_parts(message, raw, error)
        if bad and message.delivered < self._ladder.max_deliveries:
            await put_off(raw, self._ladder.delay_seconds(message.delivered))
            messages_total.labels(self.name, "put_off").inc()
            return
        async with self._database.transaction() as db:
            await park(db, self.name, bad)
        await acknowledge(self._connection, [raw])
        self._progress.moved()
        messages_total.labels(self.name, "parked" if bad else "handled").inc()

    async def _bad_parts(self, message: Message, raw: Msg, error: Exception) -> list[Parked]:
        """Handle each part of a message by itself; what fails, as it would be parked."""
        parts = self._split(message) if self._split else [message]
        if len(parts) == 1:
            return [_letter(message, FAILED, error)]
        bad = []
        for part in parts:
            try:
                await self._handle_patiently([part], [raw])
            except Exception as problem:
                logger.exception("part of a message failed", extra={"fields": {"name": self.name}})
                bad.append(_letter(part, FAILED, problem))
        return bad

    async def replay_one(self) -> bool:
        """Hand the next letter marked for replay to the handler; False when there is none."""
        letter: Any = None
        try:
            async with self._database.transaction() as db:
                letter = await next_replay(db, self.name)
                if letter is None:
                    return False
                await self._handle_in([_message_of(letter)], db)
        except Exception as error:
            if letter is None or is_transient(error):
                raise
            again = _letter(_message_of(letter), FAILED, error)
            async with self._database.transaction() as db:
                await park_again(db, letter.letter_id, again)
        return True


def _message_of(letter: Any) -> Message:
    return Message(
        subject=letter.subject,
        body=letter.body,
        message_id=letter.message_id,
        traceparent=letter.traceparent,
    )
