"""Since when subscriptions at Stripe run."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Those that ran have run since they began, as far as we know."""
    op.add_column("subscriptions", sa.Column("runs_since", sa.DateTime(timezone=True)))
    op.execute(
        "UPDATE subscriptions SET runs_since = began_at"
        " WHERE source = 'stripe' AND status <> 'incomplete'"
    )
