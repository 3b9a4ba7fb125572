"""The first tables: whom the auditor watches, what it suspects, found, parked and released."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from shared.migrations.chassis import create_first_chassis_tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create everything; who was released can only be added to."""
    create_first_chassis_tables()
    _create_watches()
    _create_suspicions()
    _create_findings()
    _create_parked()
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON releases FROM auditor")


def _moment(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _text(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _create_watches() -> None:
    """Organizations, and the rounds over them."""
    op.create_table(
        "watches",
        _text("organization_id"),
        _moment("changed_at"),
        _moment("judged_until", nullable=True),
        _moment("looked_at", nullable=True),
        sa.Column("records", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        _moment("sliced_to", nullable=True),
        sa.PrimaryKeyConstraint("organization_id"),
    )
    op.create_index(
        "watches_due",
        "watches",
        ["changed_at"],
        unique=False,
        postgresql_where=sa.text("judged_until IS NULL OR changed_at >= judged_until"),
    )
    op.create_index("watches_looked_at", "watches", ["looked_at"], unique=False)
    op.create_table(
        "rounds",
        _text("name"),
        sa.Column("number", sa.BigInteger(), nullable=False),
        _moment("begun_at"),
        sa.Column("looks_open", sa.Integer(), nullable=False),
        _moment("finished_at", nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "bookmarks",
        _text("owner"),
        _text("after"),
        sa.PrimaryKeyConstraint("owner"),
    )


def _create_suspicions() -> None:
    """What did not agree at the last look."""
    op.create_table(
        "suspicions",
        _text("organization_id"),
        sa.Column("failures", postgresql.JSONB(), nullable=False),
        _moment("until"),
        _moment("first_hour", nullable=True),
        _moment("end_hour", nullable=True),
        sa.Column("barrier", sa.BigInteger(), nullable=True),
        _moment("suspected_at"),
        _moment("look_at"),
        sa.PrimaryKeyConstraint("organization_id"),
    )
    op.create_index("suspicions_look_at", "suspicions", ["look_at"], unique=False)


def _create_findings() -> None:
    """What does not agree."""
    op.create_table(
        "findings",
        _text("organization_id"),
        sa.Column("finding_id", sa.UUID(as_uuid=False), nullable=False),
        _text("check_name"),
        _text("status"),
        sa.Column("parks", sa.Boolean(), nullable=False),
        sa.Column("difference", sa.BigInteger(), nullable=False),
        sa.Column("evidence", postgresql.JSONB(), nullable=False),
        _moment("found_at"),
        _moment("seen_at"),
        _moment("agrees_since", nullable=True),
        sa.CheckConstraint("status IN ('open', 'accepted', 'closed')", name="findings_status"),
        sa.PrimaryKeyConstraint("organization_id", "finding_id"),
    )
    op.create_index(
        "findings_one_of_a_kind",
        "findings",
        ["organization_id", "check_name"],
        unique=True,
        postgresql_where=sa.text("status <> 'closed'"),
    )
    op.create_index("findings_newest", "findings", ["found_at"], unique=False)
    op.create_index("findings_id", "findings", ["finding_id"], unique=False)


def _create_parked() -> None:
    """Accounts that were parked, and released."""
    op.create_table(
        "parked_accounts",
        _text("organization_id"),
        sa.Column("parked", sa.Boolean(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        _text("reason"),
        _moment("parked_at"),
        _moment("released_at", nullable=True),
        _text("released_by", nullable=True),
        _text("release_reason", nullable=True),
        sa.PrimaryKeyConstraint("organization_id"),
    )
    op.create_index(
        "parked_accounts_parked",
        "parked_accounts",
        ["parked_at"],
        unique=False,
        postgresql_where=sa.text("parked"),
    )
    op.create_table(
        "releases",
        _text("organization_id"),
        sa.Column("version", sa.BigInteger(), nullable=False),
        _text("released_by"),
        _text("reason"),
        _moment("released_at"),
        sa.PrimaryKeyConstraint("organization_id", "version"),
    )
