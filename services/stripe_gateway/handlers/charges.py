"""Charges: a customer pays without a page, at most once each."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row

from services.stripe_gateway.handlers.steps import Begun, StripeStep, Told
from services.stripe_gateway.rules.objects import Intent
from services.stripe_gateway.rules.refusals import (
    IN_FLIGHT,
    NO_METHOD,
    NO_PAYMENT,
    OTHER_AMOUNT,
    failure_message,
)
from services.stripe_gateway.rules.states import SETTLED, charge_status, is_abandoned
from services.stripe_gateway.store import charges, customers
from services.stripe_gateway.store.money import move_money
from services.stripe_gateway.stripe_api import StripeRefused
from services.stripe_gateway.stripe_api import payments as at_stripe
from shared.contracts.base import Event, Reply
from shared.contracts.stripe_gateway import CancelPayment, ChargeChanged, CollectPayment
from shared.database import Db

ENDED_EARLY = "canceled"


class CollectState(Begun, frozen=True, kw_only=True):
    """What to collect; its mark is the charge's own, so that a charge has one payment for ever."""

    charge_id: str
    amount_cents: int
    description: str
    payment_method_id: str
    off_session: bool


class Collect(StripeStep[CollectPayment, CollectState, Intent]):
    """Charge a customer. Declined is an answer, too: a Charge that failed."""

    kind = "collect_payment"
    state = CollectState
    request = CollectPayment

    async def plan(self, request: CollectPayment, begun: Begun, db: Db) -> CollectState | Reply:
        """See StripeStep."""
        known = await charges.lock_charge(db, request.organization_id, request.charge_id)
        if known is not None:
            if known.amount_cents != request.amount_cents:
                return OTHER_AMOUNT
            waiting = known.status == "pending" and known.payment_intent_id is None
            return IN_FLIGHT if waiting else charges.charge_of(known)
        methods = await customers.list_methods(db, request.organization_id)
        wanted = [
            method.payment_method_id
            for method in methods.payment_methods
            if request.payment_method_id in {None, method.payment_method_id}
        ]
        if not wanted:
            return NO_METHOD
        if not await charges.add_charge(
            db, request.organization_id, request.charge_id, request.amount_cents
        ):
            return IN_FLIGHT
        return CollectState(
            who=begun.who,
            mark=begun.mark,
            charge_id=request.charge_id,
            amount_cents=request.amount_cents,
            description=request.description,
            payment_method_id=wanted[0],
            off_session=request.off_session,
        )

    async def do(self, state: CollectState, customer_id: str) -> Intent:
        """See StripeStep. An attempt that failed is ended, so that it cannot succeed later."""
        api = self.workshop.api
        try:
            intent = await at_stripe.collect(
                api,
                state.mark,
                organization_id=state.who.organization_id,
                charge_id=state.charge_id,
                customer_id=customer_id,
                method_id=state.payment_method_id,
                amount_cents=state.amount_cents,
                description=state.description,
                off_session=state.off_session,
            )
        except StripeRefused as refused:
            if refused.intent is None:
                raise
            intent = await at_stripe.fetch_intent(api, refused.intent)
        if is_abandoned(intent):
            return await at_stripe.end_intent(api, state.mark, intent)
        return intent

    async def done(self, state: CollectState, value: Intent, db: Db) -> Told:
        """See StripeStep."""
        row = await _row(db, state.who.organization_id, state.charge_id)
        events = await keep_intent(db, row, value)
        return charges.charge_of(await _row(db, state.who.organization_id, state.charge_id)), events

    async def refused(self, state: CollectState, refused: StripeRefused, db: Db) -> Told:
        """Declined without a payment, or the method is not there any more: failed for good."""
        row = await _row(db, state.who.organization_id, state.charge_id)
        values = {
            "status": "failed",
            "failure_code": refused.code,
            "failure_message": failure_message(refused.code),
        }
        changed = await charges.set_charge(db, row, **values)
        return charges.charge_of(changed or row), _told(changed, db)


class CancelState(Begun, frozen=True, kw_only=True):
    """What to end."""

    charge_id: str
    payment_intent_id: str


class Cancel(StripeStep[CancelPayment, CancelState, Intent]):
    """End an attempt that waits for the customer, so that it never succeeds beside another one."""

    kind = "cancel_payment"
    state = CancelState
    request = CancelPayment

    async def plan(self, request: CancelPayment, begun: Begun, db: Db) -> CancelState | Reply:
        """See StripeStep."""
        row = await charges.lock_charge(db, request.organization_id, request.charge_id)
        if row is None:
            return await self._end_before_it_comes(request, db)
        if row.status not in {"pending", "requires_action"}:
            return charges.charge_of(row)
        if row.payment_intent_id is None:
            return IN_FLIGHT
        return CancelState(
            who=begun.who,
            mark=begun.mark,
            charge_id=request.charge_id,
            payment_intent_id=row.payment_intent_id,
        )

    async def _end_before_it_comes(self, request: CancelPayment, db: Db) -> Reply:
        """Whoever comes with it later finds it ended, like any other attempt that is known."""
        if request.amount_cents is None:
            return NO_PAYMENT
        ended = {
            "status": "failed",
            "failure_code": ENDED_EARLY,
            "failure_message": failure_message(ENDED_EARLY),
        }
        organization_id, charge_id = request.organization_id, request.charge_id
        if not await charges.add_charge(
            db, organization_id, charge_id, request.amount_cents, **ended
        ):
            return IN_FLIGHT
        return charges.charge_of(await _row(db, organization_id, charge_id))

    async def do(self, state: CancelState, customer_id: str) -> Intent:  # noqa: ARG002
        """See StripeStep."""
        intent = await at_stripe.fetch_intent(self.workshop.api, state.payment_intent_id)
        return await at_stripe.end_intent(self.workshop.api, state.mark, intent)

    async def done(self, state: CancelState, value: Intent, db: Db) -> Told:
        """See StripeStep."""
        organization_id = state.who.organization_id
        events = await keep_intent(db, await _row(db, organization_id, state.charge_id), value)
        return charges.charge_of(await _row(db, organization_id, state.charge_id)), events


async def _row(db: Db, organization_id: str, charge_id: str) -> Row[Any]:
    row = await charges.lock_charge(db, organization_id, charge_id)
    if row is None:
        raise LookupError(charge_id)
    return row


async def keep_intent(db: Db, row: Row[Any], intent: Intent) -> Sequence[Event]:
    """Write down how an attempt's payment stands; what there is to tell."""
    error = intent.last_payment_error
    code = (error.decline_code or error.code) if error else None
    status = charge_status(row.status, intent.status, code, row.amount_cents, row.refunded_cents)
    settled = status in SETTLED
    failed = status in {"failed", "requires_action"}
    method = intent.payment_method or (error.payment_method if error else None)
    card = method.card if method else None
    values: dict[str, Any] = {
        "status": status,
        "payment_intent_id": intent.id,
        "failure_code": (code or intent.status) if failed else None,
        "failure_message": failure_message(code or intent.status) if failed else None,
        "client_secret": intent.client_secret if status == "requires_action" else None,
        "succeeded_at": row.succeeded_at or (db.now if settled else None),
    }
    if method is not None:
        values |= {
            "payment_method_type": method.type,
            "payment_method_brand": card.brand if card else None,
            "payment_method_last4": card.last4 if card else None,
        }
    changed = await charges.set_charge(db, row, **values)
    moved: Sequence[Event] = ()
    if settled and row.succeeded_at is None:
        moved = await move_money(
            db,
            row.organization_id,
            f"charge:{row.charge_id}",
            row.amount_cents,
            "invoice",
            row.charge_id,
            datetime.fromtimestamp(intent.created, UTC),
        )
    return [*_told(changed, db), *moved]


def _told(changed: Row[Any] | None, db: Db) -> Sequence[Event]:
    return () if changed is None else (charge_changed(changed, db),)


def charge_changed(row: Row[Any], db: Db) -> ChargeChanged:
    """The fact that an attempt stands otherwise than before."""
    return ChargeChanged(
        organization_id=row.organization_id,
        version=row.version,
        charge=charges.charge_of(row),
        changed_at=db.now,
    )
