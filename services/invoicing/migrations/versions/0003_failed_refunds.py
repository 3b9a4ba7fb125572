"""Refunds that failed at the bank, whose credit notes are void."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create their table; like credit notes, they are never written anew."""
    op.create_table(
        "failed_refunds",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("credit_note_id", sa.Text(), nullable=False),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "credit_note_id"),
    )
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON failed_refunds FROM invoicing")
