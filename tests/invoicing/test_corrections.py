"""What is wrong on a final invoice is taken back or credited; the invoice itself never changes."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from shared.contracts.base import Request
from shared.contracts.invoicing import (
    CreditNote,
    CreditNoteIssued,
    Invoice,
    InvoicePaid,
    InvoiceVoided,
    IssueCreditNote,
    VoidInvoice,
)
from tests.invoicing.customer import Customer


def voiding(customer: Customer, invoice: Invoice) -> VoidInvoice:
    return VoidInvoice(
        organization_id=customer.organization_id,
        invoice_id=invoice.invoice_id,
        reason="a mistake",
        requested_by="operator",
    )


def noting(customer: Customer, invoice: Invoice, cents: int, **changes: str) -> IssueCreditNote:
    values = {"credit_note_id": uuid4().hex, "kind": "credit", **changes}
    return IssueCreditNote(
        organization_id=customer.organization_id,
        invoice_id=invoice.invoice_id,
        amount_cents=cents,
        reason="a mistake",
        requested_by="operator",
        **values,  # type: ignore[arg-type]
    )


async def credit(customer: Customer, invoice: Invoice, cents: int) -> CreditNote:
    return await customer.ask(noting(customer, invoice, cents))


async def standing(customer: Customer) -> list[tuple[str, str]]:
    return [(each.invoice_number[-1], each.status) for each in await customer.invoices()]


async def test_who_takes_back_an_invoice_or_sets_terms_is_logged(
    customer: Customer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="services.invoicing")
    await customer.complete()
    invoice = await customer.invoice()
    await customer.ask(voiding(customer, invoice))
    await customer.terms(discount_basis_points=1000)
    told: dict[str, Any] = {each.message: vars(each).get("fields") for each in caplog.records}
    assert told["invoice made void"] == {
        "invoice_id": invoice.invoice_id,
        "requested_by": "operator",
    }
    assert told["billing terms set"]["requested_by"] == "operator"
    assert told["billing terms set"]["changes"]["discount_basis_points"] == 1000


async def test_a_void_invoice_gives_its_credits_back_and_its_usage_is_billed_anew(
    customer: Customer,
) -> None:
    await customer.grant(1500)
    await customer.complete_by_credits()
    await customer.complete(2)
    first = await customer.invoice()
    assert (first.credits_applied_cents, first.amount_due_cents) == (1500, 1500)
    void = await customer.ask(voiding(customer, first))
    assert (void.status, void.invoice_number) == ("void", first.invoice_number)
    assert (await customer.account()).credit_balance_cents == 1500
    assert not any(record.billed for record in await customer.usage())
    assert await customer.told_of(InvoiceVoided)
    await customer.check()
    second = await customer.invoice()
    assert (second.total_cents, second.credits_applied_cents) == (3000, 1500)
    assert await standing(customer) == [("1", "void"), ("2", "open")]
    assert await customer.refused(voiding(customer, void)) == (409, "invoice_void")


async def test_a_paid_invoice_is_not_taken_back(customer: Customer) -> None:
    await customer.grant(1000)
    await customer.complete()
    invoice = await customer.invoice()
    assert invoice.status == "paid"
    assert await customer.refused(voiding(customer, invoice)) == (409, "invoice_paid")


async def test_one_of_two_who_take_back_an_invoice_at_once_does(customer: Customer) -> None:
    await customer.grant(100)
    await customer.complete()
    invoice = await customer.invoice()
    request: Request[Any] = voiding(customer, invoice)
    answers = await asyncio.gather(*(customer.world.bus.ask(request) for _ in range(4)))
    assert sum(isinstance(answer, Invoice) for answer in answers) == 1
    assert (await customer.account()).credit_balance_cents == 100


async def test_a_credit_note_on_an_open_invoice_lessens_what_is_asked_for(
    customer: Customer,
) -> None:
    await customer.complete(2)
    invoice = await customer.invoice()
    note = await credit(customer, invoice, 500)
    assert note.credit_note_number.startswith("CN-")
    assert note.credit_note_number.endswith("-000001")
    (after,) = await customer.invoices()
    assert (after.status, after.amount_due_cents, after.credited_cents) == ("open", 2000, 500)
    too_little = noting(customer, invoice, 1451)
    assert await customer.refused(too_little) == (422, "too_little_left")
    beyond = noting(customer, invoice, 1501)
    assert await customer.refused(beyond) == (422, "beyond_invoice")
    assert await customer.refused(voiding(customer, invoice)) == (409, "invoice_corrected")
    await credit(customer, invoice, 1500)
    (after,) = await customer.invoices()
    assert (after.status, after.credited_cents, after.amount_paid_cents) == ("paid", 2000, 0)
    assert await customer.told_of(InvoicePaid)
    assert len(await customer.told_of(CreditNoteIssued, 2)) == 2


async def test_a_credit_note_on_a_paid_invoice_is_granted_as_credits_never_beyond_it(
    customer: Customer,
) -> None:
    await customer.grant(2000)
    await customer.complete(2)
    invoice = await customer.invoice()
    assert invoice.status == "paid"
    requests: list[Request[Any]] = [noting(customer, invoice, 800) for _ in range(4)]
    answers = await asyncio.gather(*(customer.world.bus.ask(each) for each in requests))
    notes = [answer for answer in answers if isinstance(answer, CreditNote)]
    assert sorted(note.credit_note_number[-6:] for note in notes) == ["000001", "000002"]
    assert (await customer.account()).credit_balance_cents == 1600
    assert await customer.refused(noting(customer, invoice, 401)) == (422, "beyond_invoice")
    refund = noting(customer, invoice, 100, kind="refund")
    assert await customer.refused(refund) == (409, "invoice_unpaid")


async def test_a_credit_note_asked_for_twice_is_one(customer: Customer) -> None:
    await customer.grant(1000)
    await customer.complete()
    invoice = await customer.invoice()
    request = noting(customer, invoice, 300, credit_note_id="cn-1")
    first = await customer.ask(request)
    assert await customer.ask(request) == first
    other = noting(customer, invoice, 400, credit_note_id="cn-1")
    assert await customer.refused(other) == (409, "id_reused")
    (after,) = await customer.invoices()
    assert after.credited_cents == 300
    assert (await customer.account()).credit_balance_cents == 300


@pytest.mark.parametrize("kind", ["void", "credit"])
async def test_nobody_corrects_what_is_not_there(customer: Customer, kind: str) -> None:
    await customer.complete()
    invoice = await customer.invoice()
    stranger = Customer(customer.world, "stranger")
    request = voiding(stranger, invoice) if kind == "void" else noting(stranger, invoice, 100)
    assert await customer.refused(request) == (404, "invoice_not_found")
