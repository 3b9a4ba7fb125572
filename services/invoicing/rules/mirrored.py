"""Stripe's own invoices as ours are told of: their words and amounts stay Stripe's."""

from datetime import datetime

import msgspec

from services.invoicing.tables.rows import InvoiceRow, LineRow
from shared.contracts.invoicing import InvoiceStatus
from shared.contracts.stripe_gateway import StripeInvoice
from shared.money import PICOUSD_PER_CENT

LEFT_OUT = "Further lines are on the invoice at Stripe"


def mirrored_status(told: StripeInvoice, at: datetime) -> InvoiceStatus:
    """Our word: what Stripe could not collect, or not in time, is past due."""
    if told.status == "uncollectible":
        return "past_due"
    if told.status != "open":
        return told.status
    overdue = told.due_at is not None and told.due_at <= at
    return "past_due" if told.attempted or overdue else "open"


def mirrored_invoice(
    told: StripeInvoice,
    version: int,
    before: InvoiceRow | None,
    *,
    organization_id: str,
    invoice_id: str,
    at: datetime,
) -> InvoiceRow:
    """An invoice of Stripe's as it stands; what was noted about it here is kept."""
    due_cents = max(0, told.amount_due_cents)
    paid_cents = min(max(0, told.amount_paid_cents), due_cents)
    refunded_cents = min(told.amount_refunded_cents, paid_cents)
    row = InvoiceRow(
        organization_id=organization_id,
        invoice_id=before.invoice_id if before else invoice_id,
        kind="stripe",
        status=mirrored_status(told, at),
        invoice_number=told.number,
        stripe_invoice_id=told.stripe_invoice_id,
        stripe_version=version,
        description=told.description,
        period_start=told.period_start,
        period_end=told.period_end,
        currency=told.currency,
        subtotal_cents=told.subtotal_cents,
        discount_cents=told.discount_cents,
        tax_cents=told.tax_cents,
        total_cents=told.total_cents,
        # What a balance at Stripe has paid.
        credits_applied_cents=max(0, told.total_cents - due_cents),
        amount_due_cents=due_cents,
        amount_paid_cents=paid_cents,
        amount_refunded_cents=refunded_cents,
        amount_disputed_cents=min(told.amount_disputed_cents, paid_cents - refunded_cents),
        due_at=told.due_at,
        finalized_at=told.finalized_at,
        paid_at=told.paid_at if told.status == "paid" else None,
        voided_at=told.voided_at if told.status == "void" else None,
        created_at=told.created_at,
        updated_at=at,
    )
    if before is None:
        return row
    return msgspec.structs.replace(row, version=before.version + 1)


def mirrored_lines(told: StripeInvoice, row: InvoiceRow) -> list[LineRow]:
    """Its lines; when there are more than were told, the last one carries the rest."""
    lines = [
        LineRow(
            organization_id=row.organization_id,
            invoice_id=row.invoice_id,
            position=position,
            kind="stripe",
            description=line.description,
            quantity=line.quantity,
            unit_price_cents=line.total_cents // line.quantity if line.quantity else 0,
            exact_picousd=line.total_cents * PICOUSD_PER_CENT,
            total_cents=line.total_cents,
            period_start=line.period_start,
            period_end=line.period_end,
        )
        for position, line in enumerate(told.lines, start=1)
    ]
    if told.lines_left_out:
        rest = told.subtotal_cents - sum(line.total_cents for line in told.lines)
        lines.append(
            LineRow(
                organization_id=row.organization_id,
                invoice_id=row.invoice_id,
                position=len(lines) + 1,
                kind="stripe",
                description=LEFT_OUT,
                quantity=1,
                unit_price_cents=rest,
                exact_picousd=rest * PICOUSD_PER_CENT,
                total_cents=rest,
            )
        )
    return lines
