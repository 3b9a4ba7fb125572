"""The one source of time and of time-ordered ids, handed to whoever needs them."""

import os
import time
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


def new_id() -> str:
    """A UUIDv7: sorts by the time it was made, so that indexes grow at their end."""
    return new_ids(1)[0]


def new_ids(count: int) -> list[str]:
    """Many at once, in order only by the millisecond; cheap enough for one per event."""
    milliseconds = f"{time.time_ns() // 1_000_000 & (1 << 48) - 1:012x}"
    begin = f"{milliseconds[:8]}-{milliseconds[8:]}-7"
    random = os.urandom(10 * count).hex()
    return [
        f"{begin}{random[at : at + 3]}-{_VARIANT[random[at + 3]]}{random[at + 4 : at + 7]}"
        f"-{random[at + 7 : at + 19]}"
        for at in range(0, 20 * count, 20)
    ]


# RFC 9562: the two highest bits of the fourth group are 10.
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
