"""One spool's way to the bus: envelopes under way, and the cursor that follows their answers."""

import asyncio
import logging
from collections import deque
from dataclasses import dataclass

import msgspec

from shared.agent_client.losses import Losses
from shared.agent_client.spool import Spool
from shared.contracts.usage import (
    ENVELOPE_VERSION,
    MAX_ENVELOPE_BYTES,
    MAX_ENVELOPE_EVENTS,
    usage_subject,
)

logger = logging.getLogger(__name__)

# How many envelopes wait for their acknowledgement at a time.
WINDOW = 8
_END = b"]}"


class Refused(Exception):
    """JetStream answered, but did not store the envelope."""


@dataclass(slots=True)
class Envelope:
    """A message of consecutive events; it is sent again unchanged until it is acknowledged."""

    body: bytes
    last_sequence: int
    acknowledged: bool = False


class Lane:
    """A spool with its window of envelopes, oldest first."""

    def __init__(self, spool: Spool) -> None:
        self.spool = spool
        self.window: deque[Envelope] = deque()
        self.changed = asyncio.Event()
        owner = spool.owner
        self.subject = usage_subject(owner.kind, owner.organization_id, owner.agent_id)
        self._losses = Losses(spool.folder)
        self._released = spool.synced

    @property
    def holds_back(self) -> bool:
        """Whether synced events are waiting for company."""
        return self.spool.synced > self._released

    def release(self) -> None:
        """Let everything synced so far go, however small the envelope."""
        self._released = self.spool.synced
        self.changed.set()

    def next_envelope(self) -> Envelope | None:
        """Put the next events under way; None when none may go or enough are under way."""
        if len(self.window) >= WINDOW or self.spool.next_unread > self._released:
            return None
        room = MAX_ENVELOPE_BYTES - len(self._start(self.spool.last_sequence)) - len(_END)
        batch = self.spool.read(MAX_ENVELOPE_EVENTS, room)
        for raw in self.spool.take_damaged():
            logger.error("A line of the spool is damaged: its event is lost to billing.")
            self._losses.reject("damaged in the spool", raw.decode("ascii", "backslashreplace"))
        if batch is None:
            return None
        body = self._start(batch.first_sequence) + b",".join(batch.events) + _END
        envelope = Envelope(body, batch.first_sequence + len(batch.events) - 1)
        self.window.append(envelope)
        return envelope

    def _start(self, first_sequence: int) -> bytes:
        return b'{"v":%d,"producer":"%b","first_seq":%d,"events":[' % (
            ENVELOPE_VERSION,
            self.spool.producer.encode(),
            first_sequence,
        )

    def settle(self, envelope: Envelope) -> None:
        """An envelope is stored; the cursor moves over it once all before it are stored too.

        Raises OSError when the cursor cannot be written; that costs a second sending at worst.
        """
        envelope.acknowledged = True
        reached = 0
        while self.window and self.window[0].acknowledged:
            reached = self.window.popleft().last_sequence
        self.changed.set()
        if reached:
            self.spool.acknowledge(reached)


class _Error(msgspec.Struct):
    err_code: int = 0
    description: str = ""


class _Answer(msgspec.Struct):
    stream: str = ""
    seq: int = 0
    error: _Error | None = None


def check_stored(answer: bytes) -> None:
    """Raise Refused unless this answer says that the envelope is stored."""
    try:
        said = msgspec.json.decode(answer, type=_Answer)
    except (msgspec.MsgspecError, ValueError):
        raise Refused("The answer is not JetStream's.") from None
    if said.error:
        raise Refused(f"{said.error.description} ({said.error.err_code})")
    if not (said.stream and said.seq):
        raise Refused("The answer names no stream.")
