"""A bus to report usage on, and what it holds, event by event."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import nats
from nats.aio.client import RawCredentials
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from deploy.bus_keys import BusKeys
from deploy.embedded import NatsServer
from shared import topology
from shared.contracts.usage import UsageEnvelope, usage_subject
from shared.credentials import issue_agent_credential

ORGANIZATION = "acme"
WAIT_SECONDS = 20.0
USAGE = {"input_tokens": 1200, "output_tokens": 340, "cache_read_input_tokens": 8000}


class Arrived(msgspec.Struct, frozen=True):
    """One event on the stream."""

    event_id: str
    producer: str
    sequence: int
    body: bytes


class _Event(msgspec.Struct):
    event_id: str


@dataclass
class UsageBus:
    """A closed NATS server with the usage stream."""

    server: NatsServer
    keys: BusKeys

    @property
    def url(self) -> str:
        return self.server.url

    def credential(
        self,
        agent_id: str,
        organization_id: str = ORGANIZATION,
        lifetime: timedelta = timedelta(hours=1),
    ) -> str:
        return issue_agent_credential(
            self.keys.agent_signing_seed.read_text(),
            self.keys.agents,
            organization_id,
            agent_id,
            now=datetime.now(UTC),
            lifetime=lifetime,
        ).text

    @asynccontextmanager
    async def streams(self) -> AsyncIterator[JetStreamContext]:
        credentials = self.keys.issue_topology(datetime.now(UTC)).read_text()
        connection = await nats.connect(
            self.url,
            user_credentials=RawCredentials(credentials),
            inbox_prefix=b"_INBOX_topology",
        )
        try:
            yield connection.jetstream()
        finally:
            await connection.close()

    async def declare(self) -> None:
        async with self.streams() as js:
            await topology.declare(js)

    async def bodies(self, agent_id: str, organization_id: str = ORGANIZATION) -> list[bytes]:
        """An agent's envelopes as they lie on the stream, duplicates included."""
        subject = usage_subject("llm", organization_id, agent_id)
        found: list[bytes] = []
        after = 0
        async with self.streams() as js:
            while True:
                try:
                    message = await js.get_msg("USAGE", seq=after + 1, subject=subject, next=True)
                except NotFoundError:
                    return found
                after = message.seq or 0
                found.append(message.data or b"")

    async def arrived(self, agent_id: str, organization_id: str = ORGANIZATION) -> list[Arrived]:
        """An agent's events as they lie on the stream, duplicates included."""
        events = []
        for body in await self.bodies(agent_id, organization_id):
            envelope = msgspec.json.decode(body, type=UsageEnvelope)
            for sequence, raw in enumerate(envelope.events, envelope.first_seq):
                event_id = msgspec.json.decode(raw, type=_Event).event_id
                events.append(Arrived(event_id, envelope.producer, sequence, bytes(raw)))
        return events


def call(number: int = 0) -> dict[str, Any]:
    """The arguments of `record_llm` for one call of an agent."""
    return {
        "task_id": f"task-{number}",
        "provider": "anthropic",
        "model": "claude-sonnet-4-5",
        "usage": USAGE,
        "provider_request_id": f"msg_{number}",
    }


def assert_once_and_gapless(events: list[Arrived], expected_ids: set[str]) -> None:
    """Every id is there with one content and one number, and no producer has a hole.

    An event may lie on the stream twice (the meter knows it by its id), but never differ.
    """
    assert {event.event_id for event in events} >= expected_ids
    distinct = set(events)
    assert max(Counter(event.event_id for event in distinct).values()) == 1
    producers: dict[str, set[int]] = {}
    for event in distinct:
        numbers = producers.setdefault(event.producer, set())
        assert event.sequence not in numbers
        numbers.add(event.sequence)
    for numbers in producers.values():
        assert numbers == set(range(1, len(numbers) + 1))


async def until(condition: Callable[[], bool], within_seconds: float = WAIT_SECONDS) -> None:
    """Wait for a condition, bounded."""
    deadline = time.monotonic() + within_seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        await asyncio.sleep(0.01)
