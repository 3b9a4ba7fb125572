"""A run that has completed does not expire while it waits for credits."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """It stood first in line at every look for what has expired, and was never done with."""
    op.execute(
        "UPDATE workflows SET expires_at = NULL"
        " WHERE state = 'pending' AND completed_at IS NOT NULL"
    )
