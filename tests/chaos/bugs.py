"""Deliberate bugs, one at a time, in a meter of the chaos run: each must be noticed.

They replace functions of the meter's process and live nowhere but here.
"""

import asyncio
import functools
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import delete

from services.cost_metering.handlers import envelopes, repricing
from services.cost_metering.store import producers, request_ids, rollups
from shared import consumers, jobs, requests
from shared.clock import SystemClock
from shared.consumers import Consumer
from shared.contracts.base import Event, event_subject
from shared.database import Database, Db
from shared.outbox import Relay
from shared.pulling import acknowledge
from shared.tables import outbox

# Wide enough that a kill falls into it, as it would one day in production.
WINDOW_SECONDS = 0.2

BUGS: dict[str, Callable[[str], None]] = {}


def introduce(name: str | None, database_url: str) -> None:
    """Break this process's meter in the way that `name` says."""
    if name is not None:
        BUGS[name](database_url)


def replace(owner: Any, name: str, broken: Any) -> None:
    setattr(owner, name, broken)


def bug(break_it: Callable[[str], None]) -> Callable[[str], None]:
    BUGS[break_it.__name__] = break_it
    return break_it


@bug
def acknowledges_before_it_commits(_: str) -> None:
    process = Consumer._process

    async def broken(self: Consumer, raws: list[Any]) -> None:
        await acknowledge(self._connection, raws)
        await process(self, raws)

    replace(Consumer, "_process", broken)


@bug
def takes_a_failure_for_done(_: str) -> None:
    handle = Consumer._handle

    async def broken(self: Consumer, messages: Sequence[Any]) -> None:
        try:
            await handle(self, messages)
        except Exception:
            return

    replace(Consumer, "_handle", broken)


@bug
def knows_no_duplicates(_: str) -> None:
    new_record = envelopes.new_record

    def broken(call: Any, priced: Any, record_id: str, now: datetime) -> Any:
        record = new_record(call, priced, record_id, now)
        return msgspec.structs.replace(record, event_id=f"{record.event_id}-{record_id}")

    replace(envelopes, "new_record", broken)


@bug
def knows_duplicates_until_it_dies(_: str) -> None:
    new_record = envelopes.new_record
    names: dict[str, str] = {}

    def broken(call: Any, priced: Any, record_id: str, now: datetime) -> Any:
        record = new_record(call, priced, record_id, now)
        name = names.setdefault(str(record.key), f"{record.event_id}-{record_id}")
        return msgspec.structs.replace(record, event_id=name)

    replace(envelopes, "new_record", broken)


@bug
def adds_to_the_sums_in_another_transaction(database_url: str) -> None:
    add_deltas = rollups.add_deltas
    apart: list[Database] = []

    async def broken(_: Db, deltas: Any) -> None:
        if not apart:
            apart.append(Database(database_url, SystemClock(), "apart"))
        async with apart[0].transaction() as db:
            await add_deltas(db, deltas)

    replace(rollups, "add_deltas", broken)


@bug
def merges_in_two_transactions(database_url: str) -> None:
    merge_deltas = rollups.merge_deltas
    apart: list[Database] = []

    async def broken(db: Db) -> Any:
        if not apart:
            apart.append(Database(database_url, SystemClock(), "apart"))
        columns = ", ".join(rollups.DELTA_COLUMNS)
        async with apart[0].transaction() as first:
            rows = await first.driver.fetch(f"DELETE FROM cost_deltas RETURNING {columns}")
        await asyncio.sleep(WINDOW_SECONDS)
        await rollups.add_deltas(db, [rollups.Delta(*row) for row in rows])
        return await merge_deltas(db)

    replace(rollups, "merge_deltas", broken)


@bug
def publishes_outside_the_outbox(_: str) -> None:
    connections: list[Any] = []
    publishing: set[asyncio.Task[None]] = set()
    prepare = Relay.__init__

    def remember(self: Relay, database: Database, bus: Any, *others: Any) -> None:
        connections.append(bus.connection)
        prepare(self, database, bus, *others)

    async def publish(event: Event) -> None:
        await asyncio.sleep(WINDOW_SECONDS)
        subject = event_subject(type(event), event.organization_id)
        await connections[-1].publish(subject, msgspec.json.encode(event))

    async def broken(db: Db, events: Sequence[Event]) -> None:
        for event in events:
            db.after_commit(functools.partial(start, event))

    def start(event: Event) -> None:
        task = asyncio.create_task(publish(event))
        publishing.add(task)
        task.add_done_callback(publishing.discard)

    replace(Relay, "__init__", remember)
    for module in (consumers, jobs, requests):
        replace(module, "add_events", broken)


@bug
def forgets_facts_before_it_publishes_them(_: str) -> None:
    take = Relay._take

    async def broken(self: Relay, which: Any) -> Any:
        rows = await take(self, which)
        positions = [row.position for row in rows]
        async with self._database.transaction() as db:
            await db.execute(delete(outbox).where(outbox.c.position.in_(positions)))
        await asyncio.sleep(WINDOW_SECONDS)
        return rows

    replace(Relay, "_take", broken)


@bug
def parks_good_events_with_the_bad(_: str) -> None:
    read = envelopes._read_envelope

    def broken(batch: Any, envelope: Any, *others: Any) -> None:
        alone = envelopes.Batch()
        read(alone, envelope, *others)
        if alone.parked:
            alone.records.clear()
        batch.records += alone.records
        batch.parked += alone.parked
        batch.cards |= alone.cards
        for key, ranges in alone.received.items():
            batch.received.setdefault(key, []).extend(ranges)

    replace(envelopes, "_read_envelope", broken)


@bug
def takes_every_reuse_of_a_request_id_for_a_duplicate(_: str) -> None:
    settle = request_ids._Batch.settle

    def broken(self: Any, record: Any, found: Any) -> Any:
        settled = settle(self, record, found)
        if settled.owns_request_id or settled.duplicate_of:
            return settled
        return msgspec.structs.replace(settled, duplicate_of="the first")

    replace(request_ids._Batch, "settle", broken)


@bug
def corrects_records_and_not_their_sums(_: str) -> None:
    delta = repricing._delta

    def broken(row: Any) -> rollups.Delta:
        return delta(row, lambda _: 0)

    replace(repricing, "_less", broken)


@bug
def forgets_what_came_when_much_comes_at_once(_: str) -> None:
    mark_received = producers.mark_received

    async def broken(db: Db, received: Sequence[Any]) -> None:
        await mark_received(
            db, [msgspec.structs.replace(each, ranges=each.ranges[:1]) for each in received]
        )

    replace(producers, "mark_received", broken)
