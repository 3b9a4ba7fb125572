"""LLM costs are passed on where a plan says so, with its markup, and corrected on the next one."""

from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest

from services.invoicing.handlers import llm_costs
from services.subscription.tiers import read_catalogue
from shared.contracts.cost_metering import CostsRecorded
from shared.contracts.invoicing import Invoice, VoidInvoice
from shared.database import Database
from tests.invoicing import examples
from tests.invoicing.customer import Customer
from tests.stack import until

DOLLAR = 10**12


def costs(customer: Customer, sequence: int, picousd: int, **changes: Any) -> CostsRecorded:
    at = customer.clock.now()
    return examples.costs(customer.organization_id, sequence, picousd, at, **changes)


async def plan(
    customer: Customer, markup: int | None, *, version: int = 1, since: datetime | None = None
) -> None:
    at = since or customer.clock.now()
    await customer.world.tell(examples.plan(customer.organization_id, version, markup, at))
    await customer.world.settled()


async def passed_on(customer: Customer) -> list[tuple[str, int]]:
    """What is on record of each announcement."""
    return sorted((each.source_id, each.total_picousd) for each in await customer.usage())


async def told(customer: Customer, *facts: CostsRecorded) -> None:
    await customer.world.tell(*facts)
    await customer.world.settled()


async def void(customer: Customer, invoice: Invoice) -> None:
    await customer.ask(
        VoidInvoice(
            organization_id=customer.organization_id,
            invoice_id=invoice.invoice_id,
            reason="by another plan",
            requested_by="operator",
        )
    )


async def test_llm_costs_are_not_charged_unless_the_plan_says_so(customer: Customer) -> None:
    await told(customer, costs(customer, 1, DOLLAR))
    await plan(customer, None)
    await told(customer, costs(customer, 2, DOLLAR))
    assert await customer.usage() == ()


async def test_llm_costs_are_passed_on_once_with_the_markup_to_the_pico_dollar(
    customer: Customer,
) -> None:
    await plan(customer, 2000)
    first = costs(customer, 1, DOLLAR + 4)
    own_key = costs(customer, 2, 5 * DOLLAR, billable_cost_picousd=0)
    await told(customer, first, first, own_key)
    (record,) = await customer.usage()
    assert (record.usage_type, record.quantity) == ("llm_cost", 3)
    # 4.8 pico-dollars are 5.
    assert record.total_picousd == DOLLAR * 12 // 10 + 5
    invoice = await customer.invoice()
    assert [(line.kind, line.total_cents) for line in invoice.lines] == [("llm_cost", 120)]


async def test_costs_that_are_taken_back_correct_the_invoice_that_billed_them(
    customer: Customer,
) -> None:
    await plan(customer, 0)
    await told(customer, costs(customer, 1, 10 * DOLLAR))
    first = await customer.invoice()
    await told(customer, costs(customer, 2, -2 * DOLLAR, records=0))
    answer = await customer.generate()
    assert (answer.invoice, answer.carried_cents) == (None, -200)
    await told(customer, costs(customer, 3, 5 * DOLLAR))
    second = await customer.invoice()
    own, correction = second.lines
    assert (own.total_cents, correction.total_cents, second.total_cents) == (500, -200, 300)
    assert (correction.kind, correction.corrects_invoice) == ("adjustment", first.invoice_number)


async def test_a_plan_that_is_heard_of_late_holds_since_it_began(customer: Customer) -> None:
    began = customer.clock.now()
    await plan(customer, 0, since=began - timedelta(days=2))
    for sequence in (1, 2, 3):
        await told(customer, costs(customer, sequence, sequence * DOLLAR))
        customer.clock.advance(timedelta(minutes=1))
    # The third version held from the third announcement on, the second from the first.
    await plan(customer, None, version=3, since=began + timedelta(minutes=2))
    assert await passed_on(customer) == [("1", DOLLAR), ("2", 2 * DOLLAR)]
    await plan(customer, 5000, version=2, since=began)
    raised = [("1", 3 * DOLLAR // 2), ("2", 3 * DOLLAR)]
    assert await passed_on(customer) == raised
    # Once more, or something that was before all of them.
    await plan(customer, 5000, version=2, since=began)
    await plan(customer, 1, version=0, since=began - timedelta(days=3))
    assert await passed_on(customer) == raised
    assert [line.total_cents for line in (await customer.invoice()).lines] == [450]


async def test_what_was_billed_by_another_plan_is_made_good(customer: Customer) -> None:
    began = customer.clock.now()
    await plan(customer, 5000, since=began - timedelta(days=2))
    await told(customer, costs(customer, 1, 4 * DOLLAR), costs(customer, 2, 2 * DOLLAR))
    first = await customer.invoice()
    assert first.total_cents == 900
    await plan(customer, 0, version=3, since=began)
    assert (await customer.generate()).carried_cents == -300
    # The version before it held no longer; a later one leaves nothing to be charged.
    await plan(customer, 5000, version=2, since=began)
    assert (await customer.generate()).carried_cents == -300
    await plan(customer, None, version=4, since=began)
    assert (await customer.generate()).carried_cents == -900
    await plan(customer, 7500, version=5, since=began)
    second = await customer.invoice()
    assert [(line.kind, line.total_cents) for line in second.lines] == [("adjustment", 150)]
    assert {source for source, _ in await passed_on(customer)} == {"1", "1/1", "2", "2/1"}


async def test_a_void_invoice_and_a_late_plan_leave_one_record_an_announcement(
    customer: Customer,
) -> None:
    began = customer.clock.now()
    await plan(customer, 5000, since=began - timedelta(days=2))
    await told(customer, costs(customer, 1, 4 * DOLLAR))
    first = await customer.invoice()
    await plan(customer, 0, version=2, since=began)
    await void(customer, first)
    assert await passed_on(customer) == [("1", 6 * DOLLAR), ("1/1", -2 * DOLLAR)]
    await plan(customer, 1000, version=3, since=began)
    assert await passed_on(customer) == [("1", 44 * DOLLAR // 10)]
    assert (await customer.invoice()).total_cents == 440


async def test_a_difference_that_outlives_its_record_is_not_mistaken_for_the_next_one(
    customer: Customer,
) -> None:
    began = customer.clock.now()
    await plan(customer, 0, since=began - timedelta(days=2))
    await told(customer, costs(customer, 1, 4 * DOLLAR))
    first = await customer.invoice()
    await plan(customer, 10_000, version=2, since=began)
    assert (await customer.invoice()).total_cents == 400
    await void(customer, first)
    # What the second invoice has billed is all that is due, and then it is not.
    await plan(customer, 0, version=3, since=began)
    assert await passed_on(customer) == [("1/1", 4 * DOLLAR)]
    await plan(customer, 5000, version=4, since=began)
    assert await passed_on(customer) == [("1/1", 4 * DOLLAR), ("1/2", 2 * DOLLAR)]
    assert (await customer.invoice()).total_cents == 200


async def test_more_than_one_transaction_takes_is_passed_on_in_time(
    customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(llm_costs, "MOST_AT_ONCE", 2)
    await told(customer, *(costs(customer, sequence, DOLLAR) for sequence in range(1, 8)))
    assert await customer.usage() == ()
    await plan(customer, 0, since=customer.clock.now() - timedelta(days=1))
    expected = [(str(sequence), DOLLAR) for sequence in range(1, 8)]
    await until(partial(passed_on, customer), lambda found: found == expected)


async def test_announcements_are_let_go_after_the_month_that_follows(customer: Customer) -> None:
    query = "SELECT sequence FROM llm_costs WHERE organization_id = $1"
    await told(customer, costs(customer, 1, DOLLAR))
    assert [row["sequence"] for row in await customer.sql(query)] == [1]
    customer.clock.advance(llm_costs.KEPT_FOR + timedelta(seconds=1))
    await told(customer, costs(customer, 2, DOLLAR))
    database = Database(customer.world.stack.databases["invoicing"].dsn, customer.clock)
    async with database.transaction() as db:
        await llm_costs.forget_costs(db)
    await database.close()
    assert [row["sequence"] for row in await customer.sql(query)] == [2]


async def test_what_rounding_leaves_over_is_billed_in_time(customer: Customer) -> None:
    await plan(customer, 0)
    # A hundred and a third of a cent, three times.
    for sequence in (1, 2, 3):
        await told(customer, costs(customer, sequence, (301 * DOLLAR // 100) // 3))
        await customer.invoice()
    assert sum(invoice.total_cents for invoice in await customer.invoices()) == 301


def test_who_pays_for_keys_of_their_own_is_never_charged_for_them() -> None:
    assert read_catalogue("")["pro"].llm_markup_basis_points is None
    assert read_catalogue('{"pro": {"llm_markup_basis_points": 500}}')["pro"] is not None
    with pytest.raises(ValueError, match="byo"):
        read_catalogue('{"byo": {"llm_markup_basis_points": 500}}')
