"""The tables of the auditor: whom it watches, what it suspects, found, parked and released."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID

from shared.tables import with_chassis

metadata = MetaData()
Moment = DateTime(timezone=True)

# Every organization we have heard of. It is due while something has changed since the time up to
# which it was judged.
watches = Table(
    "watches",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("changed_at", Moment, nullable=False),
    Column("judged_until", Moment),
    Column("looked_at", Moment),
    # Cost records as last counted: of many, only some hours are summed at a time.
    Column("records", BigInteger, nullable=False, server_default=text("0")),
    Column("sliced_to", Moment),
    Index(
        "watches_due",
        "changed_at",
        postgresql_where=text("judged_until IS NULL OR changed_at >= judged_until"),
    ),
    Index("watches_looked_at", "looked_at"),
)

# What did not agree at the last look: looked at again, with the same cuts, before it is judged.
# `barrier` is where the stream of facts ended then; null when some were not on it yet.
suspicions = Table(
    "suspicions",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("failures", JSONB, nullable=False),
    Column("until", Moment, nullable=False),
    Column("first_hour", Moment),
    Column("end_hour", Moment),
    Column("barrier", BigInteger),
    Column("suspected_at", Moment, nullable=False),
    Column("look_at", Moment, nullable=False),
    Index("suspicions_look_at", "look_at"),
)

findings = Table(
    "findings",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("finding_id", UUID(as_uuid=False), primary_key=True),
    Column("check_name", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("parks", Boolean, nullable=False),
    Column("difference", BigInteger, nullable=False),
    Column("evidence", JSONB, nullable=False),
    Column("found_at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
    Column("agrees_since", Moment),
    CheckConstraint("status IN ('open', 'accepted', 'closed')", name="findings_status"),
    Index(
        "findings_one_of_a_kind",
        "organization_id",
        "check_name",
        unique=True,
        postgresql_where=text("status <> 'closed'"),
    ),
    Index("findings_newest", "found_at"),
    Index("findings_id", "finding_id"),
)

# How an organization that was ever parked stands; `version` counts its parkings and releases.
parked_accounts = Table(
    "parked_accounts",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("parked", Boolean, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("parked_at", Moment, nullable=False),
    Column("released_at", Moment),
    Column("released_by", Text),
    Column("release_reason", Text),
    Index("parked_accounts_parked", "parked_at", postgresql_where=text("parked")),
)

# Who let whom go on, and why. Rows are only ever added.
releases = Table(
    "releases",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("version", BigInteger, primary_key=True),
    Column("released_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("released_at", Moment, nullable=False),
)

# One row: the round under way, and how many of its looks are.
rounds = Table(
    "rounds",
    metadata,
    Column("name", Text, primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("begun_at", Moment, nullable=False),
    Column("looks_open", Integer, nullable=False),
    Column("finished_at", Moment),
)

# How far each owner's list of organizations has been read.
bookmarks = Table(
    "bookmarks",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("after", Text, nullable=False),
)

with_chassis(metadata)
