"""Running a service: connect, take work, show how it goes, and drain when told to stop."""

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any

import nats.errors
from alembic.script import ScriptDirectory
from faststream.asgi import AsgiFastStream
from faststream.middlewares import AckPolicy
from faststream.nats import JStream, NatsBroker, NatsCredentials, PullSub
from nats.aio.msg import Msg
from nats.js.errors import NotFoundError
from sqlalchemy import func, select, text

from shared.answers import forget_old_answers
from shared.bus import Bus, Puller, backoff_seconds, connection_options
from shared.clock import Clock, SystemClock
from shared.consumers import BatchHandler, Consumer, Splitter
from shared.database import Database, is_transient
from shared.dead_letters import count_parked
from shared.health import Health, Progress, consumer_pending, dead_letters_parked, outbox_waiting
from shared.logs import begin_trace
from shared.outbox import Relay, add_events
from shared.requests import Answerer
from shared.service import HeardEvent, Periodic, Service, TakenBatches
from shared.settings import ServiceSettings
from shared.stepped_requests import SteppedAnswer
from shared.steps import StepRunner
from shared.tables import outbox

logger = logging.getLogger(__name__)

MONITOR_SECONDS = 5.0
DRAIN_SECONDS = 20.0
# Batches of a hot consumer that one process works on at once: one computes while one commits.
IN_FLIGHT = 2


class Runtime:
    """One running process of a service."""

    def __init__(
        self, service: Service, settings: ServiceSettings, clock: Clock | None = None
    ) -> None:
        self.service = service
        self.settings = settings
        self.health = Health()
        self.database = Database(settings.database_url, clock or SystemClock(), service.name)
        self.bus: Bus
        self.relay: Relay
        options = connection_options(settings, service.name)
        credentials = options.pop("user_credentials")
        self._broker = NatsBroker(
            **options,
            security=NatsCredentials(credentials) if credentials else None,
            logger=None,
            apply_types=False,
        )
        self._consumers: dict[str, Consumer] = {}
        self._answerers: list[Answerer] = []
        self._pullers: list[Puller] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._workers: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()
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
            progress = self._progress[heard.durable.name]
            await self._consumers[heard.durable.name].process(raws)
            progress.moved()

        self._broker.subscriber(
            heard.durable.subject,
            stream=JStream(heard.durable.stream, declare=False),
            durable=heard.durable.name,
            pull_sub=PullSub(batch_size=100, timeout=0.1, batch=True),
            ack_policy=AckPolicy.MANUAL,
            decoder=whole_batch,
        )(receive)

    async def open(self) -> None:
        """Reach the database and the bus, waiting for what is not there yet."""
        self._progress: dict[str, Progress] = {}
        self._spawn(self.health.beat())
        await self._wait_for_database()
        for opened in self.service.opened:
            await self._held.enter_async_context(opened(self.database, self.settings))
        self.bus = await Bus.connect(self.settings, self.service.name)
        self.relay = Relay(self.database, self.bus)
        for heard in self.service.heard:
            self._add_consumer(heard.durable.name, heard.handler, None)
        for taken in self.service.taken:
            self._add_consumer(taken.durable.name, taken.handler, taken.split)
        self.health.require("database", self._database_problem)
        self.health.require("bus", self._bus_problem)

    def _add_consumer(self, name: str, handler: BatchHandler, split: Splitter | None) -> None:
        self._consumers[name] = Consumer(
            name, handler, self.database, self.bus, self.relay, split=split
        )
        self._progress[name] = self.health.follow(name)

    async def begin(self) -> None:
        """Take work: requests, batches, jobs, steps, and the outbox."""
        for answered in self.service.answered:
            answerer = Answerer(
                self.service.name,
                answered.kind,
                answered.handler,
                self.database,
                self.relay,
                writes=answered.writes,
            )
            await answerer.start(self.bus.connection)
            self._answerers.append(answerer)
        for taken in self.service.taken:
            await self._take(taken)
        self._spawn(self.relay.run())
        self._spawn(self._monitor())
        for periodic in (
            *self.service.periodic,
            Periodic("forget_old_answers", 3600, forget_old_answers),
        ):
            self._spawn(self._repeat(periodic))
        self._spawn(self._replay())
        if self.service.steps:
            await self._begin_steps()
        logger.info("service is taking work")

    async def _begin_steps(self) -> None:
        runner = StepRunner(self.database, self.relay, self.service.steps)
        for step in self.service.answering_steps:
            stepped = SteppedAnswer(step, self.database, runner)
            answerer = Answerer(
                self.service.name, step.request, stepped, self.database, self.relay, writes=True
            )
            await answerer.start(self.bus.connection)
            self._answerers.append(answerer)
        self._spawn(runner.run())

    async def _take(self, taken: TakenBatches) -> None:
        puller = Puller(self.bus, taken.durable, taken.max_messages, taken.max_bytes)
        await puller.start()
        self._pullers.append(puller)
        for _ in range(IN_FLIGHT):
            self._workers.append(asyncio.create_task(self._work(puller, taken)))

    async def _work(self, puller: Puller, taken: TakenBatches) -> None:
        consumer = self._consumers[taken.durable.name]
        progress = self._progress[taken.durable.name]
        while not self._stopping.is_set():
            try:
                batch = await puller.next_batch(wait_seconds=1.0)
                if batch:
                    begin_trace()
                    await consumer.process(batch)
                    progress.moved()
            except Exception:
                # Nothing was acknowledged, so the messages come again.
                logger.exception("batch failed")
                await asyncio.sleep(1.0)

    async def _repeat(self, periodic: Periodic) -> None:
        name = f"{self.service.name}.{periodic.name}"
        progress = self.health.follow(name)
        progress.waiting = 1
        attempt = 0
        while True:
            try:
                await self._do(periodic, name)
                attempt = 0
            except Exception as error:
                attempt += 1
                if not is_transient(error):
                    logger.exception("job failed", extra={"fields": {"job": name}})
                await asyncio.sleep(backoff_seconds(attempt))
            else:
                progress.moved()
                await self._pause(periodic.seconds, progress)

    async def _pause(self, seconds: float, progress: Progress) -> None:
        """Wait for a job's next turn; waiting is not being stuck."""
        while seconds > 0:
            await asyncio.sleep(min(seconds, MONITOR_SECONDS))
            seconds -= MONITOR_SECONDS
            progress.moved()

    async def _do(self, periodic: Periodic, name: str) -> None:
        lock = func.pg_try_advisory_xact_lock(func.hashtextextended(name, 0))
        async with self.database.transaction() as db:
            # An optimisation only: the job itself is idempotent.
            if (await db.execute(select(lock))).scalar_one():
                begin_trace()
                events = await periodic.job(db)
                await add_events(db, events)
        self.relay.wake()

    async def _replay(self) -> None:
        while True:
            try:
                replayed = [await each.replay_one() for each in self._consumers.values()]
            except Exception as error:
                if not is_transient(error):
                    logger.exception("replay failed")
                replayed = []
            if not any(replayed):
                await asyncio.sleep(1.0)

    async def _monitor(self) -> None:
        js = self.bus.connection.jetstream()
        while True:
            try:
                for durable in self.service.durables:
                    info = await js.consumer_info(durable.stream, durable.name)
                    waiting = (info.num_pending or 0) + (info.num_ack_pending or 0)
                    self._progress[durable.name].waiting = waiting
                    consumer_pending.labels(durable.name).set(waiting)
                async with self.database.read() as db:
                    dead_letters_parked.set(await count_parked(db))
                    counted = await db.execute(select(func.count()).select_from(outbox))
                    outbox_waiting.set(counted.scalar_one())
            except NotFoundError:
                logger.error("a consumer is missing on the bus: declare the topology again")  # noqa: TRY400
            except Exception as error:
                if not (is_transient(error) or isinstance(error, nats.errors.Error)):
                    logger.exception("monitor failed")
            await asyncio.sleep(MONITOR_SECONDS)

    async def _wait_for_database(self) -> None:
        attempt = 0
        while problem := await self._reach_database():
            attempt += 1
            logger.warning("waiting for the database", extra={"fields": {"problem": problem}})
            await asyncio.sleep(backoff_seconds(attempt, longest=2.0))

    async def _reach_database(self) -> str | None:
        try:
            return await self._database_problem()
        except Exception as error:
            if not is_transient(error):
                logger.exception("database refuses")
            return repr(error)[:200]

    async def _database_problem(self) -> str | None:
        head = ScriptDirectory(
            str(self.service.versions), version_locations=[str(self.service.versions)]
        ).get_current_head()
        async with self.database.read() as db:
            found = await db.execute(text("SELECT version_num FROM alembic_version"))
            version = found.scalar_one_or_none()
        return None if version == head else f"migrations at {version}, this code needs {head}"

    async def _bus_problem(self) -> str | None:
        if not self.bus.connection.is_connected:
            return "not connected"
        js = self.bus.connection.jetstream()
        for durable in self.service.durables:
            try:
                await js.consumer_info(durable.stream, durable.name)
            except NotFoundError:
                return f"consumer {durable.name} is missing"
        return None

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(work))

    async def drain(self) -> None:
        """Take nothing new, finish what was begun, and hand the rest to other replicas."""
        self.health.draining = True
        self._stopping.set()
        for answerer in self._answerers:
            await answerer.stop()
        if self._workers:
            await asyncio.wait(self._workers, timeout=DRAIN_SECONDS)
        for puller in self._pullers:
            await puller.stop()

    async def close(self) -> None:
        """Let go of the bus and the database."""
        for task in (*self._workers, *self._tasks):
            task.cancel()
        await asyncio.gather(*self._workers, *self._tasks, return_exceptions=True)
        await self._held.aclose()
        await self.bus.close()
        await self.database.close()
        logger.info("service has stopped")
