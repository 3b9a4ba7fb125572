"""A process that dies anywhere grants once, tells once, and loses nothing."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from nats.js import JetStreamContext

from services.account.app import service as account
from shared.contracts.account import CreditsChanged
from tests.account.customer import Customer
from tests.stack import Stack, until

PURCHASES = 3
FAILPOINTS = (
    "account.posted:2",
    "consumer.uncommitted:1",
    "consumer.committed:1",
    "outbox.published:1",
)


@contextmanager
def process(stack: Stack, log: Path, failpoints: str = "") -> "Iterator[subprocess.Popen[bytes]]":
    """Account as a process of its own."""
    environment = {**stack.environment("account"), "FAILPOINTS": failpoints}
    with log.open("ab") as output:
        started = subprocess.Popen(
            [sys.executable, "-m", "services.account"],
            env=environment,
            cwd=Path(__file__).parents[2],
            stdout=output,
            stderr=output,
        )
    try:
        yield started
    finally:
        if started.poll() is None:
            started.send_signal(signal.SIGTERM)
        started.wait(30)


@pytest.fixture
async def impatient(topology: JetStreamContext) -> AsyncIterator[None]:
    """Deliver again after a second what a dead process has not acknowledged."""
    for seconds in (1.0, None):
        for durable in account.durables:
            config = durable.config()
            config.ack_wait = seconds or config.ack_wait
            await topology.add_consumer(durable.stream, config)
        if seconds:
            yield


@pytest.mark.usefixtures("impatient")
async def test_grants_survive_kill_9_everywhere(
    quiet_customer: Customer, stack: Stack, tmp_path: Path
) -> None:
    """Each process dies at its point while purchases are told twice; the last one lives."""
    customer = quiet_customer
    bought = [
        [customer.paid(1000 + n, f"cs_{life}_{n}") for n in range(PURCHASES)]
        for life in range(len(FAILPOINTS))
    ]
    for failpoint, news in zip(FAILPOINTS, bought, strict=True):
        with process(stack, tmp_path / "log", failpoint) as doomed:
            await customer.publish(*news, *news)
            assert await asyncio.to_thread(doomed.wait, 60) == -signal.SIGKILL, failpoint
    with process(stack, tmp_path / "log"):
        await until(customer.answered, bool, 60)
        await customer.idle(60)
        total = sum(each.amount_cents for news in bought for each in news)
        assert await customer.credits() == (total, 0, 0)
        count = PURCHASES * len(FAILPOINTS)
        assert [entry.sequence for entry in await customer.statement()] == [*range(1, count + 1)]

        async def told() -> set[int]:
            return {fact["sequence"] for fact in customer.facts(CreditsChanged)}

        await until(told, lambda sequences: sequences == {*range(1, count + 1)})
        await customer.check()
