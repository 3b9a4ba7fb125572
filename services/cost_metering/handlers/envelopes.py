"""Envelopes become records and, where they cannot be read, letters; no table is touched."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from services.cost_metering.pricebook import PriceBook, Priced, RateCard, price_call
from services.cost_metering.rules import Call, decode_call, decode_envelope
from services.cost_metering.rules import Parked as Unreadable
from services.cost_metering.store.records import NewRecord
from shared.bus import Message
from shared.clock import new_ids
from shared.contracts.usage import ENVELOPE_VERSION, UsageEnvelope
from shared.dead_letters import Parked


class Source(NamedTuple):
    """Where an event came from: its envelope's subject, and its place in a sequence."""

    subject: str
    producer: str
    sequence: int
    raw: bytes


class Batch(msgspec.Struct):
    """What many messages hold."""

    records: list[tuple[NewRecord, Source]] = msgspec.field(default_factory=list)
    cards: dict[int, RateCard] = msgspec.field(default_factory=dict)
    parked: list[Parked] = msgspec.field(default_factory=list)
    received: dict[tuple[str, str, str], list[tuple[int, int]]] = msgspec.field(
        default_factory=dict
    )


def read_messages(messages: Sequence[Message], book: PriceBook, now: datetime) -> Batch:
    """Read and price all events of many envelopes; what is wrong is set aside, alone."""
    batch = Batch()
    for message in messages:
        _, _, organization_id, agent_id = message.subject.split(".")
        envelope = decode_envelope(message.body)
        if isinstance(envelope, Unreadable):
            batch.parked.append(_letter(message.subject, message.body, envelope, organization_id))
            continue
        _read_envelope(batch, envelope, message.subject, organization_id, agent_id, book, now)
    return batch


def _read_envelope(
    batch: Batch,
    envelope: UsageEnvelope,
    subject: str,
    organization_id: str,
    agent_id: str,
    book: PriceBook,
    now: datetime,
) -> None:
    ids = new_ids(len(envelope.events))
    for sequence, raw in enumerate(envelope.events, envelope.first_seq):
        source = Source(subject, envelope.producer, sequence, bytes(raw))
        call = decode_call(source.raw, organization_id, agent_id, now)
        if isinstance(call, Unreadable):
            batch.parked.append(
                _letter(subject, alone(source), call, organization_id, source.raw.strip())
            )
            continue
        priced = price_call(book, call)
        if priced.rate_card is not None:
            batch.cards[priced.rate_card.id] = priced.rate_card
        record = new_record(call, priced, ids[sequence - envelope.first_seq], now)
        batch.records.append((record, source))
    if envelope.events:
        ends = envelope.first_seq + len(envelope.events)
        batch.received.setdefault((organization_id, agent_id, envelope.producer), []).append(
            (envelope.first_seq, ends)
        )


def new_record(call: Call, priced: Priced, record_id: str, now: datetime) -> NewRecord:
    """The row that a priced call becomes."""
    event = call.event
    card, tokens = priced.rate_card, call.usage.tokens
    return NewRecord(
        call.organization_id,
        event.event_id,
        record_id,
        event.task_id,
        call.agent_id,
        event.sandbox_id,
        event.workflow_id,
        event.ticket_id,
        event.provider,
        event.model,
        event.request_model,
        event.provider_request_id,
        event.provider_request_id is not None and event.corrects is None,
        event.attempt,
        call.occurred_at,
        now,
        tokens.input_uncached,
        tokens.cache_read,
        tokens.cache_write_5m,
        tokens.cache_write_1h,
        tokens.output_text,
        tokens.output_reasoning,
        call.context,
        priced.status,
        priced.suspect_reason,
        card.id if card is not None else None,
        priced.prompt_picousd,
        priced.completion_picousd,
        event.credential_source == "platform",
        event.usage_source,
        event.outcome,
        event.cost_reported,
        event.corrects,
    )


def split_envelope(message: Message) -> Sequence[Message]:
    """An envelope as envelopes of one event each, so that a bad event can be parked alone."""
    envelope = decode_envelope(message.body)
    if isinstance(envelope, Unreadable) or len(envelope.events) < 2:
        return [message]
    return [
        msgspec.structs.replace(
            message,
            body=alone(Source(message.subject, envelope.producer, sequence, bytes(raw))),
        )
        for sequence, raw in enumerate(envelope.events, envelope.first_seq)
    ]


def alone(source: Source) -> bytes:
    """An envelope that holds just this event, at its place in the sequence."""
    return msgspec.json.encode(
        UsageEnvelope(
            v=ENVELOPE_VERSION,
            producer=source.producer,
            first_seq=source.sequence,
            events=[msgspec.Raw(source.raw)],
        )
    )


def _letter(
    subject: str, body: bytes, why: Unreadable, organization_id: str, content: bytes | None = None
) -> Parked:
    return Parked(
        subject=subject,
        body=body,
        reason=why.reason,
        detail=why.detail,
        organization_id=organization_id,
        content=content,
    )
