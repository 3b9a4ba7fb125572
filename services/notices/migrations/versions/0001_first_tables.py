"""Organizations as they were heard of last, and what they were told."""

import sqlalchemy as sa
from alembic import op

from shared.migrations.chassis import create_first_chassis_tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables; the key of an occasion is what forbids telling it twice."""
    create_first_chassis_tables()
    _create_organizations()
    op.create_table(
        "notices",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("notice_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("mail_status", sa.Text(), nullable=False),
        sa.Column("mail_detail", sa.Text(), nullable=True),
        sa.Column("mailed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("organization_id", "notice_id"),
        sa.UniqueConstraint("organization_id", "kind", "reference", name="notices_once"),
        sa.CheckConstraint(
            "severity IN ('info', 'success', 'warning', 'critical')", name="notices_severity"
        ),
        sa.CheckConstraint(
            "mail_status IN ('off', 'no_address', 'queued', 'sent', 'refused')",
            name="notices_mail_status",
        ),
        sa.CheckConstraint(
            "(mail_status = 'sent') = (mailed_at IS NOT NULL)", name="notices_mailed"
        ),
    )
    op.create_index("notices_newest", "notices", ["organization_id", "raised_at", "notice_id"])
    op.create_index("notices_all_newest", "notices", ["raised_at", "organization_id", "notice_id"])


def _create_organizations() -> None:
    zero, no = sa.text("0"), sa.text("false")
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "organizations",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("account_version", sa.BigInteger(), server_default=zero, nullable=False),
        sa.Column("billing_email", sa.Text(), nullable=True),
        sa.Column("buyer_name", sa.Text(), nullable=True),
        sa.Column("refused_email", sa.Text(), nullable=True),
        sa.Column("plan_version", sa.BigInteger(), server_default=zero, nullable=False),
        sa.Column("tier", sa.Text(), server_default="free", nullable=False),
        sa.Column("plan_status", sa.Text(), server_default="active", nullable=False),
        sa.Column("period_end", moment, nullable=True),
        sa.Column("cancel_at_period_end", sa.Boolean(), server_default=no, nullable=False),
        sa.Column("pending_tier", sa.Text(), nullable=True),
        sa.Column("plan_suspended", sa.Boolean(), server_default=no, nullable=False),
        sa.Column("trial_ends_at", moment, nullable=True),
        sa.Column("trial_notice_at", moment, nullable=True),
        sa.Column("dunning_version", sa.BigInteger(), server_default=zero, nullable=False),
        sa.Column("dunning_suspended", sa.Boolean(), server_default=no, nullable=False),
        sa.Column("methods_version", sa.BigInteger(), server_default=zero, nullable=False),
        sa.Column("card_id", sa.Text(), nullable=True),
        sa.Column("card_name", sa.Text(), nullable=True),
        sa.Column("card_expires_at", moment, nullable=True),
        sa.Column("card_notice_at", moment, nullable=True),
        sa.PrimaryKeyConstraint("organization_id"),
    )
    op.create_index("organizations_trials", "organizations", ["trial_notice_at"])
    op.create_index("organizations_cards", "organizations", ["card_notice_at"])
