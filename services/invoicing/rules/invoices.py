"""What an invoice says beyond its lines: sums, number, and the hash of all that is final."""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from services.invoicing.rules.lines import Carries, make_lines
from services.invoicing.rules.taxes import TaxRate
from services.invoicing.tables.rows import InvoiceRow, LineRow, ProfileRow, Use
from shared.contracts.invoicing import UsageType
from shared.money import BASIS_POINTS, PICOUSD_PER_CENT, half_even

# Stripe takes no less.
LEAST_DUE_CENTS = 50
# Account burns at most so many holds for one invoice (`ApplyCredits`); more make several invoices.
MAX_HELD_RECORDS = 1000
# Of other records so many, which one statement takes well within its time.
MAX_RECORDS = 100_000
# An invoice with so much usage takes no more, for Stripe charges less than $1,000,000 at once, and
# up to as much again may be tax.
ENOUGH_CENTS = 45_000_000
# The smallest step of time here: half-open cut-offs that take in a moment end this much after it.
MOMENT = timedelta(microseconds=1)

# What may never change once an invoice is final; status and what is paid may.
FINAL = (
    "organization_id",
    "invoice_id",
    "number",
    "invoice_number",
    "ticket_id",
    "description",
    "period_start",
    "period_end",
    "usage_until",
    "learned_until",
    "currency",
    "subtotal_cents",
    "discount_basis_points",
    "discount_cents",
    "tax_basis_points",
    "tax_name",
    "tax_cents",
    "total_cents",
    "credits_applied_cents",
    "amount_due_cents",
    "seller",
    "buyer",
    "due_at",
    "finalized_at",
)


class Cut(NamedTuple):
    """Which usage an invoice takes: what happened before, and was known before."""

    usage_until: datetime
    learned_until: datetime


class Terms(NamedTuple):
    """What is taken off an invoice and put upon it."""

    discount_basis_points: int
    tax: TaxRate


def terms_of(profile: ProfileRow, tax: TaxRate, at: datetime) -> Terms:
    """An organization's terms at a moment."""
    until = profile.discount_until
    counts = until is None or at < until
    return Terms(profile.discount_basis_points if counts else 0, tax)


def make_draft(
    profile: ProfileRow,
    invoice_id: str,
    uses: Sequence[Use],
    carries: Carries,
    terms: Terms,
    cut: Cut,
    billed_until: datetime,
    at: datetime,
) -> tuple[InvoiceRow, tuple[LineRow, ...]]:
    """A draft of what was used: discount, then tax; credits come off when it becomes final.

    Its period begins where the last one ended, or with what happened before and was known late
    in the same month.
    """
    lines = make_lines(profile.organization_id, invoice_id, uses, carries)
    on_time = [use.first_at for use in uses if use.late_month is None]
    sums = add_up(lines, terms.discount_basis_points, terms.tax.basis_points)
    tickets = {line.ticket_id for line in lines}
    draft = InvoiceRow(
        organization_id=profile.organization_id,
        invoice_id=invoice_id,
        ticket_id=tickets.pop() if len(tickets) == 1 else None,
        period_start=min([billed_until, *on_time, cut.usage_until]),
        period_end=cut.usage_until,
        usage_until=cut.usage_until,
        learned_until=cut.learned_until,
        subtotal_cents=sums.subtotal_cents,
        discount_basis_points=terms.discount_basis_points,
        discount_cents=sums.discount_cents,
        tax_basis_points=terms.tax.basis_points,
        tax_name=terms.tax.name,
        tax_cents=sums.tax_cents,
        total_cents=sums.total_cents,
        amount_due_cents=sums.total_cents,
        created_at=at,
        updated_at=at,
    )
    return draft, lines


class Sums(NamedTuple):
    """What the lines come to: subtotal − discount + tax = total."""

    subtotal_cents: int
    discount_cents: int
    tax_cents: int
    total_cents: int


def add_up(lines: Sequence[LineRow], discount_basis_points: int, tax_basis_points: int) -> Sums:
    """Discount comes off the subtotal, and tax is of what is left."""
    subtotal = sum(line.total_cents for line in lines)
    discount = half_even(subtotal * discount_basis_points, BASIS_POINTS)
    tax = half_even((subtotal - discount) * tax_basis_points, BASIS_POINTS)
    return Sums(subtotal, discount, tax, subtotal - discount + tax)


def is_worth_billing(draft: InvoiceRow, uses: Sequence[Use]) -> bool:
    """Whether there is enough for an invoice; less rolls over to the next one.

    Too little to be charged is enough when credits that are held for it pay all of it.
    """
    if draft.subtotal_cents <= 0:
        return False
    return draft.total_cents >= LEAST_DUE_CENTS or draft.total_cents <= held_cents(uses)


def held_cents(uses: Sequence[Use]) -> int:
    """What credits are held for, of this usage."""
    return sum(use.held_picousd for use in uses) // PICOUSD_PER_CENT


def burnable_cents(total_cents: int, credit_cents: int) -> int:
    """What credits would pay; they leave nothing, or at least what Stripe takes."""
    burned = min(total_cents, credit_cents)
    if 0 < total_cents - burned < LEAST_DUE_CENTS:
        return max(0, total_cents - LEAST_DUE_CENTS)
    return burned


def is_collectable(amount_due_cents: int) -> bool:
    """Whether this may be asked for: nothing, or at least what Stripe takes."""
    return amount_due_cents == 0 or amount_due_cents >= LEAST_DUE_CENTS


def disagreement(draft: InvoiceRow, lines: Sequence[LineRow], uses: Sequence[Use]) -> str | None:
    """What a draft says otherwise than the raw records it has taken; None when they agree."""
    carried: dict[tuple[UsageType, int], int] = {}
    for line in lines:
        if line.usage_type is not None:
            carried.setdefault((line.usage_type, line.unit_price_cents), line.carried_in_picousd)
    recomputed = make_lines(draft.organization_id, draft.invoice_id, uses, carried)
    if tuple(lines) != recomputed:
        return "its lines are not what its usage records come to"
    sums = add_up(recomputed, draft.discount_basis_points, draft.tax_basis_points)
    stated = (draft.subtotal_cents, draft.discount_cents, draft.tax_cents, draft.total_cents)
    return "its sums are not what its lines come to" if stated != sums else None


def counted(profile: ProfileRow) -> ProfileRow:
    """A profile that has given out one more number."""
    return msgspec.structs.replace(profile, last_invoice_number=profile.last_invoice_number + 1)


def finalize(
    draft: InvoiceRow,
    lines: Sequence[LineRow],
    profile: ProfileRow,
    *,
    credits_applied_cents: int,
    seller: dict[str, Any],
    due_after: timedelta,
    at: datetime,
) -> InvoiceRow:
    """A draft with its number, final from now on; `profile` has counted it already.

    What credits pay all of is paid.
    """
    due = draft.total_cents - credits_applied_cents
    final = msgspec.structs.replace(
        draft,
        status="open" if due else "paid",
        number=profile.last_invoice_number,
        invoice_number=invoice_number(profile.account_code, profile.last_invoice_number),
        credits_applied_cents=credits_applied_cents,
        amount_due_cents=due,
        seller=seller,
        buyer={"email": profile.billing_email, **profile.buyer},
        due_at=at + due_after,
        finalized_at=at,
        paid_at=None if due else at,
        version=draft.version + 1,
        updated_at=at,
    )
    return msgspec.structs.replace(final, content_hash=content_hash(final, lines))


def void(invoice: InvoiceRow, reason: str, at: datetime) -> InvoiceRow:
    """An invoice taken back; one that has a number keeps it."""
    return msgspec.structs.replace(
        invoice,
        status="void",
        voided_at=at,
        void_reason=reason,
        version=invoice.version + 1,
        updated_at=at,
    )


def invoice_number(account_code: str, number: int) -> str:
    """`INV-7K2M9QX4TB3C-000042`; of a draft see `draft_number`."""
    return f"INV-{account_code}-{number:06}"


def draft_number(invoice_id: str) -> str:
    """What a draft shows until it has a number: the end of its id, which is random."""
    return f"DRAFT-{invoice_id[-8:].upper()}"


def content_hash(invoice: InvoiceRow, lines: Sequence[LineRow]) -> bytes:
    """SHA-256 of what may never change."""
    said = {name: getattr(invoice, name) for name in FINAL}
    ordered = sorted(lines, key=lambda line: line.position)
    return hashlib.sha256(msgspec.json.encode([said, ordered], order="sorted")).digest()
