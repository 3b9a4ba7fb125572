"""Named places where a test may have a process die, as `kill -9` would have it, or stand still.

`FAILPOINTS=outbox.published:1,meter.committed:3` ends the process at the first and third passing;
`step.called:1:STOP` stops it until it is sent SIGCONT. Without the variable a point costs one look
into an empty dictionary.
"""

import os
import signal


def _parse(text: str) -> dict[str, tuple[int, signal.Signals]]:
    points: dict[str, tuple[int, signal.Signals]] = {}
    for item in filter(None, text.split(",")):
        name, _, how = item.partition(":")
        count, _, number = how.partition(":")
        points[name] = int(count or 1), signal.Signals[f"SIG{number or 'KILL'}"]
    return points


_armed = _parse(os.environ.get("FAILPOINTS", ""))


def arm(text: str) -> None:
    """Arm the points of a process that was not started with the variable."""
    _armed.update(_parse(text))


def failpoint(name: str) -> None:
    """Die or stop here, if this point is armed and its turn has come."""
    if not _armed or name not in _armed:
        return
    turns, number = _armed[name]
    _armed[name] = turns - 1, number
    if turns == 1:
        os.kill(os.getpid(), number)
