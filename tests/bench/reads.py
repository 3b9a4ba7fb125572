"""Reads through the gateway: over 5 million records, and against a bare Litestar route."""

import asyncio
import json
import os
import secrets
import subprocess
import sys
import urllib.request
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import jwt

from tests.bench.http_load import load, wait_for
from tests.bench.ingest import fresh_stack, start_meter
from tests.bench.load import MODELS
from tests.servers import free_port
from tests.stack import Stack

RECORDS = 5_000_000
DAYS = 30
ORGANIZATION = "bench-reads"
SUMMARY = f"/api/billing/account/{ORGANIZATION}/costs/summary"
DAILY = f"/api/billing/account/{ORGANIZATION}/costs/daily?days=30&group_by=model"

_FILL = """
INSERT INTO cost_records (organization_id, event_id, record_id, task_id, agent_id, provider, model,
    owns_request_id, attempt, occurred_at, recorded_at, input_uncached, cache_read, cache_write_5m,
    cache_write_1h, output_text, output_reasoning, price_context, pricing_status, rate_card_id,
    prompt_cost_picousd, completion_cost_picousd, billable, usage_source, outcome)
SELECT $1, lpad(n::text, 20, '0'), uuidv7(), 'task-' || n / 50, 'agent-' || n % 20,
    ($2::text[])[1 + n % 8], ($3::text[])[1 + n % 8], false, 1,
    at, at, 1000 + n % 997, 0, 0, 0, 100 + n % 89, 0, 'standard', 'priced', 1,
    (1000 + n % 997) * 2500000, (100 + n % 89) * 10000000, true, 'provider', 'succeeded'
FROM (SELECT n, date_trunc('hour', now()) - n * ($6::interval / $7) AS at
      FROM generate_series($4::bigint, $5::bigint) AS n) AS numbers
"""
_ROLL_UP = """
INSERT INTO cost_rollups
SELECT organization_id, date_trunc('hour', occurred_at), provider, model, billable, count(*),
    sum(input_uncached + output_text), 0, 0, 0, sum(prompt_cost_picousd + completion_cost_picousd)
FROM cost_records WHERE organization_id = $1 GROUP BY 1, 2, 3, 4, 5
"""


async def fill(stack: Stack, records: int) -> None:
    """Records of one organization over 30 days, and their roll-ups."""
    owner = await asyncpg.connect(stack.databases["cost_metering"].owner_dsn)
    providers, models = zip(*MODELS, strict=True)
    step = 250_000
    for first in range(0, records, step):
        await owner.execute(
            _FILL,
            ORGANIZATION,
            list(providers),
            list(models),
            first,
            min(first + step, records) - 1,
            timedelta(days=DAYS),
            records,
            timeout=600,
        )
        print(f"  filled {first + step:,} of {records:,} records", file=sys.stderr)
    await owner.execute(_ROLL_UP, ORGANIZATION, timeout=600)
    await owner.execute("VACUUM ANALYZE cost_rollups")
    await owner.close()


async def measure(records: int = RECORDS) -> dict[str, Any]:
    """Latencies of summary and daily, and reads per second against a bare route."""
    async with fresh_stack() as stack:
        await fill(stack, records)
        with ExitStack() as processes:
            meter = start_meter(stack)
            processes.callback(meter.wait)
            processes.callback(meter.terminate)
            port, token = start_gateway(stack, processes)
            summary = await load(port, SUMMARY, token, seconds=5, connections=4)
            daily = await load(port, DAILY, token, seconds=5, connections=4)
            small = f"/api/billing/account/{ORGANIZATION}/costs/summary?scope_type=task&scope_id=x"
            reads = await load(port, small, token, seconds=5, connections=32)
            body = fetch(port, small, token)
            bare_port = start_bare(body, processes)
            bare = await load(bare_port, "/", None, seconds=5, connections=32)
    return {
        "records": records,
        "summary_p50_ms": summary.p50_ms,
        "summary_p99_ms": summary.p99_ms,
        "daily_p50_ms": daily.p50_ms,
        "daily_p99_ms": daily.p99_ms,
        "gateway_reads_per_second": reads.per_second,
        "bare_route_per_second": bare.per_second,
        "gateway / bare": round(reads.per_second / bare.per_second, 3),
    }


def start_gateway(
    stack: Stack, processes: ExitStack, organization: str = ORGANIZATION
) -> tuple[int, str]:
    """A gateway of its own; answers its port and an owner's token."""
    secret, port = secrets.token_urlsafe(32), free_port()
    environment = {
        **os.environ,
        "AUTH_MODE": "hs256",
        "AUTH_SECRET": secret,
        "NATS_URL": stack.servers.nats_url,
        "NATS_CREDENTIALS": str(stack.servers.keys.credentials_file("gateway")),
        "HTTP_PORT": str(port),
        "RATE_LIMIT_PER_SECOND": "1000000",
        "RATE_LIMIT_BURST": "1000000",
        "LOG_LEVEL": "WARNING",
    }
    gateway = subprocess.Popen([sys.executable, "-m", "services.gateway"], env=environment)
    processes.callback(gateway.wait)
    processes.callback(gateway.terminate)
    now = int(datetime.now(UTC).timestamp())
    claims = {
        "sub": "bench",
        "iss": "billing",
        "aud": "billing",
        "iat": now,
        "exp": now + 3600,
        "orgs": {organization: "owner"},
    }
    token = jwt.encode(claims, secret, algorithm="HS256")
    wait_for(f"http://127.0.0.1:{port}/readyz")
    return port, token


def start_bare(body: bytes, processes: ExitStack) -> int:
    """A Litestar route that answers the same body from memory, under the same server."""
    port = free_port()
    environment = {**os.environ, "BARE_BODY": body.decode(), "BARE_PORT": str(port)}
    bare = subprocess.Popen([sys.executable, "-m", "tests.bench.bare"], env=environment)
    processes.callback(bare.wait)
    processes.callback(bare.terminate)
    wait_for(f"http://127.0.0.1:{port}/")
    return port


def fetch(port: int, path: str, token: str) -> bytes:
    """One answer's body."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", headers={"Authorization": f"Bearer {token}"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return bytes(answer.read())


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(int(sys.argv[1]) if sys.argv[1:] else RECORDS)), indent=2))
