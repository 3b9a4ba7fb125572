"""Named places where a test may have a process die, as `kill -9` would have it.

`FAILPOINTS=outbox.published:1,meter.committed:3` ends the process at the first and third passing.
Without the variable a point costs one look into an empty dictionary.
"""

import os
import signal


def _parse(text: str) -> dict[str, int]:
    points: dict[str, int] = {}
    for item in filter(None, text.split(",")):
        name, _, count = item.partition(":")
        points[name] = int(count or 1)
    return points


_armed = _parse(os.environ.get("FAILPOINTS", ""))


def failpoint(name: str) -> None:
    """Die here, if this point is armed and its turn has come."""
    if not _armed or name not in _armed:
        return
    _armed[name] -= 1
    if _armed[name] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
