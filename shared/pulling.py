"""Messages pulled from a durable consumer, and what the server is told about them."""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence

import msgspec
import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from shared.bus import Bus
from shared.topology import Durable

logger = logging.getLogger(__name__)

# A pull asks for this long; the server then says that it is over.
PULL_SECONDS = 5.0
# Without a word for this long after a pull's end, it was forgotten.
FORGOTTEN_SECONDS = 3.0
# A refused pull (its consumer is gone, say) is not repeated at once.
REFUSED_SECONDS = 1.0
DRAIN_SECONDS = 3.0


class _Pull(msgspec.Struct):
    """A request for messages that the server has not fulfilled yet."""

    left: int
    forgotten_at: float


class Puller:
    """Takes messages of a durable as fast as they come, with public calls of nats-py only.

    At most `max_messages` are asked for or buffered ahead. A restarted server forgets pulls, so
    silence makes it ask again.
    """

    def __init__(self, bus: Bus, durable: Durable, max_messages: int, max_bytes: int) -> None:
        self._connection = bus.connection
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{durable.stream}.{durable.name}"
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._buffer: deque[Msg] = deque()
        self._arrived = asyncio.Event()
        # By reply subject, oldest first: the server fulfills them in this order.
        self._open: dict[str, _Pull] = {}
        self._pulls = 0
        self._reconnects = 0
        self._refused_until = 0.0
        self._inbox = ""
        self._subscription: Subscription | None = None

    async def start(self) -> None:
        """Open the private inbox that the server delivers to."""
        self._inbox = self._connection.new_inbox()
        # Without limits of its own, because what is asked for is bounded.
        self._subscription = await self._connection.subscribe(
            f"{self._inbox}.*", cb=self._receive, pending_msgs_limit=-1, pending_bytes_limit=-1
        )

    async def _receive(self, message: Msg) -> None:
        status = (message.headers or {}).get("Status")
        if status is None:
            self._buffer.append(message)
            self._count_off()
        elif self._open.pop(message.subject, None) is not None and _is_refusal(message):
            logger.warning("pull refused", extra={"fields": {"headers": message.headers}})
            self._refused_until = _now() + REFUSED_SECONDS
        self._arrived.set()

    def _count_off(self) -> None:
        oldest = next(iter(self._open), None)
        if oldest is not None:
            self._open[oldest].left -= 1
            if self._open[oldest].left == 0:
                del self._open[oldest]

    async def _ask(self) -> None:
        """Keep as much asked for as there is room, in few requests."""
        now = _now()
        if not self._connection.is_connected or now < self._refused_until:
            return
        if self._reconnects != self._connection.stats["reconnects"]:
            self._reconnects = self._connection.stats["reconnects"]
            self._open.clear()
        self._open = {name: p for name, p in self._open.items() if now < p.forgotten_at}
        room = self._max_messages - len(self._buffer) - sum(p.left for p in self._open.values())
        if self._subscription is None or room < self._max_messages // 2:
            return
        self._pulls += 1
        reply = f"{self._inbox}.{self._pulls}"
        self._open[reply] = _Pull(room, now + PULL_SECONDS + FORGOTTEN_SECONDS)
        request = {
            "batch": room,
            "max_bytes": self._max_bytes * 2,
            "expires": int(PULL_SECONDS * 1e9),
        }
        await self._connection.publish(self._subject, msgspec.json.encode(request), reply=reply)

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
        subscription, self._subscription = self._subscription, None
        try:
            if subscription is not None:
                # Waits for what is on its way, which `unsubscribe` would let fall.
                async with asyncio.timeout(DRAIN_SECONDS):
                    await subscription.drain()  # type: ignore[no-untyped-call]
        except (nats.errors.Error, TimeoutError) as error:
            logger.warning("bus away", extra={"fields": {"error": repr(error)[:200]}})
        while self._buffer:
            await put_off(self._buffer.popleft(), 0)
        self._arrived.set()


def _is_refusal(status: Msg) -> bool:
    """Whether a pull ended for another reason than its time, its size or an empty stream."""
    headers = status.headers or {}
    too_large = headers.get("Description", "").startswith("Message Size Exceeds")
    return headers["Status"] not in {"404", "408"} and not too_large


def _now() -> float:
    return asyncio.get_running_loop().time()


async def acknowledge(connection: Client, messages: Sequence[Msg]) -> None:
    """Acknowledge many messages in one write; without a bus they come again, and are dropped."""
    try:
        for message in messages:
            await connection.publish(message.reply, b"+ACK")
    except nats.errors.Error as error:
        logger.warning("not acknowledged", extra={"fields": {"error": repr(error)[:200]}})


async def hold(messages: Sequence[Msg]) -> None:
    """Tell the server that messages are still being worked on."""
    try:
        for message in messages:
            await message.in_progress()
    except nats.errors.Error as error:
        logger.warning("not held", extra={"fields": {"error": repr(error)[:200]}})


async def put_off(message: Msg, delay_seconds: float) -> None:
    """Give a message back, to be delivered again after a delay; without a bus, it is anyway."""
    try:
        await message.nak(delay=delay_seconds or None)
    except nats.errors.Error as error:
        logger.warning("not put off", extra={"fields": {"error": repr(error)[:200]}})
