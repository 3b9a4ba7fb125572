"""Services as processes of their own, to be killed and started again."""

import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from deploy.embedded.process import MYSELF, launch_command
from tests.servers import free_port
from tests.stack import Stack

READY_SECONDS = 60.0
STOP_SECONDS = 40.0

_nursery = multiprocessing.get_context("forkserver")
_nursery.set_forkserver_preload(["tests.hatched"])


class Process(ABC):
    """One replica; it dies with this process, and it may be killed sooner."""

    def __init__(self, stack: Stack, name: str, log: Path, **environment: str) -> None:
        """`name` is the service's; `environment` is put on top of what the stack gives it.

        Without a port in it, it has another one whenever it starts.
        """
        self.name = name
        self._own_port = int(environment.get("HTTP_PORT", 0))
        self._log = log
        self._environment = {
            **stack.environment(name),
            "LOG_LEVEL": "WARNING",
            **environment,
        }
        self._port = 0

    @abstractmethod
    def _start(self, environment: dict[str, str]) -> None:
        """Become a process with this environment."""

    @property
    @abstractmethod
    def pid(self) -> int:
        """The process's id, dead or alive."""

    @property
    @abstractmethod
    def exit_code(self) -> int | None:
        """None while it runs."""

    def start(self, failpoints: str = "") -> None:
        """Start it; `failpoints` as in `shared.failpoints`. It is not waited for."""
        self._port = self._own_port or free_port()
        port = str(self._port)
        self._start({**self._environment, "HTTP_PORT": port, "FAILPOINTS": failpoints})

    async def ready(self) -> None:
        """Wait until it takes work."""
        deadline = time.monotonic() + READY_SECONDS
        while not await asyncio.to_thread(self._is_ready):
            if self.exit_code is not None or time.monotonic() > deadline:
                raise TimeoutError(f"{self.name} is not ready:\n{self._log.read_text()[-2000:]}")
            await asyncio.sleep(0.1)

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(self._url("/readyz"), timeout=2):
                return True
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def handled(self) -> int:
        """How many messages it has handled, by its own metrics."""
        with urllib.request.urlopen(self._url("/metrics"), timeout=5) as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith("billing_messages_total{") and 'outcome="handled"' in line:
                    return int(float(line.rpartition(" ")[2]))
        return 0

    def _url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._port}{path}"

    def signal(self, number: int) -> bool:
        """Send a signal; whether there was anybody to get it."""
        if self.exit_code is not None:
            return False
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return False
        return True

    async def kill(self) -> bool:
        """`kill -9`; whether it was running."""
        was_running = self.signal(signal.SIGKILL)
        await self.ended(10)
        return was_running

    async def stop(self) -> int | None:
        """Ask it to drain and wait; its exit code."""
        self.signal(signal.SIGTERM)
        await self.ended(STOP_SECONDS)
        return self.exit_code

    async def ended(self, timeout_seconds: float) -> int | None:
        """Wait until it has ended; its exit code, None if it has not in time."""
        deadline = time.monotonic() + timeout_seconds
        while self.exit_code is None and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        return self.exit_code


class Deployed(Process):
    """The service's own command."""

    _process: "subprocess.Popen[bytes]"

    def _start(self, environment: dict[str, str]) -> None:
        program = [sys.executable, "-m", f"services.{self.name}"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                launch_command(program, Path.cwd(), MYSELF, signal.SIGKILL),
                stdout=log,
                stderr=log,
                env={**environment, "PYTHONPATH": str(Path.cwd())},
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        return self._process.poll()


class Hatched(Process):
    """The same as `tests.hatched` has it: less patient, and back at once after it was killed."""

    _process: "multiprocessing.context.ForkServerProcess"

    def _start(self, environment: dict[str, str]) -> None:
        from tests import hatched

        arguments = (self.name, environment, str(self._log))
        self._process = _nursery.Process(target=hatched.run, args=arguments, daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    @property
    def exit_code(self) -> int | None:
        return self._process.exitcode


@asynccontextmanager
async def running(
    stack: Stack, name: str, log: Path, failpoints: str = "", **environment: str
) -> AsyncIterator[Process]:
    """A hatched process that is dead afterwards."""
    process = Hatched(stack, name, log, **environment)
    process.start(failpoints)
    try:
        yield process
    finally:
        await process.kill()
