"""Account is asked how many credits there are: a copy of its last word knew nothing of holds."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Nothing is lost: it was told by account."""
    op.drop_column("organizations", "credit_sequence")
    op.drop_column("organizations", "credit_balance_cents")
