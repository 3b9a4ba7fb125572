"""The tables of subscription. Times are UTC, periods half-open, money integer cents."""

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
    SmallInteger,
    Table,
    Text,
    false,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from shared.tables import with_chassis

metadata = MetaData()
Moment = DateTime(timezone=True)
NONE_YET = text("0")

# What we know of an organization from account; its row is the lock of everything that is its own.
organizations = Table(
    "organizations",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("billing_account_id", Text),
    Column("account_version", BigInteger, nullable=False, server_default=NONE_YET),
    Column("account_status", Text, nullable=False, server_default="pending"),
    Column("has_payment_method", Boolean, nullable=False, server_default=false()),
    Column("auto_billing_enabled", Boolean, nullable=False, server_default=false()),
    Column("auto_billing_monthly_limit_cents", BigInteger),
    # The version of the last PlanChanged.
    Column("plan_version", BigInteger, nullable=False, server_default=NONE_YET),
    Column("opened_at", Moment, nullable=False),
)

# Plans beside the free tier, running or ended: from Stripe, a lifetime purchase, an operator.
# An organization without a live one is on the free tier, which has no row.
subscriptions = Table(
    "subscriptions",
    metadata,
    Column("subscription_id", Text, primary_key=True),
    Column("organization_id", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("live", Boolean, nullable=False),
    Column("tier", Text, nullable=False),
    Column("price_cents", Integer),
    Column("status", Text, nullable=False),
    Column("stripe_subscription_id", Text, unique=True),
    Column("stripe_version", BigInteger, nullable=False, server_default=NONE_YET),
    Column("status_at_stripe", Text),
    Column("current_period_start", Moment),
    Column("current_period_end", Moment),
    Column("cancel_at_period_end", Boolean, nullable=False, server_default=false()),
    Column("canceled_at", Moment),
    Column("ended_at", Moment),
    Column("trial_start", Moment),
    Column("trial_end", Moment),
    Column("pending_tier", Text),
    Column("pending_change_at", Moment),
    Column("past_due_since", Moment),
    Column("suspended_at", Moment),
    # At Stripe: when it was first told to run; null while it is incomplete.
    Column("runs_since", Moment),
    Column("session_id", Text),
    Column("byo_providers", ARRAY(Text)),
    # An operator's own limits for this one; the tier's where null.
    Column("workflows_limit", Integer),
    Column("agents_limit", Integer),
    Column("storage_limit_gb", Integer),
    Column("began_at", Moment, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    CheckConstraint("source IN ('stripe', 'lifetime', 'operator')", name="subscriptions_source"),
    CheckConstraint("NOT live OR status <> 'canceled'", name="subscriptions_live"),
    CheckConstraint(
        "current_period_end IS NULL OR current_period_start < current_period_end",
        name="subscriptions_period",
    ),
    Index("subscriptions_one_live", "organization_id", unique=True, postgresql_where=text("live")),
    Index("subscriptions_organization", "organization_id", "began_at"),
    Index(
        "subscriptions_past_due",
        "past_due_since",
        postgresql_where=text("live AND past_due_since IS NOT NULL AND suspended_at IS NULL"),
    ),
)

# Lifetimes that were paid for; all of it may come in any order.
lifetime_purchases = Table(
    "lifetime_purchases",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("session_id", Text, primary_key=True),
    Column("amount_cents", Integer),
    Column("paid_at", Moment),
    Column("reversed_cents", Integer, nullable=False, server_default=NONE_YET),
    Column("reversal_version", BigInteger, nullable=False, server_default=NONE_YET),
)

# The counters: of a plan's period (subject: the subscription), of free workflows and of
# auto-billing in a calendar month (subject: empty).
quotas = Table(
    "quotas",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("period_start", Moment, primary_key=True),
    Column("period_end", Moment, nullable=False),
    Column("used", Integer, nullable=False, server_default=NONE_YET),
    Column("reserved", Integer, nullable=False, server_default=NONE_YET),
    Column("warned_percent", SmallInteger, nullable=False, server_default=NONE_YET),
    # The limit that it is a percentage of.
    Column("warned_limit", Integer),
    CheckConstraint("used >= 0 AND reserved >= 0", name="quotas_counters"),
    CheckConstraint("period_start < period_end", name="quotas_period"),
    CheckConstraint("source IN ('plan', 'free', 'auto_billing')", name="quotas_source"),
)

# One row for each workflow run, from its first reservation or its end.
workflows = Table(
    "workflows",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("workflow_id", Text, primary_key=True),
    Column("reservation_id", Text, nullable=False),
    # Grows when a run that gave back its reservation reserves again, so that holds differ.
    Column("attempt", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("covered_by", Text),
    Column("quota_subject", Text),
    Column("quota_period_start", Moment),
    Column("ticket_id", Text),
    Column("unit_price_cents", Integer, nullable=False),
    Column("reserved_at", Moment, nullable=False),
    Column("expires_at", Moment),
    Column("completed_at", Moment),
    Column("charged_at", Moment),
    Column("released_at", Moment),
    CheckConstraint(
        "state IN ('pending', 'reserved', 'charged', 'released', 'expired', 'refused')",
        name="workflows_state",
    ),
    CheckConstraint(
        "covered_by IS NULL OR covered_by IN ('plan', 'free', 'credits', 'auto_billing', 'none')",
        name="workflows_covered_by",
    ),
    CheckConstraint("(state = 'charged') = (charged_at IS NOT NULL)", name="workflows_charged"),
    Index("workflows_reservation", "organization_id", "reservation_id", unique=True),
    Index(
        "workflows_expiring",
        "expires_at",
        postgresql_where=text("state IN ('pending', 'reserved')"),
    ),
)

# Every event of an agent by its id; the same id with other content is parked.
usage_events = Table(
    "usage_events",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("event_id", Text, primary_key=True),
    Column("content_hash", LargeBinary, nullable=False),
    Column("received_at", Moment, nullable=False),
)

# What is in use now: the last reading by the time it was taken.
gauges = Table(
    "gauges",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("gauge", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
    Column("measured_at", Moment, nullable=False),
    Column("warned_percent", SmallInteger, nullable=False, server_default=NONE_YET),
    Column("warned_limit", Integer),
    Column("warned_period_start", Moment),
    # Of storage: when the calendar month ends that is to be told next.
    Column("month_ends_at", Moment),
    CheckConstraint("value >= 0", name="gauges_value"),
    Index("gauges_months", "month_ends_at", postgresql_where=text("month_ends_at IS NOT NULL")),
)

with_chassis(metadata)
