"""What stands on an invoice or a credit note, whoever draws it. Money is integer cents."""

from datetime import datetime
from decimal import Decimal
from typing import Literal

import msgspec

DocumentKind = Literal["invoice", "credit_note", "receipt"]
DocumentStatus = Literal["draft", "open", "paid", "past_due", "void"]


class Party(msgspec.Struct, frozen=True, kw_only=True):
    """Who sells, or who buys; `address` is lines as they stand on an envelope."""

    name: str
    address: tuple[str, ...] = ()
    tax_id: str | None = None
    email: str | None = None


class DocumentLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line; the period is half-open, and `notes` says what else there is to know.

    `unit_price_cents` may have a fraction; `total_cents` is what was rounded once.
    """

    description: str
    quantity: Decimal
    unit_price_cents: Decimal
    total_cents: int
    period_start: datetime | None = None
    period_end: datetime | None = None
    notes: tuple[str, ...] = ()


class InvoiceDocument(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is printed, and nothing that is not.

    Amounts are as they stand, so of a credit note they are what is given back, above zero;
    `amount_due_cents` is what is still to be paid. `tax_rate_percent` is only printed beside the
    tax. `corrects` is the number that a credit note is about; `payment_note` says how to pay, or
    how it was paid.
    """

    kind: DocumentKind = "invoice"
    number: str
    status: DocumentStatus
    seller: Party
    buyer: Party
    currency: str = "usd"
    issued_at: datetime
    due_at: datetime | None = None
    paid_at: datetime | None = None
    period_start: datetime | None = None
    period_end: datetime | None = None
    corrects: str | None = None
    tax_name: str | None = None
    lines: tuple[DocumentLine, ...]
    subtotal_cents: int
    discount_cents: int = 0
    tax_cents: int = 0
    tax_rate_percent: Decimal | None = None
    total_cents: int
    credits_applied_cents: int = 0
    # What credit notes have taken off what was due.
    credited_cents: int = 0
    amount_paid_cents: int = 0
    amount_due_cents: int = 0
    payment_note: str | None = None

    @property
    def settled_by_notes(self) -> bool:
        """Whether credit notes took off all that was left to be paid, so that nobody paid it."""
        return self.status == "paid" and self.credited_cents > 0 and not self.amount_paid_cents
