"""Corrections of final invoices: what may be taken back, credited or refunded, and how."""

from typing import Literal

import msgspec

from services.invoicing.rules.invoices import is_collectable
from services.invoicing.tables.rows import InvoiceRow
from shared.contracts.base import Refusal
from shared.contracts.invoicing import CreditNoteKind

# How a credit note comes about: less is asked for, credits are granted, or money goes back.
Correction = Literal["lessen", "grant", "refund"]

NOT_OURS = Refusal(
    code="invoice_at_stripe",
    detail="This invoice is Stripe's and is corrected there.",
)
VOID = Refusal(code="invoice_void", detail="This invoice is void.")
PAID = Refusal(
    code="invoice_paid", detail="A paid invoice is not taken back; issue a credit note for it."
)
CORRECTED = Refusal(
    code="invoice_corrected", detail="There are credit notes for this invoice; issue another one."
)
DRAFT = Refusal(code="invoice_draft", detail="A draft is corrected before it is final.")
UNPAID = Refusal(code="invoice_unpaid", detail="Nothing was paid that could be refunded.")
DISPUTED = Refusal(
    code="invoice_disputed",
    detail=(
        "The customer's bank holds back or has taken what was paid for this invoice: nothing of it"
        " can be given back."
    ),
)


def void_refusal(invoice: InvoiceRow) -> Refusal | None:
    """Why an invoice may not be taken back; None when it may."""
    if invoice.kind != "usage":
        return NOT_OURS
    if invoice.amount_disputed_cents:
        return DISPUTED
    refusals = {"void": VOID, "paid": PAID}
    if invoice.status in refusals:
        return refusals[invoice.status]
    return CORRECTED if invoice.credited_cents else None


def correction(
    invoice: InvoiceRow, kind: CreditNoteKind, cents: int, refunded_by_notes_cents: int
) -> Correction | Refusal:
    """How a credit note of this kind comes about, never beyond what the invoice came to; what was
    refunded otherwise, as on Stripe's pages, counts as well, and what a bank holds back.
    """
    if invoice.kind != "usage":
        return NOT_OURS
    if invoice.status in {"draft", "void"}:
        return DRAFT if invoice.status == "draft" else VOID
    is_paid = invoice.status == "paid"
    elsewhere = max(0, invoice.amount_refunded_cents - refunded_by_notes_cents)
    gone = elsewhere + invoice.amount_disputed_cents
    uncorrected = invoice.total_cents - invoice.credited_cents - gone
    if kind == "refund":
        return _refund(invoice, cents, uncorrected)
    if is_paid:
        return "grant" if cents <= uncorrected else _beyond(max(0, uncorrected))
    left = invoice.amount_due_cents - invoice.amount_paid_cents - invoice.credited_cents
    if cents > left:
        return _beyond(left)
    return "lessen" if is_collectable(left - cents) else _too_little(left)


def _refund(invoice: InvoiceRow, cents: int, uncorrected_cents: int) -> Correction | Refusal:
    if invoice.amount_disputed_cents:
        return DISPUTED
    left = min(invoice.amount_paid_cents - invoice.amount_refunded_cents, uncorrected_cents)
    if invoice.status != "paid" or left <= 0:
        return UNPAID
    return "refund" if cents <= left else _beyond(left)


def with_credited(invoice: InvoiceRow, cents: int) -> InvoiceRow:
    """An invoice of which so much more (or, below zero, less) is credited."""
    return msgspec.structs.replace(invoice, credited_cents=invoice.credited_cents + cents)


def _beyond(left_cents: int) -> Refusal:
    return Refusal(
        code="beyond_invoice",
        detail=f"At most ${left_cents / 100:.2f} of this invoice is left to be corrected.",
        status=422,
    )


def _too_little(left_cents: int) -> Refusal:
    return Refusal(
        code="too_little_left",
        detail=(
            f"Of the ${left_cents / 100:.2f} that is due nothing may be left, or at least $0.50:"
            " less cannot be charged."
        ),
        status=422,
    )


def credit_note_number(account_code: str, number: int) -> str:
    """`CN-7K2M9QX4TB3C-000001`."""
    return f"CN-{account_code}-{number:06}"
