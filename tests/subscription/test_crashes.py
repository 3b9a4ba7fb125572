"""Killed anywhere, no hold leaks and none is made twice; what was begun is finished by another."""

import contextlib
import signal
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from services.subscription.app import service as subscription
from shared.bus import AnswerFailed, AnswerTimedOut, Bus, NoAnswerer
from shared.clock import FixedClock
from shared.contracts.account import HoldCredits
from shared.contracts.base import Refusal
from shared.contracts.subscription import CompleteWorkflow, Reservation
from shared.database import Database
from tests.processes import running
from tests.stack import Stack, until
from tests.subscription.customer import Customer
from tests.subscription.neighbours import Neighbours


@pytest.fixture
async def alone(
    stack: Stack, bus: Bus, neighbours: Neighbours, database: Database
) -> AsyncIterator[Customer]:
    """A customer with two workflows' worth of credits, before any replica runs."""
    clock = FixedClock(datetime.now(UTC))
    found = Customer(stack, bus, neighbours, database, clock, f"org-{uuid4().hex[:12]}")
    neighbours.credit_cents[found.organization_id] = 2_000
    await found.listen()
    await stack.redeliver_after(subscription, 2)
    yield found
    await stack.redeliver_after(subscription, None)
    await found.close()


async def ask_until_answered(customer: Customer, workflow_id: str) -> Reservation | Refusal:
    """As a caller does that was given no answer, or one that says to ask again."""

    async def ask() -> Reservation | Refusal | None:
        try:
            answer = await customer.bus.ask(customer.reserving(workflow_id), timeout_seconds=3)
        except (NoAnswerer, AnswerTimedOut, AnswerFailed):
            return None
        unsettled = isinstance(answer, Refusal) and answer.code == "pending"
        return None if unsettled else answer

    found = await until(ask, lambda answer: answer is not None, timeout_seconds=60)
    assert found is not None
    return found


async def let_leases_end(database: Database) -> None:
    """As if the minute had passed that a killed process keeps its steps for."""
    async with database.transaction() as db:
        await db.driver.execute(
            "UPDATE steps SET due_at = clock_timestamp() WHERE status = 'prepared'"
        )


@pytest.mark.parametrize(
    "failpoint", ["step.prepared", "step.called", "step.uncommitted", "step.concluded"]
)
async def test_a_reservation_by_credits_survives_a_kill(
    alone: Customer, failpoint: str, tmp_path: Path
) -> None:
    customer, workflow_id, log = alone, "run", tmp_path / "log"
    async with running(customer.stack, "subscription", log, f"{failpoint}:1") as doomed:
        for number in range(5):
            await ask_until_answered(customer, f"free-{number}")
        # Nobody may be left to answer.
        with contextlib.suppress(NoAnswerer, AnswerTimedOut, AnswerFailed):
            await customer.bus.ask(customer.reserving(workflow_id), timeout_seconds=2)
        assert await doomed.ended(10) == -signal.SIGKILL
    await let_leases_end(customer.database)
    async with running(customer.stack, "subscription", log):
        answer = await ask_until_answered(customer, workflow_id)
        assert isinstance(answer, Reservation)
        assert answer.covered_by == "credits"
        await customer.ask(
            CompleteWorkflow(
                organization_id=customer.organization_id, reservation_id=answer.reservation_id
            )
        )

        async def states() -> Counter[str]:
            return customer.neighbours.states(customer.organization_id)

        await until(states, lambda found: found == {"committed": 1})
        assert customer.neighbours.credit_cents[customer.organization_id] == 1_000
        asked = customer.neighbours.requests(HoldCredits, customer.organization_id)
        assert len({each.hold_id for each in asked}) == 1
        await customer.check_counters()


async def test_completions_survive_a_kill_before_they_are_acknowledged(
    alone: Customer, tmp_path: Path
) -> None:
    customer, log = alone, tmp_path / "log"
    for failpoint in ("consumer.uncommitted", "consumer.committed"):
        async with running(customer.stack, "subscription", log, f"{failpoint}:1") as doomed:
            events = [customer.ended(f"{failpoint}-{number}") for number in range(2)]
            await customer.publish_usage("workflow", *events)
            assert await doomed.ended(30) == -signal.SIGKILL
    async with running(customer.stack, "subscription", log):
        await ask_until_answered(customer, "another")

        async def charged() -> int:
            return (await customer.usage()).free_workflows_used

        await until(charged, lambda count: count == 4, timeout_seconds=60)
        await customer.settled()
        await customer.check_counters()
        assert (await customer.usage()).free_workflows_used == 4
