"""By which payments Stripe's invoices were paid, so that what was refunded shows on them."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """One row a payment that something was asked back of."""
    op.create_table(
        "invoice_payments",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("payment_intent_id", sa.Text(), nullable=False),
        sa.Column("stripe_invoice_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "payment_intent_id"),
    )
    op.create_index(
        "invoice_payments_invoice",
        "invoice_payments",
        ["organization_id", "stripe_invoice_id"],
        unique=False,
    )
