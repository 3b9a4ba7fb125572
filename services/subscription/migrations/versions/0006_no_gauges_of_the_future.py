"""A gauge that was measured in the future, as it was told, hears of the next reading again."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """The value stays until another one is told."""
    op.execute(
        "UPDATE gauges SET measured_at = now() WHERE measured_at > now() + interval '5 minutes'"
    )
