"""A process dies or stops at a named place, at its turn, and nowhere else."""

import os
import signal
import subprocess
import sys

import psutil
import pytest

PROGRAM = """
from shared.failpoints import failpoint
for turn in range(3):
    failpoint("here")
    failpoint("elsewhere")
    print(turn, flush=True)
"""


def start(points: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "FAILPOINTS": points},
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    ("points", "code", "printed"),
    [
        ("", 0, "0\n1\n2\n"),
        ("other", 0, "0\n1\n2\n"),
        ("here", -signal.SIGKILL, ""),
        ("here:2", -signal.SIGKILL, "0\n"),
        ("other:1,elsewhere:3", -signal.SIGKILL, "0\n1\n"),
        ("here:4", 0, "0\n1\n2\n"),
    ],
)
def test_a_process_dies_at_the_turn_it_was_told(points: str, code: int, printed: str) -> None:
    process = start(points)
    assert process.communicate(timeout=20)[0] == printed
    assert process.returncode == code


def test_a_process_stops_until_it_is_told_to_go_on() -> None:
    process = start("here:2:STOP")
    assert process.stdout is not None
    assert process.stdout.readline() == "0\n"
    while psutil.Process(process.pid).status() != psutil.STATUS_STOPPED:
        assert process.poll() is None
    process.send_signal(signal.SIGCONT)
    assert process.communicate(timeout=20)[0] == "1\n2\n"
    assert process.returncode == 0
