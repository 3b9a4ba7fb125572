"""Invoices on demand: every use once, credits first, and one invoice however many ask."""

import asyncio

import asyncpg
import msgspec
import pytest

from shared.contracts.invoicing import (
    GetInvoice,
    InvoiceChanged,
    InvoiceIssued,
    InvoicePaid,
    ListInvoices,
    ListInvoiceUsage,
    ListUsageRecords,
    PreviewInvoice,
)
from tests.examples import MADE_UP_CURSORS
from tests.invoicing.customer import Customer
from tests.stack import until


async def test_what_was_used_is_billed_once_in_one_line_a_price(customer: Customer) -> None:
    await customer.complete(3)
    await customer.complete(2, cents=700)
    await customer.complete(1, covered_by="plan")
    invoice = await customer.invoice()
    assert [(line.quantity, line.unit_price_cents, line.total_cents) for line in invoice.lines] == [
        (2, 700, 1400),
        (3, 1000, 3000),
    ]
    assert (invoice.status, invoice.total_cents, invoice.amount_due_cents) == ("open", 4400, 4400)
    assert invoice.invoice_number.endswith("-000001")
    assert invoice.due_at is not None
    assert invoice.finalized_at is not None
    assert (invoice.due_at - invoice.finalized_at).days == 7
    assert (await customer.generate()).invoice is None
    assert all(record.billed for record in await customer.usage())
    (issued,) = await customer.told_of(InvoiceIssued)
    assert issued["invoice_number"] == invoice.invoice_number
    assert await customer.told_of(InvoiceChanged)
    assert not customer.facts(InvoicePaid)


async def test_nothing_to_bill_is_no_invoice(customer: Customer) -> None:
    assert (await customer.generate()).invoice is None
    await customer.complete(covered_by="free")
    answer = await customer.generate()
    assert (answer.invoice, answer.carried_cents) == (None, 0)
    assert await customer.invoices() == ()


async def test_many_at_once_make_one_invoice_and_all_get_it(customer: Customer) -> None:
    await customer.complete(2)
    await customer.grant(500)
    stack = customer.world.stack
    bank = await asyncpg.connect(stack.databases["account"].owner_dsn)
    try:
        # Account cannot answer until all have asked.
        lock = bank.transaction()
        await lock.start()
        await bank.execute(
            "SELECT 1 FROM accounts WHERE organization_id = $1 FOR UPDATE",
            customer.organization_id,
        )
        asked = [asyncio.create_task(customer.generate()) for _ in range(8)]

        async def begun() -> int:
            return len(
                await customer.sql(
                    "SELECT 1 FROM steps WHERE kind = 'generate_invoice'"
                    " AND state ->> 'organization_id' = $1"
                )
            )

        await until(begun, lambda count: count == 8)
        await lock.rollback()
    finally:
        await bank.close()
    answers = await asyncio.gather(*asked)
    numbers = {answer.invoice.invoice_number for answer in answers if answer.invoice}
    assert len(numbers) == 1
    assert all(answer.invoice for answer in answers)
    (invoice,) = await customer.invoices()
    assert (invoice.total_cents, invoice.credits_applied_cents) == (2000, 500)
    assert (await customer.account()).credit_balance_cents == 0
    assert len(await customer.told_of(InvoiceIssued)) == 1


async def test_credits_that_were_held_are_burned_by_the_invoice_that_carries_the_use(
    customer: Customer,
) -> None:
    await customer.grant(2500)
    await customer.complete_by_credits()
    await customer.complete(2, covered_by="auto_billing")
    held = await customer.account()
    assert (held.credit_balance_cents, held.credit_held_cents) == (1500, 1000)
    invoice = await customer.invoice()
    # What is left is at least what Stripe takes.
    assert (invoice.credits_applied_cents, invoice.amount_due_cents) == (2500, 500)
    after = await customer.account()
    assert (after.credit_balance_cents, after.credit_held_cents) == (0, 0)


async def test_what_credits_pay_all_of_is_paid_at_once(customer: Customer) -> None:
    await customer.grant(1000)
    await customer.complete_by_credits()
    invoice = await customer.invoice()
    assert (invoice.status, invoice.amount_due_cents, invoice.amount_paid_cents) == ("paid", 0, 0)
    assert invoice.paid_at == invoice.finalized_at
    (paid,) = await customer.told_of(InvoicePaid)
    assert paid["amount_paid_cents"] == 0


async def test_less_than_may_be_charged_rolls_over(customer: Customer) -> None:
    await customer.complete(cents=30)
    answer = await customer.generate()
    assert (answer.invoice, answer.carried_cents) == (None, 30)
    assert not any(record.billed for record in await customer.usage())
    await customer.complete(cents=20)
    invoice = await customer.invoice()
    assert (invoice.total_cents, len(invoice.lines)) == (50, 2)


async def test_less_than_may_be_charged_is_billed_when_its_credits_are_held(
    customer: Customer,
) -> None:
    await customer.grant(30)
    await customer.complete_by_credits(cents=30)
    invoice = await customer.invoice()
    assert (invoice.total_cents, invoice.amount_due_cents, invoice.status) == (30, 0, "paid")


async def test_a_preview_changes_nothing(customer: Customer) -> None:
    request = PreviewInvoice(organization_id=customer.organization_id)
    assert (await customer.ask(request)).invoice is None
    await customer.grant(1500)
    await customer.complete_by_credits()
    await customer.complete()
    previews = [await customer.ask(request) for _ in range(2)]
    assert {
        (each.invoice.total_cents, each.invoice.amount_due_cents)
        for each in previews
        if each.invoice
    } == {(2000, 500)}
    assert await customer.invoices() == ()
    assert (await customer.account()).credit_held_cents == 1000
    invoice = await customer.invoice()
    assert (invoice.total_cents, invoice.amount_due_cents) == (2000, 500)


async def test_the_records_behind_a_line_are_its_own(customer: Customer) -> None:
    await customer.complete(3)
    await customer.complete(1, cents=700)
    invoice = await customer.invoice()
    mine = (customer.organization_id,)
    for line in invoice.lines:
        request = ListInvoiceUsage(
            organization_ids=mine, invoice_id=invoice.invoice_id, position=line.position, limit=2
        )
        page = await customer.ask(request)
        assert {record.unit_price_cents for record in page.records} == {line.unit_price_cents}
        assert len(page.records) == min(2, line.quantity)
        assert (page.next_cursor is not None) == (line.quantity > 2)


async def test_an_invoice_is_shown_to_its_own_organization_only(customer: Customer) -> None:
    await customer.complete()
    invoice = await customer.invoice()
    for kind in (GetInvoice, ListInvoiceUsage):
        foreign = kind(organization_ids=("somebody",), invoice_id=invoice.invoice_id)
        assert await customer.refused(foreign) == (404, "invoice_not_found")
    mine = ("somebody", customer.organization_id)
    found = await customer.ask(GetInvoice(organization_ids=mine, invoice_id=invoice.invoice_id))
    # The account was opened by the invoice, and heard of after it.
    same = msgspec.structs.replace(found, billing_account_id=invoice.billing_account_id)
    assert same == invoice


async def test_invoices_are_listed_newest_first_page_by_page(customer: Customer) -> None:
    for _ in range(3):
        await customer.complete()
        await customer.invoice()
    seen: list[str] = []
    cursor = None
    while True:
        page = await customer.ask(
            ListInvoices(organization_id=customer.organization_id, limit=2, cursor=cursor)
        )
        seen += [each.invoice_number[-1] for each in page.invoices]
        if (cursor := page.next_cursor) is None:
            break
    assert seen == ["3", "2", "1"]
    paid = ListInvoices(organization_id=customer.organization_id, status="paid")
    assert (await customer.ask(paid)).invoices == ()


@pytest.mark.parametrize("cursor", MADE_UP_CURSORS)
async def test_a_made_up_cursor_is_refused_by_every_list(customer: Customer, cursor: str) -> None:
    mine = customer.organization_id
    for request in (
        ListInvoices(organization_id=mine, cursor=cursor),
        ListUsageRecords(organization_id=mine, cursor=cursor),
        ListInvoiceUsage(organization_ids=(mine,), invoice_id="invoice-1", cursor=cursor),
    ):
        assert await customer.refused(request) == (422, "invalid_cursor")


async def test_what_a_final_invoice_says_cannot_be_changed(customer: Customer) -> None:
    await customer.complete()
    await customer.invoice()
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await customer.sql(
            "UPDATE invoices SET total_cents = 1, subtotal_cents = 1,"
            " amount_due_cents = 1 WHERE organization_id = $1"
        )


async def test_a_draft_that_disagrees_with_its_records_parks_its_account_only(
    customer: Customer,
) -> None:
    await customer.complete(2)
    record = (await customer.usage())[0]
    await customer.grant(100)
    bank = await asyncpg.connect(customer.world.stack.databases["account"].owner_dsn)
    lock = bank.transaction()
    await lock.start()
    await bank.execute(
        "SELECT 1 FROM accounts WHERE organization_id = $1 FOR UPDATE", customer.organization_id
    )
    asked = asyncio.create_task(customer.refused(customer.generating()))

    async def drafts() -> int:
        return len(await customer.invoices())

    await until(drafts, lambda count: count == 1)
    change = (
        "UPDATE usage_records SET total_picousd = total_picousd + $3"
        " WHERE organization_id = $1 AND record_id = $2"
    )
    await customer.sql(change, record.record_id, 10**10)
    await lock.rollback()
    await bank.close()
    assert await asked == (409, "account_parked")
    assert await customer.refused(customer.generating()) == (409, "account_parked")
    await customer.sql(change, record.record_id, -(10**10))
    await customer.sql(
        "UPDATE billing_profiles SET parked_reason = NULL, parked_at = NULL"
        " WHERE organization_id = $1"
    )
    invoice = await customer.invoice()
    assert (invoice.total_cents, invoice.credits_applied_cents) == (2000, 100)
