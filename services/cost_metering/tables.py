"""The tables of cost_metering. Costs are pico-dollars (1e-12 USD); a record is never updated."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    MetaData,
    Numeric,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import INT8MULTIRANGE, JSONB, UUID

from shared.tables import with_chassis

metadata = MetaData()
Moment = DateTime(timezone=True)
# Sums of costs have no largest value: an hour may exceed what BIGINT holds in pico-dollars.
# Sums of tokens do fit: a call has at most 10**9 of them.
Sum = Numeric(38, 0)

# One row for each LLM call, as it was priced when it came. Facts only: repricing and corrections
# are rows of cost_revisions. The key refuses duplicates for ever.
cost_records = Table(
    "cost_records",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("event_id", Text, primary_key=True),
    Column("record_id", UUID(as_uuid=False), nullable=False),
    Column("task_id", Text, nullable=False),
    Column("agent_id", Text, nullable=False),
    Column("sandbox_id", Text),
    Column("workflow_id", Text),
    Column("ticket_id", Text),
    Column("provider", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("request_model", Text),
    Column("provider_request_id", Text),
    # The first record of a provider's request id owns it; corrections and reuses do not.
    Column("owns_request_id", Boolean, nullable=False),
    Column("attempt", SmallInteger, nullable=False),
    Column("occurred_at", Moment, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    Column("input_uncached", BigInteger, nullable=False),
    Column("cache_read", BigInteger, nullable=False),
    Column("cache_write_5m", BigInteger, nullable=False),
    Column("cache_write_1h", BigInteger, nullable=False),
    Column("output_text", BigInteger, nullable=False),
    Column("output_reasoning", BigInteger, nullable=False),
    Column("price_context", Text, nullable=False),
    Column("pricing_status", Text, nullable=False),
    Column("suspect_reason", Text),
    Column("rate_card_id", BigInteger),
    Column("prompt_cost_picousd", BigInteger),
    Column("completion_cost_picousd", BigInteger),
    Column("billable", Boolean, nullable=False),
    Column("usage_source", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("cost_reported_usd", Text),
    Column("corrects", Text),
    # The event that told of the same response of a provider before; this one counts nothing.
    Column("duplicate_of", Text),
)
Index(
    "cost_records_request_owner",
    cost_records.c.organization_id,
    cost_records.c.provider,
    cost_records.c.provider_request_id,
    unique=True,
    postgresql_where=text("owns_request_id"),
)
Index(
    "cost_records_request_reuse",
    cost_records.c.organization_id,
    cost_records.c.provider,
    cost_records.c.provider_request_id,
    # A local model may answer every call with one id: look among them by what was counted.
    cost_records.c.input_uncached,
    cost_records.c.output_text,
    cost_records.c.occurred_at,
    postgresql_where=text(
        "NOT owns_request_id AND provider_request_id IS NOT NULL"
        " AND corrects IS NULL AND duplicate_of IS NULL"
    ),
)
Index(
    "cost_records_newest",
    cost_records.c.organization_id,
    cost_records.c.occurred_at,
    cost_records.c.record_id,
)
Index("cost_records_task", cost_records.c.organization_id, cost_records.c.task_id)
Index(
    "cost_records_agent",
    cost_records.c.organization_id,
    cost_records.c.agent_id,
    cost_records.c.occurred_at,
)
Index(
    "cost_records_sandbox",
    cost_records.c.organization_id,
    cost_records.c.sandbox_id,
    postgresql_where=text("sandbox_id IS NOT NULL"),
)

# What a record is worth after repricing or a correction; the highest revision counts.
# `counted` is false when another record replaces this one.
cost_revisions = Table(
    "cost_revisions",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("event_id", Text, primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("counted", Boolean, nullable=False),
    Column("pricing_status", Text, nullable=False),
    Column("suspect_reason", Text),
    Column("rate_card_id", BigInteger),
    Column("prompt_cost_picousd", BigInteger),
    Column("completion_cost_picousd", BigInteger),
    Column("reason", Text, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("made_at", Moment, nullable=False),
)

# Which event replaces which; the correction takes effect once both have come. One whose original
# is missing is looked at less and less often, so that a heap of them cannot hold up the others.
cost_corrections = Table(
    "cost_corrections",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("corrected_event_id", Text, primary_key=True),
    Column("event_id", Text, nullable=False),
    Column("noted_at", Moment, nullable=False),
    Column("look_at", Moment, nullable=False),
    Column("applied_at", Moment),
    Index("cost_corrections_waiting", "look_at", postgresql_where=text("applied_at IS NULL")),
)

# Records that no price fits yet: the work list of automatic repricing. `book` is the edition of
# the price book that had none; a record is looked at again when there is another edition.
unpriced_records = Table(
    "unpriced_records",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("event_id", Text, primary_key=True),
    Column("provider", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Column("noticed_at", Moment, nullable=False),
    Column("book", Text, nullable=False),
    Index("unpriced_records_book", "book"),
)


def _sums() -> list[Column[Any]]:
    """The columns that are summed, in roll-ups, in their deltas and in totals."""
    names = ("records", "tokens", "unpriced_records", "unpriced_tokens", "suspect_records")
    counts = [Column(name, BigInteger, nullable=False) for name in names]
    return [*counts, Column("cost_picousd", Sum, nullable=False)]


# Sums by hour of the event; with the deltas not yet merged they are exact at any time.
cost_rollups = Table(
    "cost_rollups",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("hour", Moment, primary_key=True),
    Column("provider", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("billable", Boolean, primary_key=True),
    *_sums(),
)

# Appended with the records they sum, in the same transaction; merged twice a second.
cost_deltas = Table(
    "cost_deltas",
    metadata,
    Column("delta_id", BigInteger, Identity(always=True), primary_key=True),
    Column("organization_id", Text, nullable=False),
    Column("hour", Moment, nullable=False),
    Column("provider", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("billable", Boolean, nullable=False),
    *_sums(),
    Index("cost_deltas_organization", "organization_id"),
)

# What has been announced as CostsRecorded: a gapless sequence and the sums since the beginning.
cost_totals = Table(
    "cost_totals",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("billable_cost_picousd", Sum, nullable=False),
    *_sums(),
)

# The immutable prices that records point at; the id is a hash of what stands in the row.
rate_cards = Table(
    "rate_cards",
    metadata,
    Column("rate_card_id", BigInteger, primary_key=True, autoincrement=False),
    Column("provider", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("source", Text, nullable=False),
    # The price list (standard, batch, …); null when the price holds on every one.
    Column("context", Text),
    Column("exact", Boolean, nullable=False),
    Column("free", Boolean, nullable=False),
    Column("long_writes", Boolean, nullable=False),
    Column("dear_kinds", JSONB, nullable=False),
    Column("tiers", JSONB, nullable=False),
    Column("first_used_at", Moment, nullable=False),
)

# Operators' prices, asked before the book. Append-only: a later row wins.
price_overrides = Table(
    "price_overrides",
    metadata,
    Column("position", BigInteger, Identity(always=True), primary_key=True),
    Column("override_id", UUID(as_uuid=False), nullable=False, unique=True),
    Column("provider", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("match", Text, nullable=False),
    Column("organization_id", Text),
    Column("rates", JSONB, nullable=False),
    Column("effective_from", Moment, nullable=False),
    Column("effective_to", Moment),
    Column("reason", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
)

# An operator's order to price again what was priced; worked off in pieces.
reprice_orders = Table(
    "reprice_orders",
    metadata,
    Column("order_id", UUID(as_uuid=False), primary_key=True),
    Column("organization_id", Text, nullable=False),
    Column("provider", Text),
    Column("model", Text),
    Column("occurred_from", Moment, nullable=False),
    Column("occurred_to", Moment, nullable=False),
    Column("reason", Text, nullable=False),
    Column("ordered_by", Text, nullable=False),
    Column("ordered_at", Moment, nullable=False),
    Column("after_event_id", Text, nullable=False),
    Column("revised", BigInteger, nullable=False),
    Column("finished_at", Moment),
)

# What each producer's gapless sequence has brought: what is missing in it is a hole.
producers = Table(
    "producers",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("agent_id", Text, primary_key=True),
    Column("producer", Text, primary_key=True),
    Column("received", INT8MULTIRANGE, nullable=False),
    Column("highest", BigInteger, nullable=False),
    # False while something up to `highest` is missing.
    Column("complete", Boolean, nullable=False),
    Column("last_seen_at", Moment, nullable=False),
    Index("producers_holes", "last_seen_at", postgresql_where=text("NOT complete")),
)

# Agents that may still hold a credential, counted against the organization's cap.
agents = Table(
    "agents",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("agent_id", Text, primary_key=True),
    Column("registered_at", Moment, nullable=False),
    Column("last_issued_at", Moment, nullable=False),
)

with_chassis(metadata)
APPEND_ONLY = (
    "cost_records",
    "cost_revisions",
    "rate_cards",
    "price_overrides",
)
