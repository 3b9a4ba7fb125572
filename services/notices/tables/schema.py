"""The tables of notices. Times are UTC."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from shared.tables import with_chassis

metadata = MetaData()
Moment = DateTime(timezone=True)
NONE_YET = text("0")

# What was heard of an organization last, and when something about it is to be said next.
organizations = Table(
    "organizations",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("account_version", BigInteger, nullable=False, server_default=NONE_YET),
    Column("billing_email", Text),
    Column("buyer_name", Text),
    # An address that a mail server refused for good; no mail is sent there any more.
    Column("refused_email", Text),
    Column("plan_version", BigInteger, nullable=False, server_default=NONE_YET),
    Column("tier", Text, nullable=False, server_default="free"),
    Column("plan_status", Text, nullable=False, server_default="active"),
    Column("period_end", Moment),
    Column("cancel_at_period_end", Boolean, nullable=False, server_default=false()),
    Column("pending_tier", Text),
    Column("plan_suspended", Boolean, nullable=False, server_default=false()),
    Column("trial_ends_at", Moment),
    Column("trial_notice_at", Moment),
    Column("dunning_version", BigInteger, nullable=False, server_default=NONE_YET),
    Column("dunning_suspended", Boolean, nullable=False, server_default=false()),
    Column("methods_version", BigInteger, nullable=False, server_default=NONE_YET),
    Column("card_id", Text),
    Column("card_name", Text),
    Column("card_expires_at", Moment),
    Column("card_notice_at", Moment),
    Index("organizations_trials", "trial_notice_at"),
    Index("organizations_cards", "card_notice_at"),
)

# Said once per organization, kind and occasion.
notices = Table(
    "notices",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("notice_id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("raised_at", Moment, nullable=False),
    Column("mail_status", Text, nullable=False),
    Column("mail_detail", Text),
    Column("mailed_at", Moment),
    UniqueConstraint("organization_id", "kind", "reference", name="notices_once"),
    CheckConstraint(
        "severity IN ('info', 'success', 'warning', 'critical')", name="notices_severity"
    ),
    CheckConstraint(
        "mail_status IN ('off', 'no_address', 'queued', 'sent', 'refused')",
        name="notices_mail_status",
    ),
    CheckConstraint("(mail_status = 'sent') = (mailed_at IS NOT NULL)", name="notices_mailed"),
    Index("notices_newest", "organization_id", "raised_at", "notice_id"),
    Index("notices_all_newest", "raised_at", "organization_id", "notice_id"),
)

with_chassis(metadata)
