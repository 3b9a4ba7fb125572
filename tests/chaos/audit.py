"""What must be true when everything has come back: findings are sentences, none is a clean run."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from nats.js.errors import NotFoundError

from services.cost_metering.app import service as cost_metering
from shared.contracts.cost_metering import ControlTotals, CostsRecorded
from shared.topology import EVENTS
from tests.chaos.arena import METER, Arena
from tests.cost_metering.customer import Customer
from tests.cost_metering.oracle import Story, seen_by

# What waits in the tables, by its name: I11 says that all of it goes to nothing. In the order in
# which envelopes become corrections, corrections deltas and deltas facts, so that nothing moves
# behind the back of who looks.
WAITING = {
    "corrections": "SELECT count(*) FROM cost_corrections WHERE applied_at IS NULL",
    "deltas": "SELECT count(*) FROM cost_deltas",
    "facts in the outbox": "SELECT count(*) FROM outbox",
}
RECORDED = "SELECT event_id FROM cost_records WHERE organization_id = $1"
PARKED = "SELECT event_id FROM dead_letters WHERE organization_id = $1 AND event_id IS NOT NULL"


@dataclass
class Verdict:
    """What is wrong, what still waits, and the sums that were compared."""

    findings: list[str]
    unrest: list[str]
    records: int = 0
    parked: int = 0
    announcements: int = 0
    cost_picousd: int = 0


async def judge(arena: Arena, stories: Mapping[str, Story], patience_seconds: float) -> Verdict:
    """Wait until nothing waits, then compare everything with the oracle."""
    verdict = Verdict([], await _unrest(arena, patience_seconds))
    announced = await _announced(arena)
    async with arena.gateway() as bus, arena.jetstream() as js:
        for organization_id, story in stories.items():
            customer = Customer(arena.stack, bus, organization_id, js)
            found = await customer.totals()
            events = announced.get(organization_id, [])
            problems = [
                *_against_oracle(found, story),
                *_differences(await seen_by(customer), story.expected),
                *await _unaccounted(customer, story),
                *_broken_sequence(events, found),
            ]
            verdict.findings += [f"{organization_id}: {problem}" for problem in problems]
            verdict.records += found.records
            verdict.parked += found.dead_letters
            verdict.cost_picousd += found.records_cost_picousd
            verdict.announcements += len(events)
    return verdict


async def _unrest(arena: Arena, patience_seconds: float) -> list[str]:
    """What still waits when there was no less of it for as long as patience lasts (I11)."""
    least: list[int] = []
    moved_at = time.monotonic()
    (durable,) = cost_metering.durables
    async with arena.tables(METER) as tables, arena.jetstream() as js:
        while True:
            info = await js.consumer_info(durable.stream, durable.name)
            waiting = {"envelopes": (info.num_pending or 0) + (info.num_ack_pending or 0)}
            waiting |= {name: await tables.fetchval(query) for name, query in WAITING.items()}
            if not any(waiting.values()):
                return []
            if not least or [*waiting.values()] < least:
                least, moved_at = [*waiting.values()], time.monotonic()
            if time.monotonic() > moved_at + patience_seconds:
                return [f"{count} {name} still wait" for name, count in waiting.items() if count]
            await asyncio.sleep(0.1)


def _against_oracle(found: ControlTotals, story: Story) -> Iterator[str]:
    """Nothing lost, nothing doubled, parked as injected, no hole, and three roads agree (I1-I3)."""
    roads = {
        "records": (found.records, found.records_cost_picousd),
        "roll-ups": (found.rollups_records, found.rollups_cost_picousd),
        "announcements": (found.announced_records, found.announced_cost_picousd),
    }
    expected = (story.records, story.cost_picousd)
    for road, sums in roads.items():
        if sums != expected:
            yield f"{road} and pico-dollars by its {road} are {sums}, not {expected}"
    if found.dead_letters != story.letters:
        yield f"{found.dead_letters} dead letters, not {story.letters}"
    if found.holes:
        yield f"{found.holes} numbers of its agents' sequences are missing"


def _differences(found: Mapping[str, Any], expected: Mapping[str, Any]) -> Iterator[str]:
    for name, value in expected.items():
        if found[name] != value:
            yield f"{name} are {found[name]}, not {value}"


async def _unaccounted(customer: Customer, story: Story) -> list[str]:
    """Event ids that are neither records nor letters, and records that nobody sent (I1)."""
    recorded = [row[0] for row in await customer.rows(RECORDED)]
    parked = {row[0] for row in await customer.rows(PARKED)}
    problems = []
    if lost := story.event_ids - {*recorded} - parked:
        problems.append(f"{len(lost)} events are lost, such as {min(lost)}")
    if strange := {*recorded} - story.event_ids:
        problems.append(f"{len(strange)} records that nobody sent, such as {min(strange)}")
    return problems


async def _announced(arena: Arena) -> dict[str, list[CostsRecorded]]:
    """All announcements as they lie on the stream, by organization."""
    found: dict[str, list[CostsRecorded]] = {}
    sequence = 0
    async with arena.jetstream() as js:
        while True:
            try:
                message = await js.get_msg(
                    EVENTS.name or "", seq=sequence + 1, subject="event.>", next=True
                )
            except NotFoundError:
                return found
            sequence = message.seq or 0
            event = msgspec.json.decode(message.data or b"", type=CostsRecorded)
            found.setdefault(event.organization_id, []).append(event)


def _broken_sequence(events: list[CostsRecorded], found: ControlTotals) -> Iterator[str]:
    """The announced sequence has no gap, says nothing twice differently, and adds up."""
    by_number: dict[int, CostsRecorded] = {}
    for event in events:
        if by_number.setdefault(event.sequence, event) != event:
            yield f"announcement {event.sequence} was made twice, differently"
    records = cost = 0
    for expected, number in enumerate(sorted(by_number), 1):
        event = by_number[number]
        if number != expected:
            yield f"announcement {expected} is missing"
            return
        records, cost = records + event.records, cost + event.cost_picousd
        if (event.total_records, event.total_cost_picousd) != (records, cost):
            yield f"the totals of announcement {number} are not the sum of its changes"
            return
    if (records, cost) != (found.records, found.records_cost_picousd):
        yield f"announced are {records} records, {cost} pico-dollars"
