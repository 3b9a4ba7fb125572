"""The tables of invoicing. Times are UTC, periods half-open, money cents or pico-dollars."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()
Moment = DateTime(timezone=True)
NONE_YET = text("0")

# How an organization is billed. Its row is the lock of everything that is the organization's.
billing_profiles = Table(
    "billing_profiles",
    metadata,
    Column("organization_id", Text, primary_key=True),
    # Stands in invoice numbers; unique, and never changes.
    Column("account_code", Text, nullable=False, unique=True),
    Column("billing_account_id", Text),
    Column("account_version", BigInteger, nullable=False, server_default=NONE_YET),
    Column("account_status", Text, nullable=False, server_default="pending"),
    Column("has_payment_method", Boolean, nullable=False, server_default=false()),
    Column("default_payment_method_id", Text),
    Column("methods_version", BigInteger, nullable=False, server_default=NONE_YET),
    Column("auto_billing_enabled", Boolean, nullable=False, server_default=false()),
    Column("auto_billing_monthly_limit_cents", BigInteger),
    Column("tax_exempt", Boolean, nullable=False, server_default=false()),
    Column("buyer", JSONB, nullable=False, server_default=text("'{}'")),
    Column("billing_email", Text),
    Column("discount_basis_points", Integer, nullable=False, server_default=NONE_YET),
    Column("discount_until", Moment),
    Column("tax_basis_points", Integer, nullable=False, server_default=NONE_YET),
    Column("tax_name", Text),
    Column("last_invoice_number", Integer, nullable=False, server_default=NONE_YET),
    Column("last_credit_note_number", Integer, nullable=False, server_default=NONE_YET),
    # Whether dunning has suspended it, and the version of the last fact that said so.
    Column("suspended", Boolean, nullable=False, server_default=false()),
    Column("suspension_version", BigInteger, nullable=False, server_default=NONE_YET),
    # The auditor's, or our own recomputation's: no invoice, no charge until it is released.
    Column("parked_reason", Text),
    Column("parked_at", Moment),
    # The month that ends here is to be closed next.
    Column("next_close_at", Moment, nullable=False),
    Column("opened_at", Moment, nullable=False),
    CheckConstraint("discount_basis_points BETWEEN 0 AND 10000", name="billing_profiles_discount"),
    CheckConstraint("tax_basis_points BETWEEN 0 AND 10000", name="billing_profiles_tax"),
    Index("billing_profiles_closing", "next_close_at"),
)

# One row a use. What it adds is exact in pico-dollars; a line rounds.
usage_records = Table(
    "usage_records",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("record_id", Text, primary_key=True),
    Column("usage_type", Text, nullable=False),
    # The workflow, or what else makes the use one of its kind.
    Column("source_id", Text, nullable=False),
    Column("ticket_id", Text),
    Column("quantity", BigInteger, nullable=False),
    Column("unit_price_cents", BigInteger, nullable=False),
    Column("total_picousd", BigInteger, nullable=False),
    Column("covered_by", Text, nullable=False),
    Column("tier", Text, nullable=False),
    # The credits that are set aside for it at account.
    Column("hold_id", Text),
    Column("invoice_id", Text),
    # Its line of that invoice.
    Column("position", Integer),
    Column("occurred_at", Moment, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    Column("billed_at", Moment),
    # The month it belongs to, if that was closed before it was learned of.
    Column("late_month", Moment),
    # The number of the invoice that it corrects.
    Column("corrects_invoice", Text),
    UniqueConstraint("organization_id", "usage_type", "source_id", name="usage_records_once"),
    CheckConstraint("quantity > 0 AND unit_price_cents >= 0", name="usage_records_amounts"),
    CheckConstraint(
        "usage_type IN ('workflow_completion', 'llm_cost', 'storage')", name="usage_records_type"
    ),
    CheckConstraint(
        "covered_by IN ('plan', 'free', 'credits', 'auto_billing', 'none')",
        name="usage_records_covered_by",
    ),
    # What the plan or the free workflows cover costs nothing and is never invoiced.
    CheckConstraint(
        "covered_by NOT IN ('plan', 'free') OR (total_picousd = 0 AND invoice_id IS NULL)",
        name="usage_records_covered",
    ),
    CheckConstraint("(invoice_id IS NULL) = (position IS NULL)", name="usage_records_line"),
    Index(
        "usage_records_unbilled",
        "organization_id",
        "occurred_at",
        postgresql_where=text("billed_at IS NULL"),
    ),
    Index("usage_records_newest", "organization_id", "recorded_at", "record_id"),
    Index("usage_records_invoice", "organization_id", "invoice_id", "position", "record_id"),
)

# Our invoices, and Stripe's mirrored. What a finalized one says never changes; its status and what
# is paid do.
invoices = Table(
    "invoices",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("invoice_id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("status", Text, nullable=False),
    # Ours, gapless by account; Stripe's have `invoice_number` only.
    Column("number", Integer),
    Column("invoice_number", Text),
    Column("stripe_invoice_id", Text, unique=True),
    Column("stripe_version", BigInteger, nullable=False, server_default=NONE_YET),
    Column("ticket_id", Text),
    Column("description", Text),
    Column("period_start", Moment),
    Column("period_end", Moment),
    Column("usage_until", Moment),
    Column("learned_until", Moment),
    Column("currency", Text, nullable=False, server_default="usd"),
    Column("subtotal_cents", BigInteger, nullable=False),
    Column("discount_basis_points", Integer, nullable=False, server_default=NONE_YET),
    Column("discount_cents", BigInteger, nullable=False, server_default=NONE_YET),
    Column("tax_basis_points", Integer, nullable=False, server_default=NONE_YET),
    Column("tax_name", Text),
    Column("tax_cents", BigInteger, nullable=False, server_default=NONE_YET),
    Column("total_cents", BigInteger, nullable=False),
    Column("credits_applied_cents", BigInteger, nullable=False, server_default=NONE_YET),
    Column("amount_due_cents", BigInteger, nullable=False),
    Column("amount_paid_cents", BigInteger, nullable=False, server_default=NONE_YET),
    Column("amount_refunded_cents", BigInteger, nullable=False, server_default=NONE_YET),
    Column("amount_disputed_cents", BigInteger, nullable=False, server_default=NONE_YET),
    Column("credited_cents", BigInteger, nullable=False, server_default=NONE_YET),
    # Seller and buyer as they were when it became final.
    Column("seller", JSONB),
    Column("buyer", JSONB),
    # SHA-256 of what may never change, from its finalization on.
    Column("content_hash", LargeBinary),
    Column("due_at", Moment),
    Column("finalized_at", Moment),
    Column("paid_at", Moment),
    Column("voided_at", Moment),
    Column("void_reason", Text),
    Column("version", BigInteger, nullable=False, server_default=text("1")),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    UniqueConstraint("organization_id", "number", name="invoices_number"),
    CheckConstraint("kind IN ('usage', 'stripe')", name="invoices_kind"),
    CheckConstraint(
        "status IN ('draft', 'open', 'paid', 'past_due', 'void')", name="invoices_status"
    ),
    CheckConstraint(
        "(kind = 'stripe') = (stripe_invoice_id IS NOT NULL)", name="invoices_mirrored"
    ),
    CheckConstraint(
        "kind = 'stripe' OR total_cents = subtotal_cents - discount_cents + tax_cents"
        " AND amount_due_cents = total_cents - credits_applied_cents",
        name="invoices_sums",
    ),
    CheckConstraint(
        "amount_due_cents >= 0 AND amount_paid_cents BETWEEN 0 AND amount_due_cents"
        " AND amount_refunded_cents BETWEEN 0 AND amount_paid_cents"
        " AND credits_applied_cents >= 0 AND credited_cents >= 0",
        name="invoices_amounts",
    ),
    CheckConstraint(
        "amount_disputed_cents BETWEEN 0 AND amount_paid_cents - amount_refunded_cents",
        name="invoices_disputed",
    ),
    CheckConstraint(
        "kind = 'stripe' OR (status = 'draft') = (finalized_at IS NULL)"
        " OR (status = 'void' AND finalized_at IS NULL)",
        name="invoices_finalized",
    ),
    CheckConstraint(
        "kind = 'stripe' OR (number IS NULL) = (finalized_at IS NULL)", name="invoices_numbered"
    ),
    CheckConstraint(
        "kind = 'stripe' OR status <> 'paid'"
        " OR amount_paid_cents + credited_cents >= amount_due_cents",
        name="invoices_paid_for",
    ),
    # A draft is on its way to be final: there is never another one beside it.
    Index(
        "invoices_one_draft",
        "organization_id",
        unique=True,
        postgresql_where=text("status = 'draft' AND kind = 'usage'"),
    ),
    Index("invoices_newest", "organization_id", "created_at", "invoice_id"),
    Index("invoices_unpaid", "due_at", postgresql_where=text("status IN ('open', 'past_due')")),
)

# Written once, with their invoice.
invoice_lines = Table(
    "invoice_lines",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("invoice_id", Text, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("kind", Text, nullable=False),
    # Of ours: with the price, whose carry it is.
    Column("usage_type", Text),
    Column("description", Text, nullable=False),
    Column("quantity", BigInteger, nullable=False),
    Column("unit_price_cents", BigInteger, nullable=False),
    # What was carried here and the exact sum of its records; their rest is carried on.
    Column("carried_in_picousd", BigInteger, nullable=False, server_default=NONE_YET),
    Column("exact_picousd", BigInteger, nullable=False),
    Column("total_cents", BigInteger, nullable=False),
    Column("ticket_id", Text),
    Column("task_id", Text),
    Column("period_start", Moment),
    Column("period_end", Moment),
    Column("corrects_invoice", Text),
)

# What rounding has left over, by kind and price.
carries = Table(
    "carries",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("usage_type", Text, primary_key=True),
    Column("unit_price_cents", BigInteger, primary_key=True),
    Column("carry_picousd", BigInteger, nullable=False, server_default=NONE_YET),
)

credit_notes = Table(
    "credit_notes",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("credit_note_id", Text, primary_key=True),
    Column("number", Integer, nullable=False),
    Column("invoice_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("amount_cents", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    UniqueConstraint("organization_id", "number", name="credit_notes_number"),
    CheckConstraint("kind IN ('credit', 'refund')", name="credit_notes_kind"),
    CheckConstraint("amount_cents > 0", name="credit_notes_amount"),
    Index("credit_notes_invoice", "organization_id", "invoice_id"),
)

# Refunds that the bank did not take, by the id of their credit note, whichever is known first.
failed_refunds = Table(
    "failed_refunds",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("credit_note_id", Text, primary_key=True),
    Column("failed_at", Moment, nullable=False),
)
