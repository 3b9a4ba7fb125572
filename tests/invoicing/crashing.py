"""Having processes of invoicing die at failpoints while somebody asks them for something."""

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from shared.bus import AnswerFailed, AnswerTimedOut, NoAnswerer
from shared.contracts.base import Refusal, Request
from tests.invoicing.customer import Customer
from tests.processes import Process, running
from tests.stack import until

UNANSWERED = (NoAnswerer, AnswerTimedOut, AnswerFailed)
# "Not yet", however it is said.
NOT_YET = frozenset({"pending", "idempotency_key_in_flight", "payment_under_way"})
STEP = ("step.prepared", "step.called", "step.uncommitted", "step.concluded")


async def let_leases_end(customer: Customer) -> None:
    """As if the minute had passed that a killed process keeps its steps and facts for."""
    await customer.sql(
        "UPDATE steps SET due_at = clock_timestamp() WHERE status = 'prepared' AND $1 <> ''"
    )
    await customer.sql("UPDATE outbox SET leased_until = NULL WHERE $1 <> ''")


async def killed(
    customer: Customer, log: Path, failpoint: str, ask: Callable[[], Awaitable[object]]
) -> None:
    """A process of invoicing, asked again and again until it has died at this point."""
    await let_leases_end(customer)
    async with running(customer.world.stack, "invoicing", log, failpoint) as doomed:

        async def ask_until_killed() -> None:
            while doomed.exit_code is None:
                with contextlib.suppress(*UNANSWERED):
                    await ask()
                await asyncio.sleep(0.05)

        await asyncio.wait_for(ask_until_killed(), 60)
        assert doomed.exit_code == -signal.SIGKILL, failpoint


async def answered(customer: Customer, request: Request[Any], key: str) -> Any:
    """The answer that this request has in the end, asked under one key however often."""

    async def ask() -> Any:
        with contextlib.suppress(*UNANSWERED):
            answer = await customer.world.bus.ask(
                request, idempotency_key=key, principal="operator", timeout_seconds=5
            )
            if not isinstance(answer, Refusal) or answer.code not in NOT_YET:
                return answer
        return None

    return await until(ask, lambda answer: answer is not None, 60)


async def all_done(customer: Customer, alive: Process) -> None:
    """Wait until no step and no fact of the organization is left."""
    await alive.ready()
    await customer.world.settled()

    async def left() -> int:
        (row,) = await customer.sql(
            "SELECT (SELECT count(*) FROM steps WHERE status <> 'concluded'"
            " AND state::text LIKE '%' || $1 || '%')"
            " + (SELECT count(*) FROM outbox WHERE subject LIKE '%' || $1) AS left"
        )
        return int(row["left"])

    await until(left, lambda count: count == 0, 60)
