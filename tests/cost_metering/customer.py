"""An organization as the meter meets it: agents that publish, and questions about the costs."""

import asyncio
import json
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg
from nats.aio.client import Client
from nats.js import JetStreamContext

from services.cost_metering.app import service as cost_metering
from shared.bus import Bus
from shared.contracts.base import Refusal, Request
from shared.contracts.cost_metering import (
    ControlTotals,
    CostRecord,
    CostSummary,
    GetControlTotals,
    GetCostSummary,
    ListCosts,
    ListProducerHoles,
    ProducerHole,
)
from shared.contracts.operations import DeadLetter, ListDeadLetters
from shared.contracts.usage import usage_subject
from tests.examples import envelope
from tests.stack import Stack, until

DURABLE = cost_metering.durables[0]


@dataclass
class Customer:
    """One organization; nobody else uses it."""

    stack: Stack
    bus: Bus
    organization_id: str
    jetstream: JetStreamContext
    connections: dict[str, Client] = field(default_factory=dict)
    last_sequence: int = 0

    async def publish(self, *bodies: bytes, agent_id: str = "agent-1", at_once: int = 1) -> None:
        """Publish envelopes as an agent does, `at_once` of them waiting to be acknowledged."""
        if agent_id not in self.connections:
            self.connections[agent_id] = await self.stack.agent(self.organization_id, agent_id)
        waiting = deque(bodies)

        async def publish_next() -> None:
            while waiting:
                await self._publish(waiting.popleft(), agent_id)

        await asyncio.gather(*(publish_next() for _ in range(at_once)))

    async def _publish(self, body: bytes, agent_id: str) -> None:
        subject = usage_subject("llm", self.organization_id, agent_id)
        answer = await self.connections[agent_id].request(subject, body, timeout=10)
        stored = json.loads(answer.data)
        assert stored.get("stream") == DURABLE.stream, stored
        self.last_sequence = max(self.last_sequence, stored["seq"])

    async def report(self, *events: Any, agent_id: str = "agent-1", **header: Any) -> None:
        """Publish events in one envelope, and wait until the meter has dealt with it."""
        await self.publish(envelope(*events, **header), agent_id=agent_id)
        await self.processed()

    async def processed(self, timeout_seconds: float = 30) -> None:
        """Wait until the meter has acknowledged everything that this customer has published."""

        async def waiting() -> int:
            info = await self.jetstream.consumer_info(DURABLE.stream, DURABLE.name)
            delivered = info.delivered.stream_seq if info.delivered else 0
            return max(0, self.last_sequence - delivered) + (info.num_ack_pending or 0)

        await until(waiting, lambda count: count == 0, timeout_seconds)

    async def ask(self, request: Request[Any]) -> Any:
        """An answer that is not a refusal."""
        answer = await self.bus.ask(request)
        assert not isinstance(answer, Refusal), answer
        return answer

    async def refusal(self, request: Request[Any]) -> Refusal:
        """An answer that is a refusal."""
        answer = await self.bus.ask(request)
        assert isinstance(answer, Refusal), answer
        return answer

    async def summary(self, **scope: Any) -> CostSummary:
        found = await self.ask(GetCostSummary(organization_id=self.organization_id, **scope))
        assert isinstance(found, CostSummary)
        return found

    async def totals(self) -> ControlTotals:
        found = await self.ask(GetControlTotals(organization_id=self.organization_id))
        assert isinstance(found, ControlTotals)
        return found

    async def records(self, **wanted: Any) -> list[CostRecord]:
        """All records, by as many pages as it takes."""
        found: list[CostRecord] = []
        cursor: str | None = None
        while True:
            request = ListCosts(
                organization_id=self.organization_id, cursor=cursor, **{"limit": 200, **wanted}
            )
            page = await self.ask(request)
            found += page.records
            cursor = page.next_cursor
            if cursor is None:
                return found

    async def record(self, event_id: str) -> CostRecord:
        (found,) = [each for each in await self.records() if each.event_id == event_id]
        return found

    async def holes(self) -> Sequence[ProducerHole]:
        found = await self.ask(ListProducerHoles(organization_id=self.organization_id, limit=200))
        return list(found.holes)

    async def letters(self) -> list[DeadLetter]:
        """What the meter has parked of this organization, newest first."""
        found = await self.bus.ask(ListDeadLetters(limit=200), owner="cost_metering")
        assert not isinstance(found, Refusal)
        return [each for each in found.letters if each.organization_id == self.organization_id]

    async def rows(self, query: str, *values: Any) -> list[asyncpg.Record]:
        """Rows of the meter's tables; `$1` is the organization."""
        connection = await asyncpg.connect(self.stack.databases["cost_metering"].owner_dsn)
        try:
            return await connection.fetch(query, self.organization_id, *values)
        finally:
            await connection.close()

    async def aclose(self) -> None:
        for connection in self.connections.values():
            await connection.close()


def assert_agrees(found: ControlTotals) -> None:
    """Records, roll-ups and announcements say the same, to the pico-dollar (I3)."""
    assert found.records == found.rollups_records == found.announced_records
    assert found.records_cost_picousd == found.rollups_cost_picousd == found.announced_cost_picousd
