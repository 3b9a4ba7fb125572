"""The toys' tables, and the chassis' own."""

import sqlalchemy as sa
from alembic import op

from shared.migrations.chassis import create_first_chassis_tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create everything."""
    create_first_chassis_tables()
    op.create_table(
        "effects",
        sa.Column("position", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
    )
