"""The step of looking at one object, in its customer's lane."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from msgspec import Struct

from services.stripe_gateway.handlers.workshop import Overtaken, Workshop
from services.stripe_gateway.rules.webhooks import Subject
from services.stripe_gateway.store.leases import give_back
from services.stripe_gateway.store.webhooks import set_event_state
from services.stripe_gateway.stripe_api import Mark, StripeRefused
from shared.clock import new_id
from shared.contracts.base import Event
from shared.database import Db
from shared.steps import Step, prepare_step

logger = logging.getLogger(__name__)

# An object that we do not know may be on its way: our own commit, or another event.
PATIENCE = timedelta(minutes=5)


class NotKnownYet(Exception):
    """We have nothing that this belongs to, yet: look again a little later."""


class SetAside(Struct, frozen=True):
    """What was seen changes nothing here: `ignored` is not ours, `parked` is for an operator."""

    state: str
    reason: str


class LookState(Struct, frozen=True, kw_only=True):
    """What to look at, and why."""

    subject: Subject
    object_id: str
    customer_id: str | None
    event_id: str | None
    kind: str
    mark: Mark


Written = Sequence[Event] | SetAside


class SubjectLook(Protocol):
    """How one kind of object is looked at."""

    async def whose(self, workshop: Workshop, state: LookState) -> str | None:
        """The customer in whose lane to look; None for an object that is nobody's."""
        ...

    async def fetch(self, workshop: Workshop, state: LookState, customer_id: str) -> Any:
        """The object and all that belongs to it."""
        ...

    async def write(self, view: Any, db: Db) -> Written:
        """Write the whole state down. Raises NotKnownYet."""
        ...


Subjects = Mapping[Subject, SubjectLook]


class Seen(Struct, frozen=True):
    """What was seen in which lane; without a view, why there is none."""

    lane: str | None
    fence: int
    view: Any
    nothing: SetAside | None = None


class Look(Step[LookState, Seen]):
    """Looks, and writes down what it saw."""

    kind = "look"
    # Looking once more writes down what is there once more; an event is known by its own row.
    kept_for = timedelta(days=7)
    state = LookState

    def __init__(self, workshop: Workshop, subjects: Subjects) -> None:
        self.workshop = workshop
        self.subjects = subjects

    async def call(self, step_id: str, state: LookState) -> Seen:  # noqa: ARG002 -- its form
        """See Step."""
        subject = self.subjects[state.subject]
        try:
            lane = state.customer_id or await subject.whose(self.workshop, state)
            if lane is None:
                return Seen(None, 0, None, SetAside("ignored", "nobody's"))
            async with self.workshop.lane(lane) as fence:
                return Seen(lane, fence, await subject.fetch(self.workshop, state, lane))
        except StripeRefused as refused:
            return Seen(None, 0, None, SetAside("parked", refused.code))

    async def conclude(
        self,
        step_id: str,  # noqa: ARG002 -- its form
        state: LookState,
        outcome: Seen,
        db: Db,
    ) -> Sequence[Event]:
        """See Step."""
        if outcome.lane and not await give_back(db, outcome.lane, outcome.fence):
            raise Overtaken(outcome.lane)
        written = outcome.nothing or await self._write(state, outcome, db)
        if isinstance(written, SetAside):
            if written.state == "parked":
                told = {"event": state.event_id, "object": state.object_id}
                logger.error(
                    "an event is parked", extra={"fields": {**told, "reason": written.reason}}
                )
            await self._note(state, db, written.state, written.reason)
            return ()
        await self._note(state, db, "done", None)
        return written

    async def _write(self, state: LookState, outcome: Seen, db: Db) -> Written:
        try:
            return await self.subjects[state.subject].write(outcome.view, db)
        except NotKnownYet:
            if db.now - state.mark.begun_at < PATIENCE:
                raise
            return SetAside("parked", "belongs to nothing we know")

    async def _note(self, state: LookState, db: Db, verdict: str, reason: str | None) -> None:
        if state.event_id is not None:
            await set_event_state(db, state.event_id, verdict, reason)


async def order_look(
    db: Db,
    subject: Subject,
    object_id: str,
    *,
    name: str,
    kind: str = "",
    customer_id: str | None = None,
    event_id: str | None = None,
    begun_at: datetime | None = None,
) -> None:
    """Have an object looked at, once per `name`."""
    state = LookState(
        subject=subject,
        object_id=object_id,
        customer_id=customer_id,
        event_id=event_id,
        kind=kind,
        mark=Mark(local_id=new_id(), begun_at=begun_at or db.now),
    )
    await prepare_step(db, Look, f"look:{name}", state)
