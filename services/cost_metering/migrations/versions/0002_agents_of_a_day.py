"""When an agent last got a credential, so that only those count that may hold one."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """When the agents that are known got their last one nobody wrote down: they count for a day."""
    op.add_column(
        "agents",
        sa.Column(
            "last_issued_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.func.now(),
        ),
    )
    op.alter_column("agents", "last_issued_at", server_default=None)
