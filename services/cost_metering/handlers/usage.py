"""Usage comes in: read, priced, recorded once, summed; what cannot be read is parked."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any, NamedTuple

from services.cost_metering.handlers.envelopes import Batch, Source, alone, read_messages
from services.cost_metering.pricebook import LIST_PRICES, PriceBook, RateCard
from services.cost_metering.store import corrections, prices, producers, recording, rollups
from services.cost_metering.store.producers import Received
from services.cost_metering.store.records import NewRecord, differing_field, says_the_same
from services.cost_metering.store.rollups import Delta
from shared.bus import Message
from shared.consumers import Handled
from shared.database import Db
from shared.dead_letters import Parked
from shared.failpoints import failpoint

# After a batch with duplicates, this many look before they copy: a resend comes in a row.
LOOK_FIRST_BATCHES = 8


class Repeated(NamedTuple):
    """An event that contradicts the first one under its id in the same batch."""

    record: NewRecord
    source: Source
    first: NewRecord


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
        unique, repeated = drop_repeated(batch.records)
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
        if refused or repeated or added.conflicts:
            batch.parked += _contradictions(batch, refused, repeated, added.conflicts)
        return Handled(parked=batch.parked)


def drop_repeated(
    sorted_records: Sequence[tuple[NewRecord, Source]],
) -> tuple[list[NewRecord], list[Repeated]]:
    """Of neighbours with one key the first stays; those that contradict it are told."""
    if not sorted_records:
        return [], []
    unique = [sorted_records[0][0]]
    repeated: list[Repeated] = []
    for (_, _), (record, source) in pairwise(sorted_records):
        first = unique[-1]
        if record.key != first.key:
            unique.append(record)
        elif not says_the_same(record, first):
            repeated.append(Repeated(record, source, first))
    return unique, repeated


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


def _received(batch: Batch) -> list[Received]:
    return [Received(*key, ranges) for key, ranges in sorted(batch.received.items())]


def _contradictions(
    batch: Batch,
    refused: Sequence[corrections.Refused],
    repeated: Sequence[Repeated],
    conflicts: Sequence[tuple[NewRecord, Any]],
) -> list[Parked]:
    """Letters of events that can be read but contradict what stands."""
    # The first of several events with one id is the one that was tried.
    sources = {record.key: source for record, source in reversed(batch.records)}
    letters = [
        _contradiction(sources[record.key], record, reason, detail)
        for record, reason, detail in refused
    ]
    stored = {record.key: row for record, row in conflicts}
    tried = [(record, sources[record.key], row) for record, row in conflicts]
    # What contradicts the first of a batch may still be what stands: then it is no contradiction.
    told = [(record, source, stored.get(record.key, first)) for record, source, first in repeated]
    for record, source, standing in (*tried, *told):
        field = differing_field(record, standing)
        if field is not None:
            detail = f"Event {record.event_id} is recorded with another `{field}`."
            letters.append(_contradiction(source, record, "event_conflict", detail))
    return letters


def _contradiction(source: Source, record: NewRecord, reason: str, detail: str) -> Parked:
    return Parked(
        subject=source.subject,
        body=alone(source),
        reason=reason,
        detail=detail,
        organization_id=record.organization_id,
        event_id=record.event_id,
        content=source.raw.strip(),
    )
