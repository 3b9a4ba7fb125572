"""Meters are scaled by starting more of them: they share the work and record it once."""

import asyncio
import random

import pytest

from tests.chaos.arena import Arena, arena
from tests.cost_metering.customer import Customer, assert_agrees
from tests.cost_metering.oracle import Story, seen_by, some_poison, some_responses
from tests.stack import until

RESPONSES = 400
ORGANIZATIONS = 3


@pytest.mark.parametrize("replicas", [2, 4])
async def test_replicas_share_the_work_and_record_it_once(replicas: int) -> None:
    """Duplicates, contradictions and corrections of one call lie in different replicas' batches."""
    dice = random.Random(replicas)
    stories = {
        f"org-{number}": Story(some_responses(RESPONSES, dice), some_poison(20), dice)
        for number in range(ORGANIZATIONS)
    }
    async with arena() as found:
        await found.start_meters(replicas)
        async with found.gateway() as bus, found.jetstream() as js:
            customers = {name: Customer(found.stack, bus, name, js) for name in stories}
            await publish_all(customers, stories)
            for name, story in stories.items():
                await check(customers[name], story)
        await check_shares(found, stories)


async def publish_all(customers: dict[str, Customer], stories: dict[str, Story]) -> None:
    """Every agent publishes at once, and each has many envelopes under way."""
    await asyncio.gather(
        *(
            customers[name].publish(*bodies, agent_id=agent_id, at_once=16)
            for name, story in stories.items()
            for agent_id, bodies in story.envelopes.items()
        )
    )
    for customer in customers.values():
        await customer.processed()
        await customer.aclose()


async def check(customer: Customer, story: Story) -> None:
    """The meters tell the oracle's sums by every road."""

    await until(lambda: seen_by(customer), lambda found: found == story.expected)
    totals = await until(customer.totals, lambda found: found.announced_records == story.records)
    assert_agrees(totals)
    assert totals.records_cost_picousd == story.cost_picousd
    assert (totals.dead_letters, totals.holes) == (story.letters, 0)


async def check_shares(found: Arena, stories: dict[str, Story]) -> None:
    """Each replica did a part, together they did all, and each stops in order."""
    shares = [meter.handled() for meter in found.replicas]
    assert min(shares) > 0, shares
    assert sum(shares) >= sum(len(b) for s in stories.values() for b in s.envelopes.values())
    assert [await meter.stop() for meter in found.replicas] == [0] * len(shares)
