"""A producer's spool: events on disk, in a gapless sequence, until the bus has acknowledged them.

`append` belongs to the agent's threads, the rest to the one thread that publishes. What `append`
accepted is in the kernel's hands: it survives the death of the process. `sync` makes it survive a
power cut, and only what is synced is published, so that no sequence number is ever used twice.
"""

import os
import threading
from pathlib import Path

import msgspec

from shared.agent_client.reader import Batch, Reader
from shared.agent_client.segments import encode_line, segment_path, segments_in, whole_part

SEGMENT_BYTES = 4 * 1024 * 1024
# Longer than any honest wait. A signal handler that records while its own thread is recording
# would otherwise wait for ever.
LOCK_SECONDS = 2.0
_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC


class SpoolFull(Exception):
    """There is no room for another event, by our limit or the disk's."""


class SpoolBusy(Exception):
    """The spool is closed, or locked for longer than any write takes."""


class Owner(msgspec.Struct, frozen=True):
    """Whose events a producer holds: they may only be published on this agent's subject."""

    kind: str
    organization_id: str
    agent_id: str


class _Cursor(msgspec.Struct):
    acknowledged: int


class Spool:
    """One producer's folder, held by this process alone; the folder's name is the producer's."""

    def __init__(self, folder: Path, owner: Owner, max_bytes: int, lock_file: int = -1) -> None:
        """Open a folder that has a segment; `lock_file` is the descriptor that keeps others out."""
        self.folder = folder
        self.owner = owner
        self._max_bytes = max_bytes
        self._segment_bytes = min(SEGMENT_BYTES, max_bytes // 4)
        self._lock_file = lock_file
        self._lock = threading.Lock()
        self._in_doubt = False
        self._to_sync: list[int] = []
        self._segments = segments_in(folder)
        self.acknowledged = read_cursor(folder)
        self._open_tail()
        self.synced = self.last_sequence
        self._reader = Reader(folder, self.acknowledged + 1)

    @property
    def producer(self) -> str:
        """The name that the sequence numbers belong to."""
        return self.folder.name

    @property
    def pending(self) -> int:
        """Events that the bus has not acknowledged."""
        return self.last_sequence - self.acknowledged

    @property
    def next_unread(self) -> int:
        """The sequence number that `read` continues with."""
        return self._reader.next_sequence

    def _size_of(self, first_sequence: int) -> int:
        return segment_path(self.folder, first_sequence).stat().st_size

    def _open_tail(self) -> None:
        *older, first = self._segments
        self._older_bytes = sum(self._size_of(each) for each in older)
        found, self._tail_bytes = whole_part(self.folder, first)
        # A number that the bus has seen is never given to another event, whatever the disk lost.
        self.last_sequence = max(found, self.acknowledged)
        self._tail = os.open(segment_path(self.folder, first), _APPEND, 0o600)
        os.ftruncate(self._tail, self._tail_bytes)

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
            if self._older_bytes + self._tail_bytes + len(line) > self._max_bytes:
                raise SpoolFull(f"The spool has reached its limit of {self._max_bytes} bytes.")
            # Whatever interrupts us from here on, the next call makes file and numbers agree.
            self._in_doubt = True
            if self._tail_bytes >= self._segment_bytes:
                self._roll(sequence)
            self._write(line)
            self.last_sequence = sequence
            self._in_doubt = False
            return sequence
        finally:
            self._lock.release()

    def _roll(self, sequence: int) -> None:
        tail = os.open(segment_path(self.folder, sequence), _APPEND, 0o600)
        self._to_sync.append(self._tail)
        self._segments.append(sequence)
        self._older_bytes += self._tail_bytes
        self._tail, self._tail_bytes = tail, 0

    def _write(self, line: bytes) -> None:
        written = 0
        try:
            written = os.write(self._tail, line)
        finally:
            if written < len(line):
                os.ftruncate(self._tail, self._tail_bytes)
                self._in_doubt = False
        if written < len(line):
            raise SpoolFull("The disk is full.")
        self._tail_bytes += len(line)

    def _mend(self) -> None:
        """Make numbers and files agree after an append was interrupted halfway."""
        interrupted = self._tail
        known = self._segments[-1]
        self._segments += [first for first in segments_in(self.folder) if first > known]
        self._open_tail()
        self._to_sync.append(interrupted)
        self._in_doubt = False

    def sync(self) -> None:
        """Make everything appended so far durable, so that it may be published.

        Raises OSError when the disk cannot; what was appended may then be published all the same.
        """
        with self._lock:
            last, tail = self.last_sequence, self._tail
            rolled, self._to_sync = self._to_sync, []
        try:
            if last > self.synced and tail >= 0:
                for descriptor in [*rolled, tail]:
                    os.fsync(descriptor)
            if rolled:
                sync_folder(self.folder)
        finally:
            for descriptor in rolled:
                os.close(descriptor)
            self.synced = last

    def read(self, max_events: int, max_bytes: int) -> Batch | None:
        """The next synced events, not more and not longer (joined by commas); None at the end."""
        return self._reader.read(self.synced, max_events, max_bytes)

    def take_damaged(self) -> list[bytes]:
        """Lines that `read` passed over because they are not what was written."""
        damaged, self._reader.damaged = self._reader.damaged, []
        return damaged

    def acknowledge(self, sequence: int) -> None:
        """Remember that the bus has everything up to `sequence`; segments wholly below it go.

        Raises OSError when the cursor cannot be written, which costs a second sending at worst.
        """
        spent = [
            first
            for first, following in zip(self._segments, self._segments[1:], strict=False)
            if following <= sequence + 1 and first < self._reader.segment
        ]
        self.acknowledged = sequence
        for first in spent:
            with self._lock:
                self._segments.remove(first)
                self._older_bytes -= self._size_of(first)
            segment_path(self.folder, first).unlink()
        replacement = self.folder / "cursor.new"
        replacement.write_bytes(msgspec.json.encode(_Cursor(sequence)))
        replacement.replace(self.folder / "cursor")

    def close(self) -> None:
        """Let go of the files and of the folder; further appends are refused."""
        with self._lock:
            descriptors = [*self._to_sync, self._tail, self._lock_file]
            closed, self._to_sync, self._tail, self._lock_file = self._tail < 0, [], -1, -1
        if closed:
            return
        self._reader.close()
        for descriptor in descriptors:
            if descriptor >= 0:
                os.close(descriptor)

    def forget(self) -> None:
        """In a forked child: let go of the parent's folder, whose lock would else outlive it."""
        self._lock = threading.Lock()
        os.close(self._tail)
        os.close(self._lock_file)
        self._tail = self._lock_file = -1


def read_cursor(folder: Path) -> int:
    """What the bus has acknowledged; a lost cursor costs a second sending, never an event."""
    before_first = segments_in(folder)[0] - 1
    try:
        data = (folder / "cursor").read_bytes()
        return max(msgspec.json.decode(data, type=_Cursor).acknowledged, before_first)
    except (OSError, msgspec.MsgspecError, ValueError):
        return before_first


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
