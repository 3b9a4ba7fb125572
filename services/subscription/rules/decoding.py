"""Bytes from an agent become ends of workflows and gauges, or are set aside; nothing raises."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Generic, TypeVar

import msgspec

from shared.contracts.usage import (
    ENVELOPE_VERSION,
    MAX_AHEAD,
    MAX_ENVELOPE_BYTES,
    MAX_ENVELOPE_EVENTS,
    MAX_EVENT_BYTES,
    GaugeRead,
    UsageEnvelope,
    WorkflowEnded,
)

UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)
FIRST_YEAR = 2020

U = TypeVar("U", WorkflowEnded, GaugeRead)


class Bad(msgspec.Struct, frozen=True):
    """What cannot be counted: its bytes as they can be sent again, and why."""

    organization_id: str
    subject: str
    body: bytes
    reason: str
    detail: str


class Told(msgspec.Struct, Generic[U], frozen=True):
    """An event, whose it is, and its bytes as they can be sent again."""

    organization_id: str
    subject: str
    event: U
    body: bytes
    content_hash: bytes


def read_events(subject: str, body: bytes, kind: type[U], now: datetime) -> Sequence[Told[U] | Bad]:
    """The events of an envelope; one that is wrong costs no other."""
    organization_id, agent_id = subject.split(".")[2:4]
    envelope = _read_envelope(body)
    if isinstance(envelope, tuple):
        return [Bad(organization_id, subject, body, *envelope)]
    found: list[Told[U] | Bad] = []
    for sequence, raw in enumerate(envelope.events, envelope.first_seq):
        alone = _alone(envelope.producer, sequence, raw)
        event = _read_event(bytes(raw), kind)
        problem = (
            event if isinstance(event, tuple) else _problem(event, organization_id, agent_id, now)
        )
        if problem is not None:
            found.append(Bad(organization_id, subject, alone, *problem))
        elif not isinstance(event, tuple):
            content_hash = hashlib.sha256(msgspec.json.encode(event)).digest()
            found.append(Told(organization_id, subject, event, alone, content_hash))
    return found


def split_envelope(body: bytes) -> Sequence[bytes]:
    """An envelope as envelopes of one event each, so that a bad one can be parked alone."""
    envelope = _read_envelope(body)
    if isinstance(envelope, tuple) or len(envelope.events) < 2:
        return [body]
    return [
        _alone(envelope.producer, sequence, raw)
        for sequence, raw in enumerate(envelope.events, envelope.first_seq)
    ]


def _alone(producer: str, sequence: int, raw: msgspec.Raw) -> bytes:
    return msgspec.json.encode(
        UsageEnvelope(v=ENVELOPE_VERSION, producer=producer, first_seq=sequence, events=[raw])
    )


def _read_envelope(body: bytes) -> UsageEnvelope | tuple[str, str]:
    if len(body) > MAX_ENVELOPE_BYTES:
        return "oversized", f"The envelope has {len(body)} bytes, more than {MAX_ENVELOPE_BYTES}."
    try:
        envelope = msgspec.json.decode(body, type=UsageEnvelope)
    except UNREADABLE as error:
        return "malformed", _told(error)
    if envelope.v != ENVELOPE_VERSION:
        return "unknown_version", f"{envelope.v} is not a version of the envelope."
    if len(envelope.events) > MAX_ENVELOPE_EVENTS:
        return "oversized", f"{len(envelope.events)} events, more than {MAX_ENVELOPE_EVENTS}."
    return envelope


def _read_event(raw: bytes, kind: type[U]) -> U | tuple[str, str]:
    if len(raw) > MAX_EVENT_BYTES:
        return "oversized", f"The event has {len(raw)} bytes, more than {MAX_EVENT_BYTES}."
    try:
        return msgspec.json.decode(raw, type=kind)
    except UNREADABLE as error:
        return "invalid_field", _told(error)


def _problem(
    event: WorkflowEnded | GaugeRead, organization_id: str, agent_id: str, now: datetime
) -> tuple[str, str] | None:
    if event.organization_id not in (None, organization_id):
        return "foreign_organization", "Field `organization_id` is not the subject's."
    if event.agent_id not in (None, agent_id):
        return "foreign_agent", "Field `agent_id` is not the subject's."
    if event.occurred_at.year < FIRST_YEAR or event.occurred_at > now + MAX_AHEAD:
        return "time_out_of_range", "Field `occurred_at` lies too far from now."
    return None


def _told(error: Exception) -> str:
    shown = "".join(letter if letter.isprintable() else "�" for letter in str(error))
    return shown[:300]
