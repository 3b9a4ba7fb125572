"""What could not be reported: unusable calls with their reason, and how many found no room.

Nothing of a call is lost silently: `rejected.jsonl` keeps it for a human, and `overflow.json`
counts what a full spool refused. Both lie in the producer's folder.
"""

import os
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

# Beyond this the calls are only counted: a bug in an agent must not fill its disk.
MAX_REJECTED_BYTES = 16 * 1024 * 1024
MAX_CALL_CHARACTERS = 20_000
_NOTICE_BYTES = 160
_CREATE = os.O_CREAT | os.O_CLOEXEC


class Overflow(msgspec.Struct):
    """How many calls a full spool has refused since the producer began, and when the last one."""

    lost_calls: int = 0
    last_at: datetime | None = None


class Losses:
    """The two files; every write is one system call, so that a killed process leaves it whole."""

    def __init__(self, folder: Path) -> None:
        self._notice = folder / "overflow.json"
        self._rejected = folder / "rejected.jsonl"
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Give the notice its room on disk while there is some."""
        self._write_notice(Overflow())

    def overflow(self) -> Overflow:
        """What the notice says; raises OSError or MsgspecError when it cannot be read."""
        return msgspec.json.decode(self._notice.read_bytes(), type=Overflow)

    def count_overflow(self, calls: int) -> None:
        """Add to the calls that found no room."""
        with self._lock:
            so_far = self.overflow().lost_calls
            self._write_notice(Overflow(so_far + calls, datetime.now(UTC)))

    def _write_notice(self, overflow: Overflow) -> None:
        text = msgspec.json.encode(overflow).ljust(_NOTICE_BYTES - 1) + b"\n"
        descriptor = os.open(self._notice, os.O_WRONLY | _CREATE, 0o600)
        try:
            os.pwrite(descriptor, text, 0)
        finally:
            os.close(descriptor)

    def reject(self, reason: str, call: object) -> None:
        """Keep an unusable call, as well as it can be written down. Raises OSError."""
        entry: dict[str, Any] = {"at": datetime.now(UTC), "reason": reason, "call": call}
        try:
            text = msgspec.json.encode(entry)
        except Exception:  # noqa: BLE001  an agent's object may fail in any way when it is read
            text = b""
        if not text or len(text) > MAX_CALL_CHARACTERS:
            entry["call"] = _description(call)[:MAX_CALL_CHARACTERS]
            text = msgspec.json.encode(entry)
        descriptor = os.open(self._rejected, os.O_WRONLY | os.O_APPEND | _CREATE, 0o600)
        try:
            if os.fstat(descriptor).st_size < MAX_REJECTED_BYTES:
                os.write(descriptor, text + b"\n")
        finally:
            os.close(descriptor)

    def rejected(self) -> int:
        """How many unusable calls are kept."""
        if not self._rejected.exists():
            return 0
        with self._rejected.open("rb") as file:
            return sum(1 for _ in file)


def _description(call: object) -> str:
    try:
        text = repr(call)
    except Exception as error:  # noqa: BLE001  so may its __repr__
        text = f"{type(call).__name__} ({error!r} when it was read)"
    return text.encode("ascii", "backslashreplace").decode("ascii")
