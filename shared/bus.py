"""The bus: a connection that never gives up, requests with one answerer, pulled messages."""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Self, TypeVar

import msgspec
import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import NoRespondersError

from shared.contracts.base import (
    Refusal,
    Reply,
    Request,
    owner_of,
    reply_type_of,
    request_subject,
)
from shared.logs import traceparent
from shared.settings import Settings
from shared.topology import Durable

logger = logging.getLogger(__name__)

R = TypeVar("R", bound=Reply)

REFUSAL_HEADER = "Billing-Refusal"
PRINCIPAL_HEADER = "Billing-Principal"
IDEMPOTENCY_HEADER = "Idempotency-Key"
TRACE_HEADER = "traceparent"
MESSAGE_ID_HEADER = "Nats-Msg-Id"

# A pull asks for this long; the server then says that it is over.
PULL_SECONDS = 5.0
# Silence for this long after a pull's end means that a restarted server forgot it.
FORGOTTEN_SECONDS = 3.0


class NoAnswerer(Exception):
    """Nobody answers this request now: the service is down or starting."""


class AnswerTimedOut(Exception):
    """The answer did not come in time; whether the work was done is not known."""


class AnswerFailed(Exception):
    """The service met an error of its own while answering."""


class Bus:
    """One connection to NATS, private inbox included."""

    def __init__(self, connection: Client) -> None:
        self.connection = connection

    @classmethod
    async def connect(cls, settings: Settings, name: str) -> Self:
        """Connect as `name`; waits for a server that is not there yet, reconnects for ever."""
        connection = Client()

        async def lost() -> None:
            if not connection.is_closed:
                logger.warning("bus connection lost, reconnecting")

        async def found() -> None:
            logger.info("bus connection is back")

        async def failed(error: Exception) -> None:
            logger.warning("bus error", extra={"fields": {"error": repr(error)}})

        options: dict[str, Any] = connection_options(settings, name)
        await connection.connect(
            disconnected_cb=lost, reconnected_cb=found, error_cb=failed, **options
        )
        return cls(connection)

    async def ask(
        self,
        request: Request[R],
        *,
        owner: str | None = None,
        principal: str | None = None,
        idempotency_key: str | None = None,
        timeout_seconds: float = 5.0,
    ) -> R | Refusal:
        """Ask the one service that answers; `owner` names it for requests that every service has.

        Raises NoAnswerer, AnswerTimedOut or AnswerFailed; a business "no" is a Refusal, returned.
        """
        headers = {TRACE_HEADER: traceparent()}
        if principal:
            headers[PRINCIPAL_HEADER] = principal
        if idempotency_key:
            headers[IDEMPOTENCY_HEADER] = idempotency_key
        kind = type(request)
        subject = request_subject(kind, owner)
        try:
            message = await self.connection.request(
                subject, msgspec.json.encode(request), timeout=timeout_seconds, headers=headers
            )
        except NoRespondersError:
            raise NoAnswerer(f"{owner or owner_of(kind)} is not answering") from None
        except (TimeoutError, nats.errors.Error) as error:
            raise AnswerTimedOut(f"{subject} did not answer in {timeout_seconds} s") from error
        verdict = (message.headers or {}).get(REFUSAL_HEADER)
        if verdict == "unavailable":
            raise NoAnswerer(f"{owner or owner_of(kind)} cannot reach its database")
        if verdict == "error":
            raise AnswerFailed(f"{subject} failed")
        wanted: type[Any] = Refusal if verdict else reply_type_of(kind)
        answer: R | Refusal = msgspec.json.decode(message.data, type=wanted)
        return answer

    async def close(self) -> None:
        """Finish what is under way, then disconnect."""
        if not self.connection.is_closed:
            await self.connection.drain()


def connection_options(settings: Settings, name: str) -> dict[str, Any]:
    """How every process of ours connects: its own inbox, no end to reconnecting."""
    return {
        "servers": [settings.nats_url],
        "name": name,
        "user_credentials": settings.nats_credentials,
        "inbox_prefix": f"_INBOX_{name}".encode() if settings.nats_credentials else b"_INBOX",
        "allow_reconnect": True,
        "max_reconnect_attempts": -1,
        "reconnect_time_wait": 0.25,
        "connect_timeout": 5,
        "ping_interval": 10,
        "max_outstanding_pings": 3,
        "drain_timeout": 10,
    }


class Message(msgspec.Struct, frozen=True, gc=False):
    """A message as handlers see it, whichever way it came (bus, replay, test)."""

    subject: str
    body: bytes
    message_id: str | None = None
    traceparent: str | None = None
    delivered: int = 1
    received_at: datetime | None = None


def message_from(raw: Msg) -> Message:
    """What a handler needs of a JetStream message."""
    headers = raw.headers or {}
    return Message(
        subject=raw.subject,
        body=raw.data,
        message_id=headers.get(MESSAGE_ID_HEADER),
        traceparent=headers.get(TRACE_HEADER),
        delivered=raw.metadata.num_delivered or 1,
    )


class Puller:
    """Takes messages of a durable as fast as they come, with public calls of nats-py only.

    At most `max_messages` are asked for ahead. A restarted server forgets pulls, so silence
    makes it ask again.
    """

    def __init__(self, bus: Bus, durable: Durable, max_messages: int, max_bytes: int) -> None:
        self._connection = bus.connection
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{durable.stream}.{durable.name}"
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._buffer: deque[Msg] = deque()
        self._arrived = asyncio.Event()
        self._asked = 0
        self._heard_at = 0.0
        self._inbox = ""
        self._subscription: Subscription | None = None

    async def start(self) -> None:
        """Open the private inbox that the server delivers to."""
        self._inbox = self._connection.new_inbox()
        self._subscription = await self._connection.subscribe(
            self._inbox, cb=self._receive, pending_msgs_limit=-1, pending_bytes_limit=-1
        )

    async def _receive(self, message: Msg) -> None:
        self._heard_at = asyncio.get_running_loop().time()
        if message.headers and "Status" in message.headers:
            self._asked = 0  # this pull is over: nothing there, its time is up, or refused
            if message.headers["Status"] not in {"404", "408", "409"}:
                logger.warning("pull refused", extra={"fields": {"headers": message.headers}})
        else:
            self._asked -= 1
            self._buffer.append(message)
        self._arrived.set()

    async def _ask(self) -> None:
        """Keep one pull open, sized to what the buffer may still hold."""
        room = self._max_messages - len(self._buffer)
        now = asyncio.get_running_loop().time()
        forgotten = now - self._heard_at > PULL_SECONDS + FORGOTTEN_SECONDS
        if room < self._max_messages // 2 or (self._asked > room // 2 and not forgotten):
            return
        request = {
            "batch": room,
            "max_bytes": self._max_bytes * 2,
            "expires": int(PULL_SECONDS * 1e9),
        }
        self._asked, self._heard_at = room, now
        await self._connection.publish(
            self._subject, msgspec.json.encode(request), reply=self._inbox
        )

    async def next_batch(self, wait_seconds: float) -> list[Msg]:
        """What has come, oldest first, up to the limits; empty when nothing came in time."""
        await self._ask()
        if not self._buffer:
            self._arrived.clear()
            try:
                async with asyncio.timeout(wait_seconds):
                    await self._arrived.wait()
            except TimeoutError:
                return []
        batch: list[Msg] = []
        size = 0
        while self._buffer and len(batch) < self._max_messages and size < self._max_bytes:
            size += len(self._buffer[0].data)
            batch.append(self._buffer.popleft())
        await self._ask()
        return batch

    async def stop(self) -> None:
        """Stop receiving and hand back what was not started, for another replica at once."""
        if self._subscription is not None:
            await self._subscription.unsubscribe()
        while self._buffer:
            await self._buffer.popleft().nak()


async def acknowledge(connection: Client, messages: list[Msg]) -> None:
    """Acknowledge many messages in one write."""
    for message in messages:
        await connection.publish(message.reply, b"+ACK")


def backoff_seconds(attempt: int, longest: float = 30.0) -> float:
    """How long to wait before trying again: doubling, bounded, with jitter."""
    return float(min(longest, 0.1 * 2 ** min(attempt, 12)) * random.uniform(0.5, 1.0))  # noqa: S311


async def watch(bus: Bus, subject: str, receive: Callable[[Msg], Awaitable[None]]) -> Subscription:
    """Hear facts as they pass, without a record of what was heard (for live views)."""
    return await bus.connection.subscribe(subject, cb=receive)
