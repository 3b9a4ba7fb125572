"""All calls of three real traces, published twice and shuffled, count once and exactly."""

import asyncio
import os
import random
from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from genai_prices import Usage, calc_price
from nats.js import JetStreamContext

from deploy.traces import ORGANIZATIONS, TracedCall, find_traces, load_calls
from shared.bus import Bus
from shared.money import PICOUSD_PER_USD
from shared.runtime import Runtime
from tests.cost_metering.customer import Customer, assert_agrees
from tests.examples import envelope
from tests.stack import Stack

ALL_CALLS = 40_216
BESIDE_THE_PROJECT = Path(__file__).parents[3] / "shared" / "data"
Line = tuple[int, int, int]


def traced_calls() -> list[TracedCall]:
    """From the folder that `TRACES` names, or generated in the same number and shape."""
    folder = find_traces(Path(os.environ.get("TRACES", BESIDE_THE_PROJECT)))
    return load_calls(folder, datetime.now(UTC))


def library_price(call: TracedCall) -> int:
    """The cost by the price library itself, in Decimal, without a rate card of ours."""
    used = call.usage
    cached = used["cache_read"] + used["cache_write_5m"]
    usage = Usage(
        input_tokens=used["input_uncached"] + cached,
        cache_read_tokens=used["cache_read"],
        cache_write_tokens=used["cache_write_5m"] if call.provider == "anthropic" else 0,
        output_tokens=used["output"],
    )
    price = calc_price(
        usage, call.model, provider_id=call.provider, genai_request_timestamp=call.occurred_at
    )
    picousd = Decimal(price.total_price) * PICOUSD_PER_USD
    assert picousd == int(picousd)
    return int(picousd)


def expected_lines(calls: list[TracedCall]) -> dict[str, Line]:
    """Records, tokens and cost by model, summed one by one."""
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for call in calls:
        for at, value in enumerate((1, sum(call.usage.values()), library_price(call))):
            sums[call.model][at] += value
    return {model: (line[0], line[1], line[2]) for model, line in sums.items()}


def bodies_of(calls: list[TracedCall], per_envelope: int, producer: str) -> list[bytes]:
    """An agent's calls in envelopes, in its gapless sequence."""
    events = [call.event() for call in calls]
    return [
        envelope(*events[at : at + per_envelope], producer=producer, first_seq=at + 1)
        for at in range(0, len(events), per_envelope)
    ]


@pytest.fixture
async def traced(
    stack: Stack, meter: Runtime, bus: Bus, jetstream: JetStreamContext, organization: str
) -> dict[str, Customer]:
    """A fresh customer for each organization of the traces."""
    return {
        name: Customer(stack, bus, f"{organization}-{name}", jetstream) for name in ORGANIZATIONS
    }


async def test_all_calls_of_the_traces_published_twice_and_shuffled_count_once(
    traced: dict[str, Customer],
) -> None:
    calls = traced_calls()
    assert len(calls) == ALL_CALLS
    by_agent: dict[tuple[str, str], list[TracedCall]] = defaultdict(list)
    for call in calls:
        by_agent[call.organization_id, call.agent_id].append(call)
    publishing = []
    for (organization, agent_id), theirs in by_agent.items():
        # The second time in other envelopes, as after a restart of the agent.
        bodies = [*bodies_of(theirs, 100, "p"), *bodies_of(theirs, 83, "p")]
        random.Random(7).shuffle(bodies)
        publishing.append(traced[organization].publish(*bodies, agent_id=agent_id, at_once=8))
    await asyncio.gather(*publishing)
    for customer in traced.values():
        await customer.processed(60)

    records = 0
    for organization, customer in traced.items():
        expected = expected_lines([c for c in calls if c.organization_id == organization])
        found = {
            line.model: (line.records, line.tokens, line.cost_picousd)
            for line in (await customer.summary()).breakdown
        }
        assert found == expected
        totals = await customer.totals()
        assert_agrees(totals)
        assert (totals.dead_letters, totals.holes) == (0, 0)
        records += totals.records
        assert (await customer.summary()).suspect_records == 0
        await customer.aclose()
    assert records == ALL_CALLS
