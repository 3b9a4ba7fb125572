"""A process that dies anywhere grants once, tells once, and loses nothing."""

import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.account.app import service as account
from shared.contracts.account import CreditsChanged
from tests.account.customer import Customer
from tests.processes import running
from tests.stack import Stack, until

PURCHASES = 3
FAILPOINTS = (
    "account.posted:2",
    "consumer.uncommitted:1",
    "consumer.committed:1",
    "outbox.leased:1",
    "outbox.published:1",
)


@pytest.fixture
async def impatient(stack: Stack) -> AsyncIterator[None]:
    """Deliver again after a second what a dead process has not acknowledged."""
    await stack.redeliver_after(account, 1)
    yield
    await stack.redeliver_after(account, None)


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
        async with running(stack, "account", tmp_path / "log", failpoint) as doomed:
            await customer.publish(*news, *news)
            assert await doomed.ended(60) == -signal.SIGKILL, failpoint
    async with running(stack, "account", tmp_path / "log"):
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
