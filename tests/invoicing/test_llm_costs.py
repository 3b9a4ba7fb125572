"""LLM costs are passed on where a plan says so, with its markup, and corrected on the next one."""

from typing import Any

import pytest

from services.subscription.tiers import read_catalogue
from shared.contracts.cost_metering import CostsRecorded
from shared.contracts.subscription import PlanChanged
from tests.invoicing.customer import Customer

DOLLAR = 10**12


def costs(customer: Customer, sequence: int, picousd: int, **changes: Any) -> CostsRecorded:
    values: dict[str, Any] = {"billable_cost_picousd": picousd, "records": 3, **changes}
    return CostsRecorded(
        organization_id=customer.organization_id,
        sequence=sequence,
        cost_picousd=picousd,
        tokens=1000,
        total_cost_picousd=picousd,
        total_billable_cost_picousd=picousd,
        total_tokens=1000,
        total_records=3,
        unpriced_records=0,
        recorded_at=customer.clock.now(),
        **values,
    )


async def plan(customer: Customer, markup: int | None) -> None:
    fact = PlanChanged(
        organization_id=customer.organization_id,
        version=1,
        subscription_id="s",
        tier="pro",
        status="active",
        is_paid=True,
        suspended=False,
        current_period_start=None,
        current_period_end=None,
        cancel_at_period_end=False,
        pending_tier=None,
        pending_change_at=None,
        changed_at=customer.clock.now(),
        llm_markup_basis_points=markup,
    )
    await customer.world.tell(fact)
    await customer.world.settled()


async def told(customer: Customer, *facts: CostsRecorded) -> None:
    await customer.world.tell(*facts)
    await customer.world.settled()


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
