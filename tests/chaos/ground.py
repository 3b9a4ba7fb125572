"""Servers of their own with replicas on them, all of which may be killed and come back."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
from nats.js import JetStreamContext

from deploy.bus_keys import BusKeys
from deploy.embedded import NatsServer, Postgres
from shared.bus import Bus
from shared.service import Service
from tests.processes import Hatched, Process
from tests.servers import Servers, start_nats, start_postgres
from tests.stack import Stack, build_stack

# A message that a killed replica held comes again after this; in production after half a minute.
ACK_WAIT_SECONDS = 3.0


@dataclass
class Ground:
    """Where everything is killed."""

    folder: Path
    postgres: Postgres
    nats: NatsServer
    stack: Stack
    replicas: list[Process] = field(default_factory=list)

    async def start(
        self, name: str, count: int = 1, kind: type[Process] = Hatched, **environment: str
    ) -> None:
        """Start replicas of a service and wait until they take work."""
        for number in range(count):
            log = self.folder / f"{name}-{number}.log"
            self.replicas.append(kind(self.stack, name, log, **environment))
            self.replicas[-1].start()
        await asyncio.gather(*(replica.ready() for replica in self.replicas))

    async def kill_replicas(self) -> None:
        for replica in self.replicas:
            await replica.kill()
        self.replicas.clear()

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
    async def tables(self, name: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
        """A service's tables as their owner sees them."""
        connection = await asyncpg.connect(self.stack.databases[name].owner_dsn)
        yield connection
        await connection.close()


@asynccontextmanager
async def ground(*services: Service) -> AsyncIterator[Ground]:
    """A ground that leaves nothing behind, prepared for these services."""
    folder = Path(tempfile.mkdtemp(prefix="billing-chaos-"))
    keys = BusKeys.load_or_create(folder / "keys")
    postgres = start_postgres(folder / "postgres")
    nats = start_nats(folder / "nats", keys)
    try:
        servers = Servers(postgres.dsn, nats.url, keys, postgres, nats)
        found = Ground(folder, postgres, nats, await build_stack(servers, folder, services))
        for service in services:
            await found.stack.redeliver_after(service, ACK_WAIT_SECONDS)
        try:
            yield found
        finally:
            await found.kill_replicas()
    finally:
        nats.kill()
        postgres.kill()
        shutil.rmtree(folder, ignore_errors=True)
