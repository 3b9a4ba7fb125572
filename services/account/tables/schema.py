"""The tables of account. Money is integer cents; the ledger and the audit log only grow."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID

from shared.tables import with_chassis

metadata = MetaData()
Moment = DateTime(timezone=True)

# One row per organization: its settings, its sums, and the heads of its ledger and audit log.
# Whoever changes anything of an organization locks this row first, so nobody waits in a circle.
accounts = Table(
    "accounts",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("billing_account_id", UUID(as_uuid=False), nullable=False, unique=True),
    Column("status", Text, nullable=False),
    Column("stripe_customer_id", Text),
    Column("customer_version", BigInteger, nullable=False, server_default=text("0")),
    Column("has_payment_method", Boolean, nullable=False, server_default=text("false")),
    Column("payment_methods_version", BigInteger, nullable=False, server_default=text("0")),
    # Of the last fact about its suspension.
    Column("dunning_version", BigInteger, nullable=False, server_default=text("0")),
    Column("auto_billing_enabled", Boolean, nullable=False, server_default=text("false")),
    Column("auto_billing_monthly_limit_cents", BigInteger),
    Column("billing_email", Text),
    Column("buyer", JSONB, nullable=False, server_default=text("'{}'")),
    Column("tax_exempt", Boolean, nullable=False, server_default=text("false")),
    Column("total_workflows_completed", BigInteger, nullable=False, server_default=text("0")),
    Column("total_amount_spent_cents", BigInteger, nullable=False, server_default=text("0")),
    # The ledger's sum; what a customer may spend is this minus what is held.
    Column("ledger_cents", BigInteger, nullable=False, server_default=text("0")),
    Column("held_cents", BigInteger, nullable=False, server_default=text("0")),
    Column("debt_cents", BigInteger, nullable=False, server_default=text("0")),
    Column("ledger_sequence", BigInteger, nullable=False, server_default=text("0")),
    # Whether falling below the threshold is news: true once the balance has been above it.
    Column("low_credit_armed", Boolean, nullable=False, server_default=text("false")),
    Column("audit_sequence", BigInteger, nullable=False),
    Column("audit_hash", LargeBinary, nullable=False),
    Column("version", BigInteger, nullable=False, server_default=text("1")),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    CheckConstraint("status IN ('pending', 'active', 'suspended')", name="accounts_status"),
    CheckConstraint("held_cents BETWEEN 0 AND ledger_cents", name="accounts_not_negative"),
    CheckConstraint("debt_cents >= 0", name="accounts_debt"),
    # Whoever owes credits has none to spend.
    CheckConstraint("debt_cents = 0 OR ledger_cents = held_cents", name="accounts_debt_first"),
    # Room for new row versions in the same page: this row is the busiest one.
    postgresql_with={"fillfactor": "70"},
)

# A portion of credits with one origin and one expiry. `held_cents` of what remains is pinned.
credit_lots = Table(
    "credit_lots",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("lot_id", UUID(as_uuid=False), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("priority", SmallInteger, nullable=False),
    # The ledger's sequence that opened it: the lot's age.
    Column("sequence", BigInteger, nullable=False),
    Column("amount_cents", BigInteger, nullable=False),
    Column("remaining_cents", BigInteger, nullable=False),
    Column("held_cents", BigInteger, nullable=False),
    Column("expires_at", Moment),
    Column("created_at", Moment, nullable=False),
    CheckConstraint("kind IN ('purchased', 'promotional')", name="credit_lots_kind"),
    CheckConstraint("remaining_cents BETWEEN 0 AND amount_cents", name="credit_lots_remaining"),
    CheckConstraint("held_cents BETWEEN 0 AND remaining_cents", name="credit_lots_held"),
)
Index(
    "credit_lots_open",
    credit_lots.c.organization_id,
    postgresql_where=text("remaining_cents > 0"),
)
Index(
    "credit_lots_expiring",
    credit_lots.c.expires_at,
    postgresql_where=text("remaining_cents > held_cents AND expires_at IS NOT NULL"),
)

# One business fact of the ledger, and one line of the customer's statement.
ledger_transactions = Table(
    "ledger_transactions",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("entry_id", UUID(as_uuid=False), nullable=False),
    Column("kind", Text, nullable=False),
    # What kind of thing `reference` names: purchase, grant, taking, invoice, lot or debt.
    Column("source", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("lot_kind", Text),
    Column("amount_cents", BigInteger, nullable=False),
    Column("balance_after_cents", BigInteger, nullable=False),
    Column("debt_after_cents", BigInteger, nullable=False),
    Column("expires_at", Moment),
    Column("created_at", Moment, nullable=False),
    CheckConstraint("balance_after_cents >= 0", name="ledger_transactions_not_negative"),
)
# Granted, burned and restored once, whatever the code above believes.
Index(
    "ledger_transactions_once",
    ledger_transactions.c.organization_id,
    ledger_transactions.c.source,
    ledger_transactions.c.reference,
    ledger_transactions.c.kind,
    unique=True,
    postgresql_where=text("kind IN ('granted', 'burned', 'restored')"),
)
Index(
    "ledger_transactions_reference",
    ledger_transactions.c.organization_id,
    ledger_transactions.c.source,
    ledger_transactions.c.reference,
    ledger_transactions.c.sequence,
)

# The double entry behind it: amounts of one transaction sum to zero (a deferred trigger says so).
# An entry of `credits` names the lot that it fills or draws from.
ledger_entries = Table(
    "ledger_entries",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("position", SmallInteger, primary_key=True),
    Column("ledger_account", Text, nullable=False),
    Column("lot_id", UUID(as_uuid=False)),
    Column("amount_cents", BigInteger, nullable=False),
    ForeignKeyConstraint(
        ["organization_id", "sequence"],
        ["ledger_transactions.organization_id", "ledger_transactions.sequence"],
        name="ledger_entries_transaction",
    ),
    ForeignKeyConstraint(
        ["organization_id", "lot_id"],
        ["credit_lots.organization_id", "credit_lots.lot_id"],
        name="ledger_entries_lot",
    ),
    CheckConstraint("amount_cents <> 0", name="ledger_entries_amount"),
    CheckConstraint(
        "(ledger_account = 'credits') = (lot_id IS NOT NULL)", name="ledger_entries_lots"
    ),
    CheckConstraint(
        "ledger_account IN ('credits', 'debt', 'stripe_clearing', 'revenue', 'promotions',"
        " 'adjustments', 'breakage')",
        name="ledger_entries_account",
    ),
)
Index(
    "ledger_entries_of_lot",
    ledger_entries.c.organization_id,
    ledger_entries.c.lot_id,
    postgresql_where=text("lot_id IS NOT NULL"),
)

# Credits set aside for a reservation, and the lots that they are pinned in.
holds = Table(
    "holds",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("hold_id", Text, primary_key=True),
    # 0 when it was let go before it came.
    Column("amount_cents", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    # Null once it is committed: it lasts until its record is invoiced or voided.
    Column("expires_at", Moment),
    Column("created_at", Moment, nullable=False),
    Column("changed_at", Moment, nullable=False),
    CheckConstraint("amount_cents >= 0", name="holds_amount"),
    CheckConstraint(
        "status IN ('held', 'committed', 'released', 'expired', 'spent')", name="holds_status"
    ),
)
Index("holds_expiring", holds.c.expires_at, postgresql_where=text("status = 'held'"))

hold_lots = Table(
    "hold_lots",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("hold_id", Text, primary_key=True),
    Column("position", SmallInteger, primary_key=True),
    Column("lot_id", UUID(as_uuid=False), nullable=False),
    Column("amount_cents", BigInteger, nullable=False),
    ForeignKeyConstraint(
        ["organization_id", "hold_id"],
        ["holds.organization_id", "holds.hold_id"],
        name="hold_lots_hold",
    ),
    CheckConstraint("amount_cents > 0", name="hold_lots_amount"),
)

# Purchases of credits as they stand: paid or not yet, and how much of them went back.
purchases = Table(
    "purchases",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("session_id", Text, primary_key=True),
    Column("amount_cents", BigInteger),
    Column("lot_id", UUID(as_uuid=False)),
    Column("paid_at", Moment),
    Column("reversed_cents", BigInteger, nullable=False, server_default=text("0")),
    Column("reversal_version", BigInteger, nullable=False, server_default=text("0")),
)

# Money collected and returned, once per movement.
money_movements = Table(
    "money_movements",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("movement_id", Text, primary_key=True),
    Column("amount_cents", BigInteger, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("moved_at", Moment, nullable=False),
    Column("heard_at", Moment, nullable=False),
)

# What operators ordered, by their own ids.
credit_orders = Table(
    "credit_orders",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("action", Text, primary_key=True),
    Column("order_id", Text, primary_key=True),
    Column("content_hash", LargeBinary, nullable=False),
    Column("moved_cents", BigInteger, nullable=False),
    Column("ordered_by", Text, nullable=False),
    Column("ordered_at", Moment, nullable=False),
    CheckConstraint("action IN ('grant', 'take')", name="credit_orders_action"),
)

# What invoices asked of the credits, and got.
applications = Table(
    "applications",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("invoice_id", Text, primary_key=True),
    Column("asked_cents", BigInteger, nullable=False),
    Column("applied_cents", BigInteger, nullable=False),
    Column("applied_at", Moment, nullable=False),
    Column("restored_at", Moment),
    CheckConstraint("applied_cents BETWEEN 0 AND asked_cents", name="applications_applied"),
)

# Who changed what. Each entry's hash covers its content and the hash before it.
audit_entries = Table(
    "audit_entries",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("changes", JSONB, nullable=False),
    Column("at", Moment, nullable=False),
    Column("previous_hash", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)

with_chassis(metadata)
APPEND_ONLY = ("ledger_transactions", "ledger_entries", "money_movements", "audit_entries")
