"""What is used is billed the same on two invoices as on one, to the pico-dollar."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from shared.contracts.base import Event
from shared.contracts.invoicing import GenerateInvoice
from shared.money import PICOUSD_PER_CENT
from tests.invoicing import examples
from tests.invoicing.examples import month
from tests.invoicing.organization import BEGINNING, Organization, founded
from tests.stack import Stack

Use = tuple[str, int]
Bill = Counter[tuple[str, int]]
# Workflows by their price, LLM calls by what they cost, storage by the price of a GB.
USES = st.lists(
    st.one_of(
        st.tuples(st.just("workflow"), st.sampled_from([15, 60, 1000])),
        st.tuples(st.just("llm"), st.integers(-(10**9), 3 * 10**12)),
        st.tuples(st.just("storage"), st.sampled_from([7, 25])),
    ),
    max_size=6,
)
SOME: list[Use] = [("workflow", 1000), ("llm", 10**12 // 3), ("storage", 25), ("workflow", 15)]
MORE: list[Use] = [("llm", 2 * 10**12 // 3), ("workflow", 1000), ("llm", 5), ("storage", 25)]


def fact(name: str, number: int, use: Use) -> Event:
    """Each is on time, in the month that runs, or was late already for the same one as the rest."""
    kind, amount = use
    at = BEGINNING - timedelta(hours=number)
    if kind == "llm":
        return examples.costs(name, number, amount, at)
    if kind == "storage":
        return examples.storage(name, month(2026, number + 1), number % 3 + 1, amount, at)
    return examples.workflow(name, f"run-{number}", at, unit_price_cents=amount)


async def billed(stack: Stack, portions: Sequence[Sequence[Use]]) -> tuple[Bill, Bill, int]:
    """By kind and price: what invoices over these portions, one after the other, come to with
    what is carried, and what they say exactly; and the cents of all of them.
    """
    async with founded(Organization, stack.databases) as here:
        name = here.organization_id
        await here.tell(examples.plan(name, 1, 1234, BEGINNING))
        number = 0
        for portion in portions:
            for use in portion:
                await here.tell(fact(name, number, use))
                number += 1
            here.clock.advance(timedelta(minutes=1))
            await here.request(GenerateInvoice(organization_id=name, requested_by="owner"))
        return await read_bills(here)


async def read_bills(here: Organization) -> tuple[Bill, Bill, int]:
    rounded, exact, cents = Bill(), Bill(), 0
    async with here.database.read() as db:
        lines = await db.driver.fetch(
            "SELECT * FROM invoice_lines WHERE organization_id = $1", here.organization_id
        )
        carries = await db.driver.fetch(
            "SELECT * FROM carries WHERE organization_id = $1", here.organization_id
        )
        left = await db.driver.fetch(
            "SELECT * FROM usage_records WHERE organization_id = $1 AND invoice_id IS NULL",
            here.organization_id,
        )
    for line in lines:
        key = line["usage_type"], line["unit_price_cents"]
        rounded[key] += line["total_cents"] * PICOUSD_PER_CENT
        exact[key] += line["exact_picousd"]
        cents += line["total_cents"]
    for carry in carries:
        rounded[carry["usage_type"], carry["unit_price_cents"]] += carry["carry_picousd"]
    # Too little to be charged has rolled over.
    cents += sum(record["total_picousd"] for record in left) // PICOUSD_PER_CENT
    for record in left:
        key = record["usage_type"], record["unit_price_cents"]
        rounded[key] += record["total_picousd"]
        exact[key] += record["total_picousd"]
    return rounded, exact, cents


async def compare(stack: Stack, some: Sequence[Use], more: Sequence[Use]) -> None:
    apart, exact_apart, cents_apart = await billed(stack, [some, more])
    at_once, exact_at_once, cents_at_once = await billed(stack, [[*some, *more]])
    assert apart == at_once == exact_apart == exact_at_once
    # A line a kind and price, each rounded once, and what is left over is less than half a cent.
    assert abs(cents_apart - cents_at_once) <= len(apart) + 1


def test_two_invoices_bill_what_one_bills(stack: Stack) -> None:
    @settings(
        max_examples=8,
        phases=(Phase.explicit, Phase.reuse, Phase.generate),
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @example(SOME, MORE)
    @given(USES, USES)
    def linear(some: list[Use], more: list[Use]) -> None:
        asyncio.run(compare(stack, some, more))

    linear()


def test_two_invoices_of_whole_cents_are_one(stack: Stack) -> None:
    some: list[Use] = [("workflow", 1000), ("workflow", 15), ("storage", 25)]
    more: list[Use] = [("workflow", 1000), ("storage", 25), ("workflow", 60)]
    *_, cents = asyncio.run(billed(stack, [some, more]))
    one, other = (asyncio.run(billed(stack, [each]))[2] for each in (some, more))
    assert cents == one + other == asyncio.run(billed(stack, [[*some, *more]]))[2]
