"""Killed anywhere, every use is billed once, numbers have no gap, and credits burn once."""

import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from services.account.app import service as account
from services.invoicing.app import service as invoicing
from shared.bus import Bus
from shared.clock import FixedClock
from tests.invoicing.crashing import UNANSWERED, killed, let_leases_end
from tests.invoicing.customer import Customer, World
from tests.processes import running
from tests.stack import Stack, until

GENERATING = (
    "step.prepared",
    "step.called",
    "invoicing.numbered",
    "step.uncommitted",
    "step.concluded",
    "outbox.published",
)
GRANTED_CENTS = 2500


@pytest.fixture
async def customer(stack: Stack, bus: Bus) -> AsyncIterator[Customer]:
    """Somebody in the machine's own time, with a real account and nobody else running yet."""
    world = World(stack, bus, FixedClock(datetime.now(UTC)))
    await stack.redeliver_after(invoicing, 1)
    async with stack.running(account):
        yield Customer(world, f"org-{uuid4().hex[:12]}")
    await stack.redeliver_after(invoicing, None)
    await world.close()


async def test_an_invoice_survives_a_kill_everywhere(customer: Customer, tmp_path: Path) -> None:
    stack, log = customer.world.stack, tmp_path / "log"
    await customer.grant(GRANTED_CENTS)
    for failpoint in GENERATING:
        await customer.world.tell(customer.charged(), customer.charged(cents=700))

        async def generate() -> object:
            return await customer.world.bus.ask(customer.generating(), timeout_seconds=1)

        await killed(customer, log, f"{failpoint}:1", generate)
    await let_leases_end(customer)
    async with running(stack, "invoicing", log) as alive:
        await alive.ready()
        await customer.world.settled()

        async def unbilled() -> int:
            with contextlib.suppress(*UNANSWERED):
                await customer.world.bus.ask(customer.generating(), timeout_seconds=5)
            rows = "SELECT 1 FROM usage_records WHERE organization_id = $1 AND billed_at IS NULL"
            return len(await customer.sql(rows))

        await until(unbilled, lambda count: count == 0, 60)
        invoices = await customer.invoices()
        assert sum(each.total_cents for each in invoices) == 1700 * len(GENERATING)
        applied = sum(each.credits_applied_cents for each in invoices)
        after = await customer.account()
        assert applied + after.credit_balance_cents == GRANTED_CENTS
        await customer.check()
