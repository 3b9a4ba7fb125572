"""Looking at checkout sessions: the one place where a purchase becomes paid."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import Row

from services.stripe_gateway.handlers.links import CustomerView, keep_view, look_at_customer
from services.stripe_gateway.handlers.looks.look import LookState, NotKnownYet, SetAside, Written
from services.stripe_gateway.handlers.workshop import Workshop
from services.stripe_gateway.rules.objects import Session
from services.stripe_gateway.rules.purchases import mismatch
from services.stripe_gateway.rules.states import PAID, purchase_status
from services.stripe_gateway.store import purchases
from services.stripe_gateway.store.money import move_money
from services.stripe_gateway.stripe_api import StripeApi
from services.stripe_gateway.stripe_api.checkout import fetch_session
from services.stripe_gateway.stripe_api.invoices import fetch_invoice
from services.stripe_gateway.stripe_api.payments import fetch_intent
from shared.contracts.base import Event
from shared.contracts.stripe_gateway import PurchasePaid
from shared.database import Db


class SessionView(Struct, frozen=True):
    """A session, how its payment stands, when it was made (Unix seconds, where Stripe says so),
    and the customer when a card was saved.
    """

    session: Session
    payment: str | None
    paid_at: int | None
    customer: CustomerView | None


class SessionLook:
    """A session's metadata names our purchase, which was written before the session was made."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop

    async def whose(self, workshop: Workshop, state: LookState) -> str | None:
        """See SubjectLook."""
        return (await fetch_session(workshop.api, state.object_id)).customer or state.object_id

    async def fetch(self, workshop: Workshop, state: LookState, customer_id: str) -> SessionView:
        """See SubjectLook."""
        session = await fetch_session(workshop.api, state.object_id)
        payment = paid_at = customer = None
        if session.status == "complete" and session.mode == "setup":
            customer = await look_at_customer(workshop, state.mark, customer_id, needs_default=True)
        elif session.payment_status in PAID:
            paid_at = await _paid_at(workshop.api, session)
        elif session.payment_intent is not None:
            payment = (await fetch_intent(workshop.api, session.payment_intent)).status
        return SessionView(session, payment, paid_at, customer)

    async def write(self, view: SessionView, db: Db) -> Written:
        """See SubjectLook."""
        session = view.session
        metadata = session.metadata or {}
        if metadata.get("environment") != self._workshop.api.environment:
            return SetAside("ignored", "other environment")
        row = await purchases.lock_purchase(db, metadata.get("purchase_id", ""))
        if row is None:
            raise NotKnownYet
        wrong = mismatch(session, row.organization_id, row.kind, row.amount_cents)
        if wrong is not None:
            return SetAside("parked", f"not the {wrong} that was asked for")
        return await _keep(view, row, db)


async def _paid_at(api: StripeApi, session: Session) -> int | None:
    """When a page was paid, as its receipt says: it may be heard of hours later."""
    if session.invoice is None:
        return None
    return (await fetch_invoice(api, session.invoice)).status_transitions.paid_at


async def _keep(view: SessionView, before: Row[Any], db: Db) -> Sequence[Event]:
    session = view.session
    status = purchase_status(before.status, session.status, session.payment_status, view.payment)
    newly_paid = status == "complete" and before.paid_at is None and before.kind != "setup"
    paid_at = db.now
    if view.paid_at is not None:
        # Stripe tells whole seconds: it was paid before that one was over.
        paid_at = min(paid_at, datetime.fromtimestamp(view.paid_at + 1, UTC))
    row = await purchases.set_purchase(
        db,
        before.purchase_id,
        status=status,
        session_id=session.id,
        payment_intent_id=session.payment_intent,
        stripe_invoice_id=session.invoice,
        stripe_subscription_id=session.subscription,
        **({"paid_at": paid_at} if newly_paid else {}),
    )
    events: list[Event] = []
    if view.customer is not None:
        events.extend(await keep_view(db, row.organization_id, view.customer))
    if newly_paid:
        events.extend(await _tell_paid(row, db))
    return events


async def _tell_paid(row: Row[Any], db: Db) -> Sequence[Event]:
    paid = PurchasePaid(
        organization_id=row.organization_id,
        session_id=row.session_id,
        kind=row.kind,
        tier=row.tier,
        amount_cents=row.amount_cents,
        payment_intent_id=row.payment_intent_id,
        stripe_invoice_id=row.stripe_invoice_id,
        stripe_subscription_id=row.stripe_subscription_id,
        paid_at=row.paid_at,
    )
    if row.kind == "subscription":
        # Its first invoice tells of the money, as every later one does.
        return (paid,)
    moved = await move_money(
        db,
        row.organization_id,
        f"purchase:{row.session_id}",
        row.amount_cents,
        row.kind,
        row.session_id,
        row.paid_at,
    )
    return (paid, *moved)
