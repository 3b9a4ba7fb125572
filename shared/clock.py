"""The one source of time and of time-ordered ids, handed to whoever needs them."""

import os
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Answers what time it is; everything that depends on the date asks it."""

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The machine's time in UTC."""
        return datetime.now(UTC)


class FixedClock:
    """A clock for tests: stands still until it is moved."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def now(self) -> datetime:
        """Where the clock stands."""
        return self._at

    def advance(self, by: timedelta) -> None:
        """Move forward; time never runs back."""
        if by < timedelta(0):
            raise ValueError("a clock only moves forward")
        self._at += by


def new_id(at: datetime | None = None) -> str:
    """A UUIDv7: sorts by time, so that indexes grow at their end."""
    milliseconds = time.time_ns() // 1_000_000 if at is None else int(at.timestamp() * 1000)
    random = int.from_bytes(os.urandom(10), "big")
    value = (milliseconds & (1 << 48) - 1) << 80 | random
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))
