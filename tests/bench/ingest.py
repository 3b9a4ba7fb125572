"""Bus → priced, committed, queryable, exactly once; against plain COPY of the same rows."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg

from services.cost_metering.store.records import COLUMNS
from shared.topology import USAGE
from tests.bench.http_load import wait_for
from tests.bench.load import make_envelopes, publish
from tests.servers import free_port, start_servers
from tests.stack import Stack, build_stack

EVENTS = 120_000
PER_ENVELOPE = 100
ORGANIZATIONS = 20
COPY_BATCH = 2_000


@asynccontextmanager
async def fresh_stack() -> AsyncIterator[Stack]:
    """Servers of their own that sync as production does."""
    servers = start_servers(durable_postgres=True, durable_nats=True)
    try:
        with tempfile.TemporaryDirectory() as folder:
            yield await build_stack(servers, Path(folder))
    finally:
        servers.stop()


async def measure() -> dict[str, Any]:
    """Events per second of each road, and ratios within this run."""
    results: dict[str, Any] = {"events": EVENTS}
    async with fresh_stack() as stack:
        results["meter_1"] = await drain(stack, processes=1, seed=1)
        results["copy_1"] = await plain_copy(stack)
        results["fetch_and_ack"] = await fetch_and_ack(stack, PER_ENVELOPE)
    async with fresh_stack() as stack:
        results["meter_2"] = await drain(stack, processes=2, seed=2)
        results["single_events_1"] = await drain(
            stack, processes=1, seed=3, count=20_000, per_envelope=1
        )
    for name in ("meter_1", "meter_2"):
        results[f"{name} / copy_1"] = round(results[name] / results["copy_1"], 2)
    results["meter_1 / fetch_and_ack"] = round(results["meter_1"] / results["fetch_and_ack"], 2)
    return results


async def drain(
    stack: Stack,
    *,
    processes: int,
    seed: int,
    count: int = EVENTS,
    per_envelope: int = PER_ENVELOPE,
) -> int:
    """Events per second of a full stream, drained by `processes` meters that were stopped."""
    admin = await asyncpg.connect(stack.databases["cost_metering"].owner_dsn)
    before = await recorded(admin)
    meters = [start_meter(stack) for _ in range(processes)]
    try:
        envelopes = make_envelopes(count, per_envelope, ORGANIZATIONS, seed)
        for meter in meters:
            meter.send_signal(signal.SIGSTOP)
        await publish(stack, envelopes)
        began = time.perf_counter()
        for meter in meters:
            meter.send_signal(signal.SIGCONT)
        while await recorded(admin) < before + count:
            await asyncio.sleep(0.05)
            if time.perf_counter() - began > 300:
                raise TimeoutError("the meter did not drain the stream")
        return round(count / (time.perf_counter() - began))
    finally:
        for meter in meters:
            meter.terminate()
        for meter in meters:
            meter.wait()
        await admin.close()


async def recorded(admin: "asyncpg.Connection[asyncpg.Record]") -> int:
    """Committed records by their sums, so that asking costs the meter nothing."""
    return int(
        await admin.fetchval(
            "SELECT coalesce(sum(records), 0) FROM (SELECT records FROM cost_rollups"
            " UNION ALL SELECT records FROM cost_deltas) AS sums"
        )
    )


def start_meter(stack: Stack) -> "subprocess.Popen[bytes]":
    """A meter as a process of its own, ready to work."""
    port = free_port()
    environment = stack.environment("cost_metering") | {
        "LOG_LEVEL": "ERROR",
        "HTTP_PORT": str(port),
    }
    meter = subprocess.Popen([sys.executable, "-m", "services.cost_metering"], env=environment)
    wait_for(f"http://127.0.0.1:{port}/readyz")
    return meter


async def plain_copy(stack: Stack) -> int:
    """Rows per second of one connection that copies the same rows into the same kind of table."""
    admin = await asyncpg.connect(stack.databases["cost_metering"].owner_dsn)
    rows = await admin.fetch(f"SELECT {', '.join(COLUMNS)} FROM cost_records")
    await admin.execute("CREATE TABLE plain (LIKE cost_records INCLUDING ALL)")
    tuples = [tuple(row) for row in rows]
    began = time.perf_counter()
    for at in range(0, len(tuples), COPY_BATCH):
        await admin.copy_records_to_table(
            "plain", records=tuples[at : at + COPY_BATCH], columns=COLUMNS
        )
    took = time.perf_counter() - began
    await admin.execute("DROP TABLE plain")
    await admin.close()
    return round(len(tuples) / took)


async def fetch_and_ack(stack: Stack, per_envelope: int) -> int:
    """Events per second of a bare nats-py loop that fetches envelopes, acks them, and is done."""
    await publish(stack, make_envelopes(EVENTS, per_envelope, ORGANIZATIONS, seed=9))
    bus = await stack.bus("cost_metering")
    js = bus.connection.jetstream()
    subscription = await js.pull_subscribe_bind(
        "cost_metering-usage-llm", stream=USAGE.name or "USAGE"
    )
    began, seen = time.perf_counter(), 0
    while seen < EVENTS // per_envelope:
        for message in await subscription.fetch(500, timeout=5):
            await message.ack()
            seen += 1
    took = time.perf_counter() - began
    await bus.close()
    return round(EVENTS / took)


if __name__ == "__main__":
    os.environ.setdefault("LOG_LEVEL", "WARNING")
    print(asyncio.run(measure()))
