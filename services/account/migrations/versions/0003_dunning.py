"""Accounts know which fact about their suspension they heard last."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Before any fact."""
    op.add_column(
        "accounts",
        sa.Column("dunning_version", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
    )
