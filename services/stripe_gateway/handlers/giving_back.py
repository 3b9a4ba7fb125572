"""Money for a plan that should not have been bought goes back, however long Stripe refuses it."""

# ruff: noqa: ARG002 -- the methods of a step have their form

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from msgspec import Struct

from services.stripe_gateway.handlers.looks.payments import look_at_reversals
from services.stripe_gateway.handlers.workshop import Workshop
from services.stripe_gateway.rules.invoice_objects import Invoice
from services.stripe_gateway.rules.reversals import giving_back_of, is_held_back, left_to_refund
from services.stripe_gateway.stripe_api import Mark
from services.stripe_gateway.stripe_api import payments as at_stripe
from services.stripe_gateway.stripe_api.invoices import payments_where
from shared.contracts.base import Event
from shared.database import Db
from shared.steps import Step, prepare_step

# A key answers for ever what it answered first, a refusal too, so after this comes another.
ANOTHER_KEY_AFTER = timedelta(hours=1)


class HeldBack(Exception):
    """A bank has not decided yet on money that is to go back. When it has, what is left goes."""


class GivingBack(Struct, frozen=True):
    """What one payment has paid of a plan."""

    organization_id: str
    payment_intent_id: str
    amount_cents: int
    begun_at: datetime


class GiveBack(Step[GivingBack, None]):
    """Refunds one payment, or what of it has not gone back otherwise. A refusal, when our balance
    at Stripe does not suffice say, is tried again, and in the end waits for an operator. What a
    bank holds back waits for its decision, which has it tried anew.
    """

    kind: ClassVar[str] = "give_back"
    state = GivingBack

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop

    async def call(self, step_id: str, state: GivingBack) -> None:
        """See Step. Whatever the key, Stripe gives no more back than was paid."""
        intent_id, begun_at = state.payment_intent_id, state.begun_at
        view = await look_at_reversals(self._workshop, intent_id)
        if is_held_back(view.disputes):
            raise HeldBack(intent_id)
        left = left_to_refund(view.intent.amount_received, view.refunds, view.disputes)
        if left == 0:
            return
        number = (self._workshop.database.clock.now() - begun_at) // ANOTHER_KEY_AFTER
        await at_stripe.refund(
            self._workshop.api,
            Mark(local_id=f"{step_id}:{number}", begun_at=begun_at),
            organization_id=state.organization_id,
            refund_id=step_id,
            intent_id=intent_id,
            amount_cents=min(left, state.amount_cents),
        )

    async def conclude(
        self, step_id: str, state: GivingBack, outcome: None, db: Db
    ) -> Sequence[Event]:
        """See Step. That the money moves comes as a fact, like any other refund."""
        return ()


async def order_give_back(
    workshop: Workshop,
    organization_id: str,
    subscription_id: str,
    is_given_back: Callable[[Invoice], bool],
) -> None:
    """Have all go back that some of a plan's invoices were paid with: each payment once, by a
    step.
    """
    paid = await payments_where(workshop.api, subscription_id, is_given_back)
    async with workshop.database.transaction() as db:
        for intent_id, cents in paid.items():
            state = GivingBack(organization_id, intent_id, cents, db.now)
            await prepare_step(db, GiveBack, giving_back_of(intent_id), state)
