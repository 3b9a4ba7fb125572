"""Bytes from an agent become an envelope and its calls, or are parked; nothing here raises."""

from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from services.cost_metering.rules.counting import Tokens, Usage
from services.cost_metering.rules.events import decode_event
from services.cost_metering.rules.parking import UNREADABLE, Parked, parked_for
from services.cost_metering.rules.price_context import PriceContext, price_context
from services.cost_metering.rules.splitting import split_events
from services.cost_metering.rules.usage_formats import read_usage
from shared.contracts.usage import (
    ENVELOPE_VERSION,
    MAX_AHEAD,
    MAX_ENVELOPE_BYTES,
    MAX_ENVELOPE_EVENTS,
    MAX_EVENT_BYTES,
    LlmCall,
    UsageEnvelope,
)

# Price lists and timestamps are kept for these years; anything else is a broken clock.
FIRST_YEAR, LAST_YEAR = 2020, 2100
MAX_AGE = timedelta(days=90)

_NO_TOKENS: Final = Usage(Tokens(0, 0, 0, 0, 0, 0))


class Call(msgspec.Struct, frozen=True, gc=False):
    """One LLM call, read and normalised; the organization and agent are the subject's.

    `occurred_at` is UTC. `suspect_reason` says why its tokens or its time are in doubt,
    `context_doubt` why its price list is.
    """

    event: LlmCall
    organization_id: str
    agent_id: str
    occurred_at: datetime
    usage: Usage
    context: PriceContext
    context_doubt: str | None
    suspect_reason: str | None

    @property
    def tokens(self) -> Tokens:
        """The six disjoint counts."""
        return self.usage.tokens


class _Version(msgspec.Struct):
    v: int


_decode_envelope: Final = msgspec.json.Decoder(UsageEnvelope).decode
_decode_version: Final = msgspec.json.Decoder(_Version).decode


def decode_envelope(body: bytes) -> UsageEnvelope | Parked:
    """Read an envelope; its events stay raw, and a broken one does not cost the others."""
    if len(body) > MAX_ENVELOPE_BYTES:
        rule = f"{len(body)} bytes, more than {MAX_ENVELOPE_BYTES}"
        return Parked("oversized", f"The envelope has {rule}.")
    try:
        envelope = _decode_envelope(body)
    except UNREADABLE as error:
        rescued = _rescue(body, error)
        if isinstance(rescued, Parked):
            return rescued
        envelope = rescued
    if envelope.v != ENVELOPE_VERSION:
        return _unknown_version(envelope.v)
    if len(envelope.events) > MAX_ENVELOPE_EVENTS:
        rule = f"{len(envelope.events)} events, more than {MAX_ENVELOPE_EVENTS}"
        return Parked("oversized", f"Field `events` holds {rule}.")
    return envelope


def _rescue(body: bytes, error: Exception) -> UsageEnvelope | Parked:
    """Look again at an envelope that did not decode: another version, or one broken event?"""
    parked = parked_for(error, "The envelope")
    version = _version_of(body)
    if version not in {None, ENVELOPE_VERSION}:
        return _unknown_version(version)
    parts = None if parked.reason == "invalid_field" else split_events(body)
    if parts is None:
        return parked
    header, events = parts
    try:
        envelope = _decode_envelope(header)
    except UNREADABLE:
        return parked
    return msgspec.structs.replace(envelope, events=[msgspec.Raw(event) for event in events])


def _version_of(body: bytes) -> int | None:
    try:
        return _decode_version(body).v
    except UNREADABLE:
        return None


def _unknown_version(version: int | None) -> Parked:
    rule = f"{version} is not a version of the envelope; this meter reads {ENVELOPE_VERSION}"
    return Parked("unknown_version", f"Field `v`: {rule}.")


def decode_call(
    raw: bytes | msgspec.Raw, organization_id: str, agent_id: str, now: datetime
) -> Call | Parked:
    """Read one event that came on the subject of `organization_id` and `agent_id`."""
    if len(raw) > MAX_EVENT_BYTES:
        rule = f"{len(raw)} bytes, more than {MAX_EVENT_BYTES}"
        return Parked("oversized", f"The event has {rule}.")
    try:
        event = decode_event(bytes(raw))
    except UNREADABLE as error:
        return parked_for(error, "The event")
    foreign = _foreign(event, organization_id, agent_id) or _outside_time(event.occurred_at)
    if foreign is not None:
        return foreign
    try:
        usage = read_usage(event.usage_format, event.usage)
    except UNREADABLE as error:
        return parked_for(error, "The usage", under="usage")
    if usage is None:
        usage = _nothing_counted(event)
    if isinstance(usage, Parked):
        return usage
    occurred_at = event.occurred_at
    if occurred_at.tzinfo is not UTC:
        occurred_at = occurred_at.astimezone(UTC)
    context, doubt = price_context(event, usage)
    reason = _suspicion(event, usage, occurred_at - now)
    return Call(event, organization_id, agent_id, occurred_at, usage, context, doubt, reason)


def _foreign(event: LlmCall, organization_id: str, agent_id: str) -> Parked | None:
    """Credential and subject say who speaks; a payload that says otherwise is a lie or a mix-up."""
    if event.organization_id not in (None, organization_id):
        rule = f"`{event.organization_id}` is not the organization it was published for"
        return Parked("foreign_organization", f"Field `organization_id`: {rule}.")
    if event.agent_id not in (None, agent_id):
        rule = f"`{event.agent_id}` is not the agent it was published by"
        return Parked("foreign_agent", f"Field `agent_id`: {rule}.")
    return None


def _outside_time(occurred_at: datetime) -> Parked | None:
    if FIRST_YEAR <= occurred_at.year <= LAST_YEAR:
        return None
    rule = f"the year {occurred_at.year} is not within {FIRST_YEAR} and {LAST_YEAR}"
    return Parked("time_out_of_range", f"Field `occurred_at`: {rule}.")


def _nothing_counted(event: LlmCall) -> Usage | Parked:
    # A stream cut before its usage frame: the call is recorded and says that it cannot be priced.
    if event.usage_source == "missing":
        return _NO_TOKENS
    rule = f"has none of the counts of the format `{event.usage_format}`"
    return Parked("no_usage", f"Field `usage` {rule}; say `usage_source: missing` if so.")


def _suspicion(event: LlmCall, usage: Usage, ahead: timedelta) -> str | None:
    """The first doubt about a call, the gravest first."""
    if event.usage_source != "provider":
        return "usage_missing" if event.usage_source == "missing" else "usage_estimated"
    if not usage.complete:
        return "usage_incomplete"
    if ahead > MAX_AHEAD:
        return "future_time"
    return "ancient_time" if -ahead > MAX_AGE else None
