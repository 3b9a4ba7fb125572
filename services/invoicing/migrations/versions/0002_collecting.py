"""Collecting: attempts at invoices, and what dunning does next."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create both; the indexes of attempts are what forbids a second charge."""
    op.create_table(
        "payments",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=False),
        sa.Column("invoice_id", sa.Text(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("automatic", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("payment_method_id", sa.Text(), nullable=True),
        sa.Column("superseded", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("surplus", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("stripe_payment_intent_id", sa.Text(), nullable=True),
        sa.Column("payment_method_type", sa.Text(), nullable=True),
        sa.Column("payment_method_brand", sa.Text(), nullable=True),
        sa.Column("payment_method_last4", sa.Text(), nullable=True),
        sa.Column("failure_code", sa.Text(), nullable=True),
        sa.Column("failure_message", sa.Text(), nullable=True),
        sa.Column("refunded_cents", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("charge_version", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("succeeded_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('pending', 'succeeded', 'failed', 'requires_action', 'refunded',"
            " 'partially_refunded')",
            name="payments_status",
        ),
        sa.CheckConstraint(
            "amount_cents > 0 AND refunded_cents BETWEEN 0 AND amount_cents",
            name="payments_amounts",
        ),
        sa.PrimaryKeyConstraint("organization_id", "payment_id"),
    )
    op.create_index(
        "payments_invoice",
        "payments",
        ["organization_id", "invoice_id", "created_at"],
        unique=False,
    )
    op.create_index(
        "payments_one_success",
        "payments",
        ["organization_id", "invoice_id"],
        unique=True,
        postgresql_where=sa.text(
            "status IN ('succeeded', 'refunded', 'partially_refunded') AND NOT surplus"
        ),
    )
    op.create_index(
        "payments_one_under_way",
        "payments",
        ["organization_id", "invoice_id"],
        unique=True,
        postgresql_where=sa.text("status IN ('pending', 'requires_action') AND NOT superseded"),
    )
    op.create_table(
        "dunning",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("invoice_id", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("first_failed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_failure_code", sa.Text(), nullable=True),
        sa.Column("reminded", sa.Text(), nullable=True),
        sa.Column("next_reminder_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("suspended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("organization_id", "invoice_id"),
    )
    op.create_index("dunning_attempts", "dunning", ["next_attempt_at"], unique=False)
    op.create_index("dunning_reminders", "dunning", ["next_reminder_at"], unique=False)
