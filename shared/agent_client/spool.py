"""A producer's spool: events on disk, in a gapless sequence, until the bus has acknowledged them.

`append` belongs to the agent's threads; everything else to the one thread that publishes. What
`append` accepted is in the kernel's hands: it survives the death of the process. `sync` makes it
survive a power cut, and only what is synced is published, so a sequence number is never reused.
"""

import os
import threading
from pathlib import Path
from typing import NamedTuple

import msgspec

from shared.agent_client.segments import (
    LINE_OVERHEAD_BYTES,
    Damage,
    encode_line,
    lines_in,
    recover,
    segment_path,
    segments_in,
)

SEGMENT_BYTES = 4 * 1024 * 1024
# Longer than any honest wait; a signal handler that records while its own thread does would
# otherwise wait for ever.
LOCK_SECONDS = 2.0
_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC


class SpoolFull(Exception):
    """There is no room for another event, by our limit or the disk's."""


class SpoolBusy(Exception):
    """The spool is locked for longer than any write takes, or closed."""


class Owner(msgspec.Struct, frozen=True):
    """Whose events a producer holds: they may only be published on this agent's subject."""

    kind: str
    organization_id: str
    agent_id: str


class Batch(NamedTuple):
    """Events with consecutive sequence numbers."""

    first_sequence: int
    events: list[bytes]


class _Cursor(msgspec.Struct):
    acknowledged: int


class Spool:
    """One producer's folder, held by this process alone."""

    def __init__(self, folder: Path, owner: Owner, max_bytes: int, lock_file: int = -1) -> None:
        """Open an existing folder; `lock_file` is the descriptor that keeps others out."""
        self.folder = folder
        self.owner = owner
        self.damaged: list[bytes] = []
        self._max_bytes = max_bytes
        self._segment_bytes = min(SEGMENT_BYTES, max_bytes // 4)
        self._lock_file = lock_file
        self._lock = threading.Lock()
        self._in_doubt = False
        self._to_sync: list[int] = []
        self._reading = -1
        self._open_tail()
        self.synced = self.last_sequence
        self._bytes = sum(segment_path(folder, first).stat().st_size for first in self._segments)
        self.acknowledged = self._read_cursor()
        self._seek(self.acknowledged + 1)

    @property
    def producer(self) -> str:
        """The name that the sequence numbers belong to."""
        return self.folder.name

    @property
    def pending(self) -> int:
        """Events that the bus has not acknowledged."""
        return self.last_sequence - self.acknowledged

    def _open_tail(self) -> None:
        self._segments = segments_in(self.folder)
        self._active = self._segments[-1]
        self.last_sequence, self._active_size = recover(self.folder, self._active)
        self._tail = os.open(segment_path(self.folder, self._active), _APPEND, 0o600)

    def append(self, event: bytes) -> int:
        """Keep an event and return its sequence number; the event holds no newline.

        Raises SpoolFull, SpoolBusy, or OSError; then nothing was kept.
        """
        if not self._lock.acquire(timeout=LOCK_SECONDS):
            raise SpoolBusy("The spool is locked.")
        try:
            if self._tail < 0:
                raise SpoolBusy("The client is closed.")
            if self._in_doubt:
                self._mend()
            sequence = self.last_sequence + 1
            line = encode_line(sequence, event)
            if self._bytes + len(line) > self._max_bytes:
                raise SpoolFull(f"The spool holds {self._bytes} bytes already.")
            self._in_doubt = True  # until the line and the numbers agree, whatever interrupts us
            if self._active_size >= self._segment_bytes:
                self._roll(sequence)
            self._write(line)
            self.last_sequence = sequence
            self._in_doubt = False
            return sequence
        finally:
            self._lock.release()

    def _write(self, line: bytes) -> None:
        if os.write(self._tail, line) != len(line):
            raise SpoolFull("The disk is full.")
        self._bytes += len(line)
        self._active_size += len(line)

    def _roll(self, sequence: int) -> None:
        tail = os.open(segment_path(self.folder, sequence), _APPEND, 0o600)
        self._to_sync.append(self._tail)
        self._tail, self._active, self._active_size = tail, sequence, 0
        self._segments.append(sequence)

    def _mend(self) -> None:
        """Make numbers and file agree after a write that failed or was interrupted."""
        size_before = self._active_size
        self._to_sync.append(self._tail)
        self._open_tail()
        self._bytes += self._active_size - size_before
        self._in_doubt = False

    def sync(self) -> None:
        """Make everything appended so far durable, so that it may be published.

        Raises OSError when the disk cannot; what was appended may be published all the same.
        """
        with self._lock:
            last, tail, rolled = self.last_sequence, self._tail, self._to_sync
            self._to_sync = []
        if last == self.synced or tail < 0:
            return
        try:
            for descriptor in [*rolled, tail]:
                os.fsync(descriptor)
            if rolled:
                self._sync_folder()
        finally:
            for descriptor in rolled:
                os.close(descriptor)
            self.synced = last

    def _sync_folder(self) -> None:
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def read(self, max_events: int, max_bytes: int) -> Batch | None:
        """The next synced events, at most so many and so long (joined by commas); None at the end.

        A damaged line goes to `damaged`; its sequence number is missing, and the meter will say so.
        """
        batch = Batch(self.next_sequence, [])
        room = max_bytes
        while self.next_sequence <= self.synced:
            data = os.pread(self._reading, max_bytes + LINE_OVERHEAD_BYTES, self._offset)
            for line in lines_in(data, self._offset):
                if isinstance(line, Damage):
                    self.damaged.append(line.raw)
                    self._offset = line.end
                    continue
                if not batch.events:
                    batch = Batch(line.sequence, batch.events)
                elif line.sequence != self.next_sequence:
                    return batch
                room -= len(line.event) + 1
                if room < 0 or len(batch.events) == max_events or line.sequence > self.synced:
                    return batch if batch.events else None
                batch.events.append(line.event)
                self._offset, self.next_sequence = line.end, line.sequence + 1
            if batch.events or not self._next_segment():
                break
        return batch if batch.events else None

    def _seek(self, sequence: int) -> None:
        """Make `read` begin with this sequence number."""
        starts = [first for first in self._segments if first <= sequence]
        self._open_for_reading(starts[-1] if starts else self._segments[0])
        self.next_sequence = max(sequence, self._read_segment)
        data = segment_path(self.folder, self._read_segment).read_bytes()
        for line in lines_in(data):
            if not isinstance(line, Damage) and line.sequence >= sequence:
                break
            self._offset = line.end

    def _next_segment(self) -> bool:
        later = [first for first in self._segments if first > self._read_segment]
        if later:
            self._open_for_reading(later[0])
        return bool(later)

    def _open_for_reading(self, first_sequence: int) -> None:
        if self._reading >= 0:
            os.close(self._reading)
        path = segment_path(self.folder, first_sequence)
        self._reading = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._read_segment, self._offset = first_sequence, 0

    def _read_cursor(self) -> int:
        """A lost cursor costs a second sending, never an event."""
        before_first = self._segments[0] - 1
        try:
            data = (self.folder / "cursor").read_bytes()
            cursor = msgspec.json.decode(data, type=_Cursor).acknowledged
        except (OSError, msgspec.MsgspecError):
            return before_first
        return min(max(cursor, before_first), self.last_sequence)

    def acknowledge(self, sequence: int) -> None:
        """Remember that the bus has everything up to `sequence`; whole segments below it go."""
        spent = [
            first
            for first, following in zip(self._segments, self._segments[1:], strict=False)
            if following <= sequence + 1 and first < self._read_segment
        ]
        replacement = self.folder / "cursor.new"
        with replacement.open("wb") as file:
            file.write(msgspec.json.encode(_Cursor(sequence)))
            if spent:
                file.flush()
                os.fsync(file.fileno())  # before what it stands for is deleted
        replacement.replace(self.folder / "cursor")
        self.acknowledged = sequence
        for first in spent:
            path = segment_path(self.folder, first)
            freed = path.stat().st_size
            path.unlink()
            with self._lock:
                self._segments.remove(first)
                self._bytes -= freed

    def close(self) -> None:
        """Let go of the files and of the folder; further appends are refused."""
        with self._lock:
            descriptors = [*self._to_sync, self._tail, self._reading, self._lock_file]
            self._to_sync, self._tail, self._reading, self._lock_file = [], -1, -1, -1
        for descriptor in descriptors:
            if descriptor >= 0:
                os.close(descriptor)
