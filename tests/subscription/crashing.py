"""Having a process of subscription die at a failpoint, and another one finish what it had begun."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from services.subscription.app import service as subscription
from shared.bus import AnswerFailed, AnswerTimedOut, NoAnswerer
from shared.contracts.base import Refusal, Request
from shared.contracts.subscription import GetWorkflowTotals, WorkflowTotals
from shared.outbox import BELL
from tests.processes import running
from tests.stack import until
from tests.subscription.customer import Customer

UNANSWERED = (NoAnswerer, AnswerTimedOut, AnswerFailed)
# "Not yet", however it is said.
NOT_YET = frozenset({"pending", "idempotency_key_in_flight"})
STEP = ("step.prepared", "step.called", "step.uncommitted", "step.concluded")
ANSWER = ("answer.uncommitted", "answer.committed")
CONSUMER = ("consumer.uncommitted", "consumer.committed")
OUTBOX = ("outbox.leased", "outbox.published")


async def let_leases_end(customer: Customer) -> None:
    """As if the minute had passed that a killed process keeps its steps and facts for."""
    async with customer.database.transaction() as db:
        await db.driver.execute(
            "UPDATE steps SET due_at = clock_timestamp() WHERE status = 'prepared'"
        )
        await db.driver.execute("UPDATE outbox SET leased_until = NULL")


async def ask_once(customer: Customer, request: Request[Any], key: str, patience: float) -> Any:
    """The answer, or None if nobody gives one, or only one that says to ask again."""
    with contextlib.suppress(*UNANSWERED):
        answer = await customer.bus.ask(request, idempotency_key=key, timeout_seconds=patience)
        if not isinstance(answer, Refusal) or answer.code not in NOT_YET:
            return answer
    return None


async def answered(customer: Customer, request: Request[Any], key: str) -> Any:
    """The answer that a request has in the end, asked under one key however often."""

    async def ask() -> Any:
        return await ask_once(customer, request, key, 3)

    return await until(ask, lambda answer: answer is not None, 60)


async def reserved(customer: Customer, *workflow_ids: str) -> list[str | None]:
    """Reserve workflows one after the other; answers what covers each, None if nothing does."""
    requests = [customer.reserving(each) for each in workflow_ids]
    answers = [await answered(customer, each, f"reserve-{each.workflow_id}") for each in requests]
    return [None if isinstance(each, Refusal) else each.covered_by for each in answers]


async def reservation_id(customer: Customer, workflow_id: str) -> str:
    """What a workflow was reserved under."""
    async with customer.database.read() as db:
        found: str = await db.driver.fetchval(
            "SELECT reservation_id FROM workflows WHERE organization_id = $1 AND workflow_id = $2",
            customer.organization_id,
            workflow_id,
        )
    return found


async def killed_at(
    failpoint: str, customer: Customer, log: Path, act: Callable[[], Coroutine[Any, Any, object]]
) -> None:
    """A process that dies at this point of what it is given to do, or had to do anyway."""
    async with running(customer.stack, "subscription", log, f"{failpoint}:1") as doomed:
        with contextlib.suppress(TimeoutError):
            await doomed.ready()
        acting = asyncio.create_task(act())
        assert await doomed.ended(30) == -signal.SIGKILL, failpoint
        await acting
    await let_leases_end(customer)


async def killed_asking(
    failpoint: str, customer: Customer, log: Path, request: Request[Any], key: str
) -> None:
    """A process that dies at this point of answering a request; nobody is left to answer then."""
    await killed_at(failpoint, customer, log, lambda: ask_once(customer, request, key, 1))


async def calm(customer: Customer) -> WorkflowTotals:
    """Wait until nothing of the organization is under way; its totals, which then agree."""
    await customer.settled()

    async def totals() -> WorkflowTotals:
        return await customer.ask(GetWorkflowTotals(organization_id=customer.organization_id))

    found = await until(totals, lambda each: each.unsettled == each.untold == 0, 60)
    await customer.check_counters()
    assert found.dead_letters == 0
    return found


@asynccontextmanager
async def alive(customer: Customer) -> AsyncIterator[None]:
    """A replica that nobody kills; it leaves nothing undone."""
    async with customer.stack.running(subscription) as replica:
        # It would look for what another one has left a second later.
        replica.database.bell(BELL).set()
        yield
        await calm(customer)
