"""Reservations on one hot account: one transaction each, against many in one transaction."""

import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from services.subscription.app import service as subscription
from services.subscription.handlers.means import Means
from services.subscription.handlers.reserving import reserve_included, result_for, results_for
from services.subscription.rules.entitlements import Terms
from services.subscription.settings import SubscriptionSettings
from services.subscription.tiers import read_catalogue
from shared.bus import Asks, Bus
from shared.clock import new_id
from shared.contracts.base import Refusal, Request
from shared.contracts.subscription import Reservation, ReserveWorkflow, ReserveWorkflows
from shared.database import Database
from shared.runtime import Runtime
from tests.servers import start_servers
from tests.stack import Stack, build_stack

BATCH = 256
SINGLES = 1_000
BATCHES = 80
AT_ONCE = 4
OVER_BUS = 2_000
TERMS = Terms(catalogue=read_catalogue(""), workflow_price_cents=1_000, grace=timedelta(days=7))
GIVE_TEAM = """
INSERT INTO subscriptions (subscription_id, organization_id, source, live, tier, status,
                           workflows_limit, began_at, created_at, updated_at)
VALUES ($1, $2, 'operator', true, 'team', 'active', $3, now(), now(), now())
"""


async def measure() -> dict[str, Any]:
    """Reservations per second at the handler and over the bus, and their ratio in this run."""
    servers = start_servers(durable_postgres=True, durable_nats=True)
    try:
        with tempfile.TemporaryDirectory() as folder:
            return await figures(await build_stack(servers, Path(folder), (subscription,)))
    finally:
        servers.stop()


async def figures(stack: Stack) -> dict[str, Any]:
    """Measure on servers that sync as production does."""
    database = Database(stack.databases["subscription"].dsn, name="bench")
    means = Means(Asks("subscription"), TERMS)
    try:
        singles = await one_by_one(database, means)
        batched = await in_batches(database, means)
        exact = await exactly(database, means)
    finally:
        await database.close()
    single_bus, batch_bus = await over_bus(stack)
    return {
        "one transaction each, per second": round(singles),
        f"batches of {BATCH}, per second": round(batched),
        "batches against one transaction each": round(batched / singles, 1),
        "granted of 1,000 with 500 in the plan and 5 free": exact,
        "over the bus, one request each, per second": round(single_bus),
        f"over the bus, requests of {BATCH}, per second": round(batch_bus),
    }


async def hot_account(database: Database, limit: int) -> str:
    """An organization with a plan of so many workflows."""
    organization_id = f"hot-{uuid4().hex[:8]}"
    async with database.transaction() as db:
        await db.driver.execute(GIVE_TEAM, new_id(), organization_id, limit)
    return organization_id


async def reserve(database: Database, means: Means, organization_id: str, count: int) -> int:
    """Reserve so many in one transaction, each with a reply of its own; how many were granted."""
    ids = [new_id() for _ in range(count)]
    async with database.transaction() as db:
        found = await reserve_included(means, organization_id, ids, 3_600, db)
    if count == 1:
        return int(isinstance(result_for(found.standing, found.rows[ids[0]]), Reservation))
    answers = results_for(found.standing, found.rows, ids)
    return sum(each.reservation is not None for each in answers.results)


async def run_all(
    database: Database, means: Means, organization_id: str, counts: list[int]
) -> tuple[float, int]:
    """Seconds and grants of many transactions, a few at once as in a process."""
    todo = iter(counts)

    async def work() -> int:
        return sum([await reserve(database, means, organization_id, count) for count in todo])

    began = time.perf_counter()
    granted = await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    return time.perf_counter() - began, sum(granted)


async def one_by_one(database: Database, means: Means) -> float:
    """Reservations per second, one transaction each."""
    organization_id = await hot_account(database, 10**8)
    await run_all(database, means, organization_id, [1] * 50)
    seconds, granted = await run_all(database, means, organization_id, [1] * SINGLES)
    if granted != SINGLES:
        raise RuntimeError(f"{granted} of {SINGLES} were granted")
    return SINGLES / seconds


async def in_batches(database: Database, means: Means) -> float:
    """Reservations per second, many in one transaction."""
    organization_id = await hot_account(database, 10**8)
    await run_all(database, means, organization_id, [BATCH] * 4)
    seconds, granted = await run_all(database, means, organization_id, [BATCH] * BATCHES)
    if granted != BATCHES * BATCH:
        raise RuntimeError(f"{granted} of {BATCHES * BATCH} were granted")
    return granted / seconds


async def exactly(database: Database, means: Means) -> int:
    """How many of a thousand are granted by 505."""
    organization_id = await hot_account(database, 500)
    _, granted = await run_all(database, means, organization_id, [50] * 10 + [1] * 500)
    return granted


async def over_bus(stack: Stack) -> tuple[float, float]:
    """The same through requests: one each, and many in one."""
    given = stack.settings("subscription")
    settings = SubscriptionSettings(
        nats_url=given.nats_url,
        nats_credentials=given.nats_credentials,
        database_url=given.database_url,
    )
    runtime = Runtime(subscription, settings)
    app, bus = runtime.app(), await stack.bus()
    await app.start()
    database = Database(given.database_url, name="bench")
    try:
        organization_id = await hot_account(database, 10**8)
        one = await asked(bus, [single(organization_id) for _ in range(OVER_BUS)]) * OVER_BUS
        many = [many_at_once(organization_id) for _ in range(OVER_BUS // BATCH + 1)]
        batch = await asked(bus, many) * len(many) * BATCH
    finally:
        await database.close()
        await bus.close()
        await app.stop()
    return one, batch


def single(organization_id: str) -> ReserveWorkflow:
    """A request for one."""
    return ReserveWorkflow(organization_id=organization_id, workflow_id=new_id())


def many_at_once(organization_id: str) -> ReserveWorkflows:
    """A request for many."""
    ids = tuple(new_id() for _ in range(BATCH))
    return ReserveWorkflows(organization_id=organization_id, workflow_ids=ids)


async def asked(bus: Bus, requests: Sequence[Request[Any]]) -> float:
    """How often per second all of these requests could be answered."""
    free, refused = asyncio.Semaphore(32), Counter[str]()

    async def ask(request: Request[Any]) -> None:
        async with free:
            answer = await bus.ask(request, timeout_seconds=60)
        if isinstance(answer, Refusal):
            refused[answer.code] += 1

    began = time.perf_counter()
    await asyncio.gather(*(ask(request) for request in requests))
    if refused:
        raise RuntimeError(f"refused: {refused}")
    return 1 / (time.perf_counter() - began)
