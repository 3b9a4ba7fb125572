"""Health by progress: a loop that stands still or work that does not move is not alive."""

import asyncio
import logging
import os
import threading
import time
from collections.abc import Awaitable, Callable, Sequence

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

from shared.logs import describe

logger = logging.getLogger(__name__)

BEAT_SECONDS = 1.0
STALE_BEAT_SECONDS = 5.0
STUCK_EXIT_CODE = 70


class HealthTimes(msgspec.Struct, frozen=True):
    """How long something may stand still before it is told, or ends the process."""

    # A loop stuck for this long cannot even answer a probe: the watchdog ends the process.
    stuck_seconds: float = 15.0
    # Work that waits this long while nothing is finished means that a consumer is dead.
    no_progress_seconds: float = 60.0
    # Whoever says so long that it is not alive, ends: a container engine starts anew what has
    # ended, and only marks what is not healthy.
    dead_seconds: float = 120.0


messages_total = Counter(
    "billing_messages_total", "Messages by consumer and outcome", ["consumer", "outcome"]
)
requests_total = Counter(
    "billing_requests_total", "Requests answered by operation and outcome", ["operation", "outcome"]
)
request_seconds = Histogram("billing_request_seconds", "Time to answer a request", ["operation"])
dead_letters_parked = Gauge("billing_dead_letters_parked", "Letters that wait for an operator")
outbox_waiting = Gauge("billing_outbox_waiting", "Events committed and not yet on the bus")
outbox_age = Gauge("billing_outbox_age_seconds", "Since the oldest event that is not on the bus")
steps_parked = Gauge("billing_steps_parked", "Steps that wait for an operator")
consumer_pending = Gauge("billing_consumer_pending", "Messages that wait on the bus", ["consumer"])

Check = Callable[[], Awaitable[str | None]]


class Progress:
    """What one consumer or job has got done; it is stuck when work waits and nothing moves."""

    def __init__(self, name: str, limit_seconds: float) -> None:
        self.name = name
        self.is_gone = False
        # What this process waits for, and would not get by starting anew.
        self.excuses: set[str] = set()
        self._limit_seconds = limit_seconds
        self._waiting = 0
        self._begun = 0
        self._moved_at = time.monotonic()

    def waits(self, count: int) -> None:
        """So much work waits that nobody has begun."""
        if count and not self._has_work():
            self.moved()  # it has not waited before
        self._waiting = count

    def begun(self) -> None:
        """A piece of work was begun."""
        if not self._has_work():
            self.moved()
        self._begun += 1

    def ended(self) -> None:
        """A piece of work was finished or given up."""
        self._begun -= 1
        self.moved()

    def moved(self) -> None:
        """Something was finished."""
        self._moved_at = time.monotonic()

    def problem(self) -> str | None:
        """What is wrong, if anything is."""
        if self.is_gone:
            return f"{self.name} was deleted from the bus"
        idle = time.monotonic() - self._moved_at
        if self._has_work() and not self.excuses and idle > self._limit_seconds:
            return f"{self.name} makes no progress"
        return None

    def _has_work(self) -> bool:
        return self._waiting > 0 or self._begun > 0


class Health:
    """What `/livez`, `/readyz` and `/metrics` answer, and the watchdog behind them."""

    def __init__(self, times: HealthTimes | None = None) -> None:
        self._times = times or HealthTimes()
        self._beat_at = time.monotonic()
        self._progress: list[Progress] = []
        self._checks: list[tuple[str, Check]] = []
        self._done = threading.Event()
        self.starting = False
        self.draining = False
        # A loop that should never end has ended.
        self.ended: list[str] = []

    def follow(self, name: str) -> Progress:
        """Watch the progress of a consumer or job."""
        progress = Progress(name, self._times.no_progress_seconds)
        self._progress.append(progress)
        return progress

    def require(self, name: str, check: Check) -> None:
        """Be ready only while `check` answers None; otherwise it answers what is wrong."""
        self._checks.append((name, check))

    def guard_process(self) -> None:
        """End this process when its loop is stuck, or when it has not been alive for long; not
        for a loop that shares its process.
        """
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    async def beat(self) -> None:
        """Show that the event loop turns, until canceled."""
        try:
            while True:
                self._beat_at = time.monotonic()
                await asyncio.sleep(BEAT_SECONDS)
        finally:
            self._done.set()

    def _watch(self) -> None:
        looked_at = lived_at = time.monotonic()
        while not self._done.wait(BEAT_SECONDS):
            now = time.monotonic()
            paused = now - looked_at > 2 * BEAT_SECONDS
            looked_at = now
            # After a pause of the whole process the loop has had no chance to beat either.
            if not paused and now - self._beat_at > self._times.stuck_seconds:
                logger.critical("event loop stuck, ending the process")
                os._exit(STUCK_EXIT_CODE)
            problems = self.live_problems()
            if paused or not problems:
                lived_at = now
            elif now - lived_at > self._times.dead_seconds:
                told = {"problems": problems}
                logger.critical("not alive, ending the process", extra={"fields": told})
                os._exit(STUCK_EXIT_CODE)

    def live_problems(self) -> Sequence[str]:
        """Why this process should be restarted; empty when it should not."""
        problems = [problem for each in self._progress if (problem := each.problem())]
        problems += [f"{name} has ended" for name in self.ended]
        if time.monotonic() - self._beat_at > STALE_BEAT_SECONDS:
            problems.append("event loop does not turn")
        return problems

    async def ready_problems(self) -> Sequence[str]:
        """Why this process should get no work now; empty when it may."""
        if self.draining or self.starting:
            return ["draining" if self.draining else "starting"]
        found = await asyncio.gather(*(self._checked(check) for _, check in self._checks))
        return [
            f"{name}: {problem}"
            for (name, _), problem in zip(self._checks, found, strict=True)
            if problem
        ]

    async def _checked(self, check: Check) -> str | None:
        try:
            async with asyncio.timeout(2):
                return await check()
        except Exception as error:  # noqa: BLE001 -- whatever it is, it is told
            return describe(error)

    async def answer(self, path: str) -> tuple[int, str, bytes]:
        """Status, content type and body for a health path; 404 for any other."""
        if path == "/metrics":
            return 200, CONTENT_TYPE_LATEST, generate_latest(REGISTRY)
        if path not in {"/livez", "/readyz"}:
            return 404, "text/plain", b"not found\n"
        live = path == "/livez"
        problems = self.live_problems() if live else await self.ready_problems()
        body = msgspec.json.encode({"status": "fail" if problems else "ok", "problems": problems})
        return (503 if problems else 200), "application/json", body
