"""LLM costs and what plans said of them, so that a plan heard of late is as good as one in time."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

PLAN_COLUMNS = ("tier", "plan_version", "llm_markup_basis_points")


def upgrade() -> None:
    """Create their tables, and move there what profiles know of plans."""
    _create_plan_terms()
    _create_llm_costs()
    for column in PLAN_COLUMNS:
        op.drop_column("billing_profiles", column)


def _create_plan_terms() -> None:
    op.create_table(
        "plan_terms",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tier", sa.Text(), nullable=False),
        sa.Column("markup_basis_points", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("organization_id", "version"),
    )
    op.execute(
        "INSERT INTO plan_terms"
        " SELECT organization_id, plan_version, opened_at, tier, llm_markup_basis_points"
        " FROM billing_profiles WHERE plan_version > 0"
    )
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON plan_terms FROM invoicing")


def _create_llm_costs() -> None:
    op.create_table(
        "llm_costs",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("billable_cost_picousd", sa.BigInteger(), nullable=False),
        sa.Column("records", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("passed_on_by", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("organization_id", "sequence"),
    )
    op.create_index("llm_costs_recorded_at", "llm_costs", ["recorded_at"], unique=False)
    op.create_index(
        "llm_costs_in_question",
        "llm_costs",
        ["organization_id"],
        unique=False,
        postgresql_where=sa.text("passed_on_by IS NULL"),
    )
