"""Of which limit a period was warned."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """What was told so far was of the limit that holds, as far as we know."""
    for table in ("quotas", "gauges"):
        op.add_column(table, sa.Column("warned_limit", sa.Integer()))
