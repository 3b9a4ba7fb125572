"""Requests that are answered by a step: prepared, called for, concluded, and answered once."""

import asyncio
import hashlib
import logging
from typing import Any

import msgspec
from sqlalchemy import select

from shared.answers import IN_FLIGHT, REUSED
from shared.bus import IDEMPOTENCY_HEADER, PRINCIPAL_HEADER
from shared.clock import new_id
from shared.contracts.base import Refusal, Reply, name_of
from shared.database import Database
from shared.steps import AnsweringStep, StepRunner, prepare_step
from shared.tables import steps

logger = logging.getLogger(__name__)

# Longer than a call takes at the other side; what is not answered by then settles by itself.
PATIENCE_SECONDS = 25.0
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
        self._under_way: set[asyncio.Task[bool]] = set()

    async def answer(self, request: Any, body: bytes, headers: dict[str, str]) -> Reply | bytes:
        """The reply; bytes are a reply as it was stored (a Refusal is always a Refusal)."""
        step_id = self._step_id(headers)
        body_hash = hashlib.sha256(body).digest()
        begun = await self._begin(step_id, request, body_hash)
        if not isinstance(begun, bool):
            return begun
        if begun:
            await self._carry_out(step_id)
        return await self._outcome(step_id, body_hash, begun=begun)

    def _step_id(self, headers: dict[str, str]) -> str:
        key = headers.get(IDEMPOTENCY_HEADER)
        operation = name_of(self._step.request)
        if key is None:
            return f"{operation}:{new_id()}"
        named = f"{headers.get(PRINCIPAL_HEADER, '')}\0{key}".encode()
        return f"{operation}:{hashlib.sha256(named).hexdigest()[:40]}"

    async def _begin(self, step_id: str, request: Any, body_hash: bytes) -> Reply | bool:
        """Prepare the step; False when it was begun before."""
        async with self._database.transaction() as db:
            found = await db.execute(select(steps.c.step_id).where(steps.c.step_id == step_id))
            if found.first() is not None:
                return False
            state = await self._step.prepare(request, db)
            if isinstance(state, Reply):
                return state
            return await prepare_step(
                db, type(self._step), step_id, state, body_hash=body_hash, leased=True
            )

    async def _carry_out(self, step_id: str) -> None:
        async with self._database.read() as db:
            leased = (await db.execute(select(steps).where(steps.c.step_id == step_id))).one()
        task = asyncio.create_task(self._runner.carry_out(leased))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        # The call goes on when the asker's patience ends: its outcome must be written down.
        await asyncio.wait({task}, timeout=PATIENCE_SECONDS)
        if task.done() and task.exception() is not None:
            logger.error("step failed outside its call", exc_info=task.exception())

    async def _outcome(self, step_id: str, body_hash: bytes, *, begun: bool) -> Reply | bytes:
        async with self._database.read() as db:
            row = (await db.execute(select(steps).where(steps.c.step_id == step_id))).one()
        if row.body_hash != body_hash:
            return REUSED
        if row.reply is None:
            return PENDING if begun else IN_FLIGHT
        if row.refused:
            return msgspec.json.decode(row.reply, type=Refusal)
        return bytes(row.reply)
