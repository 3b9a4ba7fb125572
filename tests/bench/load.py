"""What the benches feed the meter: many calls, in envelopes, as agents send them."""

import asyncio
import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.contracts.usage import usage_subject
from tests.stack import Stack

MODELS = (
    ("openai", "gpt-4o"),
    ("openai", "gpt-5"),
    ("openai", "gpt-5-mini"),
    ("openai", "o3"),
    ("anthropic", "claude-sonnet-4-5"),
    ("anthropic", "claude-haiku-4-5"),
    ("google", "gemini-2.5-pro"),
    ("google", "gemini-2.5-flash"),
)


def make_call(number: int, dice: random.Random, at: datetime) -> dict[str, Any]:
    """One call, the same for the same number and seed; ~50 calls in a row share a task."""
    provider, model = MODELS[dice.randrange(len(MODELS))]
    tokens_in, tokens_out = dice.randrange(100, 20_000), dice.randrange(10, 2_000)
    return {
        "event_id": f"{number:012d}-{dice.getrandbits(48):012x}",
        "task_id": f"task-{number // 50}",
        "provider": provider,
        "model": model,
        "provider_request_id": f"req_{dice.getrandbits(80):020x}",
        "occurred_at": (at - timedelta(seconds=dice.randrange(3600))).isoformat(),
        "usage_format": "disjoint",
        "usage": {
            "input_uncached": tokens_in,
            "cache_read": tokens_in // 2,
            "output": tokens_out,
            "reasoning": tokens_out // 4,
        },
    }


def make_envelopes(
    count: int, per_envelope: int, organizations: int, seed: int = 1
) -> list[tuple[str, bytes]]:
    """(organization, body) of envelopes with `count` calls in all."""
    dice, now = random.Random(seed), datetime.now(UTC)
    sequences = [1] * organizations
    envelopes = []
    for number in range(0, count, per_envelope):
        which = (number // per_envelope) % organizations
        calls = [make_call(number + i, dice, now) for i in range(per_envelope)]
        body = {
            "v": 1,
            "producer": f"bench-{seed}",
            "first_seq": sequences[which],
            "events": calls,
        }
        sequences[which] += per_envelope
        envelopes.append((f"bench-{which:03d}", json.dumps(body).encode()))
    return envelopes


async def publish(stack: Stack, envelopes: list[tuple[str, bytes]], window: int = 64) -> None:
    """Publish as agents, each acknowledged by the stream."""
    names = sorted({organization for organization, _ in envelopes})
    agents = {name: await stack.agent(name) for name in names}
    free = asyncio.Semaphore(window)

    async def send(organization: str, body: bytes) -> None:
        async with free:
            subject = usage_subject("llm", organization, "agent-1")
            await agents[organization].request(subject, body, timeout=30)

    await asyncio.gather(*(send(*envelope) for envelope in envelopes))
    for agent in agents.values():
        await agent.close()
