"""What metering costs an agent: one `record_llm` beside one `json.dumps` and one write to a file.

Both survive the death of the process. The publisher sends to a real bus all the while, and the two
take turns, so that they meet the same machine.
"""

import asyncio
import json
import logging
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nats

from deploy.bus_keys import BusKeys
from shared import topology
from shared.agent_client import AgentClient
from shared.credentials import issue_agent_credential
from tests.servers import start_nats

CALLS = 50_000
TURN = 500
# An agent that does nothing but report; a busy one reports some ten times a second.
PACED_CALLS = 2_000
PACED_SECONDS = 0.001
USAGE = {
    "input_tokens": 1200,
    "output_tokens": 340,
    "cache_read_input_tokens": 8000,
    "cache_creation_input_tokens": 0,
    "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
}


def measure() -> dict[str, Any]:
    """Microseconds per call: all calls at once, then paced, each beside a plain write."""
    logging.getLogger("shared.agent_client").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        keys = BusKeys.load_or_create(folder / "keys")
        server = start_nats(folder / "nats", keys)
        try:
            asyncio.run(_declare(server.url, keys))
            return _measure(server.url, keys, folder)
        finally:
            server.stop()


async def _declare(url: str, keys: BusKeys) -> None:
    path = keys.issue_topology(datetime.now(UTC))
    connection = await nats.connect(
        url, user_credentials=str(path), inbox_prefix=b"_INBOX_topology"
    )
    await topology.declare(connection.jetstream())
    await connection.close()


def _measure(url: str, keys: BusKeys, folder: Path) -> dict[str, Any]:
    signing_seed = keys.agent_signing_seed.read_text()
    credential = issue_agent_credential(
        signing_seed, keys.agents, "acme", "agent-1", now=datetime.now(UTC)
    )
    with (
        AgentClient(nats_url=url, credentials=credential.text, spool=folder / "spool") as meter,
        (folder / "plain.jsonl").open("wb", buffering=0) as file,
    ):

        def record(number: int) -> None:
            meter.record_llm(
                task_id="task-1",
                provider="anthropic",
                model="claude-sonnet-4-5",
                usage=USAGE,
                provider_request_id=f"msg_{number}",
            )

        def write(number: int) -> None:
            call = {"task_id": "task-1", "provider": "anthropic", "id": f"msg_{number}"}
            file.write(json.dumps({**call, "usage": USAGE}).encode() + b"\n")

        in_a_row = _compare(record, write, CALLS, 0)
        paced = _compare(record, write, PACED_CALLS, PACED_SECONDS)
        meter.flush(60)
        stats = meter.stats()
    return {
        **{f"in_a_row_{what}": figure for what, figure in in_a_row.items()},
        **{f"paced_{what}": figure for what, figure in paced.items()},
        "calls_recorded": stats.recorded,
        "calls_on_the_bus": stats.acknowledged,
    }


def _compare(
    record: Callable[[int], None], write: Callable[[int], None], calls: int, pause_seconds: float
) -> dict[str, Any]:
    ours: list[int] = []
    plain: list[int] = []
    for start in range(0, calls, TURN):
        for work, times in ((record, ours), (write, plain)):
            for number in range(start, start + TURN):
                began = time.perf_counter_ns()
                work(number)
                times.append(time.perf_counter_ns() - began)
                if pause_seconds:
                    time.sleep(pause_seconds)
    record_us, plain_us = _microseconds(ours), _microseconds(plain)
    return {
        **{f"record_{what}_us": figure for what, figure in record_us.items()},
        **{f"plain_write_{what}_us": figure for what, figure in plain_us.items()},
        "ratio_p50": round(record_us["p50"] / plain_us["p50"], 2),
        "ratio_p99": round(record_us["p99"] / plain_us["p99"], 2),
        "share_over_1_ms": round(sum(t > 1_000_000 for t in ours) / len(ours), 6),
    }


def _microseconds(nanoseconds: list[int]) -> dict[str, float]:
    ordered = sorted(nanoseconds)
    at = {"p50": 0.5, "p99": 0.99, "p99_9": 0.999}
    shares = {name: ordered[int(len(ordered) * share)] / 1000 for name, share in at.items()}
    return {**shares, "max": ordered[-1] / 1000}


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
