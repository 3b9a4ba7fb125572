"""What banks dispute of payments and invoices."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

# Of a final invoice; what is disputed may as well, like what was given back.
MAY_CHANGE = (
    "status",
    "amount_paid_cents",
    "amount_refunded_cents",
    "amount_disputed_cents",
    "credited_cents",
    "paid_at",
    "voided_at",
    "void_reason",
    "version",
    "updated_at",
)
KEEP_FINAL = f"""
CREATE OR REPLACE FUNCTION keep_final_invoices() RETURNS trigger LANGUAGE plpgsql AS $$
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
    """Nothing is, until it is told."""
    _add("payments", "disputed_cents")
    op.create_check_constraint(
        "payments_disputed",
        "payments",
        "disputed_cents BETWEEN 0 AND amount_cents - refunded_cents",
    )
    _add("invoices", "amount_disputed_cents")
    op.create_check_constraint(
        "invoices_disputed",
        "invoices",
        "amount_disputed_cents BETWEEN 0 AND amount_paid_cents - amount_refunded_cents",
    )
    op.execute(KEEP_FINAL)


def _add(table: str, name: str) -> None:
    none_yet = sa.text("0")
    op.add_column(table, sa.Column(name, sa.BigInteger(), server_default=none_yet, nullable=False))
