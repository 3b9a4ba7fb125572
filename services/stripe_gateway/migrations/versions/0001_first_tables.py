"""The first tables: customers, purchases, charges, what went back, and the chassis' own."""

import sqlalchemy as sa
from alembic import op

from shared.migrations.chassis import create_first_chassis_tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create everything; money that moved can only be added to from now on."""
    create_first_chassis_tables()
    _create_customers()
    _create_payments()
    _create_money()
    _create_work()
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON money_movements FROM stripe_gateway")


def _create_customers() -> None:
    """Customers, what they pay with, and subscriptions."""
    op.create_table(
        "customers",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("billing_account_id", sa.Text(), nullable=False),
        sa.Column("generation", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("stripe_customer_id", sa.Text(), nullable=True),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("methods_version", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("expected_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("linked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("organization_id"),
        sa.UniqueConstraint("billing_account_id"),
        sa.UniqueConstraint("stripe_customer_id"),
    )
    op.create_table(
        "payment_methods",
        sa.Column("payment_method_id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("card_brand", sa.Text(), nullable=True),
        sa.Column("card_last4", sa.Text(), nullable=True),
        sa.Column("exp_month", sa.Integer(), nullable=True),
        sa.Column("exp_year", sa.Integer(), nullable=True),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("payment_method_id"),
    )
    op.create_index(
        "payment_methods_one_default",
        "payment_methods",
        ["organization_id"],
        unique=True,
        postgresql_where=sa.text("is_default"),
    )
    op.create_index(
        "payment_methods_organization", "payment_methods", ["organization_id"], unique=False
    )
    op.create_table(
        "subscriptions",
        sa.Column("stripe_subscription_id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("tier", sa.Text(), nullable=True),
        sa.Column("price_cents", sa.Integer(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("status_at_stripe", sa.Text(), nullable=False),
        sa.Column("current_period_start", sa.DateTime(timezone=True), nullable=True),
        sa.Column("current_period_end", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancel_at_period_end", sa.Boolean(), nullable=False),
        sa.Column("canceled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("trial_start", sa.DateTime(timezone=True), nullable=True),
        sa.Column("trial_end", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pending_tier", sa.Text(), nullable=True),
        sa.Column("pending_change_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("stripe_subscription_id"),
    )
    op.create_index(
        "subscriptions_organization", "subscriptions", ["organization_id"], unique=False
    )


def _create_payments() -> None:
    """Purchases and charges."""
    op.create_table(
        "purchases",
        sa.Column("purchase_id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("tier", sa.Text(), nullable=True),
        sa.Column("amount_cents", sa.Integer(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("success_url", sa.Text(), nullable=False),
        sa.Column("cancel_url", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("session_id", sa.Text(), nullable=True),
        sa.Column("checkout_url", sa.Text(), nullable=True),
        sa.Column("payment_intent_id", sa.Text(), nullable=True),
        sa.Column("stripe_invoice_id", sa.Text(), nullable=True),
        sa.Column("stripe_subscription_id", sa.Text(), nullable=True),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reversed_cents", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("reversal_version", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("reversed_cents BETWEEN 0 AND amount_cents", name="purchases_reversed"),
        sa.PrimaryKeyConstraint("purchase_id"),
        sa.UniqueConstraint("payment_intent_id"),
        sa.UniqueConstraint("session_id"),
    )
    op.create_index(
        "purchases_organization", "purchases", ["organization_id", "created_at"], unique=False
    )
    op.create_index(
        "purchases_under_way",
        "purchases",
        ["created_at"],
        unique=False,
        postgresql_where=sa.text("status IN ('open', 'processing')"),
    )
    op.create_table(
        "charges",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("charge_id", sa.Text(), nullable=False),
        sa.Column("amount_cents", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("payment_intent_id", sa.Text(), nullable=True),
        sa.Column("payment_method_type", sa.Text(), nullable=True),
        sa.Column("payment_method_brand", sa.Text(), nullable=True),
        sa.Column("payment_method_last4", sa.Text(), nullable=True),
        sa.Column("failure_code", sa.Text(), nullable=True),
        sa.Column("failure_message", sa.Text(), nullable=True),
        sa.Column("client_secret", sa.Text(), nullable=True),
        sa.Column("refunded_cents", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("succeeded_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("refunded_cents BETWEEN 0 AND amount_cents", name="charges_refunded"),
        sa.PrimaryKeyConstraint("organization_id", "charge_id"),
        sa.UniqueConstraint("payment_intent_id"),
    )
    op.create_index(
        "charges_under_way",
        "charges",
        ["created_at"],
        unique=False,
        postgresql_where=sa.text("status IN ('pending', 'requires_action')"),
    )


def _create_money() -> None:
    """Refunds, disputes and what moved."""
    op.create_table(
        "refunds",
        sa.Column("stripe_refund_id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("refund_id", sa.Text(), nullable=True),
        sa.Column("payment_intent_id", sa.Text(), nullable=False),
        sa.Column("amount_cents", sa.Integer(), nullable=False),
        sa.Column("status_at_stripe", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("stripe_refund_id"),
    )
    op.create_index("refunds_ours", "refunds", ["organization_id", "refund_id"], unique=True)
    op.create_index("refunds_payment", "refunds", ["payment_intent_id"], unique=False)
    op.create_table(
        "disputes",
        sa.Column("dispute_id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("payment_intent_id", sa.Text(), nullable=False),
        sa.Column("amount_cents", sa.Integer(), nullable=False),
        sa.Column("status_at_stripe", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("dispute_id"),
    )
    op.create_index("disputes_payment", "disputes", ["payment_intent_id"], unique=False)
    op.create_table(
        "money_movements",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("movement_id", sa.Text(), nullable=False),
        sa.Column("amount_cents", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("moved_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "movement_id"),
    )


def _create_work() -> None:
    """Events, leases and walks."""
    op.create_table(
        "webhook_events",
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("object_id", sa.Text(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("worked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("event_id"),
    )
    op.create_index(
        "webhook_events_state", "webhook_events", ["state", "received_at"], unique=False
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("held_until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "walks",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("walked_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
