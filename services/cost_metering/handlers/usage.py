"""Usage comes in: read, priced, recorded once, summed; what cannot be read is parked."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

import msgspec

from services.cost_metering.pricebook import (
    LIST_PRICES,
    PriceBook,
    Priced,
    RateCard,
    price_call,
)
from services.cost_metering.rules import Call, decode_call, decode_envelope
from services.cost_metering.rules import Parked as Unreadable
from services.cost_metering.store import corrections, prices, producers, recording, rollups
from services.cost_metering.store.producers import Received
from services.cost_metering.store.records import NewRecord, differing_field, says_the_same
from services.cost_metering.store.rollups import Delta
from shared.bus import Message
from shared.clock import new_ids
from shared.consumers import Handled
from shared.contracts.usage import ENVELOPE_VERSION, UsageEnvelope
from shared.database import Db
from shared.dead_letters import Parked
from shared.failpoints import failpoint

# After a batch with duplicates, this many look before they copy: a resend comes in a row.
LOOK_FIRST_BATCHES = 8


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


class Meter:
    """Records usage; keeps in memory only what can be read again: prices and known cards."""

    def __init__(self) -> None:
        self._edition = ""
        self._book = PriceBook()
        self._known_cards: set[int] = set()
        self._look_first = 0

    async def book(self, db: Db) -> tuple[str, PriceBook]:
        """The price book as of this transaction, and the name of its edition.

        It is compiled again after an override.
        """
        edition = f"{LIST_PRICES}, {await prices.latest_override(db)} overrides"
        if edition != self._edition:
            overrides = await prices.list_overrides(db, prices.MAX_OVERRIDES)
            self._edition, self._book = edition, PriceBook(overrides)
        return self._edition, self._book

    async def keep_cards(self, db: Db, cards: dict[int, RateCard]) -> None:
        """Keep rate cards that were not kept before; known ones cost nothing."""
        unknown = cards.keys() - self._known_cards
        await prices.keep_cards(db, [cards[card_id] for card_id in unknown])
        db.after_commit(lambda: self._known_cards.update(unknown))

    async def record_usage(self, messages: Sequence[Message], db: Db) -> Handled:
        """Record the calls of many envelopes in one transaction."""
        edition, book = await self.book(db)
        batch = read_messages(messages, book, db.now)
        batch.records.sort(key=lambda each: each[0].key)
        unique, conflicts = drop_repeated(batch.records)
        refused = await corrections.claim(db, [r for r in unique if r.corrects])
        if refused:
            keys = {each.record.key for each in refused}
            unique = [record for record in unique if record.key not in keys]
        await self.keep_cards(db, batch.cards)
        added = await recording.add_records(db, unique, look_first=self._look_first > 0)
        self._look_first = LOOK_FIRST_BATCHES if added.collided else max(0, self._look_first - 1)
        failpoint("meter.copied")
        counted = [r for r in added.records if r.duplicate_of is None]
        await rollups.add_deltas(db, sum_records(counted))
        unpriced = [r for r in counted if r.pricing_status == "unpriced"]
        await recording.add_unpriced(db, unpriced, edition)
        await producers.mark_received(db, _received(batch))
        await corrections.release(db, [record for record, _ in added.conflicts])
        if refused or added.conflicts:
            # The first of several events with one id is the one that was tried.
            sources = {record.key: source for record, source in reversed(batch.records)}
            conflicts += [_refused(sources[each.record.key], each) for each in refused]
            conflicts += [
                _conflict(sources[each.key], each, field) for each, field in added.conflicts
            ]
        return Handled(parked=[*batch.parked, *conflicts])


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
            batch.parked.append(_letter(subject, _alone(source), call, organization_id))
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


def drop_repeated(
    sorted_records: Sequence[tuple[NewRecord, Source]],
) -> tuple[list[NewRecord], list[Parked]]:
    """Of neighbours with one key the first stays; one that contradicts it is parked."""
    if not sorted_records:
        return [], []
    unique = [sorted_records[0][0]]
    conflicts: list[Parked] = []
    for (_, _), (record, source) in pairwise(sorted_records):
        first = unique[-1]
        if record.key != first.key:
            unique.append(record)
        elif not says_the_same(record, first):
            field = differing_field(record, first)
            conflicts.append(_conflict(source, record, field))
    return unique, conflicts


def sum_records(added: Iterable[NewRecord]) -> list[Delta]:
    """What records add to the sums, by organization, hour, provider, model and billability."""
    sums: dict[tuple[str, datetime, str, str, bool], list[int]] = {}
    for record in added:
        hour = record.occurred_at.replace(minute=0, second=0, microsecond=0)
        key = (record.organization_id, hour, record.provider, record.model, record.billable)
        total = sums.get(key)
        if total is None:
            total = sums[key] = [0, 0, 0, 0, 0, 0]
        tokens = record.tokens
        total[0] += 1
        total[1] += tokens
        if record.prompt_cost_picousd is None or record.completion_cost_picousd is None:
            total[2] += 1
            total[3] += tokens
        else:
            total[5] += record.prompt_cost_picousd + record.completion_cost_picousd
        if record.suspect_reason is not None:
            total[4] += 1
    return [Delta(*key, *total) for key, total in sorted(sums.items())]


def split_envelope(message: Message) -> Sequence[Message]:
    """An envelope as envelopes of one event each, so that a bad event can be parked alone."""
    envelope = decode_envelope(message.body)
    if isinstance(envelope, Unreadable) or len(envelope.events) < 2:
        return [message]
    return [
        msgspec.structs.replace(
            message,
            body=_alone(Source(message.subject, envelope.producer, sequence, bytes(raw))),
        )
        for sequence, raw in enumerate(envelope.events, envelope.first_seq)
    ]


def _alone(source: Source) -> bytes:
    return msgspec.json.encode(
        UsageEnvelope(
            v=ENVELOPE_VERSION,
            producer=source.producer,
            first_seq=source.sequence,
            events=[msgspec.Raw(source.raw)],
        )
    )


def _received(batch: Batch) -> list[Received]:
    return [Received(*key, ranges) for key, ranges in sorted(batch.received.items())]


def _letter(subject: str, body: bytes, why: Unreadable, organization_id: str) -> Parked:
    return Parked(
        subject=subject,
        body=body,
        reason=why.reason,
        detail=why.detail,
        organization_id=organization_id,
    )


def _conflict(source: Source, record: NewRecord, field: str) -> Parked:
    return Parked(
        subject=source.subject,
        body=_alone(source),
        reason="event_conflict",
        detail=f"Event {record.event_id} is recorded with another `{field}`; the first one counts.",
        organization_id=record.organization_id,
        event_id=record.event_id,
    )


def _refused(source: Source, refused: corrections.Refused) -> Parked:
    return Parked(
        subject=source.subject,
        body=_alone(source),
        reason=refused.reason,
        detail=refused.detail,
        organization_id=refused.record.organization_id,
        event_id=refused.record.event_id,
    )
