"""The first tables: profiles, usage, invoices, and the chassis' own."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from shared.migrations.chassis import create_first_chassis_tables

revision = "0001"
down_revision = None

# The last line of "a finalized invoice never changes": only its status, what was paid, given back
# or credited, and when, may.
MAY_CHANGE = (
    "status",
    "amount_paid_cents",
    "amount_refunded_cents",
    "credited_cents",
    "paid_at",
    "voided_at",
    "void_reason",
    "version",
    "updated_at",
)
KEEP_FINAL = f"""
CREATE FUNCTION keep_final_invoices() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.content_hash IS NOT NULL AND (
        TG_OP = 'DELETE'
        OR to_jsonb(NEW) - '{{{",".join(MAY_CHANGE)}}}'::text[]
           <> to_jsonb(OLD) - '{{{",".join(MAY_CHANGE)}}}'::text[]
    ) THEN
        RAISE EXCEPTION 'invoice % is final', OLD.invoice_number
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN COALESCE(NEW, OLD);
END $$
"""


def upgrade() -> None:
    """Create everything; a line is never written anew, a credit note neither."""
    create_first_chassis_tables()
    _create_profiles()
    _create_usage()
    _create_invoices()
    _create_lines()
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON invoice_lines, credit_notes FROM invoicing")
    op.execute(KEEP_FINAL)
    op.execute(
        "CREATE TRIGGER invoices_final BEFORE UPDATE OR DELETE ON invoices"
        " FOR EACH ROW EXECUTE FUNCTION keep_final_invoices()"
    )


def _create_profiles() -> None:
    """How organizations are billed."""
    op.create_table(
        "billing_profiles",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("account_code", sa.Text(), nullable=False),
        sa.Column("billing_account_id", sa.Text(), nullable=True),
        sa.Column("account_version", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("account_status", sa.Text(), server_default="pending", nullable=False),
        sa.Column(
            "has_payment_method", sa.Boolean(), server_default=sa.text("false"), nullable=False
        ),
        sa.Column("default_payment_method_id", sa.Text(), nullable=True),
        sa.Column("methods_version", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "auto_billing_enabled", sa.Boolean(), server_default=sa.text("false"), nullable=False
        ),
        sa.Column("auto_billing_monthly_limit_cents", sa.BigInteger(), nullable=True),
        sa.Column("tax_exempt", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "buyer",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("billing_email", sa.Text(), nullable=True),
        sa.Column("tier", sa.Text(), server_default="free", nullable=False),
        sa.Column("plan_version", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("llm_markup_basis_points", sa.Integer(), nullable=True),
        sa.Column(
            "discount_basis_points", sa.Integer(), server_default=sa.text("0"), nullable=False
        ),
        sa.Column("discount_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tax_basis_points", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("tax_name", sa.Text(), nullable=True),
        sa.Column("last_invoice_number", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "last_credit_note_number", sa.Integer(), server_default=sa.text("0"), nullable=False
        ),
        sa.Column("suspended", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "suspension_version", sa.BigInteger(), server_default=sa.text("0"), nullable=False
        ),
        sa.Column("parked_reason", sa.Text(), nullable=True),
        sa.Column("parked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_close_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "discount_basis_points BETWEEN 0 AND 10000", name="billing_profiles_discount"
        ),
        sa.CheckConstraint("tax_basis_points BETWEEN 0 AND 10000", name="billing_profiles_tax"),
        sa.PrimaryKeyConstraint("organization_id"),
        sa.UniqueConstraint("account_code"),
    )
    op.create_index("billing_profiles_closing", "billing_profiles", ["next_close_at"], unique=False)


def _create_usage() -> None:
    """What was used, and what rounding left over."""
    op.create_table(
        "usage_records",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("usage_type", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("ticket_id", sa.Text(), nullable=True),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("unit_price_cents", sa.BigInteger(), nullable=False),
        sa.Column("total_picousd", sa.BigInteger(), nullable=False),
        sa.Column("covered_by", sa.Text(), nullable=False),
        sa.Column("tier", sa.Text(), nullable=False),
        sa.Column("hold_id", sa.Text(), nullable=True),
        sa.Column("invoice_id", sa.Text(), nullable=True),
        sa.Column("position", sa.Integer(), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("billed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("late_month", sa.DateTime(timezone=True), nullable=True),
        sa.Column("corrects_invoice", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "covered_by IN ('plan', 'free', 'credits', 'auto_billing', 'none')",
            name="usage_records_covered_by",
        ),
        sa.CheckConstraint(
            "covered_by NOT IN ('plan', 'free') OR (total_picousd = 0 AND invoice_id IS NULL)",
            name="usage_records_covered",
        ),
        sa.CheckConstraint(
            "usage_type IN ('workflow_completion', 'llm_cost', 'storage')",
            name="usage_records_type",
        ),
        sa.CheckConstraint("(invoice_id IS NULL) = (position IS NULL)", name="usage_records_line"),
        sa.CheckConstraint("quantity > 0 AND unit_price_cents >= 0", name="usage_records_amounts"),
        sa.PrimaryKeyConstraint("organization_id", "record_id"),
        sa.UniqueConstraint(
            "organization_id", "usage_type", "source_id", name="usage_records_once"
        ),
    )
    op.create_index(
        "usage_records_invoice",
        "usage_records",
        ["organization_id", "invoice_id", "position", "record_id"],
        unique=False,
    )
    op.create_index(
        "usage_records_newest",
        "usage_records",
        ["organization_id", "recorded_at", "record_id"],
        unique=False,
    )
    op.create_index(
        "usage_records_unbilled",
        "usage_records",
        ["organization_id", "occurred_at"],
        unique=False,
        postgresql_where=sa.text("billed_at IS NULL"),
    )
    op.create_table(
        "carries",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("usage_type", sa.Text(), nullable=False),
        sa.Column("unit_price_cents", sa.BigInteger(), nullable=False),
        sa.Column("carry_picousd", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "usage_type", "unit_price_cents"),
    )


def _create_invoices() -> None:
    """What is billed."""
    op.create_table(
        "invoices",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("invoice_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("invoice_number", sa.Text(), nullable=True),
        sa.Column("stripe_invoice_id", sa.Text(), nullable=True),
        sa.Column("stripe_version", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("ticket_id", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("period_start", sa.DateTime(timezone=True), nullable=True),
        sa.Column("period_end", sa.DateTime(timezone=True), nullable=True),
        sa.Column("usage_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("learned_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("currency", sa.Text(), server_default="usd", nullable=False),
        sa.Column("subtotal_cents", sa.BigInteger(), nullable=False),
        sa.Column(
            "discount_basis_points", sa.Integer(), server_default=sa.text("0"), nullable=False
        ),
        sa.Column("discount_cents", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("tax_basis_points", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("tax_name", sa.Text(), nullable=True),
        sa.Column("tax_cents", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("total_cents", sa.BigInteger(), nullable=False),
        sa.Column(
            "credits_applied_cents", sa.BigInteger(), server_default=sa.text("0"), nullable=False
        ),
        sa.Column("amount_due_cents", sa.BigInteger(), nullable=False),
        sa.Column(
            "amount_paid_cents", sa.BigInteger(), server_default=sa.text("0"), nullable=False
        ),
        sa.Column(
            "amount_refunded_cents", sa.BigInteger(), server_default=sa.text("0"), nullable=False
        ),
        sa.Column("credited_cents", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("seller", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("buyer", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("content_hash", sa.LargeBinary(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finalized_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("voided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("void_reason", sa.Text(), nullable=True),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(kind = 'stripe') = (stripe_invoice_id IS NOT NULL)", name="invoices_mirrored"
        ),
        sa.CheckConstraint(
            "kind = 'stripe' OR (number IS NULL) = (finalized_at IS NULL)", name="invoices_numbered"
        ),
        sa.CheckConstraint(
            "kind = 'stripe' OR (status = 'draft') = (finalized_at IS NULL)"
            " OR (status = 'void' AND finalized_at IS NULL)",
            name="invoices_finalized",
        ),
        sa.CheckConstraint("kind IN ('usage', 'stripe')", name="invoices_kind"),
        sa.CheckConstraint(
            "status IN ('draft', 'open', 'paid', 'past_due', 'void')", name="invoices_status"
        ),
        sa.CheckConstraint(
            "amount_due_cents >= 0 AND amount_paid_cents BETWEEN 0 AND amount_due_cents"
            " AND amount_refunded_cents BETWEEN 0 AND amount_paid_cents"
            " AND credits_applied_cents >= 0 AND credited_cents >= 0",
            name="invoices_amounts",
        ),
        sa.CheckConstraint(
            "kind = 'stripe' OR total_cents = subtotal_cents - discount_cents + tax_cents"
            " AND amount_due_cents = total_cents - credits_applied_cents",
            name="invoices_sums",
        ),
        sa.PrimaryKeyConstraint("organization_id", "invoice_id"),
        sa.UniqueConstraint("organization_id", "number", name="invoices_number"),
        sa.UniqueConstraint("stripe_invoice_id"),
    )
    op.create_index(
        "invoices_newest", "invoices", ["organization_id", "created_at", "invoice_id"], unique=False
    )
    op.create_index(
        "invoices_one_draft",
        "invoices",
        ["organization_id"],
        unique=True,
        postgresql_where=sa.text("status = 'draft' AND kind = 'usage'"),
    )
    op.create_index(
        "invoices_unpaid",
        "invoices",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("status IN ('open', 'past_due')"),
    )


def _create_lines() -> None:
    """What it consists of, and what corrects it."""
    op.create_table(
        "invoice_lines",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("invoice_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("usage_type", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("unit_price_cents", sa.BigInteger(), nullable=False),
        sa.Column(
            "carried_in_picousd", sa.BigInteger(), server_default=sa.text("0"), nullable=False
        ),
        sa.Column("exact_picousd", sa.BigInteger(), nullable=False),
        sa.Column("total_cents", sa.BigInteger(), nullable=False),
        sa.Column("ticket_id", sa.Text(), nullable=True),
        sa.Column("task_id", sa.Text(), nullable=True),
        sa.Column("period_start", sa.DateTime(timezone=True), nullable=True),
        sa.Column("period_end", sa.DateTime(timezone=True), nullable=True),
        sa.Column("corrects_invoice", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("organization_id", "invoice_id", "position"),
    )
    op.create_table(
        "credit_notes",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("credit_note_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("invoice_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('credit', 'refund')", name="credit_notes_kind"),
        sa.CheckConstraint("amount_cents > 0", name="credit_notes_amount"),
        sa.PrimaryKeyConstraint("organization_id", "credit_note_id"),
        sa.UniqueConstraint("organization_id", "number", name="credit_notes_number"),
    )
    op.create_index(
        "credit_notes_invoice", "credit_notes", ["organization_id", "invoice_id"], unique=False
    )
