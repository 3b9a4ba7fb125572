"""The first tables: cost records and their sums, prices, producers, and the chassis' own."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from shared.migrations.chassis import create_first_chassis_tables

revision = "0001"
down_revision = None

APPEND_ONLY = (
    "cost_records",
    "cost_revisions",
    "rate_cards",
    "price_overrides",
)


def upgrade() -> None:
    """Create everything; facts can only be added to from now on."""
    create_first_chassis_tables()
    _create_records()
    _create_sums()
    _create_prices()
    _create_producers()
    for table in APPEND_ONLY:
        op.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM cost_metering")


def _create_records() -> None:
    """Calls, their revisions, and what was said twice."""
    op.create_table(
        "cost_corrections",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("corrected_event_id", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("noted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("look_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("organization_id", "corrected_event_id"),
    )
    op.create_index(
        "cost_corrections_waiting",
        "cost_corrections",
        ["look_at"],
        unique=False,
        postgresql_where=sa.text("applied_at IS NULL"),
    )
    op.create_table(
        "cost_records",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("record_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("task_id", sa.Text(), nullable=False),
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("sandbox_id", sa.Text(), nullable=True),
        sa.Column("workflow_id", sa.Text(), nullable=True),
        sa.Column("ticket_id", sa.Text(), nullable=True),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("request_model", sa.Text(), nullable=True),
        sa.Column("provider_request_id", sa.Text(), nullable=True),
        sa.Column("owns_request_id", sa.Boolean(), nullable=False),
        sa.Column("attempt", sa.SmallInteger(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("input_uncached", sa.BigInteger(), nullable=False),
        sa.Column("cache_read", sa.BigInteger(), nullable=False),
        sa.Column("cache_write_5m", sa.BigInteger(), nullable=False),
        sa.Column("cache_write_1h", sa.BigInteger(), nullable=False),
        sa.Column("output_text", sa.BigInteger(), nullable=False),
        sa.Column("output_reasoning", sa.BigInteger(), nullable=False),
        sa.Column("price_context", sa.Text(), nullable=False),
        sa.Column("pricing_status", sa.Text(), nullable=False),
        sa.Column("suspect_reason", sa.Text(), nullable=True),
        sa.Column("rate_card_id", sa.BigInteger(), nullable=True),
        sa.Column("prompt_cost_picousd", sa.BigInteger(), nullable=True),
        sa.Column("completion_cost_picousd", sa.BigInteger(), nullable=True),
        sa.Column("billable", sa.Boolean(), nullable=False),
        sa.Column("usage_source", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("cost_reported_usd", sa.Text(), nullable=True),
        sa.Column("corrects", sa.Text(), nullable=True),
        sa.Column("duplicate_of", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("organization_id", "event_id"),
    )
    op.create_index(
        "cost_records_agent",
        "cost_records",
        ["organization_id", "agent_id", "occurred_at"],
        unique=False,
    )
    op.create_index(
        "cost_records_newest",
        "cost_records",
        ["organization_id", "occurred_at", "record_id"],
        unique=False,
    )
    op.create_index(
        "cost_records_request_owner",
        "cost_records",
        ["organization_id", "provider", "provider_request_id"],
        unique=True,
        postgresql_where=sa.text("owns_request_id"),
    )
    op.create_index(
        "cost_records_request_reuse",
        "cost_records",
        [
            "organization_id",
            "provider",
            "provider_request_id",
            "input_uncached",
            "output_text",
            "occurred_at",
        ],
        unique=False,
        postgresql_where=sa.text(
            "NOT owns_request_id AND provider_request_id IS NOT NULL"
            " AND corrects IS NULL AND duplicate_of IS NULL"
        ),
    )
    op.create_index(
        "cost_records_sandbox",
        "cost_records",
        ["organization_id", "sandbox_id"],
        unique=False,
        postgresql_where=sa.text("sandbox_id IS NOT NULL"),
    )
    op.create_index(
        "cost_records_task", "cost_records", ["organization_id", "task_id"], unique=False
    )
    op.create_table(
        "cost_revisions",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("counted", sa.Boolean(), nullable=False),
        sa.Column("pricing_status", sa.Text(), nullable=False),
        sa.Column("suspect_reason", sa.Text(), nullable=True),
        sa.Column("rate_card_id", sa.BigInteger(), nullable=True),
        sa.Column("prompt_cost_picousd", sa.BigInteger(), nullable=True),
        sa.Column("completion_cost_picousd", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "event_id", "revision"),
    )


def _create_sums() -> None:
    """Roll-ups, their deltas, and what was announced."""
    op.create_table(
        "cost_deltas",
        sa.Column("delta_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("billable", sa.Boolean(), nullable=False),
        sa.Column("records", sa.BigInteger(), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.Column("unpriced_records", sa.BigInteger(), nullable=False),
        sa.Column("unpriced_tokens", sa.BigInteger(), nullable=False),
        sa.Column("suspect_records", sa.BigInteger(), nullable=False),
        sa.Column("cost_picousd", sa.Numeric(precision=38, scale=0), nullable=False),
        sa.PrimaryKeyConstraint("delta_id"),
    )
    op.create_index("cost_deltas_organization", "cost_deltas", ["organization_id"], unique=False)
    op.create_table(
        "cost_rollups",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("billable", sa.Boolean(), nullable=False),
        sa.Column("records", sa.BigInteger(), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.Column("unpriced_records", sa.BigInteger(), nullable=False),
        sa.Column("unpriced_tokens", sa.BigInteger(), nullable=False),
        sa.Column("suspect_records", sa.BigInteger(), nullable=False),
        sa.Column("cost_picousd", sa.Numeric(precision=38, scale=0), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "hour", "provider", "model", "billable"),
    )
    op.create_table(
        "cost_totals",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("billable_cost_picousd", sa.Numeric(precision=38, scale=0), nullable=False),
        sa.Column("records", sa.BigInteger(), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.Column("unpriced_records", sa.BigInteger(), nullable=False),
        sa.Column("unpriced_tokens", sa.BigInteger(), nullable=False),
        sa.Column("suspect_records", sa.BigInteger(), nullable=False),
        sa.Column("cost_picousd", sa.Numeric(precision=38, scale=0), nullable=False),
        sa.PrimaryKeyConstraint("organization_id"),
    )


def _create_prices() -> None:
    """Rate cards, overrides, and what waits for a price."""
    op.create_table(
        "price_overrides",
        sa.Column("position", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("override_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("match", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=True),
        sa.Column("rates", postgresql.JSONB(), nullable=False),
        sa.Column("effective_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("effective_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("position"),
        sa.UniqueConstraint("override_id"),
    )
    op.create_table(
        "rate_cards",
        sa.Column("rate_card_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("context", sa.Text(), nullable=True),
        sa.Column("exact", sa.Boolean(), nullable=False),
        sa.Column("free", sa.Boolean(), nullable=False),
        sa.Column("long_writes", sa.Boolean(), nullable=False),
        sa.Column("dear_kinds", postgresql.JSONB(), nullable=False),
        sa.Column("tiers", postgresql.JSONB(), nullable=False),
        sa.Column("first_used_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("rate_card_id"),
    )
    op.create_table(
        "reprice_orders",
        sa.Column("order_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=True),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("occurred_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("occurred_to", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("ordered_by", sa.Text(), nullable=False),
        sa.Column("ordered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("after_event_id", sa.Text(), nullable=False),
        sa.Column("revised", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("order_id"),
    )
    op.create_table(
        "unpriced_records",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.Column("noticed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("book", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "event_id"),
    )
    op.create_index("unpriced_records_book", "unpriced_records", ["book"], unique=False)


def _create_producers() -> None:
    """Producers and agents."""
    op.create_table(
        "agents",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "agent_id"),
    )
    op.create_table(
        "producers",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("producer", sa.Text(), nullable=False),
        sa.Column("received", postgresql.INT8MULTIRANGE(), nullable=False),
        sa.Column("highest", sa.BigInteger(), nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "agent_id", "producer"),
    )
    op.create_index(
        "producers_holes",
        "producers",
        ["last_seen_at"],
        unique=False,
        postgresql_where=sa.text("NOT complete"),
    )
