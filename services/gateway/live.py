"""What passes on the bus, handed to open streams: a short memory and bounded queues, no record.

A position in a stream is `<replica>-<number>`. Another replica, or this one after it may have
missed something, does not know it, and then the client is told once to fetch everything again.
"""

import asyncio
import logging
import secrets
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import msgspec

from services.gateway.live_facts import SHOWN
from shared.contracts.base import Event, name_of

logger = logging.getLogger(__name__)

# What a client that comes back may have missed and still be given.
REMEMBERED_EVENTS = 64
# What a client may be behind before it is told to fetch everything and come back.
QUEUED_EVENTS = 32
# Organizations without an open stream whose events are still remembered.
IDLE_ORGANIZATIONS = 200


class BusMessage(Protocol):
    """What is read of a message of the bus."""

    @property
    def subject(self) -> str:
        """Where it was published."""
        ...

    @property
    def data(self) -> bytes:
        """The fact, JSON."""
        ...


class Frame(NamedTuple):
    """One event as it goes to browsers."""

    number: int
    text: bytes


def frame_text(position: str, kind: str, data: bytes) -> bytes:
    """An event in the form of `text/event-stream`; `data` is one line of JSON."""
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (position.encode(), kind.encode(), data)


class Listener:
    """One open stream."""

    def __init__(self, waiting: list[bytes]) -> None:
        self._waiting = deque(waiting)
        self._arrived = asyncio.Event()
        self.closed = False
        if waiting:
            self._arrived.set()

    def offer(self, text: bytes, when_full: bytes) -> None:
        """Queue a frame; a full queue is replaced by `when_full`, and the stream ends after it."""
        if self.closed:
            return
        if len(self._waiting) >= QUEUED_EVENTS:
            self._waiting.clear()
            self._waiting.append(when_full)
            self.closed = True
        else:
            self._waiting.append(text)
        self._arrived.set()

    def close(self) -> None:
        """End the stream after what is queued."""
        self.closed = True
        self._arrived.set()

    async def next(self, timeout_seconds: float) -> bytes:
        """All frames that wait, or nothing when none came in time or the stream is closed."""
        try:
            async with asyncio.timeout(max(0.0, timeout_seconds)):
                await self._arrived.wait()
        except TimeoutError:
            return b""
        texts = b"".join(self._waiting)
        self._waiting.clear()
        if not self.closed:
            self._arrived.clear()
        return texts


class Channel:
    """One organization's recent events and open streams."""

    def __init__(self, number: int) -> None:
        self.recent: deque[Frame] = deque()
        # Everything after this number is in `recent`.
        self.floor = number
        self.listeners: set[Listener] = set()

    def remember(self, frame: Frame) -> None:
        """Keep a frame, and forget the oldest when there are too many."""
        self.recent.append(frame)
        if len(self.recent) > REMEMBERED_EVENTS:
            self.floor = self.recent.popleft().number


class LiveEvents:
    """Hands facts of the bus to the streams of their organization.

    `count_gaps` says how often something may have been missed (reconnections of the bus).
    """

    def __init__(self, count_gaps: Callable[[], int] = lambda: 0) -> None:
        self._count_gaps = count_gaps
        self._gaps = 0
        self._replica = ""
        self._number = 0
        self._channels: OrderedDict[str, Channel] = OrderedDict()
        self._stopped = False
        self._begin_anew()

    @property
    def listeners(self) -> int:
        """How many streams are open."""
        return sum(len(channel.listeners) for channel in self._channels.values())

    def receiver(self, kind: type[Event]) -> Callable[[BusMessage], Any]:
        """What to call with every message on `event_subject(kind)`."""
        decoder = msgspec.json.Decoder(kind)
        name, show = name_of(kind), SHOWN[kind]

        async def receive(message: BusMessage) -> None:
            self.notice_gaps()
            channel = self._channels.get(message.subject.rpartition(".")[2])
            if channel is None:
                return
            try:
                data = msgspec.json.encode(show(decoder.decode(message.data)))
            except msgspec.MsgspecError:
                logger.exception("event not understood")
                return
            self._publish(channel, name, data)

        return receive

    def _publish(self, channel: Channel, kind: str, data: bytes) -> None:
        self._number += 1
        frame = Frame(self._number, frame_text(self._position(), kind, data))
        channel.remember(frame)
        too_slow = self._resync("too_slow")
        for listener in channel.listeners:
            listener.offer(frame.text, when_full=too_slow)

    def notice_gaps(self) -> None:
        """After a gap nobody's position holds any more; everyone open is told to fetch again."""
        gaps = self._count_gaps()
        if gaps == self._gaps:
            return
        self._gaps = gaps
        self._begin_anew()
        resync = self._resync("events_missed")
        for organization_id, channel in list(self._channels.items()):
            fresh = Channel(self._number)
            fresh.listeners = channel.listeners
            self._channels[organization_id] = fresh
            for listener in channel.listeners:
                listener.offer(resync, when_full=resync)

    def open(self, organization_id: str, last_position: str | None) -> Listener:
        """Begin a stream where `last_position` ended, if that is still known."""
        self.notice_gaps()
        channel = self._channels.setdefault(organization_id, Channel(self._number))
        self._channels.move_to_end(organization_id)
        listener = Listener(self._catch_up(channel, last_position))
        channel.listeners.add(listener)
        if self._stopped:
            listener.close()
        return listener

    def _catch_up(self, channel: Channel, last_position: str | None) -> list[bytes]:
        if last_position is None:
            return [self._resync("connected")]
        replica, _, digits = last_position.partition("-")
        number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 16 else -1
        if replica != self._replica or not channel.floor <= number <= self._number:
            return [self._resync("position_unknown")]
        return [frame.text for frame in channel.recent if frame.number > number]

    def leave(self, organization_id: str, listener: Listener) -> None:
        """A stream has ended; what its organization hears is remembered for a while."""
        channel = self._channels.get(organization_id)
        if channel is not None:
            channel.listeners.discard(listener)
        idle = [name for name, each in self._channels.items() if not each.listeners]
        for name in idle[: max(0, len(idle) - IDLE_ORGANIZATIONS)]:
            del self._channels[name]

    def stop(self) -> None:
        """End all streams; clients come back to another replica."""
        self._stopped = True
        for channel in self._channels.values():
            for listener in channel.listeners:
                listener.close()

    def _begin_anew(self) -> None:
        self._replica = secrets.token_hex(4)

    def _position(self) -> str:
        return f"{self._replica}-{self._number}"

    def _resync(self, reason: str) -> bytes:
        return frame_text(self._position(), "resync", msgspec.json.encode({"reason": reason}))
