"""The tables that every service has for the chassis: what it says, heard, answered and parked."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

chassis = MetaData()

Moment = DateTime(timezone=True)

# Facts committed and not yet on the bus. A relay leases rows, publishes, then deletes them.
outbox = Table(
    "outbox",
    chassis,
    Column("position", BigInteger, Identity(always=True), primary_key=True),
    Column("message_id", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("traceparent", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("leased_until", Moment),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
)

# Messages heard, once per consumer.
inbox = Table(
    "inbox",
    chassis,
    Column("consumer", Text, primary_key=True),
    Column("message_id", Text, primary_key=True),
    Column("heard_at", Moment, nullable=False),
    Index("inbox_heard_at", "heard_at"),
)

# Answers given to requests that came with an idempotency key, stored together with the effect.
answers = Table(
    "answers",
    chassis,
    Column("organization_id", Text, primary_key=True),
    Column("principal", Text, primary_key=True),
    Column("operation", Text, primary_key=True),
    Column("idempotency_key", Text, primary_key=True),
    Column("body_hash", LargeBinary, nullable=False),
    Column("refused", Integer, nullable=False),
    Column("reply", LargeBinary, nullable=False),
    Column("answered_at", Moment, nullable=False),
    Index("answers_answered_at", "answered_at"),
)

# Messages that could not be processed, kept until an operator decides.
dead_letters = Table(
    "dead_letters",
    chassis,
    Column("letter_id", BigInteger, Identity(always=True), primary_key=True),
    Column("consumer", Text, nullable=False),
    Column("content_hash", LargeBinary, nullable=False),
    Column("subject", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("message_id", Text),
    Column("traceparent", Text),
    Column("organization_id", Text),
    Column("event_id", Text),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="parked"),
    Column("state_reason", Text),
    Column("occurrences", Integer, nullable=False, server_default=text("1")),
    Column("first_seen_at", Moment, nullable=False),
    Column("last_seen_at", Moment, nullable=False),
    UniqueConstraint("consumer", "content_hash", name="dead_letters_content"),
    Index("dead_letters_state", "state", "letter_id"),
    Index("dead_letters_organization", "organization_id"),
)

# Work that calls another system: prepared, called, concluded; any replica takes it up again.
steps = Table(
    "steps",
    chassis,
    Column("step_id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("state", JSONB, nullable=False),
    Column("traceparent", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("fence", BigInteger, nullable=False, server_default=text("0")),
    Column("due_at", Moment, nullable=False),
    Column("last_error", Text),
    Column("created_at", Moment, nullable=False),
    Column("concluded_at", Moment),
    # Of a request that a step answers: what was asked, and the answer once there is one.
    Column("body_hash", LargeBinary),
    Column("refused", Boolean),
    Column("reply", LargeBinary),
    Index("steps_concluded", "kind", "concluded_at", postgresql_where=text("status = 'concluded'")),
    Index("steps_open", "status", "due_at", postgresql_where=text("status <> 'concluded'")),
)


def with_chassis(metadata: MetaData) -> MetaData:
    """Add the chassis' tables to a service's own."""
    for table in chassis.sorted_tables:
        table.to_metadata(metadata)
    return metadata
