"""The bus: a connection that never gives up, requests with one answerer, pulled messages."""

import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
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

logger = logging.getLogger(__name__)

R = TypeVar("R", bound=Reply)

REFUSAL_HEADER = "Billing-Refusal"
PRINCIPAL_HEADER = "Billing-Principal"
IDEMPOTENCY_HEADER = "Idempotency-Key"
TIMEOUT_HEADER = "Billing-Timeout"
TRACE_HEADER = "traceparent"
MESSAGE_ID_HEADER = "Nats-Msg-Id"

# The same trouble is logged no more often than this.
TELL_AGAIN_SECONDS = 10.0
# The longest that any caller waits for an answer.
ANSWER_SECONDS = 60.0
# How long a step waits for one; below the time that its call may take.
SETTLING_SECONDS = 20.0


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

        told: dict[str, float] = {}

        async def failed(error: Exception) -> None:
            text, now = repr(error)[:200], time.monotonic()
            if now - told.get(text, -TELL_AGAIN_SECONDS) < TELL_AGAIN_SECONDS:
                return  # it is tried four times a second
            told.clear()
            told[text] = now
            logger.warning("bus error", extra={"fields": {"error": text}})

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
        kind, subject = type(request), request_subject(type(request), owner)
        answerer = owner or owner_of(kind)
        headers = {TRACE_HEADER: traceparent(), TIMEOUT_HEADER: str(timeout_seconds)}
        if principal:
            headers[PRINCIPAL_HEADER] = principal
        if idempotency_key:
            headers[IDEMPOTENCY_HEADER] = idempotency_key
        if not self.connection.is_connected:
            # Not into the buffer, whence it would be sent after the caller has gone.
            raise NoAnswerer("the bus is away")
        try:
            message = await self.connection.request(
                subject, msgspec.json.encode(request), timeout=timeout_seconds, headers=headers
            )
        except NoRespondersError:
            raise NoAnswerer(f"{answerer} is not answering") from None
        except (TimeoutError, nats.errors.Error) as error:
            raise AnswerTimedOut(f"{subject} did not answer in {timeout_seconds} s") from error
        answer: R | Refusal = _read_answer(message, reply_type_of(kind), answerer)
        return answer

    async def close(self) -> None:
        """Finish what is under way, then disconnect."""
        await disconnect(self.connection)


class Asks:
    """How a service asks others while it runs: in its own name, over its own connection. Several
    replicas in one process share the last one's.
    """

    def __init__(self, principal: str) -> None:
        self.principal = principal
        self._buses: list[Bus] = []

    @contextmanager
    def over(self, bus: Bus) -> Iterator[None]:
        """Ask over this connection, until it is left."""
        self._buses.append(bus)
        try:
            yield
        finally:
            self._buses.remove(bus)

    @property
    def bus(self) -> Bus:
        """The connection."""
        if not self._buses:
            raise RuntimeError(f"{self.principal} is not running")
        return self._buses[-1]

    async def settled(self, request: Request[R], key: str) -> R | Refusal:
        """Ask once for a key; raises when the outcome is not known, or not yet."""
        answer = await self.bus.ask(
            request,
            principal=self.principal,
            idempotency_key=key,
            timeout_seconds=SETTLING_SECONDS,
        )
        if isinstance(answer, Refusal) and answer.passes:
            raise AnswerFailed(answer.code)
        return answer


def _read_answer(message: Msg, wanted: type[Any], answerer: str) -> Any:
    verdict = (message.headers or {}).get(REFUSAL_HEADER)
    if verdict == "unavailable":
        raise NoAnswerer(f"{answerer} cannot take it now")
    if verdict == "error":
        raise AnswerFailed(f"{answerer} met an error of its own")
    try:
        return msgspec.json.decode(message.data, type=Refusal if verdict else wanted)
    except (msgspec.MsgspecError, ValueError) as error:
        raise AnswerFailed(f"{answerer} answered what its contract does not say") from error


async def disconnect(connection: Client) -> None:
    """Finish what is under way and close, whether the bus is there or not."""
    try:
        if connection.is_connected:
            await connection.drain()
        elif not connection.is_closed:
            await connection.close()
    except (nats.errors.Error, OSError, RuntimeError) as error:
        # Closing writes what is left; on a dead socket uvloop answers with RuntimeError.
        logger.warning("bus away", extra={"fields": {"error": repr(error)[:200]}})


def connection_options(settings: Settings, name: str) -> dict[str, Any]:
    """How every process of ours connects: its own inbox, no end to reconnecting."""
    return {
        "servers": settings.nats_url.split(","),
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


def backoff_seconds(attempt: int, longest: float = 30.0) -> float:
    """How long to wait before trying again: doubling, bounded, with jitter."""
    return float(min(longest, 0.1 * 2 ** min(attempt, 12)) * random.uniform(0.5, 1.0))  # noqa: S311


async def watch(bus: Bus, subject: str, receive: Callable[[Msg], Awaitable[None]]) -> Subscription:
    """Hear facts as they pass, without a record of what was heard (for live views)."""
    return await bus.connection.subscribe(subject, cb=receive)
