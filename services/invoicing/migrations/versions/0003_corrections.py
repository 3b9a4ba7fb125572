"""Refunds that failed at the bank, whose credit notes are void; and paid is paid for."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create their table, never written anew, and let nothing unpaid be called paid."""
    op.create_table(
        "failed_refunds",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("credit_note_id", sa.Text(), nullable=False),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "credit_note_id"),
    )
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON failed_refunds FROM invoicing")
    op.create_check_constraint(
        "invoices_paid_for",
        "invoices",
        "kind = 'stripe' OR status <> 'paid'"
        " OR amount_paid_cents + credited_cents >= amount_due_cents",
    )
