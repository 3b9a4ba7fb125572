"""Credits: holds on one hot account, one by one and in batches; an account asked for by a page."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from services.account.app import credits_, holds
from services.account.app import service as account
from services.account.handlers.accounts import open_account
from shared.bus import Bus
from shared.contracts.account import GetAccount, GrantCredits, HoldCredits
from shared.contracts.base import Refusal
from shared.database import Database
from shared.outbox import add_events
from tests.bench.ingest import fresh_stack

ORGANIZATION = "bench-holds"
ALONE = 1_000
TOGETHER = 20_000
BATCH = 256
READS = 5_000
AT_ONCE = 64


async def measure() -> dict[str, Any]:
    """Figures of one run on embedded servers."""
    async with fresh_stack() as stack:
        database = Database(stack.databases["account"].dsn)
        await _fund(database, ALONE + TOGETHER)
        alone = await _hold(database, _requests("a", ALONE), 1)
        together = await _hold(database, _requests("b", TOGETHER), BATCH)
        assert await _hold_one_more(database)
        await database.close()
        async with stack.running(account):
            bus = await stack.bus()
            reads = await _read(bus)
            await bus.close()
    return {
        "holds per second, a transaction each": round(alone),
        f"holds per second, in batches of {BATCH}": round(together),
        "batches against a transaction each": round(together / alone, 1),
        f"accounts read per second over the bus, {AT_ONCE} at once": round(reads),
    }


async def _fund(database: Database, cents: int) -> None:
    async with database.transaction() as db:
        await open_account(db, ORGANIZATION)
        request = GrantCredits(
            organization_id=ORGANIZATION,
            grant_id="all",
            amount_cents=cents,
            description="",
            requested_by="bench",
        )
        await credits_.grant_credits(request, db)


def _requests(prefix: str, count: int) -> list[HoldCredits]:
    until = datetime.now(UTC) + timedelta(days=1)
    return [
        HoldCredits(
            organization_id=ORGANIZATION,
            hold_id=f"{prefix}{number}",
            amount_cents=1,
            expires_at=until,
        )
        for number in range(count)
    ]


async def _hold(database: Database, requests: Sequence[HoldCredits], batch: int) -> float:
    began = time.perf_counter()
    for first in range(0, len(requests), batch):
        some = requests[first : first + batch]
        async with database.transaction() as db:
            answers, events = await holds.hold_many(ORGANIZATION, some, db)
            await add_events(db, events)
        assert not any(isinstance(answer, Refusal) for answer in answers)
    return len(requests) / (time.perf_counter() - began)


async def _hold_one_more(database: Database) -> bool:
    """Whether the credits are gone to the cent."""
    async with database.transaction() as db:
        (answer,), _ = await holds.hold_many(ORGANIZATION, _requests("c", 1), db)
    return isinstance(answer, Refusal)


async def _read(bus: Bus) -> float:
    request = GetAccount(organization_id=ORGANIZATION)
    free = asyncio.Semaphore(AT_ONCE)

    async def ask() -> None:
        async with free:
            await bus.ask(request, timeout_seconds=30)

    await ask()
    began = time.perf_counter()
    await asyncio.gather(*(ask() for _ in range(READS)))
    return READS / (time.perf_counter() - began)
