"""The tables of stripe_gateway: Stripe's objects as we last saw them. Integer cents."""

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
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from shared.tables import with_chassis

metadata = MetaData()
Moment = DateTime(timezone=True)

# One per organization, from the moment its account was opened; linked once Stripe has answered.
customers = Table(
    "customers",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("billing_account_id", Text, nullable=False, unique=True),
    # Grows when the customer is deleted at Stripe, so that the next one gets a key of its own.
    Column("generation", Integer, nullable=False, server_default=text("1")),
    Column("stripe_customer_id", Text, unique=True),
    Column("version", BigInteger, nullable=False, server_default=text("0")),
    Column("methods_version", BigInteger, nullable=False, server_default=text("0")),
    Column("expected_since", Moment, nullable=False),
    Column("linked_at", Moment),
)

payment_methods = Table(
    "payment_methods",
    metadata,
    Column("payment_method_id", Text, primary_key=True),
    Column("organization_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("card_brand", Text),
    Column("card_last4", Text),
    Column("exp_month", Integer),
    Column("exp_year", Integer),
    Column("is_default", Boolean, nullable=False),
    Column("created_at", Moment, nullable=False),
    Index("payment_methods_organization", "organization_id"),
    Index(
        "payment_methods_one_default",
        "organization_id",
        unique=True,
        postgresql_where=text("is_default"),
    ),
)

# A checkout: written before its session is asked for, paid once.
purchases = Table(
    "purchases",
    metadata,
    Column("purchase_id", Text, primary_key=True),
    Column("organization_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("tier", Text),
    Column("amount_cents", Integer, nullable=False),
    Column("description", Text, nullable=False),
    Column("success_url", Text, nullable=False),
    Column("cancel_url", Text, nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("session_id", Text, unique=True),
    Column("checkout_url", Text),
    Column("payment_intent_id", Text, unique=True),
    Column("stripe_invoice_id", Text),
    Column("stripe_subscription_id", Text),
    Column("paid_at", Moment),
    Column("reversed_cents", Integer, nullable=False, server_default=text("0")),
    Column("reversal_version", BigInteger, nullable=False, server_default=text("0")),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    CheckConstraint("reversed_cents BETWEEN 0 AND amount_cents", name="purchases_reversed"),
    Index("purchases_organization", "organization_id", "created_at"),
    Index(
        "purchases_under_way",
        "created_at",
        postgresql_where=text("status IN ('open', 'processing')"),
    ),
)

# An attempt to collect: at most one success, and a final word once there is one.
charges = Table(
    "charges",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("charge_id", Text, primary_key=True),
    Column("amount_cents", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("payment_intent_id", Text, unique=True),
    Column("payment_method_type", Text),
    Column("payment_method_brand", Text),
    Column("payment_method_last4", Text),
    Column("failure_code", Text),
    Column("failure_message", Text),
    Column("client_secret", Text),
    Column("refunded_cents", Integer, nullable=False, server_default=text("0")),
    Column("disputed_cents", Integer, nullable=False, server_default=text("0")),
    Column("version", BigInteger, nullable=False, server_default=text("0")),
    Column("created_at", Moment, nullable=False),
    Column("succeeded_at", Moment),
    CheckConstraint("refunded_cents BETWEEN 0 AND amount_cents", name="charges_refunded"),
    CheckConstraint(
        "disputed_cents BETWEEN 0 AND amount_cents - refunded_cents", name="charges_disputed"
    ),
    Index(
        "charges_under_way",
        "created_at",
        postgresql_where=text("status IN ('pending', 'requires_action')"),
    ),
)

refunds = Table(
    "refunds",
    metadata,
    Column("stripe_refund_id", Text, primary_key=True),
    Column("organization_id", Text, nullable=False),
    Column("refund_id", Text),
    Column("payment_intent_id", Text, nullable=False),
    Column("amount_cents", Integer, nullable=False),
    Column("status_at_stripe", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Index("refunds_ours", "organization_id", "refund_id", unique=True),
    Index("refunds_payment", "payment_intent_id"),
)

disputes = Table(
    "disputes",
    metadata,
    Column("dispute_id", Text, primary_key=True),
    Column("organization_id", Text, nullable=False),
    Column("payment_intent_id", Text, nullable=False),
    Column("amount_cents", Integer, nullable=False),
    Column("status_at_stripe", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("created_at", Moment, nullable=False),
    Index("disputes_payment", "payment_intent_id"),
)

# Money that came or went, once each. Rows are only ever added.
money_movements = Table(
    "money_movements",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("movement_id", Text, primary_key=True),
    Column("amount_cents", Integer, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("moved_at", Moment, nullable=False),
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("stripe_subscription_id", Text, primary_key=True),
    Column("organization_id", Text, nullable=False),
    Column("tier", Text),
    Column("price_cents", Integer),
    Column("status", Text, nullable=False),
    Column("status_at_stripe", Text, nullable=False),
    Column("current_period_start", Moment),
    Column("current_period_end", Moment),
    Column("cancel_at_period_end", Boolean, nullable=False),
    Column("canceled_at", Moment),
    Column("trial_start", Moment),
    Column("trial_end", Moment),
    Column("pending_tier", Text),
    Column("pending_change_at", Moment),
    Column("version", BigInteger, nullable=False),
    Column("created_at", Moment, nullable=False),
    Index("subscriptions_organization", "organization_id"),
)

# Finalized invoices as others are told of them: of subscriptions, and receipts of purchases.
stripe_invoices = Table(
    "stripe_invoices",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("stripe_invoice_id", Text, primary_key=True),
    Column("told", JSONB, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("created_at", Moment, nullable=False),
    Index("stripe_invoices_id", "stripe_invoice_id"),
)

# By which payments an invoice was paid, of those that something was asked back of.
invoice_payments = Table(
    "invoice_payments",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("payment_intent_id", Text, primary_key=True),
    Column("stripe_invoice_id", Text, nullable=False),
    Index("invoice_payments_invoice", "organization_id", "stripe_invoice_id"),
)

# Every event of Stripe by its id, with what was done about it.
webhook_events = Table(
    "webhook_events",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("type", Text, nullable=False),
    Column("object_id", Text),
    Column("body", LargeBinary, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text),
    Column("created_at", Moment, nullable=False),
    Column("received_at", Moment, nullable=False),
    Column("worked_at", Moment),
    Index("webhook_events_state", "state", "received_at"),
)

# A customer is worked on by one at a time, across calls; the fence tells who came too late.
leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("fence", BigInteger, nullable=False),
    Column("held_until", Moment, nullable=False),
)

# How far the reconciler has walked.
walks = Table(
    "walks",
    metadata,
    Column("name", Text, primary_key=True),
    Column("walked_until", Moment, nullable=False),
    Column("begun_at", Moment, nullable=False),
)

with_chassis(metadata)
