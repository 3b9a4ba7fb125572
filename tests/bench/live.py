"""From an agent's publish to the open page: a cost event seen on the live stream."""

import asyncio
import statistics
import time
from contextlib import ExitStack
from typing import Any

from tests.bench.ingest import fresh_stack, start_meter
from tests.bench.load import make_envelopes, publish
from tests.bench.reads import start_gateway

ROUNDS = 40
ORGANIZATION = "bench-000"


async def measure() -> dict[str, Any]:
    """Milliseconds from publish to the server-sent event."""
    latencies: list[float] = []
    async with fresh_stack() as stack:
        with ExitStack() as processes:
            meter = start_meter(stack)
            processes.callback(meter.wait)
            processes.callback(meter.terminate)
            port, token = start_gateway(stack, processes, ORGANIZATION)
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(
                f"GET /api/billing/account/{ORGANIZATION}/events HTTP/1.1\r\nHost: localhost\r\n"
                f"Authorization: Bearer {token}\r\n\r\n".encode()
            )
            await reader.readuntil(b"\r\n\r\n")
            for number in range(ROUNDS):
                envelopes = make_envelopes(1, 1, 1, seed=1000 + number)
                began = time.perf_counter()
                await publish(stack, envelopes)
                async with asyncio.timeout(30):
                    while b"costs_recorded" not in await reader.readline():
                        continue
                latencies.append(1000 * (time.perf_counter() - began))
            writer.close()
    latencies.sort()
    return {
        "rounds": ROUNDS,
        "p50_ms": round(statistics.median(latencies)),
        "p95_ms": round(latencies[int(len(latencies) * 0.95)]),
    }


if __name__ == "__main__":
    print(asyncio.run(measure()))
