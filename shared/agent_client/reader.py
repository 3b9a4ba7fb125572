"""Reads a producer's segments in order, for sending; meets damage without stopping."""

import os
from pathlib import Path
from typing import NamedTuple

from shared.agent_client.segments import (
    LINE_OVERHEAD_BYTES,
    Line,
    lines_in,
    segment_path,
    segments_in,
)


class Batch(NamedTuple):
    """Events with consecutive sequence numbers."""

    first_sequence: int
    events: list[bytes]


class Reader:
    """A place in a producer's folder; `next_sequence` is the first number not read yet."""

    def __init__(self, folder: Path, next_sequence: int) -> None:
        self.damaged: list[bytes] = []
        self._folder = folder
        starts = segments_in(folder)
        self._open([first for first in starts if first <= next_sequence][-1])
        self.next_sequence = next_sequence
        for line in lines_in(segment_path(folder, self.segment).read_bytes()):
            if isinstance(line, Line) and line.sequence >= next_sequence:
                break
            self._offset = line.end

    def _open(self, first_sequence: int) -> None:
        path = segment_path(self._folder, first_sequence)
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.segment, self._offset = first_sequence, 0

    def read(self, through: int, max_events: int, max_bytes: int) -> Batch | None:
        """The next events up to sequence `through`, at most so many and so long joined by commas.

        A damaged line goes to `damaged`; its sequence number is missing, and the meter says so.
        """
        while self.next_sequence <= through:
            before = self._offset
            events: list[bytes] = []
            room = max_bytes
            for line in self._lines(max_bytes):
                fits = room >= len(line.event) and len(events) < max_events
                in_order = not events or line.sequence == self.next_sequence
                if not (fits and in_order and line.sequence <= through):
                    break
                events.append(line.event)
                room -= len(line.event) + 1
                self._offset, self.next_sequence = line.end, line.sequence + 1
            if events:
                return Batch(self.next_sequence - len(events), events)
            if self._offset == before and not self._next_segment():
                break
        return None

    def _lines(self, max_bytes: int) -> list[Line]:
        """Whole lines from here on, up to damage; damage at the very beginning is passed over."""
        data = os.pread(self._file, max_bytes + LINE_OVERHEAD_BYTES, self._offset)
        lines: list[Line] = []
        for line in lines_in(data, self._offset):
            if isinstance(line, Line):
                lines.append(line)
            elif lines:
                break
            else:
                self.damaged.append(line.raw)
                self._offset = line.end
        return lines

    def _next_segment(self) -> bool:
        later = [first for first in segments_in(self._folder) if first > self.segment]
        if later:
            self.close()
            self._open(later[0])
        return bool(later)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)
