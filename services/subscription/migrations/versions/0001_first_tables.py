"""The first tables: plans, quotas, workflows, and the chassis' own."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from shared.migrations.chassis import create_first_chassis_tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create everything; what agents told can only be added to from now on."""
    create_first_chassis_tables()
    _create_plans()
    _create_counters()
    _create_workflows()
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON usage_events FROM subscription")


def _create_plans() -> None:
    """Organizations, their plans, and what was paid for once."""
    op.create_table(
        "organizations",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("billing_account_id", sa.Text(), nullable=True),
        sa.Column("account_version", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("account_status", sa.Text(), server_default="pending", nullable=False),
        sa.Column(
            "has_payment_method", sa.Boolean(), server_default=sa.text("false"), nullable=False
        ),
        sa.Column(
            "auto_billing_enabled", sa.Boolean(), server_default=sa.text("false"), nullable=False
        ),
        sa.Column("auto_billing_monthly_limit_cents", sa.BigInteger(), nullable=True),
        sa.Column("credit_sequence", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "credit_balance_cents", sa.BigInteger(), server_default=sa.text("0"), nullable=False
        ),
        sa.Column("plan_version", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("organization_id"),
    )
    op.create_table(
        "subscriptions",
        sa.Column("subscription_id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("tier", sa.Text(), nullable=False),
        sa.Column("price_cents", sa.Integer(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("stripe_subscription_id", sa.Text(), nullable=True),
        sa.Column("stripe_version", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("status_at_stripe", sa.Text(), nullable=True),
        sa.Column("current_period_start", sa.DateTime(timezone=True), nullable=True),
        sa.Column("current_period_end", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "cancel_at_period_end", sa.Boolean(), server_default=sa.text("false"), nullable=False
        ),
        sa.Column("canceled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("trial_start", sa.DateTime(timezone=True), nullable=True),
        sa.Column("trial_end", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pending_tier", sa.Text(), nullable=True),
        sa.Column("pending_change_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("past_due_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("suspended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("session_id", sa.Text(), nullable=True),
        sa.Column("byo_providers", postgresql.ARRAY(sa.Text()), nullable=True),
        sa.Column("workflows_limit", sa.Integer(), nullable=True),
        sa.Column("agents_limit", sa.Integer(), nullable=True),
        sa.Column("storage_limit_gb", sa.Integer(), nullable=True),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("NOT live OR status <> 'canceled'", name="subscriptions_live"),
        sa.CheckConstraint(
            "source IN ('stripe', 'lifetime', 'operator')", name="subscriptions_source"
        ),
        sa.CheckConstraint(
            "current_period_end IS NULL OR current_period_start < current_period_end",
            name="subscriptions_period",
        ),
        sa.PrimaryKeyConstraint("subscription_id"),
        sa.UniqueConstraint("stripe_subscription_id"),
    )
    op.create_index(
        "subscriptions_one_live",
        "subscriptions",
        ["organization_id"],
        unique=True,
        postgresql_where=sa.text("live"),
    )
    op.create_index(
        "subscriptions_organization", "subscriptions", ["organization_id", "began_at"], unique=False
    )
    op.create_index(
        "subscriptions_past_due",
        "subscriptions",
        ["past_due_since"],
        unique=False,
        postgresql_where=sa.text("live AND past_due_since IS NOT NULL AND suspended_at IS NULL"),
    )
    op.create_table(
        "lifetime_purchases",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("amount_cents", sa.Integer(), nullable=True),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reversed_cents", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("reversal_version", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "session_id"),
    )


def _create_counters() -> None:
    """Quotas, gauges, and the ids of what agents told."""
    op.create_table(
        "quotas",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("period_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("period_end", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("reserved", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("warned_percent", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("source IN ('plan', 'free', 'auto_billing')", name="quotas_source"),
        sa.CheckConstraint("period_start < period_end", name="quotas_period"),
        sa.CheckConstraint("used >= 0 AND reserved >= 0", name="quotas_counters"),
        sa.PrimaryKeyConstraint("organization_id", "source", "subject", "period_start"),
    )
    op.create_table(
        "gauges",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("gauge", sa.Text(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.Column("measured_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("warned_percent", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("warned_period_start", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("value >= 0", name="gauges_value"),
        sa.PrimaryKeyConstraint("organization_id", "gauge"),
    )
    op.create_table(
        "usage_events",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "event_id"),
    )


def _create_workflows() -> None:
    """Workflow runs."""
    op.create_table(
        "workflows",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("workflow_id", sa.Text(), nullable=False),
        sa.Column("reservation_id", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("covered_by", sa.Text(), nullable=True),
        sa.Column("quota_subject", sa.Text(), nullable=True),
        sa.Column("quota_period_start", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ticket_id", sa.Text(), nullable=True),
        sa.Column("unit_price_cents", sa.Integer(), nullable=False),
        sa.Column("reserved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("charged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state = 'charged') = (charged_at IS NOT NULL)", name="workflows_charged"
        ),
        sa.CheckConstraint(
            "covered_by IS NULL"
            " OR covered_by IN ('plan', 'free', 'credits', 'auto_billing', 'none')",
            name="workflows_covered_by",
        ),
        sa.CheckConstraint(
            "state IN ('pending', 'reserved', 'charged', 'released', 'expired', 'refused')",
            name="workflows_state",
        ),
        sa.PrimaryKeyConstraint("organization_id", "workflow_id"),
    )
    op.create_index(
        "workflows_expiring",
        "workflows",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('pending', 'reserved')"),
    )
    op.create_index(
        "workflows_reservation", "workflows", ["organization_id", "reservation_id"], unique=True
    )
