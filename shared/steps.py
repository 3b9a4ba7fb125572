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
from sqlalchemy import Row, case, func, select, update
from sqlalchemy.dialects.postgresql import insert

from shared.answers import KEPT_FOR
from shared.bus import backoff_seconds
from shared.contracts.base import Event, Refusal, Reply, Request
from shared.database import Database, Db, is_transient, wait_for
from shared.failpoints import failpoint
from shared.logs import begin_trace, describe, traceparent
from shared.outbox import add_events
from shared.tables import steps

logger = logging.getLogger(__name__)

BELL = "steps"
POLL_SECONDS = 1.0
# Calls that one process has under way at once.
AT_ONCE = 16


class StepTimes(msgspec.Struct, frozen=True):
    """How long one runner may hold a step, and when trying it again is given up.

    `call_seconds` is below `lease_seconds`, so that a slow call ends before another one begins.
    """

    lease_seconds: float = 60.0
    call_seconds: float = 40.0
    longest_delay_seconds: float = 300.0
    # After this many attempts a step waits for an operator: some four hours of trying.
    max_attempts: int = 50

    def __post_init__(self) -> None:
        if self.call_seconds >= self.lease_seconds:
            raise ValueError("a call ends before its lease does")


S = TypeVar("S", bound=msgspec.Struct)
O = TypeVar("O")  # noqa: E741
Q = TypeVar("Q", bound=Request[Any])


class Step(Generic[S, O]):
    """One kind of step. `call` may be repeated under the same `step_id`, so it must be idempotent
    at the other side; `conclude` happens exactly once.
    """

    kind: ClassVar[str]
    # How long a concluded one is remembered: for ever, unless something else than its id keeps
    # its work from being done once more, or doing that changes nothing.
    kept_for: ClassVar[timedelta | None] = None
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

    # Like any answer, and promised no longer to whoever repeats a key.
    kept_for = KEPT_FOR
    request: type[Q]

    async def prepare(self, request: Q, db: Db) -> S | Reply | tuple[S | Reply, Sequence[Event]]:
        """Decide what to call for; a Reply or Refusal answers at once, without a step. Beside
        either, facts to tell.
        """
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
    asked: bytes | None = None,
    lease_seconds: float = 0.0,
) -> Row[Any] | None:
    """Write down what is to be done, in the caller's transaction; None if it stands already.

    `lease_seconds` keeps it from other runners, for a caller who carries it out at once.
    """
    row = {
        "step_id": step_id,
        "kind": kind.kind,
        "state": msgspec.to_builtins(state),
        "traceparent": traceparent(),
        "status": "prepared",
        "attempts": int(lease_seconds > 0),
        "fence": int(lease_seconds > 0),
        "due_at": func.clock_timestamp() + timedelta(seconds=lease_seconds),
        "created_at": db.now,
        "body_hash": asked,
    }
    added = await db.execute(insert(steps).values(row).on_conflict_do_nothing().returning(steps))
    db.ring(BELL)
    return added.first()


class StepRunner:
    """Carries out the steps of a service, several at once; replicas share them by leases."""

    def __init__(
        self, database: Database, kinds: Sequence[Step[Any, Any]], times: StepTimes | None = None
    ) -> None:
        self.times = times or StepTimes()
        self._database = database
        self._kinds = {step.kind: step for step in kinds}
        self._bell = database.bell(BELL)
        self.under_way: set[asyncio.Task[None]] = set()
        self.begun = 0
        self._stopping = False

    async def stop(self) -> None:
        """Begin no more steps, and finish those that are under way."""
        self._stopping = True
        self._bell.set()
        if self.under_way:
            await asyncio.wait(self.under_way)

    async def run(self) -> None:
        """Carry out what is due, until stopped."""
        while not self._stopping:
            try:
                # By half, so that one statement takes several when there are many.
                while (room := AT_ONCE - len(self.under_way)) >= AT_ONCE // 2:
                    leased = await self._lease(room)
                    for row in leased:
                        self.begin(row)
                    if len(leased) < room:
                        break
            except Exception as error:
                if not is_transient(error):
                    logger.exception("steps cannot be taken")
                await asyncio.sleep(POLL_SECONDS)
            await wait_for(self._bell, POLL_SECONDS)

    def begin(self, leased: Row[Any]) -> asyncio.Task[None]:
        """Carry out a step that is leased to us; it goes on when nobody waits for the task."""
        self.begun += 1
        task = asyncio.create_task(self._carry_out(leased))
        self.under_way.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.under_way.discard(task)
        self._bell.set()

    async def _carry_out(self, leased: Row[Any]) -> None:
        begin_trace(leased.traceparent)
        try:
            step = self._kinds[leased.kind]
            state = msgspec.convert(leased.state, step.state)
            failpoint("step.prepared")
            async with asyncio.timeout(self.times.call_seconds):
                outcome = await step.call(leased.step_id, state)
            failpoint("step.called")
            async with self._database.transaction() as db:
                if await self._finish(db, leased):
                    events = await step.conclude(leased.step_id, state, outcome, db)
                    await add_events(db, events)
                    failpoint("step.uncommitted")
                else:
                    told = {"step": leased.step_id}
                    logger.warning("lease lost, nothing concluded", extra={"fields": told})
            failpoint("step.concluded")
        except Exception as error:  # noqa: BLE001 -- kept in the row, tried again
            await self._put_off(leased, error)

    async def _lease(self, most: int) -> Sequence[Row[Any]]:
        due = (
            select(steps.c.step_id)
            .where(
                steps.c.status == "prepared",
                steps.c.due_at <= func.clock_timestamp(),
                steps.c.kind.in_(list(self._kinds)),
            )
            .order_by(steps.c.due_at)
            .limit(most)
            .with_for_update(skip_locked=True)
            .cte("due")
        )
        # A step that ends its process every time never gets to be put off.
        spent = steps.c.attempts >= self.times.max_attempts
        async with self._database.transaction() as db:
            leased = await db.execute(
                update(steps)
                .where(steps.c.step_id == due.c.step_id)
                .values(
                    fence=steps.c.fence + 1,
                    attempts=steps.c.attempts + 1,
                    status=case((spent, "parked"), else_="prepared"),
                    due_at=func.clock_timestamp() + timedelta(seconds=self.times.lease_seconds),
                )
                .returning(steps)
            )
            return [row for row in leased if row.status == "prepared"]

    async def _finish(self, db: Db, leased: Row[Any]) -> bool:
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

    async def _put_off(self, leased: Row[Any], error: Exception) -> None:
        parked = leased.attempts >= self.times.max_attempts
        logger.warning(
            "step failed, its outcome is not known",
            exc_info=error,
            extra={"fields": {"step": leased.step_id, "parked": parked}},
        )
        wait = backoff_seconds(leased.attempts, longest=self.times.longest_delay_seconds)
        try:
            async with self._database.transaction() as db:
                await db.execute(
                    update(steps)
                    .where(
                        steps.c.step_id == leased.step_id,
                        steps.c.fence == leased.fence,
                        steps.c.status == "prepared",
                    )
                    .values(
                        due_at=func.clock_timestamp() + timedelta(seconds=wait),
                        last_error=describe(error)[:500],
                        status="parked" if parked else "prepared",
                    )
                )
        except Exception:
            # Its lease runs out, and then it is tried again all the same.
            logger.exception("step could not be put off")
