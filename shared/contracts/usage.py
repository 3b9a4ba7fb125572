"""What agents publish: events in envelopes, on `usage.<kind>.<organization_id>.<agent_id>`.

Subject and credential name the organization and the agent; a payload that names others is parked.
Fields follow the providers' own usage objects, so that an agent passes on what it was given.
"""

from datetime import datetime, timedelta
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from shared.contracts.base import (
    MAX_EXACT_INTEGER,
    PRINTABLE_PATTERN,
    Agent,
    Contract,
    Organization,
    Text,
)

ENVELOPE_VERSION = 1
# A NATS message of an agent: more is refused by its credential.
MAX_ENVELOPE_BYTES = 64 * 1024
MAX_ENVELOPE_EVENTS = 500
# One event beyond this is parked as oversized; its neighbours are recorded.
MAX_EVENT_BYTES = 16 * 1024
# Clocks differ: what is told to lie further ahead than this is refused.
MAX_AHEAD = timedelta(minutes=5)
# The kinds that an agent's credential may publish and that the stream keeps.
USAGE_KINDS = ("llm", "workflow", "gauge")

UsageFormat = Literal["disjoint", "anthropic", "openai_chat", "openai_responses", "gemini", "otel"]
UsageSource = Literal["provider", "estimated", "missing"]
CallOutcome = Literal["succeeded", "failed", "cancelled"]
CredentialSource = Literal["platform", "byo"]
ShortText = Annotated[str, Meta(pattern=PRINTABLE_PATTERN, min_length=1, max_length=64)]
DecimalText = Annotated[str, Meta(pattern=r"^[0-9]{1,9}(\.[0-9]{1,12})?\Z")]


class UsageEnvelope(Contract, frozen=True, kw_only=True):
    """Up to 500 events of one producer, in the order of its gapless sequence.

    `events[i]` has sequence number `first_seq + i`; sequences start at 1. Each event stays raw
    here, so that one bad event never costs its neighbours.
    """

    v: int
    producer: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}\Z")]
    first_seq: Annotated[int, Meta(ge=1, le=MAX_EXACT_INTEGER)]
    events: list[msgspec.Raw]


class LlmCall(Contract, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """One response of an LLM provider (one per response, never one per run).

    `usage` is the provider's own object, in the form that `usage_format` names. `occurred_at` is
    when the call began: it selects the dated price. `cost_reported` is in US dollars and is only
    stored. `corrects` names the event this one replaces.
    """

    event_id: Text
    task_id: Text
    provider: ShortText
    model: Text
    occurred_at: Annotated[datetime, Meta(tz=True)]
    usage_format: UsageFormat
    usage: msgspec.Raw
    organization_id: Organization | None = None
    agent_id: Agent | None = None
    workflow_id: Text | None = None
    ticket_id: Text | None = None
    sandbox_id: Text | None = None
    request_model: Text | None = None
    provider_request_id: Text | None = None
    attempt: Annotated[int, Meta(ge=1, le=1000)] = 1
    service_tier: ShortText | None = None
    batch: bool = False
    speed: ShortText | None = None
    region: ShortText | None = None
    usage_source: UsageSource = "provider"
    outcome: CallOutcome = "succeeded"
    credential_source: CredentialSource = "platform"
    cost_reported: DecimalText | None = None
    corrects: Text | None = None


class WorkflowEnded(Contract, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """A workflow run came to its end; only a completed one is charged, once per `workflow_id`."""

    event_id: Text
    workflow_id: Text
    outcome: Literal["completed", "failed", "canceled"]
    occurred_at: Annotated[datetime, Meta(tz=True)]
    organization_id: Organization | None = None
    agent_id: Agent | None = None
    ticket_id: Text | None = None


class GaugeRead(Contract, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """What an organization has in use at a moment; the latest by `occurred_at` counts."""

    event_id: Text
    gauge: Literal["agents_in_use", "storage_bytes"]
    value: Annotated[int, Meta(ge=0, le=MAX_EXACT_INTEGER)]
    occurred_at: Annotated[datetime, Meta(tz=True)]
    organization_id: Organization | None = None
    agent_id: Agent | None = None


def usage_subject(kind: str, organization_id: str, agent_id: str) -> str:
    """The one subject that an agent's credential lets it publish a kind on."""
    return f"usage.{kind}.{organization_id}.{agent_id}"
