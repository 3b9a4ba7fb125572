"""The document of an invoice or a credit note, as the gateway asks for it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from services.invoicing.documents.pdf import NotDrawn
from services.invoicing.documents.printing import credit_note_document, invoice_document
from services.invoicing.tables import CreditNoteRow, InvoiceRow, LineRow, PaymentRow
from shared.contracts.account import Address, Buyer, UpdateAccount
from shared.contracts.base import Refusal
from shared.contracts.invoicing import (
    DocumentFormat,
    Invoice,
    IssueCreditNote,
    ListCreditNotes,
    RenderCreditNote,
    RenderInvoice,
    VoidInvoice,
)
from tests.invoicing.customer import Customer
from tests.invoicing.sheets import text_of
from tests.stack import until

AT = datetime(2027, 1, 15, 12, tzinfo=UTC)
BUYER = Buyer(
    name="Łukasz & Søn",
    address=Address(line1="Krakowskie 1", city="Warszawa", postal_code="00-001", country="PL"),
    tax_id="PL 5260001246",
)


def rendering(
    customer: Customer, invoice: Invoice, form: DocumentFormat = "pdf", **changes: Any
) -> RenderInvoice:
    said = {"organization_ids": (customer.organization_id,), "invoice_id": invoice.invoice_id}
    return RenderInvoice(format=form, **{**said, **changes})


async def test_an_open_invoice_is_drawn_as_both(customer: Customer) -> None:
    await customer.grant(1500)
    await customer.complete(4)
    invoice = await customer.invoice()
    pdf = await customer.ask(rendering(customer, invoice))
    assert pdf.content_type == "application/pdf"
    assert pdf.file_name == f"{invoice.invoice_number}.pdf"
    page = await customer.ask(rendering(customer, invoice, "html"))
    assert page.content_type == "text/html"
    assert page.file_name == f"{invoice.invoice_number}.html"
    for text in (text_of(pdf.content), page.content.decode()):
        for part in (
            invoice.invoice_number,
            customer.organization_id,
            invoice.lines[0].description,
            "$40.00",
            "−$15.00",
            "$25.00",
        ):
            assert part in text
    again = await customer.ask(rendering(customer, invoice))
    assert again.content == pdf.content


async def test_a_buyer_and_what_was_paid_by_credits_are_printed(customer: Customer) -> None:
    await customer.grant(5000)
    await customer.ask(
        UpdateAccount(organization_id=customer.organization_id, requested_by="owner", buyer=BUYER)
    )

    async def buyers() -> list[Any]:
        return await customer.sql(
            "SELECT buyer ->> 'name' AS name FROM billing_profiles WHERE organization_id = $1"
        )

    await until(buyers, lambda rows: [row["name"] for row in rows] == [BUYER.name])
    await customer.complete()
    invoice = await customer.invoice()
    assert invoice.status == "paid"
    text = text_of((await customer.ask(rendering(customer, invoice))).content)
    for part in ("PAID", "Łukasz & Søn", "00-001 Warszawa", "Tax ID PL 5260001246"):
        assert part in text
    assert "Paid by credits." in text


async def test_a_void_invoice_says_so(customer: Customer) -> None:
    await customer.complete()
    invoice = await customer.invoice()
    await customer.ask(
        VoidInvoice(
            organization_id=customer.organization_id,
            invoice_id=invoice.invoice_id,
            reason="a mistake",
            requested_by="operator",
        )
    )
    text = text_of((await customer.ask(rendering(customer, invoice))).content)
    assert "VOID" in text
    assert "Amount due $0.00" in text


async def test_a_draft_has_no_document(customer: Customer) -> None:
    await customer.complete()
    invoice = await customer.invoice()
    draft_id = "0199-draft"
    await customer.sql(
        "INSERT INTO invoices (organization_id, invoice_id, kind, status, subtotal_cents,"
        " total_cents, amount_due_cents, created_at, updated_at)"
        " VALUES ($1, $2, 'usage', 'draft', 0, 0, 0, $3, $3)",
        draft_id,
        AT,
    )
    asked = rendering(customer, invoice, invoice_id=draft_id)
    try:
        assert await customer.refused(asked) == (409, "not_finalized")
    finally:
        await customer.sql("DELETE FROM invoices WHERE organization_id = $1 AND status = 'draft'")


async def test_a_foreign_invoice_does_not_exist(customer: Customer) -> None:
    await customer.complete()
    invoice = await customer.invoice()
    foreign = rendering(customer, invoice, organization_ids=("somebody", "else"))
    assert await customer.refused(foreign) == (404, "invoice_not_found")


async def test_a_credit_note_is_listed_and_drawn(customer: Customer) -> None:
    await customer.complete(3)
    invoice = await customer.invoice()
    note = await customer.ask(
        IssueCreditNote(
            organization_id=customer.organization_id,
            invoice_id=invoice.invoice_id,
            credit_note_id="note-1",
            kind="credit",
            amount_cents=1000,
            reason="One did not count.",
            requested_by="operator",
        )
    )
    for invoice_id in (None, invoice.invoice_id):
        listed = await customer.ask(
            ListCreditNotes(organization_id=customer.organization_id, invoice_id=invoice_id)
        )
        assert listed.credit_notes == (note,)
    wanted = RenderCreditNote(organization_id=customer.organization_id, credit_note_id="note-1")
    drawn = await customer.ask(wanted)
    assert drawn.file_name == f"{note.credit_note_number}.pdf"
    text = text_of(drawn.content)
    for part in (
        "CREDIT NOTE",
        note.credit_note_number,
        f"For invoice {invoice.invoice_number}",
        "One did not count.",
        "Total credited $10.00",
    ):
        assert part in text
    text = text_of((await customer.ask(rendering(customer, invoice))).content)
    assert "Credit notes −$10.00" in text
    assert "Amount due $20.00" in text
    await customer.ask(
        IssueCreditNote(
            organization_id=customer.organization_id,
            invoice_id=invoice.invoice_id,
            credit_note_id="note-2",
            kind="credit",
            amount_cents=2000,
            reason="Nor did the others.",
            requested_by="operator",
        )
    )
    text = text_of((await customer.ask(rendering(customer, invoice))).content)
    assert "Settled by credit notes on " in text
    assert "PAID" not in text
    assert "Paid" not in text
    unknown = RenderCreditNote(organization_id="somebody", credit_note_id="note-1")
    assert await customer.refused(unknown) == (404, "credit_note_not_found")


async def test_what_cannot_be_drawn_is_a_sentence(
    customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from services.invoicing.app import rendering as handler

    async def give_up(_document: Any) -> bytes:
        raise NotDrawn("it took longer than 10 s")

    monkeypatch.setattr(handler._drawing, "pdf", give_up)
    await customer.complete()
    invoice = await customer.invoice()
    answer = await customer.world.bus.ask(rendering(customer, invoice), timeout_seconds=30)
    assert isinstance(answer, Refusal)
    assert (answer.status, answer.code) == (409, "not_drawn")


def invoice_row(**changes: Any) -> InvoiceRow:
    said: dict[str, Any] = {
        "organization_id": "acme",
        "invoice_id": "inv-1",
        "status": "paid",
        "invoice_number": "INV-1",
        "subtotal_cents": 3000,
        "total_cents": 3000,
        "amount_due_cents": 3000,
        "amount_paid_cents": 3000,
        "finalized_at": AT,
        "paid_at": AT,
        "created_at": AT,
        "updated_at": AT,
    }
    return InvoiceRow(**{**said, **changes})


def payment_row(**changes: Any) -> PaymentRow:
    said: dict[str, Any] = {
        "organization_id": "acme",
        "payment_id": "p-1",
        "invoice_id": "inv-1",
        "amount_cents": 3000,
        "status": "succeeded",
        "payment_method_brand": "visa",
        "payment_method_last4": "4242",
        "created_at": AT,
    }
    return PaymentRow(**{**said, **changes})


def line_row(**changes: Any) -> LineRow:
    said: dict[str, Any] = {
        "organization_id": "acme",
        "invoice_id": "inv-1",
        "position": 1,
        "kind": "workflow_completion",
        "description": "Completed workflows",
        "quantity": 3,
        "unit_price_cents": 1000,
        "exact_picousd": 0,
        "total_cents": 3000,
    }
    return LineRow(**{**said, **changes})


def test_who_paid_and_what_was_given_back_is_said() -> None:
    row = invoice_row(amount_refunded_cents=1000)
    said = invoice_document(row, [line_row()], {"name": "Us"}, {}, payment_row())
    assert said.payment_note == "Paid by Visa ending in 4242. $10.00 was given back."
    assert (said.amount_due_cents, said.amount_paid_cents, said.credited_cents) == (0, 3000, 0)
    assert invoice_document(row, [], {}, {}, None).payment_note == (
        "Paid. Thank you. $10.00 was given back."
    )


@pytest.mark.parametrize(
    ("credited", "paid", "said"),
    [
        (3000, 0, "Settled by credit notes."),
        (1000, 2000, "Paid. Thank you."),
        # Given after it was paid: documents of their own.
        (3000, 3000, "Paid. Thank you."),
    ],
)
def test_what_credit_notes_took_off_nobody_has_paid(credited: int, paid: int, said: str) -> None:
    row = invoice_row(credited_cents=credited, amount_paid_cents=paid)
    assert invoice_document(row, [], {}, {}, None).payment_note == said


def test_stripes_invoice_is_printed_with_its_own_lines_and_todays_parties() -> None:
    row = invoice_row(kind="stripe", stripe_invoice_id="in_1", finalized_at=None)
    seller = {"name": "Us", "address": ["Street 1"], "tax_id": "T-1", "email": "us@us.test"}
    line = line_row(kind="stripe", description="Pro plan", total_cents=-500)
    said = invoice_document(row, [line], seller, {"name": "Acme"}, None)
    assert (said.number, said.issued_at) == ("INV-1", AT)
    assert (said.seller.name, said.seller.address, said.buyer.name) == ("Us", ("Street 1",), "Acme")
    assert said.lines[0].total_cents == -500


def test_parties_and_amounts_of_then_stay() -> None:
    row = invoice_row(
        status="past_due",
        amount_paid_cents=0,
        credited_cents=500,
        seller={"name": "Then"},
        buyer={"email": "a@b.test"},
        tax_basis_points=1925,
        tax_name="VAT",
    )
    corrected = line_row(corrects_invoice="INV-0", ticket_id="OMOI-1", task_id="t-1")
    said = invoice_document(row, [corrected], {"name": "Now"}, {"name": "Now"}, None)
    assert (said.seller.name, said.buyer.name, said.buyer.email) == ("Then", "acme", "a@b.test")
    assert (said.credited_cents, said.amount_due_cents) == (500, 2500)
    assert (str(said.tax_rate_percent), said.tax_name) == ("19.25", "VAT")
    assert said.lines[0].notes == ("Corrects invoice INV-0", "Ticket OMOI-1", "Task t-1")
    assert said.payment_note == "Please pay on the billing page."


@pytest.mark.parametrize(
    ("kind", "part"), [("refund", "goes back to the card"), ("credit", "added to your credits")]
)
def test_a_credit_note_says_what_became_of_the_money(kind: Any, part: str) -> None:
    note = CreditNoteRow(
        organization_id="acme",
        credit_note_id="n-1",
        number=1,
        invoice_id="inv-1",
        kind=kind,
        amount_cents=1000,
        reason="a mistake",
        requested_by="operator",
        created_at=AT,
    )
    said = credit_note_document(note, "CN-1", invoice_row(), {}, {})
    assert (said.corrects, said.total_cents) == ("INV-1", 1000)
    assert part in (said.payment_note or "")
