"""The reconciler: what a webhook should have told is found all the same, within minutes."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta

from msgspec import Struct
from sqlalchemy import select

from services.stripe_gateway.handlers.links import order_customer
from services.stripe_gateway.handlers.looks import order_look
from services.stripe_gateway.handlers.webhooks import keep_event
from services.stripe_gateway.handlers.workshop import Workshop
from services.stripe_gateway.rules.objects import IncomingEvent
from services.stripe_gateway.rules.webhooks import subject_of
from services.stripe_gateway.store import charges, customers, purchases, webhooks
from services.stripe_gateway.stripe_api.events import walk
from shared.contracts.base import Event
from shared.database import Db
from shared.parked_steps import resume
from shared.steps import Step, prepare_step
from shared.tables import steps

EVENTS = "events"
# Events become listed a little after they happened, so each walk begins before the last one ended.
OVERLAP = timedelta(minutes=15)
# What has been under way this long is looked at, webhook or not.
STALE = timedelta(minutes=2)
# How long it is looked whether a customer has answered the bank's question.
ASKED_FOR = timedelta(days=3)
# Of each kind, looked at in one round.
MOST = 100
# Held in memory at once, and listed within the time of one call: where more happened, as after a
# long outage, or Stripe is slow, the walk is made shorter, and another one goes on where it ended.
MOST_EVENTS = 2_000
MOST_SECONDS = 20.0
# But not shorter than this, so that it gets further whatever happens.
SHORTEST = OVERLAP + timedelta(minutes=1)


class WalkState(Struct, frozen=True, kw_only=True):
    """From when to when, and until when others are to go on."""

    since: datetime
    until: datetime
    # Without one this was ordered before walks went on.
    goal: datetime | None = None


Walked = list[tuple[IncomingEvent, bytes]] | None


class WalkEvents(Step[WalkState, Walked]):
    """Walks Stripe's list of events; those that are known are passed over."""

    kind = "walk_events"
    kept_for = timedelta(days=7)  # its name has the moment of its round, which never comes again
    state = WalkState

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop

    async def call(self, step_id: str, state: WalkState) -> Walked:  # noqa: ARG002 -- its form
        """See Step. Newest first; None where it is too much for one walk."""
        if state.until - state.since <= SHORTEST:
            return [each async for each in self._events(state)]
        events = []
        try:
            async with asyncio.timeout(MOST_SECONDS):
                async for each in self._events(state):
                    events.append(each)
                    if len(events) > MOST_EVENTS:
                        return None
        except TimeoutError:
            return None
        return events

    async def _events(self, state: WalkState) -> AsyncIterator[tuple[IncomingEvent, bytes]]:
        async for event, body in walk(self._workshop.api, state.since, state.until):
            if subject_of(event.kind) is not None:
                yield event, body

    async def conclude(
        self,
        step_id: str,  # noqa: ARG002 -- its form
        state: WalkState,
        outcome: Walked,
        db: Db,
    ) -> Sequence[Event]:
        """See Step."""
        goal = state.goal or state.until
        if outcome is None:
            half = (state.until - state.since) / 2
            await _order_walk(db, state.since, state.since + max(half, SHORTEST), goal)
            return ()
        for event, body in reversed(outcome):
            await keep_event(event, body, db)
        await webhooks.end_walk(db, EVENTS, state.until)
        if state.until < goal:
            await _order_walk(db, state.until - OVERLAP, goal, goal)
        return ()


async def _order_walk(db: Db, since: datetime, until: datetime, goal: datetime) -> None:
    name = "walk:" + "/".join(each.isoformat() for each in (goal, since, until))
    await prepare_step(db, WalkEvents, name, WalkState(since=since, until=until, goal=goal))


class Reconciler:
    """Orders the rounds; two replicas that order the same one are harmless."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop

    async def begin_round(self, db: Db) -> Sequence[Event]:
        """Have everything looked at that is overdue."""
        seconds = self._workshop.settings.stripe_reconcile_seconds
        since = await webhooks.begin_walk(db, EVENTS, seconds)
        if since is None:
            return ()
        moment = f"{int(db.now.timestamp())}"
        if not await self._is_walking(db):
            await _order_walk(db, since - OVERLAP, db.now, db.now)
        stale = db.now - min(STALE, timedelta(seconds=seconds))
        for row in await purchases.list_under_way(db, stale, MOST):
            await order_look(db, "session", row.session_id, name=f"{row.session_id}:{moment}")
        for row in await charges.list_under_way(db, stale, db.now - ASKED_FOR, MOST):
            name = f"{row.payment_intent_id}:{moment}"
            await order_look(db, "intent", row.payment_intent_id, name=name)
        for who in await customers.list_unlinked(db, stale, MOST):
            await self._order_again(who.local_id, who.organization_id, db)
        return ()

    async def _is_walking(self, db: Db) -> bool:
        """Whether an earlier walk goes on, as it does while Stripe is away."""
        found = await db.execute(
            select(steps.c.step_id)
            .where(steps.c.kind == WalkEvents.kind, steps.c.status == "prepared")
            .limit(1)
        )
        return found.first() is not None

    async def _order_again(self, local_id: str, organization_id: str, db: Db) -> None:
        await order_customer(db, organization_id)
        # An outage of hours parks the step; nobody has to be woken for a customer.
        await resume(db, f"customer:{local_id}")
