"""The spool's files: one line per event, in segments named after their first sequence number.

A line is `<sequence> <length> <crc32> <event>` and a newline. A process that is killed can tear
only the last line, and length and checksum show it.
"""

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

SUFFIX = ".events"
# What a line needs beside its event: two integers, a checksum, separators.
LINE_OVERHEAD_BYTES = 64


class Line(NamedTuple):
    """An event and the offset just behind its line."""

    sequence: int
    event: bytes
    end: int


class Damage(NamedTuple):
    """A complete line that is not what was written, and the offset just behind it."""

    raw: bytes
    end: int


def encode_line(sequence: int, event: bytes) -> bytes:
    """The line of an event; the checksum covers the sequence number too."""
    return b"%d %d %08x %b\n" % (sequence, len(event), _checksum(sequence, event), event)


def lines_in(data: bytes, offset: int = 0) -> Iterator[Line | Damage]:
    """The complete lines at the beginning of `data`, which was read at `offset` of its file."""
    start = 0
    while (newline := data.find(b"\n", start)) >= 0:
        raw = data[start:newline]
        start = newline + 1
        yield _parse(raw, offset + start) or Damage(raw, offset + start)


def _parse(raw: bytes, end: int) -> Line | None:
    try:
        sequence, length, checksum, event = raw.split(b" ", 3)
        whole = len(event) == int(length) and _checksum(int(sequence), event) == int(checksum, 16)
    except ValueError:
        return None
    return Line(int(sequence), event, end) if whole else None


def _checksum(sequence: int, event: bytes) -> int:
    return zlib.crc32(event, sequence & 0xFFFFFFFF)


def segment_path(folder: Path, first_sequence: int) -> Path:
    """Where the segment lies that begins with this sequence number."""
    return folder / f"{first_sequence:020d}{SUFFIX}"


def segments_in(folder: Path) -> list[int]:
    """The first sequence number of every segment, ascending."""
    return sorted(int(path.stem) for path in folder.glob(f"*{SUFFIX}") if path.stem.isdigit())


def whole_part(folder: Path, first_sequence: int) -> tuple[int, int]:
    """The last sequence number in a segment and where its line ends; what follows is torn.

    The sequence number is `first_sequence - 1` when the segment holds nothing.
    """
    last, end = first_sequence - 1, 0
    for line in lines_in(segment_path(folder, first_sequence).read_bytes()):
        if isinstance(line, Line):
            last, end = line.sequence, line.end
    return last, end
