"""Servers of their own with meters on them, all of which may be killed and come back."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig

from deploy.bus_keys import BusKeys
from deploy.embedded import NatsServer, Postgres
from services.cost_metering.app import service as cost_metering
from shared.bus import Bus
from shared.contracts.base import event_subject
from shared.contracts.cost_metering import CostsRecorded
from shared.topology import EVENTS, USAGE
from tests.processes import Hatched, Process
from tests.servers import Servers, start_nats, start_postgres
from tests.stack import Stack, build_stack

# A message that a killed meter held comes again after this; in production after half a minute.
ACK_WAIT_SECONDS = 3.0
WITNESS = "witness"


@dataclass
class Arena:
    """Where everything is killed."""

    folder: Path
    postgres: Postgres
    nats: NatsServer
    stack: Stack
    meters: list[Process] = field(default_factory=list)

    async def start_meters(
        self, count: int, kind: type[Process] = Hatched, **environment: str
    ) -> None:
        """Start replicas and wait until they take work."""
        for number in range(len(self.meters), len(self.meters) + count):
            log = self.folder / f"meter-{number}.log"
            self.meters.append(kind(self.stack, cost_metering.name, log, **environment))
            self.meters[-1].start()
        await asyncio.gather(*(meter.ready() for meter in self.meters))

    async def kill_meters(self) -> None:
        for meter in self.meters:
            await meter.kill()
        self.meters.clear()

    async def clear(self) -> None:
        """Kill the meters and forget all they did."""
        await self.kill_meters()
        names = ", ".join(table.name for table in cost_metering.metadata.sorted_tables)
        async with self.tables() as tables, self.jetstream() as js:
            await tables.execute(f"TRUNCATE {names}")
            for stream in (USAGE, EVENTS):
                await js.purge_stream(stream.name or "")

    async def restart_postgres(self, down_seconds: float) -> None:
        await asyncio.to_thread(self.postgres.kill)
        await asyncio.sleep(down_seconds)
        await asyncio.to_thread(self.postgres.start)

    async def restart_nats(self, down_seconds: float) -> None:
        await asyncio.to_thread(self.nats.kill)
        await asyncio.sleep(down_seconds)
        await asyncio.to_thread(self.nats.start)

    @asynccontextmanager
    async def gateway(self) -> AsyncIterator[Bus]:
        bus = await self.stack.bus()
        yield bus
        await bus.close()

    @asynccontextmanager
    async def jetstream(self) -> AsyncIterator[JetStreamContext]:
        """The bus as a deployment sees it."""
        bus = await self.stack.bus("topology")
        yield bus.connection.jetstream()
        await bus.close()

    @asynccontextmanager
    async def tables(self) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
        """The meter's tables as their owner sees them."""
        connection = await asyncpg.connect(self.stack.databases["cost_metering"].owner_dsn)
        yield connection
        await connection.close()

    async def _prepare(self) -> None:
        """Have what a dead meter held come again soon, and keep what is announced."""
        await self.stack.redeliver_after(cost_metering, ACK_WAIT_SECONDS)
        async with self.jetstream() as js:
            subject = event_subject(CostsRecorded)
            witness = ConsumerConfig(durable_name=WITNESS, filter_subject=subject)
            await js.add_consumer(EVENTS.name or "", witness)


@asynccontextmanager
async def arena() -> AsyncIterator[Arena]:
    """An arena that leaves nothing behind."""
    folder = Path(tempfile.mkdtemp(prefix="billing-chaos-"))
    keys = BusKeys.load_or_create(folder / "keys")
    postgres = start_postgres(folder / "postgres")
    nats = start_nats(folder / "nats", keys)
    try:
        servers = Servers(postgres.dsn, nats.url, keys, postgres, nats)
        stack = await build_stack(servers, folder, (cost_metering,))
        found = Arena(folder, postgres, nats, stack)
        await found._prepare()
        try:
            yield found
        finally:
            await found.kill_meters()
    finally:
        nats.kill()
        postgres.kill()
        shutil.rmtree(folder, ignore_errors=True)
