"""How a service arrives at a later time: jobs are done, and what is open is looked at."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from nats.js import JetStreamContext
from sqlalchemy import func, or_, true

from shared.bus import Bus
from shared.database import Database
from shared.jobs import count, do_job
from shared.requests import Answerer
from shared.service import Periodic, Service
from shared.steps import StepRunner
from shared.tables import outbox, steps
from shared.travel import Errand

# What is tried again within this time is waited for; what waits longer may not pass at all.
SOON = timedelta(seconds=5)


class ServiceArrival:
    """Does at once what a service's jobs would do by and by, and looks at all that is open."""

    def __init__(
        self,
        service: Service,
        jobs: Sequence[Periodic],
        database: Database,
        bus: Bus,
        runner: StepRunner,
        answerers: Sequence[Answerer],
    ) -> None:
        self._service = service
        self._jobs = jobs
        self._database = database
        self._js: JetStreamContext = bus.connection.jetstream()
        self._runner = runner
        self._answerers = answerers

    async def __call__(self, moved: bool) -> Errand:
        """Do what is due, then say what is left."""
        due_at = await self._next_due()
        if moved or self._has_passed(due_at):
            for job in self._jobs:
                await do_job(job, self._service.name, self._database, patiently=True)
            due_at = await self._next_due()
        waiting = await self._rows()
        heard = 0
        for info in await asyncio.gather(
            *(self._js.consumer_info(each.stream, each.name) for each in self._service.durables)
        ):
            waiting[info.name] = (info.num_pending or 0) + (info.num_ack_pending or 0)
            heard += info.delivered.consumer_seq if info.delivered else 0
        waiting["requests"] = sum(len(each.under_way) for each in self._answerers if each.writes)
        if self._has_passed(due_at):
            waiting[f"due since {due_at:%Y-%m-%d %H:%M:%S}"] = 1
        changed = sum(each.taken for each in self._answerers if each.writes)
        return Errand(
            due_at,
            {name: number for name, number in waiting.items() if number},
            heard + changed + self._runner.begun,
        )

    def _has_passed(self, due_at: datetime | None) -> bool:
        return due_at is not None and due_at <= self._database.clock.now()

    async def _next_due(self) -> datetime | None:
        async with self._database.read() as db:
            moments = [await next_due(db) for next_due in self._service.dues]
        return min((each for each in moments if each is not None), default=None)

    async def _rows(self) -> dict[str, int]:
        soon = steps.c.due_at <= func.clock_timestamp() + SOON
        open_steps = (steps.c.status == "prepared") & or_(soon, steps.c.last_error.is_(None))
        async with self._database.read() as db:
            facts = await count(db, outbox, true())
            prepared = await count(db, steps, open_steps)
        return {"outbox": facts, "steps": max(prepared, len(self._runner.under_way))}
