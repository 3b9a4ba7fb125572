"""Looking at payments, and at the money that goes back: refunds and disputes of one payment."""

from collections.abc import Sequence

from msgspec import Struct

from services.stripe_gateway.handlers.charges import keep_intent
from services.stripe_gateway.handlers.looks.look import LookState, NotKnownYet, SetAside, Written
from services.stripe_gateway.handlers.reversals import keep_reversals
from services.stripe_gateway.handlers.telling import tell_reversed
from services.stripe_gateway.handlers.workshop import Workshop
from services.stripe_gateway.rules.objects import Dispute, Intent, Refund
from services.stripe_gateway.rules.states import is_abandoned
from services.stripe_gateway.store import charges, customers, invoices, purchases
from services.stripe_gateway.stripe_api import payments as at_stripe
from services.stripe_gateway.stripe_api.invoices import find_invoice_of
from shared.contracts.base import Event
from shared.database import Db


class IntentLook:
    """Only the payments of our own charges matter: those of pages and invoices have their own."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop

    async def whose(self, workshop: Workshop, state: LookState) -> str | None:
        """See SubjectLook."""
        return (await at_stripe.fetch_intent(workshop.api, state.object_id)).customer

    async def fetch(self, workshop: Workshop, state: LookState, customer_id: str) -> Intent:  # noqa: ARG002
        """See SubjectLook. An attempt that failed is ended, so that it cannot succeed later."""
        intent = await at_stripe.fetch_intent(workshop.api, state.object_id)
        if "charge_id" in intent.metadata and is_abandoned(intent):
            return await at_stripe.end_intent(workshop.api, state.mark, intent)
        return intent

    async def write(self, view: Intent, db: Db) -> Written:
        """See SubjectLook."""
        charge_id = view.metadata.get("charge_id")
        if charge_id is None:
            return SetAside("ignored", "not a charge of ours")
        if view.metadata.get("environment") != self._workshop.api.environment:
            return SetAside("ignored", "other environment")
        row = await charges.lock_charge(db, view.metadata.get("organization_id", ""), charge_id)
        if row is None:
            raise NotKnownYet
        return await keep_intent(db, row, view)


class ReversalView(Struct, frozen=True):
    """A payment with all that was asked back of it, and the invoice of Stripe's that it paid."""

    intent: Intent
    refunds: list[Refund]
    disputes: list[Dispute]
    invoice_id: str | None


class ReversalLook:
    """Refunds and disputes are looked at together, for together they may not exceed the payment."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop

    async def whose(self, workshop: Workshop, state: LookState) -> str | None:
        """See SubjectLook."""
        intent_id = await self._intent_id(workshop, state)
        if intent_id is None:
            return None
        return (await at_stripe.fetch_intent(workshop.api, intent_id)).customer

    async def _intent_id(self, workshop: Workshop, state: LookState) -> str | None:
        if state.subject == "refund":
            return (await at_stripe.fetch_refund(workshop.api, state.object_id)).payment_intent
        return (await at_stripe.fetch_dispute(workshop.api, state.object_id)).payment_intent

    async def fetch(
        self,
        workshop: Workshop,
        state: LookState,
        customer_id: str,  # noqa: ARG002 -- its form
    ) -> ReversalView | None:
        """See SubjectLook."""
        intent_id = await self._intent_id(workshop, state)
        return None if intent_id is None else await look_at_reversals(workshop, intent_id)

    async def write(self, view: ReversalView | None, db: Db) -> Written:
        """See SubjectLook."""
        if view is None:
            return SetAside("ignored", "without a payment")
        if self._workshop.api.is_foreign(view.intent.metadata):
            return SetAside("ignored", "other environment")
        return await keep_view(db, view)


async def look_at_reversals(workshop: Workshop, intent_id: str) -> ReversalView:
    """Fetch a payment with all that was asked back of it."""
    intent = await at_stripe.fetch_intent(workshop.api, intent_id)
    is_charge = "charge_id" in intent.metadata
    return ReversalView(
        intent,
        await at_stripe.list_refunds(workshop.api, intent_id),
        await at_stripe.list_disputes(workshop.api, intent_id),
        None if is_charge else await find_invoice_of(workshop.api, intent_id),
    )


async def keep_view(db: Db, view: ReversalView) -> Sequence[Event]:
    """Write down what was seen. Raises NotKnownYet for a payment that we do not know, or that we
    have not seen paid.
    """
    intent, metadata = view.intent, view.intent.metadata
    events: list[Event] = []
    charge = await charges.lock_charge_of_payment(db, intent.id)
    if charge is None and "charge_id" in metadata:
        charge = await charges.lock_charge(
            db, metadata.get("organization_id", ""), metadata["charge_id"]
        )
    if charge is not None and charge.succeeded_at is None:
        events.extend(await keep_intent(db, charge, intent))
    purchase = await purchases.lock_purchase_of_payment(db, intent.id)
    if charge is None and (purchase is None or purchase.paid_at is None):
        owner = await _invoice_owner(db, view)
        if owner is None or "purchase_id" in metadata or "charge_id" in metadata:
            raise NotKnownYet
        # A payment of an invoice of Stripe's: only its money is ours to tell of.
        organization_id = owner
    else:
        organization_id = (charge or purchase).organization_id  # type: ignore[union-attr]
    events.extend(
        await keep_reversals(
            db, organization_id, intent, view.refunds, view.disputes, purchase, charge
        )
    )
    if view.invoice_id is not None:
        events.extend(await tell_reversed(db, organization_id, intent.id, view.invoice_id))
    return events


async def _invoice_owner(db: Db, view: ReversalView) -> str | None:
    """Whose the invoice is that was paid: told of once, it stays theirs when the customer at Stripe
    is replaced.
    """
    if view.invoice_id is not None:
        owner = await invoices.find_owner(db, view.invoice_id)
        if owner is not None:
            return owner
    who = await customers.find_linked_customer(db, view.intent.customer or "")
    return None if who is None else who.organization_id
