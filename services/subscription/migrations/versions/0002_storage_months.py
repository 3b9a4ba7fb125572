"""Months of storage: which one is to be told next."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Gauges that there are count from their next reading."""
    op.add_column("gauges", sa.Column("month_ends_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "gauges_months",
        "gauges",
        ["month_ends_at"],
        unique=False,
        postgresql_where=sa.text("month_ends_at IS NOT NULL"),
    )
