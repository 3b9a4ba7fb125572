"""Agents that publish until they are told that it is stored, whatever happens to the bus."""

import asyncio
import json
import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import nats.errors
from nats.aio.client import Client

from shared.contracts.usage import usage_subject
from tests.stack import Stack

ANSWER_SECONDS = 2.0
UNDER_WAY = 4
LONGEST_PAUSE_SECONDS = 2.0
# So often an agent dies of its own before it has written down that an envelope is stored.
FORGOTTEN = 0.1


@dataclass
class Agent:
    """One agent with envelopes to deliver."""

    stack: Stack
    organization_id: str
    agent_id: str
    bodies: Sequence[bytes]
    dice: random.Random
    hurry: asyncio.Event = field(default_factory=asyncio.Event)
    stored: int = 0
    sent_again: int = 0

    async def deliver(self, over_seconds: float) -> None:
        """Publish everything, ever slower so that it lasts; what is left at once when in a hurry.

        After `over_seconds` about a third is left.
        """
        connection = await self.stack.agent(
            self.organization_id,
            self.agent_id,
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.1,
            error_cb=_ignored,
        )
        waiting = deque(self.bodies)

        async def publish_next() -> None:
            while waiting:
                await self._publish(connection, waiting.popleft())
                pause = min(LONGEST_PAUSE_SECONDS, UNDER_WAY * over_seconds / (len(waiting) + 1))
                try:
                    async with asyncio.timeout(pause):
                        await self.hurry.wait()
                except TimeoutError:
                    continue

        await asyncio.gather(*(publish_next() for _ in range(UNDER_WAY)))
        await connection.close()

    async def _publish(self, connection: Client, body: bytes) -> None:
        subject = usage_subject("llm", self.organization_id, self.agent_id)
        while True:
            try:
                answer = await connection.request(subject, body, timeout=ANSWER_SECONDS)
                if json.loads(answer.data).get("stream") and self.dice.random() >= FORGOTTEN:
                    self.stored += 1
                    return
            except (nats.errors.Error, TimeoutError, OSError):
                await asyncio.sleep(0.1)
            self.sent_again += 1


async def _ignored(_error: Exception) -> None:
    """The bus is killed again and again; the agents' only word on it is to send again."""
