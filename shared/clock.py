"""The one source of time and of time-ordered ids, handed to whoever needs them."""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from shared.settings import Settings, SettingsError


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


def hourly(name: str, at: datetime) -> str:
    """An idempotency key for what is tried until it is done: a key answers for ever what it
    answered first, a "not now" too, so each hour has its own.
    """
    return f"{name}:{int(at.timestamp()) // 3600}"


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


class TravelClock:
    """The machine's clock and an offset, which a time machine alone moves, and only forward.

    `file` keeps the offset for processes that start later; whoever travels writes it.
    """

    def __init__(self, file: Path) -> None:
        self.offset = read_offset(file)

    def now(self) -> datetime:
        """The machine's time in UTC, so much later."""
        return datetime.now(UTC) + self.offset

    def travel(self, offset: timedelta) -> None:
        """Be so far ahead; time never runs back."""
        self.offset = max(self.offset, offset)


def read_offset(file: Path) -> timedelta:
    """How far ahead everybody is who was told of this file; nobody is before it is written."""
    return timedelta(microseconds=int(file.read_text()) if file.exists() else 0)


def write_offset(file: Path, offset: timedelta) -> None:
    """Have whoever starts from now on be so far ahead; a reader sees the old offset or the new."""
    new = file.with_suffix(".new")
    new.write_text(str(offset // timedelta(microseconds=1)))
    new.replace(file)


def clock_of(settings: Settings) -> Clock:
    """The clock that a process works by. Raises SettingsError for a time machine in production."""
    if settings.time_machine is None:
        return SystemClock()
    if settings.environment == "production":
        raise SettingsError("Setting TIME_MACHINE: nobody travels in time in production.")
    return TravelClock(Path(settings.time_machine))


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
