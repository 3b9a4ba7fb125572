"""Refunds: money given back by an operator, once per refund."""

from msgspec import Struct

from services.stripe_gateway.handlers.looks.payments import (
    ReversalView,
    keep_view,
    look_at_reversals,
)
from services.stripe_gateway.handlers.steps import Begun, StripeStep, Told
from services.stripe_gateway.rules.refusals import NO_PAYMENT, NOTHING_LEFT
from services.stripe_gateway.rules.states import refunded_status
from services.stripe_gateway.store import charges, purchases, reversals
from services.stripe_gateway.stripe_api import Mark
from services.stripe_gateway.stripe_api import payments as at_stripe
from shared.clock import hourly
from shared.contracts.base import Reply
from shared.contracts.stripe_gateway import Charge, RefundPayment
from shared.database import Db


class RefundState(Begun, frozen=True, kw_only=True):
    """What to give back."""

    refund_id: str
    charge_id: str | None
    session_id: str | None
    payment_intent_id: str
    amount_cents: int


class Paid(Struct, frozen=True):
    """A payment that can be given back."""

    payment_intent_id: str
    amount_cents: int
    left_cents: int


class Refund(StripeStep[RefundPayment, RefundState, ReversalView]):
    """Give back a charge or a purchase, in whole or in part."""

    kind = "refund_payment"
    state = RefundState
    request = RefundPayment
    laned = True

    async def plan(self, request: RefundPayment, begun: Begun, db: Db) -> RefundState | Reply:
        """See StripeStep."""
        organization_id = request.organization_id
        paid = await _paid(db, organization_id, request.charge_id, request.session_id)
        if paid is None:
            return NO_PAYMENT
        known = await reversals.find_refund(db, organization_id, request.refund_id)
        if known is not None:
            return await _as_charge(db, organization_id, request.charge_id, request.session_id)
        amount = request.amount_cents or paid.left_cents
        if not 0 < amount <= paid.left_cents:
            return NOTHING_LEFT
        # The refund's own, so that two who order it at once make one.
        name = hourly(f"{organization_id}:{request.refund_id}", db.now)
        return RefundState(
            who=begun.who,
            mark=Mark(local_id=name, begun_at=db.now),
            refund_id=request.refund_id,
            charge_id=request.charge_id,
            session_id=request.session_id,
            payment_intent_id=paid.payment_intent_id,
            amount_cents=amount,
        )

    async def do(self, state: RefundState, customer_id: str) -> ReversalView:  # noqa: ARG002
        """See StripeStep."""
        await at_stripe.refund(
            self.workshop.api,
            state.mark,
            organization_id=state.who.organization_id,
            refund_id=state.refund_id,
            intent_id=state.payment_intent_id,
            amount_cents=state.amount_cents,
        )
        return await look_at_reversals(self.workshop, state.payment_intent_id)

    async def done(self, state: RefundState, value: ReversalView, db: Db) -> Told:
        """See StripeStep."""
        events = await keep_view(db, value)
        reply = await _as_charge(db, state.who.organization_id, state.charge_id, state.session_id)
        return reply, events


async def _paid(
    db: Db, organization_id: str, charge_id: str | None, session_id: str | None
) -> Paid | None:
    if charge_id is not None:
        charge = await charges.lock_charge(db, organization_id, charge_id)
        if charge is None or charge.succeeded_at is None:
            return None
        left = charge.amount_cents - charge.refunded_cents
        return Paid(charge.payment_intent_id, charge.amount_cents, left)
    row = await purchases.find_purchase_of_session(db, organization_id, session_id or "")
    if row is None or row.paid_at is None or row.payment_intent_id is None:
        return None
    return Paid(row.payment_intent_id, row.amount_cents, row.amount_cents - row.reversed_cents)


async def _as_charge(
    db: Db, organization_id: str, charge_id: str | None, session_id: str | None
) -> Charge:
    if charge_id is not None:
        charge = await charges.lock_charge(db, organization_id, charge_id)
        if charge is None:
            raise LookupError(charge_id)
        return charges.charge_of(charge)
    row = await purchases.find_purchase_of_session(db, organization_id, session_id or "")
    if row is None:
        raise LookupError(session_id)
    return Charge(
        charge_id=row.session_id,
        stripe_payment_intent_id=row.payment_intent_id,
        amount_cents=row.amount_cents,
        status=refunded_status(row.amount_cents, row.reversed_cents),
        refunded_cents=row.reversed_cents,
        created_at=row.created_at,
        succeeded_at=row.paid_at,
    )
