"""Running a service: connect, take work, show how it goes, and drain when told to stop."""

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import msgspec
import nats.errors
from faststream.asgi import AsgiFastStream
from faststream.middlewares import AckPolicy
from faststream.nats import JStream, NatsBroker, NatsCredentials, PullSub
from nats.aio.msg import Msg

from shared.bus import Bus, backoff_seconds, connection_options
from shared.clock import Clock, SystemClock
from shared.consumers import BatchHandler, Consumer, Ladder, Splitter
from shared.database import Database, is_transient
from shared.health import NO_PROGRESS_SECONDS, STUCK_SECONDS, Check, Health, Progress
from shared.jobs import FORGET_SECONDS, Migrations, Monitor, forget_old_rows, repeat, replay
from shared.logs import begin_trace
from shared.outbox import Relay
from shared.pulling import Puller
from shared.requests import AT_ONCE, Answerer, RequestHandler
from shared.service import HeardEvent, Periodic, Service, TakenBatches
from shared.settings import ServiceSettings
from shared.stepped_requests import SteppedAnswer
from shared.steps import StepRunner, StepTimes

logger = logging.getLogger(__name__)

DRAIN_SECONDS = 20.0
CANCEL_AGAIN_SECONDS = 0.5
# Batches of a hot consumer that one process works on at once: one computes while one commits.
IN_FLIGHT = 2


class Times(msgspec.Struct, frozen=True):
    """How patient a process is; tests are less so."""

    ladder: Ladder = Ladder()
    steps: StepTimes = StepTimes()
    relay_lease_seconds: float = 30.0
    stuck_seconds: float = STUCK_SECONDS
    no_progress_seconds: float = NO_PROGRESS_SECONDS
    monitor_seconds: float = 5.0


class Broker(NatsBroker):
    """FastStream's broker, which at its end puts up with a bus that is away."""

    async def stop(self, *error: Any) -> None:
        """Stop subscribers, then disconnect."""
        try:
            await super().stop(*error)
        except nats.errors.Error as problem:
            logger.warning("bus away", extra={"fields": {"error": repr(problem)}})
            if self._connection is not None:
                await self._connection.close()


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
        self.settings = settings
        self.times = times or Times()
        self.health = Health(
            stuck_seconds=self.times.stuck_seconds,
            no_progress_seconds=self.times.no_progress_seconds,
        )
        self.health.starting = True
        self.database = Database(settings.database_url, clock or SystemClock(), service.name)
        self.bus: Bus
        self._options = connection_options(settings, service.name)
        self._broker = _broker(self._options)
        self._free = asyncio.Semaphore(AT_ONCE)
        self._consumers: dict[str, Consumer] = {}
        self._progress: dict[str, Progress] = {}
        self._answerers: list[Answerer] = []
        self._pullers: list[Puller] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._workers: list[asyncio.Task[None]] = []
        self._steps = StepRunner(self.database, service.steps, self.times.steps)
        self._relay: Relay | None = None
        self._stopping = False
        self._held = AsyncExitStack()
        for heard in service.heard:
            self._subscribe(heard)

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

    def _subscribe(self, heard: HeardEvent) -> None:
        async def whole_batch(message: Any, _original: Any = None) -> list[Msg]:
            raws: list[Msg] = message.raw_message
            return raws

        async def receive(raws: list[Msg]) -> None:
            try:
                await self._consumers[heard.durable.name].process(raws)
            except Exception:
                # FastStream would swallow it. What is not acknowledged comes again.
                logger.exception("batch failed", extra={"fields": {"name": heard.durable.name}})

        self._broker.subscriber(
            heard.durable.subject,
            stream=JStream(heard.durable.stream, declare=False),
            durable=heard.durable.name,
            pull_sub=PullSub(batch_size=100, timeout=0.1, batch=True),
            ack_policy=AckPolicy.MANUAL,
            decoder=whole_batch,
            # Its own default is an inbox that the bus does not let us hear.
            inbox_prefix=self._options["inbox_prefix"] + b".",
        )(receive)

    async def open(self) -> None:
        """Reach the database and the bus, waiting for what is not there yet."""
        self._spawn(self.health.beat())
        migrations = Migrations(self.service, self.database)
        await _wait_until("database", migrations.problem)
        self.health.require("database", migrations.problem)
        for opened in self.service.opened:
            await self._held.enter_async_context(opened(self.database, self.settings))
        self.bus = await Bus.connect(self.settings, self.service.name)
        self._relay = Relay(
            self.database, self.bus, timedelta(seconds=self.times.relay_lease_seconds)
        )
        for heard in self.service.heard:
            self._add_consumer(heard.durable.name, heard.handler, None)
        for taken in self.service.taken:
            self._add_consumer(taken.durable.name, taken.handler, taken.split)
        monitor = Monitor(self.service, self.database, self.bus, self._progress)
        await _wait_until("bus", monitor.bus_problem)
        self.health.require("bus", monitor.bus_problem)
        self._spawn(monitor.run(self.times.monitor_seconds))

    def _add_consumer(self, name: str, handler: BatchHandler, split: Splitter | None) -> None:
        progress = self._progress[name] = self.health.follow(name)
        self._consumers[name] = Consumer(
            name,
            handler,
            self.database,
            self.bus,
            progress,
            split=split,
            ladder=self.times.ladder,
        )

    async def begin(self) -> None:
        """Take work: requests, batches, jobs, steps, and the outbox."""
        for answered in self.service.answered:
            await self._answer_requests(answered.kind, answered.handler, writes=answered.writes)
        for step in self.service.answering_steps:
            stepped = SteppedAnswer(step, self.database, self._steps)
            await self._answer_requests(step.request, stepped, writes=True)
        for taken in self.service.taken:
            await self._take(taken)
        if self._relay is not None:
            self._workers.append(asyncio.create_task(self._relay.run()))
        if self.service.steps:
            self._workers.append(asyncio.create_task(self._steps.run()))
        forget = Periodic("forget_old_rows", FORGET_SECONDS, forget_old_rows)
        for periodic in (*self.service.periodic, forget):
            self._spawn(repeat(periodic, self.service.name, self.database, self.health))
        self._spawn(replay(list(self._consumers.values()), self.database))
        self.health.starting = False
        logger.info("service is taking work")

    async def _answer_requests(
        self, kind: type[Any], handler: RequestHandler | SteppedAnswer, *, writes: bool
    ) -> None:
        answerer = Answerer(
            self.service.name, kind, handler, self.database, self._free, writes=writes
        )
        await answerer.start(self.bus.connection)
        self._answerers.append(answerer)

    async def _take(self, taken: TakenBatches) -> None:
        puller = Puller(self.bus, taken.durable, taken.max_messages, taken.max_bytes)
        await puller.start()
        self._pullers.append(puller)
        for _ in range(IN_FLIGHT):
            self._workers.append(asyncio.create_task(self._work(puller, taken)))

    async def _work(self, puller: Puller, taken: TakenBatches) -> None:
        consumer = self._consumers[taken.durable.name]
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
        self._tasks.append(asyncio.create_task(work))

    async def drain(self) -> None:
        """Take nothing new, finish what was begun, and hand the rest to other replicas."""
        self.health.draining = True
        self._stopping = True
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                await self._finish()
        except TimeoutError:
            logger.warning("stopping in the middle of work: it will be done again elsewhere")

    async def _finish(self) -> None:
        results = await asyncio.gather(
            *(answerer.stop() for answerer in self._answerers),
            *(puller.stop() for puller in self._pullers),
            *(subscriber.stop() for subscriber in self._broker.subscribers),
            self._steps.stop(),
            return_exceptions=True,
        )
        for error in results:
            if error is not None:
                logger.warning("not drained", extra={"fields": {"error": repr(error)[:200]}})
        # Last, because what has just been finished has facts to tell.
        if self._relay is not None:
            self._relay.stop()
        if self._workers:
            await asyncio.wait(self._workers)

    async def close(self) -> None:
        """Let go of the bus and the database."""
        left = {*self._workers, *self._tasks}
        # Again and again: asyncpg may answer a cancellation with an error that reads like a lost
        # connection, and then the work goes on (measured: one drain in ten).
        while left:
            for task in left:
                task.cancel()
            _, left = await asyncio.wait(left, timeout=CANCEL_AGAIN_SECONDS)
        await asyncio.gather(*self._workers, *self._tasks, return_exceptions=True)
        await self._held.aclose()
        if hasattr(self, "bus"):
            await self.bus.close()
        await self.database.close()
        logger.info("service has stopped")


def _broker(options: dict[str, Any]) -> Broker:
    credentials = options["user_credentials"]
    return Broker(
        **{name: value for name, value in options.items() if name != "user_credentials"},
        security=NatsCredentials(credentials) if credentials else None,
        logger=None,
        apply_types=False,
        graceful_timeout=DRAIN_SECONDS,
    )


async def _wait_until(what: str, check: Check) -> None:
    """Wait until a check has nothing to say."""
    attempt = 0
    while True:
        try:
            problem = await check()
        except Exception as error:
            problem = repr(error)[:200]
            if not (is_transient(error) or isinstance(error, nats.errors.Error)):
                logger.exception("refused")
        if problem is None:
            return
        attempt += 1
        logger.warning("waiting", extra={"fields": {"for": what, "problem": problem}})
        await asyncio.sleep(backoff_seconds(attempt, longest=2.0))
