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
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import httpx
import psutil
import pytest

from deploy.embedded.process import wait_until_dead
from deploy.local.__main__ import main
from deploy.local.options import PORTS
from tests.servers import free_port

ROOT = Path(__file__).parents[2]
# What a shell of a developer has and no child of ours needs.
CANARY = "CANARY_OF_THE_SHELL"
READY = "Ready after"
MOST_PROCESSES = 8


def free_ports() -> dict[str, int]:
    """A port for every setting; the services need one each, in a row."""
    return {name: free_port(MOST_PROCESSES if name == "SERVICES_PORT" else 1) for name in PORTS}


class LocalRun:
    """One run, begun when it is made."""

    def __init__(
        self,
        home: Path,
        *arguments: str,
        tty: bool = False,
        ports: dict[str, int] | None = None,
        before: Sequence[str] = (),
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.home = home
        self.ports = ports or free_ports()
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
                **(settings or {}),
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

    def wait_for(self, text: str, timeout_seconds: float = 90) -> str:
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

    def call_as_told(self, what: str = "/costs/summary") -> httpx.Response:
        """A curl that it prints, without curl."""
        *words, url = shlex.split(self.wait_for(what))[1:]
        options = list(zip(words[::2], words[1::2], strict=True))
        headers = dict(text.split(": ", 1) for option, text in options if option == "-H")
        body = next((text for option, text in options if option == "-d"), None)
        return httpx.request("POST" if body else "GET", url, headers=headers, content=body)

    def family(self) -> list[psutil.Process]:
        """Itself and all its children, and theirs."""
        own = psutil.Process(self.process.pid)
        return [own, *own.children(recursive=True)]

    def end(self, how: signal.Signals = signal.SIGINT) -> int:
        """Send a signal and wait; the exit code."""
        self.process.send_signal(how)
        try:
            return self.process.wait(90)
        finally:
            while not self._lines.empty():
                self.output.append(self._lines.get())


def refusal(
    home: Path,
    *arguments: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    **environment: str,
) -> str:
    """What the command says when it does not start."""
    ports = {name: str(port) for name, port in free_ports().items()}
    for name, value in ({"BILLING_HOME": str(home)} | ports | environment).items():
        monkeypatch.setenv(name, value)
    assert main(arguments) == 1
    return "".join(capsys.readouterr())


def alive(processes: list[psutil.Process], timeout_seconds: float = 5) -> list[psutil.Process]:
    """Those that still run, a moment being granted; one that nobody has collected is dead."""
    wait_until_dead(processes, timeout_seconds)
    return [each for each in processes if each.is_running() and each.status() != "zombie"]
