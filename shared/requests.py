"""Answering requests: decode, read or change in one transaction, reply; a "no" is a reply too."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec
import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from shared.answers import IdempotencyKey, StoredAnswer, find_answer, keep_answer, key_of
from shared.bus import (
    ANSWER_SECONDS,
    REFUSAL_HEADER,
    TIMEOUT_HEADER,
    TRACE_HEADER,
    AnswerTimedOut,
    NoAnswerer,
    backoff_seconds,
)
from shared.consumers import DECODE_ERRORS
from shared.contracts.base import Event, Refusal, Reply, Request, name_of, request_subject
from shared.database import Database, Db, is_transient
from shared.failpoints import failpoint
from shared.health import request_seconds, requests_total
from shared.logs import begin_trace, describe
from shared.outbox import add_events
from shared.stepped_requests import SteppedAnswer

logger = logging.getLogger(__name__)

# Requests that one process works on at once; the rest wait, until there are too many.
AT_ONCE = 64
WAITING = 4096
TRIES = 3
# An answer needs this long to get back to the caller before its patience ends.
RETURN_SECONDS = 0.25

Answer = Reply | tuple[Reply, Sequence[Event]]
RequestHandler = Callable[[Any, Db], Awaitable[Answer]]


class ReadFirst:
    """A handler for what is nearly always known: a plain read answers it, and only when that
    finds nothing does the handler that writes, with a transaction and a stored answer.
    """

    def __init__(
        self, find: Callable[[Any, Db], Awaitable[Reply | None]], write: RequestHandler
    ) -> None:
        self.find = find
        self._write = write

    async def __call__(self, request: Any, db: Db) -> Answer:
        """What was not found is written."""
        return await self._write(request, db)


class ReadThen:
    """A handler for what takes a while to be made of what was read, a drawing for example: `then`
    makes it when the connection has been given back, so that nobody else waits for one.
    """

    def __init__(
        self,
        read: Callable[[Any, Db], Awaitable[Any]],
        then: Callable[[Any, Any], Awaitable[Reply]],
    ) -> None:
        """`read` answers at once with a Refusal; anything else goes to `then`, with the request."""
        self.read = read
        self.then = then

    async def __call__(self, request: Any, db: Db) -> Answer:
        """Both, on one connection."""
        found = await self.read(request, db)
        return found if isinstance(found, Refusal) else await self.then(request, found)


class Answerer:
    """Answers one kind of request, for one service, with its replicas sharing the work."""

    def __init__(
        self,
        service: str,
        kind: type[Request[Any]],
        handler: RequestHandler | SteppedAnswer,
        database: Database,
        free: asyncio.Semaphore,
        *,
        writes: bool,
        waiting: int = WAITING,
    ) -> None:
        """`free` is shared by all answerers of the process: `asyncio.Semaphore(AT_ONCE)`."""
        self._service = service
        self._kind = kind
        self._operation = name_of(kind)
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(kind)
        self._handler: Any = handler
        self._database = database
        self.writes = writes
        self._free = free
        self._waiting = waiting
        self.under_way: set[asyncio.Task[None]] = set()
        self.taken = 0
        self._connection: Client | None = None
        self._subscription: Subscription | None = None

    async def start(self, connection: Client) -> None:
        """Begin to answer."""
        self._connection = connection
        self._subscription = await connection.subscribe(
            request_subject(self._kind, self._service), queue=self._service, cb=self._receive
        )

    async def stop(self) -> None:
        """Take no more requests, finish those taken."""
        if self._subscription is not None:
            try:
                # Not `unsubscribe`, which forgets the requests that are on their way.
                await self._subscription.drain()  # type: ignore[no-untyped-call]
            except (nats.errors.Error, TimeoutError) as error:
                logger.warning("bus away", extra={"fields": {"error": repr(error)[:200]}})
        if self.under_way:
            await asyncio.wait(self.under_way)

    async def _receive(self, message: Msg) -> None:
        if len(self.under_way) >= self._waiting:
            requests_total.labels(self._operation, "turned_away").inc()
            await self._send(message, "unavailable", b"{}")
            return
        self.taken += 1
        task = asyncio.create_task(self._reply_to(message))
        self.under_way.add(task)
        task.add_done_callback(self.under_way.discard)

    async def _reply_to(self, message: Msg) -> None:
        began = time.monotonic()
        headers = message.headers or {}
        begin_trace(headers.get(TRACE_HEADER))
        patience = _patience_seconds(headers)
        try:
            async with asyncio.timeout(patience), self._free:
                patience -= time.monotonic() - began
                verdict, body = await self._answer(message.data, headers, patience)
        except TimeoutError:
            # The caller has given up, and so do we: what was begun is rolled back.
            requests_total.labels(self._operation, "late").inc()
            logger.warning("no answer in time", extra={"fields": {"op": self._operation}})
            return
        requests_total.labels(self._operation, verdict or "answered").inc()
        request_seconds.labels(self._operation).observe(time.monotonic() - began)
        await self._send(message, verdict, body)

    async def _send(self, message: Msg, verdict: str | None, body: bytes) -> None:
        if self._connection is None or not message.reply:
            return
        told = {REFUSAL_HEADER: verdict} if verdict else None
        try:
            await self._connection.publish(message.reply, body, headers=told)
        except nats.errors.MaxPayloadError:
            logger.exception("answer too large", extra={"fields": {"op": self._operation}})
            await self._send(message, "error", b"{}")
        except nats.errors.Error as error:
            logger.warning("answer not sent", extra={"fields": {"error": repr(error)[:200]}})

    async def _answer(
        self, body: bytes, headers: Mapping[str, str], patience: float
    ) -> tuple[str | None, bytes]:
        """The verdict header (None for a plain reply) and the reply's bytes."""
        try:
            request = self._decoder.decode(body)
        except DECODE_ERRORS as error:
            return _wire(Refusal(code="invalid_request", detail=str(error)[:500], status=422))
        key = key_of(request, headers) if self.writes else None
        if isinstance(key, Refusal):
            return _wire(key)
        for attempt in range(1, TRIES + 1):
            try:
                return _wire(await self._work(request, key, patience))
            except (NoAnswerer, AnswerTimedOut) as error:
                # Whoever this one had to ask is away, so that it cannot answer either.
                logger.warning("others away", extra={"fields": {"error": str(error)}})
                return "unavailable", b"{}"
            except Exception as error:
                if not is_transient(error):
                    logger.exception("request failed", extra={"fields": {"op": self._operation}})
                    return "error", b"{}"
                told = {"error": describe(error)[:200]}
                logger.warning("database away", extra={"fields": told})
            await asyncio.sleep(backoff_seconds(attempt, longest=1.0))
        return "unavailable", b"{}"

    async def _work(
        self, request: Request[Any], key: IdempotencyKey | None, patience: float
    ) -> Reply | StoredAnswer:
        if key is None:
            return await self._read(request)
        if isinstance(self._handler, SteppedAnswer):
            return await self._handler.answer(request, key, patience - RETURN_SECONDS)
        if isinstance(self._handler, ReadFirst):
            async with self._database.read() as db:
                found: Reply | None = await self._handler.find(request, db)
            if found is not None:
                return found
        async with self._database.transaction() as db:
            known = await find_answer(db, key)
            if known is not None:
                return known
            answer: Answer = await self._handler(request, db)
            reply, events = answer if isinstance(answer, tuple) else (answer, ())
            await add_events(db, events)
            await keep_answer(db, key, reply)
            failpoint("answer.uncommitted")
        failpoint("answer.committed")
        return reply

    async def _read(self, request: Request[Any]) -> Reply:
        if isinstance(self._handler, ReadThen):
            async with self._database.read() as db:
                found = await self._handler.read(request, db)
            return found if isinstance(found, Refusal) else await self._handler.then(request, found)
        async with self._database.read() as db:
            answer: Answer = await self._handler(request, db)
        if isinstance(answer, tuple):
            raise TypeError(f"{self._operation} has facts to tell: declare that it writes")
        return answer


def _patience_seconds(headers: Mapping[str, str]) -> float:
    """How long the caller waits; the bus keeps the way back open no longer than that either."""
    try:
        asked = float(headers.get(TIMEOUT_HEADER, ANSWER_SECONDS))
    except ValueError:
        return ANSWER_SECONDS
    return min(asked, ANSWER_SECONDS) if asked > 0 else ANSWER_SECONDS


def _wire(reply: Reply | StoredAnswer) -> tuple[str | None, bytes]:
    if isinstance(reply, StoredAnswer):
        return ("refused" if reply.refused else None), reply.reply
    return ("refused" if isinstance(reply, Refusal) else None), msgspec.json.encode(reply)
