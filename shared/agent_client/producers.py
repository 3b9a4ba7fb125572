"""The producers of a spool directory: who owns each folder, and whether a living process holds it.

A process takes the first free folder of its agent or makes one. The other free ones belonged to
processes that died: it takes them too and sends what they left. A locked one is in use.
"""

import fcntl
import logging
import os
from pathlib import Path
from typing import NamedTuple

import msgspec

from shared.agent_client.calls import new_id
from shared.agent_client.losses import Losses
from shared.agent_client.segments import segment_path, segments_in
from shared.agent_client.spool import Owner, Spool, sync_folder

logger = logging.getLogger(__name__)


class Held(NamedTuple):
    """What a process works with: its own spool, and what dead processes left."""

    own: Spool
    adopted: list[Spool]


def take(root: Path, owner: Owner, max_bytes: int) -> Held:
    """Take an agent's free producers, or make the first one.

    Raises OSError when the directory cannot be used.
    """
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    spools = take_free(root, max_bytes, owner) or [_create(root, owner, max_bytes)]
    left = [spool for spool in spools[1:] if spool.pending]
    for spool in spools[1:]:
        if not spool.pending:
            spool.close()
    return Held(spools[0], left)


def take_free(root: Path, max_bytes: int, owner: Owner | None = None) -> list[Spool]:
    """Take every producer that no process holds, of one owner or of all.

    One that the disk has spoilt is passed over: it must not keep an agent from recording.
    """
    spools = []
    for folder in producers_in(root):
        found = owner_of(folder)
        if found and owner in {None, found} and (lock := _lock(folder)) is not None:
            try:
                spools.append(Spool(folder, found, max_bytes, lock))
            except OSError:
                os.close(lock)
                logger.exception("Events in %s cannot be read and stay there.", folder)
    return spools


def producers_in(root: Path) -> list[Path]:
    """The folders of all producers, oldest first."""
    return sorted(path.parent for path in root.glob("*/owner.json"))


def owner_of(folder: Path) -> Owner | None:
    """Whose events a folder holds; None when it cannot be told, and nobody may touch it then."""
    try:
        data = (folder / "owner.json").read_bytes()
        return msgspec.json.decode(data, type=Owner) if segments_in(folder) else None
    except (OSError, msgspec.MsgspecError, ValueError):
        return None


def is_held(folder: Path) -> bool:
    """Whether a living process holds a producer."""
    lock = _lock(folder)
    if lock is not None:
        os.close(lock)
    return lock is None


def _create(root: Path, owner: Owner, max_bytes: int) -> Spool:
    folder = root / new_id()
    folder.mkdir(mode=0o700)
    lock = _lock(folder)
    if lock is None:
        raise OSError(f"The new folder {folder} is locked.")
    Losses(folder).prepare()
    segment_path(folder, 1).touch(mode=0o600)
    # Last, because it makes the folder a producer in the eyes of other processes.
    with (folder / "owner.json").open("xb") as file:
        file.write(msgspec.json.encode(owner))
        file.flush()
        os.fsync(file.fileno())
    sync_folder(folder)
    sync_folder(root)
    return Spool(folder, owner, max_bytes, lock)


def _lock(folder: Path) -> int | None:
    """Hold a folder until the descriptor is closed or the process dies; None if another does."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
