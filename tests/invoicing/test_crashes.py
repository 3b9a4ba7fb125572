"""Killed anywhere, every use is billed once, numbers have no gap, and credits burn once."""

import contextlib
import signal
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from services.account.app import service as account
from services.invoicing.app import service as invoicing
from services.invoicing.rules.profiles import CLOSES_AFTER, account_code, month_of
from shared.bus import Bus
from shared.clock import FixedClock, new_id
from tests.bench.close import PROFILES, RECORDS
from tests.invoicing.crashing import UNANSWERED, killed, let_leases_end
from tests.invoicing.customer import Customer, World
from tests.invoicing.invariants import check_invoices
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
CLOSING = ("invoicing.frozen", "step.called", "invoicing.numbered", "invoicing.finished")
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


async def test_a_close_survives_a_kill_everywhere(customer: Customer, tmp_path: Path) -> None:
    stack, log = customer.world.stack, tmp_path / "log"
    names = [f"org-{uuid4().hex[:12]}" for _ in range(20)]
    admin = await asyncpg.connect(stack.databases["invoicing"].owner_dsn)
    for life, failpoint in enumerate(CLOSING):
        await use_and_end_a_month(admin, names, first=life == 0)
        await let_leases_end(customer)
        async with running(stack, "invoicing", log, f"{failpoint}:1") as doomed:
            assert await doomed.ended(60) == -signal.SIGKILL, failpoint
    await let_leases_end(customer)
    async with running(stack, "invoicing", log):

        async def left() -> int:
            found: int = await admin.fetchval(
                "SELECT (SELECT count(*) FROM usage_records WHERE organization_id = ANY($1)"
                " AND billed_at IS NULL) + (SELECT count(*) FROM billing_profiles"
                " WHERE organization_id = ANY($1) AND next_close_at <= now())",
                names,
            )
            return found

        await until(left, lambda count: count == 0, 60)
    for name in names:
        await check_invoices(admin, name)
    await admin.close()


async def use_and_end_a_month(
    admin: "asyncpg.Connection[asyncpg.Record]", names: Sequence[str], *, first: bool
) -> None:
    """Everybody has used something last month, which has just ended."""
    ends = month_of(datetime.now(UTC))
    at = ends - timedelta(days=1)
    if first:
        profiles = [(name, account_code(name), ends + CLOSES_AFTER, at) for name in names]
        await admin.copy_records_to_table("billing_profiles", records=profiles, columns=PROFILES)
    records = [
        (
            name,
            new_id(),
            "workflow_completion",
            new_id(),
            1,
            900,
            900 * 10**10,
            "none",
            "pro",
            at,
            at,
        )
        for name in names
    ]
    await admin.copy_records_to_table("usage_records", records=records, columns=RECORDS)
    await admin.execute(
        "UPDATE billing_profiles SET next_close_at = $2 WHERE organization_id = ANY($1)",
        names,
        ends + CLOSES_AFTER,
    )
