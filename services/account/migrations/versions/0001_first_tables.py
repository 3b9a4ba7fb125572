"""The first tables: accounts, the ledger of credits, what was asked of it, and the audit log."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from shared.migrations.chassis import create_first_chassis_tables

revision = "0001"
down_revision = None

APPEND_ONLY = ("ledger_transactions", "ledger_entries", "money_movements", "audit_entries")


def upgrade() -> None:
    """Create everything; facts can only be added to from now on."""
    create_first_chassis_tables()
    _create_accounts()
    _create_logs()
    _create_lots()
    _create_ledger()
    _create_holds()
    _create_orders()
    for table in APPEND_ONLY:
        op.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM account")


def _create_accounts() -> None:
    """Accounts."""
    op.create_table(
        "accounts",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("billing_account_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("stripe_customer_id", sa.Text(), nullable=True),
        sa.Column("customer_version", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "has_payment_method", sa.Boolean(), server_default=sa.text("false"), nullable=False
        ),
        sa.Column(
            "payment_methods_version", sa.BigInteger(), server_default=sa.text("0"), nullable=False
        ),
        sa.Column(
            "auto_billing_enabled", sa.Boolean(), server_default=sa.text("false"), nullable=False
        ),
        sa.Column("auto_billing_monthly_limit_cents", sa.BigInteger(), nullable=True),
        sa.Column("billing_email", sa.Text(), nullable=True),
        sa.Column("buyer", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("tax_exempt", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "total_workflows_completed",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
        ),
        sa.Column(
            "total_amount_spent_cents", sa.BigInteger(), server_default=sa.text("0"), nullable=False
        ),
        sa.Column("ledger_cents", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("held_cents", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("debt_cents", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("ledger_sequence", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "low_credit_armed", sa.Boolean(), server_default=sa.text("false"), nullable=False
        ),
        sa.Column("audit_sequence", sa.BigInteger(), nullable=False),
        sa.Column("audit_hash", sa.LargeBinary(), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("status IN ('pending', 'active', 'suspended')", name="accounts_status"),
        sa.CheckConstraint(
            "debt_cents = 0 OR ledger_cents = held_cents", name="accounts_debt_first"
        ),
        sa.CheckConstraint("debt_cents >= 0", name="accounts_debt"),
        sa.CheckConstraint("held_cents BETWEEN 0 AND ledger_cents", name="accounts_not_negative"),
        sa.PrimaryKeyConstraint("organization_id"),
        sa.UniqueConstraint("billing_account_id"),
        postgresql_with={"fillfactor": "70"},
    )


def _create_logs() -> None:
    """What they have spent, and who changed them."""
    op.create_table(
        "money_movements",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("movement_id", sa.Text(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("moved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("heard_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "movement_id"),
    )
    op.create_table(
        "audit_entries",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("changes", postgresql.JSONB(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("previous_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "sequence"),
    )


def _create_lots() -> None:
    """Portions of credits."""
    op.create_table(
        "credit_lots",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("lot_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("remaining_cents", sa.BigInteger(), nullable=False),
        sa.Column("held_cents", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('purchased', 'promotional')", name="credit_lots_kind"),
        sa.CheckConstraint("held_cents BETWEEN 0 AND remaining_cents", name="credit_lots_held"),
        sa.CheckConstraint(
            "remaining_cents BETWEEN 0 AND amount_cents", name="credit_lots_remaining"
        ),
        sa.PrimaryKeyConstraint("organization_id", "lot_id"),
    )
    op.create_index(
        "credit_lots_expiring",
        "credit_lots",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("remaining_cents > held_cents AND expires_at IS NOT NULL"),
    )
    op.create_index(
        "credit_lots_open",
        "credit_lots",
        ["organization_id"],
        unique=False,
        postgresql_where=sa.text("remaining_cents > 0"),
    )


def _create_ledger() -> None:
    """The double entry over them."""
    op.create_table(
        "ledger_transactions",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("entry_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("lot_kind", sa.Text(), nullable=True),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("balance_after_cents", sa.BigInteger(), nullable=False),
        sa.Column("debt_after_cents", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("balance_after_cents >= 0", name="ledger_transactions_not_negative"),
        sa.PrimaryKeyConstraint("organization_id", "sequence"),
    )
    op.create_index(
        "ledger_transactions_once",
        "ledger_transactions",
        ["organization_id", "source", "reference", "kind"],
        unique=True,
        postgresql_where=sa.text("kind IN ('granted', 'burned', 'restored')"),
    )
    op.create_index(
        "ledger_transactions_reference",
        "ledger_transactions",
        ["organization_id", "source", "reference", "sequence"],
        unique=False,
    )
    op.create_table(
        "ledger_entries",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("ledger_account", sa.Text(), nullable=False),
        sa.Column("lot_id", sa.UUID(as_uuid=False), nullable=True),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "(ledger_account = 'credits') = (lot_id IS NOT NULL)", name="ledger_entries_lots"
        ),
        sa.CheckConstraint(
            "ledger_account IN ('credits', 'debt', 'stripe_clearing', 'revenue', 'promotions',"
            " 'adjustments', 'breakage')",
            name="ledger_entries_account",
        ),
        sa.CheckConstraint("amount_cents <> 0", name="ledger_entries_amount"),
        sa.ForeignKeyConstraint(
            ["organization_id", "lot_id"],
            ["credit_lots.organization_id", "credit_lots.lot_id"],
            name="ledger_entries_lot",
        ),
        sa.ForeignKeyConstraint(
            ["organization_id", "sequence"],
            ["ledger_transactions.organization_id", "ledger_transactions.sequence"],
            name="ledger_entries_transaction",
        ),
        sa.PrimaryKeyConstraint("organization_id", "sequence", "position"),
    )
    op.create_index(
        "ledger_entries_of_lot",
        "ledger_entries",
        ["organization_id", "lot_id"],
        unique=False,
        postgresql_where=sa.text("lot_id IS NOT NULL"),
    )


def _create_holds() -> None:
    """What reservations set aside."""
    op.create_table(
        "holds",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("hold_id", sa.Text(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "status IN ('held', 'committed', 'released', 'expired', 'spent')", name="holds_status"
        ),
        sa.CheckConstraint("amount_cents >= 0", name="holds_amount"),
        sa.PrimaryKeyConstraint("organization_id", "hold_id"),
    )
    op.create_index(
        "holds_expiring",
        "holds",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("status = 'held'"),
    )
    op.create_table(
        "hold_lots",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("hold_id", sa.Text(), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("lot_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount_cents > 0", name="hold_lots_amount"),
        sa.ForeignKeyConstraint(
            ["organization_id", "hold_id"],
            ["holds.organization_id", "holds.hold_id"],
            name="hold_lots_hold",
        ),
        sa.PrimaryKeyConstraint("organization_id", "hold_id", "position"),
    )


def _create_orders() -> None:
    """Purchases, orders and applications: what was asked of the credits."""
    op.create_table(
        "purchases",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=True),
        sa.Column("lot_id", sa.UUID(as_uuid=False), nullable=True),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reversed_cents", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("reversal_version", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "session_id"),
    )
    op.create_table(
        "credit_orders",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.Column("moved_cents", sa.BigInteger(), nullable=False),
        sa.Column("ordered_by", sa.Text(), nullable=False),
        sa.Column("ordered_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("action IN ('grant', 'take')", name="credit_orders_action"),
        sa.PrimaryKeyConstraint("organization_id", "action", "order_id"),
    )
    op.create_table(
        "applications",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("invoice_id", sa.Text(), nullable=False),
        sa.Column("asked_cents", sa.BigInteger(), nullable=False),
        sa.Column("applied_cents", sa.BigInteger(), nullable=False),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("restored_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("applied_cents BETWEEN 0 AND asked_cents", name="applications_applied"),
        sa.PrimaryKeyConstraint("organization_id", "invoice_id"),
    )
