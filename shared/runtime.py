"""Running a service: connect, take work, show how it goes, and drain when told to stop."""

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from typing import Any

import msgspec
import nats.errors
from faststream.asgi import AsgiFastStream
from faststream.nats import NatsBroker
from nats.aio.client import Client

from shared.arrival import ServiceArrival
from shared.bus import Bus, backoff_seconds, disconnect
from shared.clock import Clock, TravelClock, clock_of
from shared.consumers import Consumer, Ladder
from shared.database import Database, is_transient
from shared.health import Check, Health, HealthTimes, Progress
from shared.jobs import FORGET_SECONDS, Migrations, Monitor, forget_old_rows, repeat, replay
from shared.logs import begin_trace, describe
from shared.outbox import Relay
from shared.pulling import Puller
from shared.requests import AT_ONCE, Answerer, RequestHandler
from shared.service import Intake, Periodic, Service
from shared.settings import ServiceSettings, settings_as
from shared.stepped_requests import SteppedAnswer
from shared.steps import StepRunner, StepTimes
from shared.travel import Passenger

logger = logging.getLogger(__name__)

CANCEL_AGAIN_SECONDS = 0.5


class Times(msgspec.Struct, frozen=True):
    """How patient a process is; tests are less so."""

    ladder: Ladder = Ladder()
    steps: StepTimes = StepTimes()
    relay_lease_seconds: float = 30.0
    health: HealthTimes = HealthTimes()
    monitor_seconds: float = 5.0
    # What takes longer to finish is left to another replica; containers are given more than this.
    drain_seconds: float = 20.0


class Broker(NatsBroker):
    """FastStream's broker on a connection of ours, which waits for a bus that is away.

    Its own subscribers are not used: a pull that times out ends their task and lets fall what they
    had fetched (FastStream 0.7.8 with nats-py 2.16), which then comes again after the ack wait.
    """

    def __init__(self, settings: ServiceSettings, name: str) -> None:
        super().__init__(settings.nats_url, logger=None, apply_types=False)
        self._settings = settings
        self._name = name

    async def _connect(self) -> Client:
        connection = (await Bus.connect(self._settings, self._name)).connection
        self.config.connect(connection)
        return connection

    async def stop(self, *error: Any) -> None:
        """Disconnect, whether the bus is there or not."""
        if self._connection is not None:
            await disconnect(self._connection)
            self._connection = None
        await super().stop(*error)


class Runtime:
    """One running process of a service."""

    def __init__(
        self,
        service: Service,
        settings: ServiceSettings,
        clock: Clock | None = None,
        times: Times | None = None,
    ) -> None:
        self.service = service
        self.settings = settings_as(service.settings, settings)
        self.times = times or Times()
        self.health = Health(self.times.health)
        self.health.starting = True
        self.database = Database(settings.database_url, clock or clock_of(settings), service.name)
        self.bus: Bus
        self._broker = Broker(settings, service.name)
        self._free = asyncio.Semaphore(AT_ONCE)
        self._consumers: dict[str, Consumer] = {}
        self._progress: dict[str, Progress] = {}
        self._answerers: list[Answerer] = []
        self._pullers: list[Puller] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._workers: list[asyncio.Task[None]] = []
        self._steps = StepRunner(self.database, service.steps, self.times.steps)
        self._relay: Relay | None = None
        self._passenger: Passenger | None = None
        self._stopping = False
        self._held = AsyncExitStack()

    def app(self) -> AsgiFastStream:
        """The process as an ASGI application: health on HTTP, work on the bus."""
        return AsgiFastStream(
            self._broker,
            logger=None,
            asgi_routes=[(path, self._answer) for path in ("/livez", "/readyz", "/metrics")],
            on_startup=[self.open],
            after_startup=[self.begin],
            on_shutdown=[self.drain],
            after_shutdown=[self.close],
        )

    async def _answer(self, scope: Any, _receive: Any, send: Any) -> None:
        status, content_type, body = await self.health.answer(scope["path"])
        headers = [(b"content-type", content_type.encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def open(self) -> None:
        """Reach the database and the bus, waiting for what is not there yet."""
        self._spawn(self.health.beat())
        migrations = Migrations(self.service, self.database)
        await _wait_until("database", migrations.problem)
        self.health.require("database", migrations.problem)
        for opened in self.service.opened:
            await self._held.enter_async_context(opened(self.database, self.settings))
        self.bus = Bus(await self._broker.connect())
        self._held.enter_context(self.service.asks.over(self.bus))
        self._relay = Relay(
            self.database, self.bus, timedelta(seconds=self.times.relay_lease_seconds)
        )
        for intake in self.service.intakes:
            self._add_consumer(intake)
        monitor = Monitor(self.service, self.database, self.bus, self._progress)
        await _wait_until("bus", monitor.bus_problem)
        self.health.require("bus", monitor.bus_problem)
        self._spawn(monitor.run(self.times.monitor_seconds))

    def _add_consumer(self, intake: Intake) -> None:
        name = intake.durable.name
        progress = self._progress[name] = self.health.follow(name)
        self._consumers[name] = Consumer(
            name,
            intake.handler,
            self.database,
            self.bus,
            progress,
            split=intake.split,
            ladder=self.times.ladder,
        )

    async def begin(self) -> None:
        """Take work: requests, batches, jobs, steps, and the outbox."""
        for answered in self.service.answered:
            await self._answer_requests(answered.kind, answered.handler, writes=answered.writes)
        for step in self.service.answering_steps:
            stepped = SteppedAnswer(step, self.database, self._steps)
            await self._answer_requests(step.request, stepped, writes=True)
        for intake in self.service.intakes:
            await self._take(intake)
        if self._relay is not None:
            self._work_until_stopped(self._relay.run())
        if self.service.steps:
            self._work_until_stopped(self._steps.run())
        await self._begin_jobs()
        self._spawn(replay(list(self._consumers.values()), self.database))
        try:
            await self.bus.connection.flush()  # ready means that the server knows what we answer
        except nats.errors.Error as error:
            logger.warning("bus away", extra={"fields": {"error": repr(error)}})
        self.health.starting = False
        logger.info("service is taking work")

    async def _begin_jobs(self) -> None:
        forgetting = partial(forget_old_rows, kinds=self.service.steps)
        forget = Periodic("forget_old_rows", FORGET_SECONDS, forgetting)
        jobs = (*self.service.periodic, forget)
        for periodic in jobs:
            self._spawn(repeat(periodic, self.service.name, self.database, self.health))
        if isinstance(self.database.clock, TravelClock):
            arrival = ServiceArrival(
                self.service, jobs, self.database, self.bus, self._steps, self._answerers
            )
            self._passenger = Passenger(self.service.name, self.database.clock, arrival)
            await self._passenger.board(self.bus)

    async def _answer_requests(
        self, kind: type[Any], handler: RequestHandler | SteppedAnswer, *, writes: bool
    ) -> None:
        answerer = Answerer(
            self.service.name, kind, handler, self.database, self._free, writes=writes
        )
        await answerer.start(self.bus.connection)
        self._answerers.append(answerer)

    async def _take(self, intake: Intake) -> None:
        puller = Puller(self.bus, intake.durable, intake.max_messages, intake.max_bytes)
        await puller.start()
        self._pullers.append(puller)
        for _ in range(intake.at_once):
            self._work_until_stopped(self._work(puller, intake))

    async def _work(self, puller: Puller, intake: Intake) -> None:
        consumer = self._consumers[intake.durable.name]
        while not self._stopping:
            try:
                batch = await puller.next_batch(wait_seconds=1.0)
                if batch:
                    begin_trace()
                    await consumer.process(batch)
            except Exception:
                # Nothing was acknowledged, so the messages come again.
                logger.exception("batch failed")
                await asyncio.sleep(1.0)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=getattr(work, "__qualname__", None))
        task.add_done_callback(self._watch)
        self._tasks.append(task)

    def _work_until_stopped(self, work: Coroutine[Any, Any, None]) -> None:
        self._spawn(work)
        self._workers.append(self._tasks.pop())

    def _watch(self, task: asyncio.Task[None]) -> None:
        """None of these ends by itself; one that does takes the process with it."""
        error = None if task.cancelled() else task.exception()
        if not task.cancelled() and not self._stopping:
            logger.critical("loop has ended", exc_info=error)
            self.health.ended.append(task.get_name())

    async def drain(self) -> None:
        """Take nothing new, finish what was begun, and hand the rest to other replicas."""
        self.health.draining = True
        self._stopping = True
        try:
            async with asyncio.timeout(self.times.drain_seconds):
                await self._finish()
        except TimeoutError:
            logger.warning("stopping in the middle of work: it will be done again elsewhere")

    async def _finish(self) -> None:
        if self._passenger is not None:
            await self._passenger.leave()
        results = await asyncio.gather(
            *(answerer.stop() for answerer in self._answerers),
            *(puller.stop() for puller in self._pullers),
            self._steps.stop(),
            return_exceptions=True,
        )
        for error in results:
            if error is not None:
                logger.warning("not drained", extra={"fields": {"error": describe(error)[:200]}})
        # Last, because what has just been finished has facts to tell.
        if self._relay is not None:
            self._relay.stop()
        if self._workers:
            await asyncio.wait(self._workers)

    async def close(self) -> None:
        """Let go of the bus and the database."""
        left = {*self._workers, *self._tasks, *self._steps.under_way}
        left.update(*(answerer.under_way for answerer in self._answerers))
        # Again and again: asyncpg may answer a cancellation with an error that reads like a lost
        # connection, and then the work goes on (measured: one drain in ten).
        while left:
            for task in left:
                task.cancel()
            _, left = await asyncio.wait(left, timeout=CANCEL_AGAIN_SECONDS)
        await self._held.aclose()
        await self.database.close()
        logger.info("service has stopped")


async def _wait_until(what: str, check: Check) -> None:
    """Wait until a check has nothing to say."""
    attempt = 0
    while True:
        try:
            problem = await check()
        except Exception as error:
            problem = describe(error)[:200]
            if not (is_transient(error) or isinstance(error, nats.errors.Error)):
                logger.exception("refused")
        if problem is None:
            return
        attempt += 1
        logger.warning("waiting", extra={"fields": {"for": what, "problem": problem}})
        await asyncio.sleep(backoff_seconds(attempt, longest=2.0))
