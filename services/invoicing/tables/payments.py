"""The tables of collecting: attempts at invoices, and what dunning will do next."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    Table,
    Text,
    false,
    text,
)

from services.invoicing.tables.schema import NONE_YET, Moment, metadata

# One row an attempt, written before the card is charged. Its id is the charge's at stripe_gateway.
payments = Table(
    "payments",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("payment_id", Text, primary_key=True),
    Column("invoice_id", Text, nullable=False),
    Column("amount_cents", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    # Of auto-billing, or by the customer.
    Column("automatic", Boolean, nullable=False, server_default=false()),
    Column("payment_method_id", Text),
    # Another attempt has taken its place, and ends it before anything is charged.
    Column("superseded", Boolean, nullable=False, server_default=false()),
    # It collected what was not due any more, so it is given back.
    Column("surplus", Boolean, nullable=False, server_default=false()),
    Column("stripe_payment_intent_id", Text),
    Column("payment_method_type", Text),
    Column("payment_method_brand", Text),
    Column("payment_method_last4", Text),
    Column("failure_code", Text),
    Column("failure_message", Text),
    Column("refunded_cents", BigInteger, nullable=False, server_default=NONE_YET),
    # What the customer's bank holds back or has taken.
    Column("disputed_cents", BigInteger, nullable=False, server_default=NONE_YET),
    Column("charge_version", BigInteger, nullable=False, server_default=NONE_YET),
    Column("version", BigInteger, nullable=False, server_default=text("1")),
    Column("created_at", Moment, nullable=False),
    Column("succeeded_at", Moment),
    CheckConstraint(
        "status IN ('pending', 'succeeded', 'failed', 'requires_action', 'refunded',"
        " 'partially_refunded')",
        name="payments_status",
    ),
    CheckConstraint(
        "amount_cents > 0 AND refunded_cents BETWEEN 0 AND amount_cents", name="payments_amounts"
    ),
    CheckConstraint(
        "disputed_cents BETWEEN 0 AND amount_cents - refunded_cents", name="payments_disputed"
    ),
    # The last line of "N parallel pays make one charge", and of "one successful charge an invoice".
    Index(
        "payments_one_under_way",
        "organization_id",
        "invoice_id",
        unique=True,
        postgresql_where=text("status IN ('pending', 'requires_action') AND NOT superseded"),
    ),
    Index(
        "payments_one_success",
        "organization_id",
        "invoice_id",
        unique=True,
        postgresql_where=text(
            "status IN ('succeeded', 'refunded', 'partially_refunded') AND NOT surplus"
        ),
    ),
    Index("payments_invoice", "organization_id", "invoice_id", "created_at"),
)

# How auto-billing goes on with an invoice that it could not collect, and what was said about it.
dunning = Table(
    "dunning",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("invoice_id", Text, primary_key=True),
    Column("attempts", Integer, nullable=False, server_default=NONE_YET),
    Column("next_attempt_at", Moment),
    Column("first_failed_at", Moment),
    Column("last_failure_code", Text),
    # The last kind of reminder that was sent.
    Column("reminded", Text),
    Column("next_reminder_at", Moment),
    Column("suspended_at", Moment),
    Index("dunning_attempts", "next_attempt_at"),
    Index("dunning_reminders", "next_reminder_at"),
)
