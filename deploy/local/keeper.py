"""Keeps parts running: starts them, restarts what dies, stops everything in the end."""

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from deploy.embedded import ServerFailed
from deploy.local.parts import Part, Probed
from deploy.local.screen import Screen

POLL_SECONDS = 0.2
# How often a part is asked whether it lives, and how many times in a row it may say no.
PROBE_SECONDS = 10.0
MOST_FAILURES = 6
# A part that dies more often than this is given up.
MAX_RESTARTS = 5
WITHIN_SECONDS = 300
FIRST_WAIT_SECONDS = 0.5
LOG_LINES = 10
LOG_TAIL_BYTES = 8000


class GivenUp(Exception):
    """A part dies again and again; the message is a sentence for the user."""


class Keeper:
    """Parts in the order in which they were started, which is the reverse of how they stop."""

    def __init__(self, screen: Screen, logs: Path) -> None:
        self._screen = screen
        self._logs = logs
        self._groups: list[dict[str, Part]] = []
        self._starting: set[asyncio.Future[None]] = set()
        self._deaths: dict[str, deque[float]] = defaultdict(deque)
        # A part's calls block, each for as long as its server takes.
        self._threads = ThreadPoolExecutor(max_workers=64, thread_name_prefix="part")
        self._stopping = False

    async def start(self, parts: Mapping[str, Part]) -> None:
        """Start parts side by side; raises ServerFailed for the first that does not come up."""
        self._groups.append(dict(parts))
        await asyncio.gather(*(self._start(name, part) for name, part in parts.items()))

    async def _start(self, name: str, part: Part) -> None:
        self._screen.begin(name)
        await self._call(part.start)
        self._screen.done(name)

    def _call(self, act: Callable[[], None]) -> asyncio.Future[None]:
        """Run a blocking call, which goes on when the one who waits for it is canceled."""
        if self._stopping:
            raise ServerFailed("Everything is being stopped.")
        future = asyncio.get_running_loop().run_in_executor(self._threads, act)
        self._starting.add(future)
        future.add_done_callback(self._started)
        return asyncio.shield(future)

    def _started(self, future: asyncio.Future[None]) -> None:
        self._starting.discard(future)
        # While everything is stopped nobody waits for it any more.
        _ = future.exception()

    async def watch(self) -> None:
        """Restart what dies, for ever; raises GivenUp when one part dies too often."""
        parts = {name: part for group in self._groups for name, part in group.items()}
        try:
            async with asyncio.TaskGroup() as group:
                for name, part in parts.items():
                    group.create_task(self._watch(name, part))
        except* GivenUp as failures:
            raise failures.exceptions[0] from None

    async def _watch(self, name: str, part: Part) -> None:
        failures, probed_at = 0, time.monotonic()
        while True:
            await asyncio.sleep(POLL_SECONDS)
            if part.is_running and time.monotonic() - probed_at >= PROBE_SECONDS:
                failures = 0 if await self._is_alive(part) else failures + 1
                probed_at = time.monotonic()
                if failures >= MOST_FAILURES:
                    self._screen.say(f"{name} runs, and is not alive.", style="red")
                    await self._call(part.kill)
            if not part.is_running:
                self._screen.say(f"{name} has died. {self._last_lines(name)}", style="red")
                await self._restart(name, part)
                failures, probed_at = 0, time.monotonic()

    async def _is_alive(self, part: Part) -> bool:
        if not isinstance(part, Probed):
            return True
        return await asyncio.get_running_loop().run_in_executor(self._threads, part.is_alive)

    async def _restart(self, name: str, part: Part) -> None:
        while True:
            wait = self._next_wait(name)
            self._screen.say(f"{name} is started again in {wait:g} s.", style="yellow")
            await asyncio.sleep(wait)
            try:
                await self._call(part.start)
            except ServerFailed as error:
                self._screen.say(str(error), style="red")
            else:
                self._screen.say(f"{name} is ready again.", style="green")
                return

    def _next_wait(self, name: str) -> float:
        deaths, now = self._deaths[name], time.monotonic()
        while deaths and now - deaths[0] > WITHIN_SECONDS:
            deaths.popleft()
        deaths.append(now)
        if len(deaths) > MAX_RESTARTS:
            raise GivenUp(
                f"{name} has failed {len(deaths)} times in {WITHIN_SECONDS // 60} minutes and is "
                f"not started again; its log is {self._log(name)}."
            )
        return float(FIRST_WAIT_SECONDS * 2 ** (len(deaths) - 1))

    async def stop(self) -> None:
        """Drain everything, the last started first; waits for what is just being started."""
        self._stopping = True
        while self._starting or self._running():
            for group in reversed(self._groups):
                await asyncio.gather(
                    *(self._stop(name, part) for name, part in group.items() if part.is_running)
                )
            await asyncio.sleep(POLL_SECONDS if self._starting else 0)
        self._threads.shutdown()

    def _running(self) -> bool:
        return any(part.is_running for group in self._groups for part in group.values())

    async def _stop(self, name: str, part: Part) -> None:
        self._screen.begin(name, "stopping")
        await asyncio.get_running_loop().run_in_executor(self._threads, part.stop)
        self._screen.done(name, "stopped")

    def kill(self) -> None:
        """End everything at once, for those who cannot wait."""
        for group in reversed(self._groups):
            for part in group.values():
                part.kill()

    def _log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def _last_lines(self, name: str) -> str:
        """The end of a part's log."""
        log = self._log(name)
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - LOG_TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()[-LOG_LINES:]
        return "\n".join([f"{log} ends with:", *lines])
