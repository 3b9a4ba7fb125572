"""Invoices as the contract tells of them: listed, got, and the usage behind them."""

from collections.abc import Sequence

from services.invoicing.handlers.usage import FOREIGN_CURSOR, page_of
from services.invoicing.rules.invoices import draft_number
from services.invoicing.store import invoices
from services.invoicing.store.profiles import find_profile
from services.invoicing.store.usage import list_invoice_records
from services.invoicing.tables import InvoiceRow, LineRow, ProfileRow
from shared.contracts.base import Refusal
from shared.contracts.invoicing import (
    GetInvoice,
    Invoice,
    InvoiceLine,
    Invoices,
    ListInvoices,
    ListInvoiceUsage,
    UsageRecords,
)
from shared.cursors import foreign_cursor, read_cursor, write_cursor
from shared.database import Db

UNKNOWN_INVOICE = Refusal(code="invoice_not_found", detail="There is no such invoice.", status=404)
FOREIGN_INVOICE_CURSOR = foreign_cursor("invoices")


async def list_invoices(request: ListInvoices, db: Db) -> Invoices | Refusal:
    """One page of an organization's invoices."""
    before = None
    if request.cursor is not None and (before := read_cursor(request.cursor)) is None:
        return FOREIGN_INVOICE_CURSOR
    rows = await invoices.list_invoices(
        db,
        request.organization_id,
        status=request.status,
        before=before,
        limit=request.limit + 1,
    )
    shown = rows[: request.limit]
    lines = await invoices.list_lines(db, shown)
    profile = await find_profile(db, request.organization_id)
    last = shown[-1] if len(rows) > request.limit else None
    return Invoices(
        invoices=tuple(invoice_of(row, lines[row.invoice_id], profile) for row in shown),
        next_cursor=write_cursor(last.created_at, last.invoice_id) if last else None,
    )


async def get_invoice(request: GetInvoice, db: Db) -> Invoice | Refusal:
    """One invoice of the caller's."""
    row = await invoices.find_invoice(db, request.organization_ids, request.invoice_id)
    return UNKNOWN_INVOICE if row is None else await shown(db, row)


async def list_invoice_usage(request: ListInvoiceUsage, db: Db) -> UsageRecords | Refusal:
    """One page of the records behind an invoice of the caller's."""
    before = None
    if request.cursor is not None and (before := read_cursor(request.cursor)) is None:
        return FOREIGN_CURSOR
    row = await invoices.find_invoice(db, request.organization_ids, request.invoice_id)
    if row is None:
        return UNKNOWN_INVOICE
    records = await list_invoice_records(
        db,
        row.organization_id,
        row.invoice_id,
        position=request.position,
        before=before,
        limit=request.limit + 1,
    )
    return page_of(records, request.limit, await find_profile(db, row.organization_id))


async def shown(db: Db, row: InvoiceRow) -> Invoice:
    """An invoice with its lines."""
    lines = await invoices.list_lines(db, [row])
    return invoice_of(row, lines[row.invoice_id], await find_profile(db, row.organization_id))


def invoice_of(row: InvoiceRow, lines: Sequence[LineRow], owner: ProfileRow | None) -> Invoice:
    """A row and its lines as the contract tells of them."""
    return Invoice(
        invoice_id=row.invoice_id,
        invoice_number=row.invoice_number or draft_number(row.invoice_id),
        organization_id=row.organization_id,
        billing_account_id=owner.billing_account_id if owner else None,
        kind=row.kind,
        ticket_id=row.ticket_id,
        stripe_invoice_id=row.stripe_invoice_id,
        status=row.status,
        period_start=row.period_start,
        period_end=row.period_end,
        usage_until=row.usage_until,
        learned_until=row.learned_until,
        subtotal_cents=row.subtotal_cents,
        discount_cents=row.discount_cents,
        tax_cents=row.tax_cents,
        total_cents=row.total_cents,
        credits_applied_cents=row.credits_applied_cents,
        amount_due_cents=row.amount_due_cents,
        amount_paid_cents=row.amount_paid_cents,
        amount_refunded_cents=row.amount_refunded_cents,
        amount_disputed_cents=row.amount_disputed_cents,
        credited_cents=row.credited_cents,
        currency=row.currency,
        lines=tuple(_line(line) for line in lines),
        description=row.description,
        due_at=row.due_at,
        finalized_at=row.finalized_at,
        paid_at=row.paid_at,
        voided_at=row.voided_at,
        created_at=row.created_at,
        version=row.version,
    )


def _line(line: LineRow) -> InvoiceLine:
    return InvoiceLine(
        position=line.position,
        kind=line.kind,
        description=line.description,
        quantity=line.quantity,
        unit_price_cents=line.unit_price_cents,
        total_cents=line.total_cents,
        ticket_id=line.ticket_id,
        task_id=line.task_id,
        period_start=line.period_start,
        period_end=line.period_end,
        corrects_invoice=line.corrects_invoice,
    )
