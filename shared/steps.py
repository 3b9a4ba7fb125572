"""Steps: work that calls another system, cut so that a crash anywhere resumes it.

A handler prepares a step in its own transaction; a runner leases it, makes the call outside any
transaction, and concludes in a second one, if its lease's fencing token is still the newest.
An AnsweringStep is begun by a request, and its conclusion is the request's answer.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar, Generic, TypeVar

import msgspec
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from shared.bus import backoff_seconds
from shared.contracts.base import Event, Refusal, Reply, Request
from shared.database import Database, Db, is_transient
from shared.failpoints import failpoint
from shared.outbox import Relay, add_events
from shared.tables import steps

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0
LEASE = timedelta(seconds=60)
# After this many failed calls a step waits for an operator instead of trying for ever.
MAX_ATTEMPTS = 50

S = TypeVar("S", bound=msgspec.Struct)
O = TypeVar("O")  # noqa: E741
Q = TypeVar("Q", bound=Request[Any])


class Step(Generic[S, O]):
    """One kind of step. `call` may be repeated under the same `step_id`, so it must be idempotent
    at the other side; `conclude` happens exactly once.
    """

    kind: ClassVar[str]
    state: type[S]

    async def call(self, step_id: str, state: S) -> O:
        """Talk to the other system; an error means that the outcome is not known."""
        raise NotImplementedError

    async def conclude(self, step_id: str, state: S, outcome: O, db: Db) -> Sequence[Event]:
        """Write down what came of it."""
        raise NotImplementedError


class AnsweringStep(Step[S, O], Generic[Q, S, O]):
    """A request whose answer needs a call: the step is named by the caller's idempotency key, so
    a repetition finds it, whether it has concluded or is still under way.
    """

    request: type[Q]

    async def prepare(self, request: Q, db: Db) -> S | Reply:
        """Decide what to call for; a Reply or Refusal answers at once, without a step."""
        raise NotImplementedError

    async def answer(
        self, step_id: str, state: S, outcome: O, db: Db
    ) -> tuple[Reply, Sequence[Event]]:
        """Write down what came of it, and answer."""
        raise NotImplementedError

    async def conclude(self, step_id: str, state: S, outcome: O, db: Db) -> Sequence[Event]:
        """Keep the answer beside the step, for whoever asks again."""
        reply, events = await self.answer(step_id, state, outcome, db)
        await db.execute(
            update(steps)
            .where(steps.c.step_id == step_id)
            .values(refused=isinstance(reply, Refusal), reply=msgspec.json.encode(reply))
        )
        return events


async def prepare_step(
    db: Db,
    kind: type[Step[S, Any]],
    step_id: str,
    state: S,
    *,
    body_hash: bytes | None = None,
    leased: bool = False,
) -> bool:
    """Write down what is to be done, in the caller's transaction; False if it stands already.

    `leased` keeps it from other runners, because the caller carries it out at once.
    """
    due_at = func.clock_timestamp()
    row = {
        "attempts": int(leased),
        "fence": int(leased),
        "body_hash": body_hash,
        "step_id": step_id,
        "kind": kind.kind,
        "state": msgspec.to_builtins(state),
        "status": "prepared",
        "due_at": due_at + LEASE if leased else due_at,
        "created_at": db.now,
    }
    added = await db.execute(insert(steps).values(row).on_conflict_do_nothing())
    return added.rowcount == 1


class StepRunner:
    """Carries out the steps of a service; replicas share them by leases."""

    def __init__(self, database: Database, relay: Relay, kinds: Sequence[Step[Any, Any]]) -> None:
        self._database = database
        self._relay = relay
        self._kinds = {step.kind: step for step in kinds}

    async def run(self) -> None:
        """Carry out what is due, until canceled."""
        while True:
            try:
                busy = await self.run_once()
            except Exception as error:
                if not is_transient(error):
                    logger.exception("step failed outside its call")
                busy = False
            if not busy:
                await asyncio.sleep(POLL_SECONDS)

    async def run_once(self) -> bool:
        """Carry out one due step; False when there is none."""
        leased = await self._lease()
        if leased is None:
            return False
        await self.carry_out(leased)
        return True

    async def carry_out(self, leased: Any) -> bool:
        """Call and conclude a step that is leased; False when its outcome is not known yet."""
        step = self._kinds[leased.kind]
        state = msgspec.convert(leased.state, step.state)
        failpoint("step.prepared")
        try:
            outcome = await step.call(leased.step_id, state)
        except Exception as error:  # noqa: BLE001 -- kept in the row, tried again
            await self._put_off(leased, error)
            return False
        failpoint("step.called")
        async with self._database.transaction() as db:
            if await self._finish(db, leased):
                events = await step.conclude(leased.step_id, state, outcome, db)
                await add_events(db, events)
                failpoint("step.uncommitted")
        failpoint("step.concluded")
        self._relay.wake()
        return True

    async def _lease(self) -> Any:
        due = (
            select(steps.c.step_id)
            .where(
                steps.c.status == "prepared",
                steps.c.due_at <= func.clock_timestamp(),
                steps.c.kind.in_(list(self._kinds)),
            )
            .order_by(steps.c.due_at)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        async with self._database.transaction() as db:
            leased = await db.execute(
                update(steps)
                .where(steps.c.step_id == due.scalar_subquery())
                .values(
                    fence=steps.c.fence + 1,
                    attempts=steps.c.attempts + 1,
                    due_at=func.clock_timestamp() + LEASE,
                )
                .returning(steps)
            )
            return leased.first()

    async def _finish(self, db: Db, leased: Any) -> bool:
        """Whether this runner still holds the step; one that came back too late changes nothing."""
        done = await db.execute(
            update(steps)
            .where(
                steps.c.step_id == leased.step_id,
                steps.c.fence == leased.fence,
                steps.c.status == "prepared",
            )
            .values(status="concluded", concluded_at=db.now)
        )
        return done.rowcount == 1

    async def _put_off(self, leased: Any, error: Exception) -> None:
        logger.warning(
            "call failed, its outcome is not known",
            extra={"fields": {"step": leased.step_id, "error": repr(error)[:200]}},
        )
        wait = timedelta(seconds=backoff_seconds(leased.attempts, longest=300.0))
        async with self._database.transaction() as db:
            await db.execute(
                update(steps)
                .where(steps.c.step_id == leased.step_id, steps.c.fence == leased.fence)
                .values(
                    due_at=func.clock_timestamp() + wait,
                    last_error=repr(error)[:500],
                    status="parked" if leased.attempts >= MAX_ATTEMPTS else "prepared",
                )
            )
