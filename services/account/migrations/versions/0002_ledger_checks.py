"""The ledger checks itself at every commit, whatever the code above it believes."""

from alembic import op

revision = "0002"
down_revision = "0001"

# A transaction sums to zero, follows the one before without a gap, and its balance and debt are
# those of the one before plus what it moved. Deferred: its rows come one after the other.
CHECK_TRANSACTION = """
CREATE FUNCTION check_ledger_transaction() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    everything bigint;
    of_credits bigint;
    of_debt bigint;
    follows boolean;
BEGIN
    SELECT sum(amount_cents),
           coalesce(sum(amount_cents) FILTER (WHERE ledger_account = 'credits'), 0),
           coalesce(sum(amount_cents) FILTER (WHERE ledger_account = 'debt'), 0)
    INTO everything, of_credits, of_debt
    FROM ledger_entries
    WHERE organization_id = NEW.organization_id AND sequence = NEW.sequence;
    IF everything IS DISTINCT FROM 0 THEN
        RAISE EXCEPTION 'ledger transaction % of % does not sum to zero',
            NEW.sequence, NEW.organization_id USING ERRCODE = 'check_violation';
    END IF;
    SELECT (before.sequence IS NOT NULL OR this.sequence = 1)
           AND this.balance_after_cents = coalesce(before.balance_after_cents, 0) + of_credits
           AND this.debt_after_cents = coalesce(before.debt_after_cents, 0) - of_debt
    INTO follows
    FROM ledger_transactions AS this
    LEFT JOIN ledger_transactions AS before
        ON before.organization_id = this.organization_id AND before.sequence = this.sequence - 1
    WHERE this.organization_id = NEW.organization_id AND this.sequence = NEW.sequence;
    IF follows IS NOT TRUE THEN
        RAISE EXCEPTION 'ledger transaction % of % does not follow the one before',
            NEW.sequence, NEW.organization_id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END
$$
"""


def upgrade() -> None:
    """Both tables ask: no transaction without its entries, no entry without its counterpart."""
    op.execute(CHECK_TRANSACTION)
    for table in ("ledger_transactions", "ledger_entries"):
        op.execute(
            f"CREATE CONSTRAINT TRIGGER {table}_balance AFTER INSERT ON {table}"
            " DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW EXECUTE FUNCTION check_ledger_transaction()"
        )
