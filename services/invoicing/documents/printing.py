"""What is printed of an invoice or a credit note: rows of tables in the words of a document."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from services.invoicing.documents.document import DocumentLine, InvoiceDocument, Party
from services.invoicing.documents.sheet import money
from services.invoicing.tables import CreditNoteRow, InvoiceRow, LineRow, PaymentRow

BASIS_POINTS_PER_PERCENT = 100


def invoice_document(
    row: InvoiceRow,
    lines: Sequence[LineRow],
    seller: Mapping[str, Any],
    buyer: Mapping[str, Any],
    payment: PaymentRow | None,
) -> InvoiceDocument:
    """A final invoice; `seller` and `buyer` are today's, for one that does not name its own.

    `payment` is the one that paid it, if a payment did.
    """
    due = _still_due(row)
    settled = row.status in {"paid", "void"}
    return InvoiceDocument(
        number=row.invoice_number or row.invoice_id,
        status=row.status,
        seller=_seller(row.seller or seller),
        buyer=_buyer(row.buyer or buyer, row.organization_id),
        currency=row.currency,
        issued_at=row.finalized_at or row.created_at,
        due_at=row.due_at,
        paid_at=row.paid_at,
        period_start=row.period_start,
        period_end=row.period_end,
        lines=tuple(_line(line) for line in lines),
        subtotal_cents=row.subtotal_cents,
        discount_cents=row.discount_cents,
        tax_cents=row.tax_cents,
        tax_rate_percent=_percent(row.tax_basis_points),
        tax_name=row.tax_name,
        total_cents=row.total_cents,
        credits_applied_cents=row.credits_applied_cents,
        credited_cents=_lessened(row, due),
        amount_paid_cents=row.amount_paid_cents,
        amount_due_cents=due,
        payment_note=_paid_how(row, payment) if settled else "Please pay on the billing page.",
    )


def credit_note_document(
    note: CreditNoteRow,
    number: str,
    row: InvoiceRow,
    seller: Mapping[str, Any],
    buyer: Mapping[str, Any],
) -> InvoiceDocument:
    """A credit note, made out as the invoice that it corrects."""
    given = {
        "refund": "The money goes back to the card that paid.",
        "credit": "It lessens what is due or, if nothing was, is added to your credits.",
    }[note.kind]
    if note.voided_at is not None:
        given = "The bank did not take this refund, so it was not given."
    line = DocumentLine(
        description=f"Correction of invoice {row.invoice_number}",
        quantity=Decimal(1),
        unit_price_cents=Decimal(note.amount_cents),
        total_cents=note.amount_cents,
        notes=(note.reason,),
    )
    return InvoiceDocument(
        kind="credit_note",
        number=number,
        status="paid" if note.voided_at is None else "void",
        seller=_seller(row.seller or seller),
        buyer=_buyer(row.buyer or buyer, row.organization_id),
        currency=row.currency,
        issued_at=note.created_at,
        corrects=row.invoice_number,
        lines=(line,),
        subtotal_cents=note.amount_cents,
        total_cents=note.amount_cents,
        payment_note=given,
    )


def _still_due(row: InvoiceRow) -> int:
    if row.status in {"paid", "void"}:
        return 0
    return max(0, row.amount_due_cents - row.amount_paid_cents - row.credited_cents)


def _lessened(row: InvoiceRow, due: int) -> int:
    """What credit notes took off before it was paid; later ones are documents of their own."""
    return 0 if row.status == "void" else row.amount_due_cents - row.amount_paid_cents - due


def _paid_how(row: InvoiceRow, payment: PaymentRow | None) -> str | None:
    if row.status == "void":
        return None
    gone = _gone_again(row)
    if payment is not None and payment.payment_method_last4:
        brand = (payment.payment_method_brand or "card").replace("_", " ").capitalize()
        return f"Paid by {brand} ending in {payment.payment_method_last4}.{gone}"
    if row.amount_due_cents == 0 and row.credits_applied_cents:
        return "Paid by credits."
    if _lessened(row, 0) and not row.amount_paid_cents:
        return "Settled by credit notes."
    return f"Paid. Thank you.{gone}"


def _gone_again(row: InvoiceRow) -> str:
    told = (
        (row.amount_refunded_cents, "was given back"),
        (row.amount_disputed_cents, "is disputed by your bank"),
    )
    return "".join(f" {money(cents, row.currency)} {said}." for cents, said in told if cents)


def _line(line: LineRow) -> DocumentLine:
    corrected = f"Corrects invoice {line.corrects_invoice}" if line.corrects_invoice else None
    ticket = f"Ticket {line.ticket_id}" if line.ticket_id else None
    task = f"Task {line.task_id}" if line.task_id else None
    return DocumentLine(
        description=line.description,
        quantity=Decimal(line.quantity),
        unit_price_cents=Decimal(line.unit_price_cents),
        total_cents=line.total_cents,
        period_start=line.period_start,
        period_end=line.period_end,
        notes=tuple(note for note in (corrected, ticket, task) if note),
    )


def _seller(seller: Mapping[str, Any]) -> Party:
    return Party(
        name=seller.get("name") or "",
        address=tuple(seller.get("address") or ()),
        tax_id=seller.get("tax_id"),
        email=seller.get("email"),
    )


def _buyer(buyer: Mapping[str, Any], organization_id: str) -> Party:
    """Named by its organization until it gives a name; the town's line is as most write it."""
    address = buyer.get("address") or {}
    town = " ".join(
        part for name in ("postal_code", "city", "state") if (part := address.get(name))
    )
    lines = (address.get("line1"), address.get("line2"), town, address.get("country"))
    return Party(
        name=buyer.get("name") or organization_id,
        address=tuple(line for line in lines if line),
        tax_id=buyer.get("tax_id"),
        email=buyer.get("email"),
    )


def _percent(basis_points: int) -> Decimal | None:
    return Decimal(basis_points) / BASIS_POINTS_PER_PERCENT if basis_points else None
