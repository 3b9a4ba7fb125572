"""`python -m deploy.local` as a process of its own, in a home and on ports of its own."""

import os
import pty
import queue
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import httpx
import psutil

from deploy.embedded.process import wait_until_dead
from deploy.local.options import PORTS
from tests.servers import free_port

ROOT = Path(__file__).parents[2]
# What a shell of a developer has and no child of ours needs.
CANARY = "CANARY_OF_THE_SHELL"
READY = "Ready after"


class LocalRun:
    """One run, begun when it is made."""

    def __init__(
        self,
        home: Path,
        *arguments: str,
        tty: bool = False,
        ports: dict[str, int] | None = None,
        before: Sequence[str] = (),
        **environment: str,
    ) -> None:
        self.home = home
        self.ports = {name: free_port() for name in PORTS} | (ports or {})
        self.output: list[str] = []
        self._lines: queue.Queue[str] = queue.Queue()
        read, write = pty.openpty() if tty else os.pipe()
        self.process = subprocess.Popen(
            # Tied to us, so that a suite that is killed leaves nothing behind either.
            [*before, sys.executable, "-m", "deploy.local", "--stop-with-parent", *arguments],
            cwd=ROOT,
            env={
                "PATH": os.environ["PATH"],
                "TERM": "xterm",
                "BILLING_HOME": str(home),
                CANARY: "1",
                **{name: str(port) for name, port in self.ports.items()},
                **environment,
            },
            stdout=write,
            stderr=write,
            start_new_session=True,
        )
        os.close(write)
        threading.Thread(target=self._read, args=(read,), daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Whatever the test found, leave nothing behind."""
        self.process.kill()
        self.process.wait(30)

    def _read(self, descriptor: int) -> None:
        with os.fdopen(descriptor, errors="replace") as file:
            try:
                for line in file:
                    self._lines.put(line.rstrip())
            except OSError:  # A terminal says so when the last process on it has ended.
                return

    def wait_for(self, text: str, timeout_seconds: float = 30) -> str:
        """The first line from now on with this text; what came before it is in `output`."""
        deadline = time.monotonic() + timeout_seconds
        while True:
            try:
                line = self._lines.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                told = "\n".join(self.output)
                raise AssertionError(f"{text!r} did not come; what came:\n{told}") from None
            self.output.append(line)
            if text in line:
                return line

    def call_as_told(self) -> httpx.Response:
        """The curl that it prints, without curl."""
        curl = shlex.split(self.wait_for("curl -H"))
        name, _, value = curl[2].partition(": ")
        return httpx.get(curl[3], headers={name: value})

    def family(self) -> list[psutil.Process]:
        """Itself and all its children, and theirs."""
        own = psutil.Process(self.process.pid)
        return [own, *own.children(recursive=True)]

    def end(self, how: signal.Signals = signal.SIGINT) -> int:
        """Send a signal and wait; the exit code."""
        self.process.send_signal(how)
        try:
            return self.process.wait(60)
        finally:
            while not self._lines.empty():
                self.output.append(self._lines.get())


def alive(processes: list[psutil.Process], timeout_seconds: float = 5) -> list[psutil.Process]:
    """Those that still run, a moment being granted; one that nobody has collected is dead."""
    wait_until_dead(processes, timeout_seconds)
    return [each for each in processes if each.is_running() and each.status() != "zombie"]
