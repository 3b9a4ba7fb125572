"""Answering requests: decode, read or change in one transaction, reply; a "no" is a reply too."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from shared.answers import IdempotencyKey, StoredAnswer, find_answer, keep_answer
from shared.bus import (
    IDEMPOTENCY_HEADER,
    PRINCIPAL_HEADER,
    REFUSAL_HEADER,
    TRACE_HEADER,
    backoff_seconds,
)
from shared.clock import new_id
from shared.consumers import DECODE_ERRORS
from shared.contracts.base import Event, Refusal, Reply, Request, name_of, request_subject
from shared.database import Database, Db, is_transient
from shared.health import request_seconds, requests_total
from shared.logs import begin_trace
from shared.outbox import Relay, add_events
from shared.stepped_requests import SteppedAnswer

logger = logging.getLogger(__name__)

# Requests answered at once by one process; more wait in the subscription, bounded too.
AT_ONCE = 64
WAITING = 4096
TRIES = 3

Answer = Reply | tuple[Reply, Sequence[Event]]
RequestHandler = Callable[[Any, Db], Awaitable[Answer]]


class Answerer:
    """Answers one kind of request, for one service, with its replicas sharing the work."""

    def __init__(
        self,
        service: str,
        kind: type[Request[Any]],
        handler: RequestHandler | SteppedAnswer,
        database: Database,
        relay: Relay,
        *,
        writes: bool,
    ) -> None:
        self._service = service
        self._kind = kind
        self._operation = name_of(kind)
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(kind)
        self._handler = handler
        self._database = database
        self._relay = relay
        self._writes = writes
        self._free = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._connection: Client | None = None
        self._subscription: Subscription | None = None

    async def start(self, connection: Client) -> None:
        """Begin to answer."""
        self._connection = connection
        self._subscription = await connection.subscribe(
            request_subject(self._kind, self._service),
            queue=self._service,
            cb=self._receive,
            pending_msgs_limit=WAITING,
        )

    async def stop(self) -> None:
        """Take no more requests, finish those taken."""
        if self._subscription is not None:
            await self._subscription.unsubscribe()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=10)

    async def _receive(self, message: Msg) -> None:
        await self._free.acquire()
        task = asyncio.create_task(self._reply_to(message))
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._free.release()

    async def _reply_to(self, message: Msg) -> None:
        began = time.monotonic()
        headers = message.headers or {}
        begin_trace(headers.get(TRACE_HEADER))
        verdict, body = await self._answer(message.data, headers)
        requests_total.labels(self._operation, verdict or "answered").inc()
        request_seconds.labels(self._operation).observe(time.monotonic() - began)
        if self._connection is not None and message.reply:
            told = {REFUSAL_HEADER: verdict} if verdict else None
            await self._connection.publish(message.reply, body, headers=told)

    async def _answer(self, body: bytes, headers: dict[str, str]) -> tuple[str | None, bytes]:
        """The verdict header (None for a plain reply) and the reply's bytes."""
        try:
            request = self._decoder.decode(body)
        except DECODE_ERRORS as error:
            refusal = Refusal(code="invalid_request", detail=str(error)[:500], status=422)
            return "refused", msgspec.json.encode(refusal)
        # A key of our own keeps a second try harmless when a commit's outcome is not known.
        headers = {IDEMPOTENCY_HEADER: new_id(), **headers}
        for attempt in range(1, TRIES + 1):
            try:
                return await self._work(request, body, headers)
            except Exception as error:
                if not is_transient(error):
                    logger.exception("request failed", extra={"fields": {"op": self._operation}})
                    return "error", b"{}"
                logger.warning("database away", extra={"fields": {"error": repr(error)[:200]}})
            await asyncio.sleep(backoff_seconds(attempt, longest=1.0))
        return "unavailable", b"{}"

    async def _work(
        self, request: Any, body: bytes, headers: dict[str, str]
    ) -> tuple[str | None, bytes]:
        if isinstance(self._handler, SteppedAnswer):
            return _wire(await self._handler.answer(request, body, headers))
        if not self._writes:
            async with self._database.read() as db:
                return _wire(_reply_of(await self._handler(request, db)))
        principal = headers.get(PRINCIPAL_HEADER, "")
        key = IdempotencyKey(principal, self._operation, headers[IDEMPOTENCY_HEADER], body)
        async with self._database.transaction() as db:
            known = await find_answer(db, key)
            if isinstance(known, StoredAnswer):
                return ("refused" if known.refused else None), known.reply
            if known is not None:
                return _wire(known)
            answer = await self._handler(request, db)
            reply = _reply_of(answer)
            await add_events(db, answer[1] if isinstance(answer, tuple) else ())
            await keep_answer(db, key, reply)
        self._relay.wake()
        return _wire(reply)


def _reply_of(answer: Answer) -> Reply:
    return answer[0] if isinstance(answer, tuple) else answer


def _wire(reply: Reply | bytes) -> tuple[str | None, bytes]:
    """A reply with its verdict; bytes are a reply that was encoded before."""
    if isinstance(reply, bytes):
        return None, reply
    return ("refused" if isinstance(reply, Refusal) else None), msgspec.json.encode(reply)
