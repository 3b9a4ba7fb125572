"""Requests that are answered by a step: prepared, called for, concluded, and answered once."""

import asyncio
from typing import Any

import msgspec
from sqlalchemy import Row, delete, select

from shared.answers import (
    IN_FLIGHT,
    REUSED,
    IdempotencyKey,
    StoredAnswer,
    find_answer,
    keep_answer,
)
from shared.contracts.base import Refusal, Reply, Request
from shared.database import Database, Db
from shared.outbox import add_events
from shared.steps import AnsweringStep, StepRunner, prepare_step
from shared.tables import steps

PENDING = Refusal(
    code="pending",
    detail="This is still being worked on; ask again with the same Idempotency-Key.",
)


class SteppedAnswer:
    """Answers one kind of request by its step; a repetition gets the same answer."""

    def __init__(
        self, step: AnsweringStep[Any, Any, Any], database: Database, runner: StepRunner
    ) -> None:
        self._step = step
        self._database = database
        self._runner = runner

    async def answer(
        self, request: Request[Any], key: IdempotencyKey, patience_seconds: float
    ) -> Reply | StoredAnswer:
        """The answer; PENDING when there is none before the asker's patience ends."""
        begun = await self._begin(request, key)
        if isinstance(begun, Reply | StoredAnswer):
            return begun
        # The call goes on when nobody waits any more: its outcome must be written down.
        await asyncio.wait({self._runner.begin(begun)}, timeout=patience_seconds)
        async with self._database.read() as db:
            row = await _find_step(db, begun.step_id)
        return (_answer_of(row) if row else None) or PENDING

    async def _begin(
        self, request: Request[Any], key: IdempotencyKey
    ) -> Reply | StoredAnswer | Row[Any]:
        """Prepare the step and answer its row; or answer what was answered before."""
        step_id = f"{key.operation}:{key.digest[:40]}"
        async with self._database.transaction() as db:
            known = await find_answer(db, key) or await _find_begun(db, key, step_id)
            if known is not None:
                return known
            prepared = await self._step.prepare(request, db)
            state, events = prepared if isinstance(prepared, tuple) else (prepared, ())
            await add_events(db, events)
            if isinstance(state, Refusal):
                # Nothing was begun, so the same request may be answered otherwise a moment later.
                return state
            if isinstance(state, Reply):
                await keep_answer(db, key, state)
                return state
            lease_seconds = self._runner.times.lease_seconds
            row = await prepare_step(
                db,
                type(self._step),
                step_id,
                state,
                asked=key.asked,
                lease_seconds=lease_seconds,
            )
        # The key is held, and there was no such step: it is ours.
        return row if row is not None else IN_FLIGHT


async def _find_step(db: Db, step_id: str) -> Row[Any] | None:
    return (await db.execute(select(steps).where(steps.c.step_id == step_id))).first()


async def _find_begun(db: Db, key: IdempotencyKey, step_id: str) -> Reply | StoredAnswer | None:
    """What is answered by the step that a key has begun; None when it has begun none that counts.

    The caller holds the key.
    """
    row = await _find_step(db, step_id)
    if row is None:
        return None
    if row.body_hash != key.asked:
        return REUSED
    answer = _answer_of(row)
    if answer is None or not _passes(answer):
        return answer or IN_FLIGHT
    # It came to nothing that lasts, and who asks again would learn it for as long as keys live.
    await db.execute(delete(steps).where(steps.c.step_id == step_id))
    return None


def _passes(answer: StoredAnswer) -> bool:
    return answer.refused and msgspec.json.decode(answer.reply, type=Refusal).passes


def _answer_of(row: Row[Any]) -> StoredAnswer | None:
    return None if row.reply is None else StoredAnswer(refused=row.refused, reply=row.reply)
