"""Meters on servers of their own, and a witness of all that they announce."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nats.js.api import ConsumerConfig

from services.cost_metering.app import service as cost_metering
from shared.contracts.base import event_subject
from shared.contracts.cost_metering import CostsRecorded
from shared.topology import EVENTS, USAGE
from tests.chaos.ground import Ground, ground
from tests.processes import Hatched, Process

WITNESS = "witness"
METER = cost_metering.name


class Arena(Ground):
    """A ground with meters."""

    async def start_meters(
        self, count: int, kind: type[Process] = Hatched, **environment: str
    ) -> None:
        """Start replicas and wait until they take work."""
        await self.start(METER, count, kind, **environment)

    async def clear(self) -> None:
        """Kill the meters and forget all they did."""
        await self.kill_replicas()
        names = ", ".join(table.name for table in cost_metering.metadata.sorted_tables)
        async with self.tables(METER) as tables, self.jetstream() as js:
            await tables.execute(f"TRUNCATE {names}")
            for stream in (USAGE, EVENTS):
                await js.purge_stream(stream.name or "")

    async def keep_announcements(self) -> None:
        """Have the stream keep what is announced, for a consumer that never takes it."""
        async with self.jetstream() as js:
            subject = event_subject(CostsRecorded)
            witness = ConsumerConfig(durable_name=WITNESS, filter_subject=subject)
            await js.add_consumer(EVENTS.name or "", witness)


@asynccontextmanager
async def arena() -> AsyncIterator[Arena]:
    """An arena that leaves nothing behind."""
    async with ground(cost_metering) as found:
        place = Arena(found.folder, found.postgres, found.nats, found.stack, found.replicas)
        await place.keep_announcements()
        yield place
