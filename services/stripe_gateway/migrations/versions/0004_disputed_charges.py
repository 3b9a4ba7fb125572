"""What banks hold back or have taken of a charge, so that a dispute shows where it was billed; and
whose an invoice is, found without knowing it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Nothing, until a dispute is looked at."""
    op.add_column(
        "charges",
        sa.Column("disputed_cents", sa.Integer(), server_default=sa.text("0"), nullable=False),
    )
    op.create_check_constraint(
        "charges_disputed",
        "charges",
        "disputed_cents BETWEEN 0 AND amount_cents - refunded_cents",
    )
    op.create_index("stripe_invoices_id", "stripe_invoices", ["stripe_invoice_id"])
