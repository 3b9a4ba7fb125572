"""A cost record before it is stored, and when two of them are the same report."""

from datetime import datetime
from typing import Any

import msgspec


class NewRecord(msgspec.Struct, frozen=True, gc=False):
    """A row of cost_records, in the order of its columns."""

    organization_id: str
    event_id: str
    record_id: str
    task_id: str
    agent_id: str
    sandbox_id: str | None
    workflow_id: str | None
    ticket_id: str | None
    provider: str
    model: str
    request_model: str | None
    provider_request_id: str | None
    owns_request_id: bool
    attempt: int
    occurred_at: datetime
    recorded_at: datetime
    input_uncached: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    output_text: int
    output_reasoning: int
    price_context: str
    pricing_status: str
    suspect_reason: str | None
    rate_card_id: int | None
    prompt_cost_picousd: int | None
    completion_cost_picousd: int | None
    billable: bool
    usage_source: str
    outcome: str
    cost_reported_usd: str | None
    corrects: str | None
    duplicate_of: str | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What makes an event one event, for ever."""
        return self.organization_id, self.event_id

    @property
    def tokens(self) -> int:
        """All six kinds together."""
        return (
            self.input_uncached
            + self.cache_read
            + self.cache_write_5m
            + self.cache_write_1h
            + self.output_text
            + self.output_reasoning
        )


COLUMNS = NewRecord.__struct_fields__
# What the agent said, without what we made of it: two events with one id must agree on it.
SAID = (
    "task_id",
    "agent_id",
    "sandbox_id",
    "workflow_id",
    "ticket_id",
    "provider",
    "model",
    "request_model",
    "provider_request_id",
    "attempt",
    "occurred_at",
    "input_uncached",
    "cache_read",
    "cache_write_5m",
    "cache_write_1h",
    "output_text",
    "output_reasoning",
    "price_context",
    "billable",
    "usage_source",
    "outcome",
    "cost_reported_usd",
    "corrects",
)


def says_the_same(record: NewRecord, other: Any) -> bool:
    """Whether two reports under one event id are the same report."""
    return differing_field(record, other) is None


def differing_field(record: NewRecord, other: Any) -> str | None:
    """The first field in which two reports under one event id contradict each other."""
    return next((name for name in SAID if getattr(record, name) != _value(other, name)), None)


def _value(row: Any, name: str) -> Any:
    return getattr(row, name) if isinstance(row, NewRecord) else row[name]
