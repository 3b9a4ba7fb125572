"""Looking at Stripe's own invoices: what pays for subscriptions, and the receipts of purchases."""

from collections.abc import Sequence

from msgspec import Struct

from services.stripe_gateway.handlers.looks.look import LookState, NotKnownYet, SetAside, Written
from services.stripe_gateway.handlers.looks.subscriptions import keep_subscription, owner_of
from services.stripe_gateway.handlers.telling import tell_invoice
from services.stripe_gateway.handlers.workshop import Workshop
from services.stripe_gateway.rules.invoice_objects import Invoice
from services.stripe_gateway.rules.invoices import told_invoice
from services.stripe_gateway.rules.objects import Subscription
from services.stripe_gateway.store import customers, invoices
from services.stripe_gateway.store.money import has_moved, move_money
from services.stripe_gateway.stripe_api.invoices import fetch_invoice
from services.stripe_gateway.stripe_api.subscriptions import fetch_subscription
from shared.contracts.base import Event
from shared.database import Db


class InvoiceView(Struct, frozen=True):
    """An invoice, with the subscription that it is for."""

    invoice: Invoice
    subscription: Subscription | None


class InvoiceLook:
    """Every finalized invoice is told of, and its money, but for the receipt of a purchase: that is
    told of by the purchase.
    """

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop

    async def whose(self, workshop: Workshop, state: LookState) -> str | None:
        """See SubjectLook."""
        return (await fetch_invoice(workshop.api, state.object_id)).customer

    async def fetch(self, workshop: Workshop, state: LookState, customer_id: str) -> InvoiceView:  # noqa: ARG002
        """See SubjectLook."""
        return await look_at_invoice(workshop, state.object_id)

    async def write(self, view: InvoiceView, db: Db) -> Written:
        """See SubjectLook."""
        subscription, api = view.subscription, self._workshop.api
        marks = subscription.metadata if subscription else None
        if api.is_foreign(view.invoice.metadata) or api.is_foreign(marks):
            return SetAside("ignored", "other environment")
        if subscription is not None:
            organization_id = await owner_of(subscription, db)
            if organization_id is None:
                raise NotKnownYet
            return await keep_invoice(db, organization_id, view)
        who = await customers.find_linked_customer(db, view.invoice.customer or "")
        owner = who.organization_id if who else await invoices.find_owner(db, view.invoice.id)
        if owner is None:
            return SetAside("ignored", "not a customer of ours")
        return await keep_invoice(db, owner, view)


async def look_at_invoice(workshop: Workshop, invoice_id: str) -> InvoiceView:
    """Fetch an invoice with its subscription. To be called in the customer's lane."""
    invoice = await fetch_invoice(workshop.api, invoice_id)
    if invoice.subscription is None:
        return InvoiceView(invoice, None)
    return InvoiceView(invoice, await fetch_subscription(workshop.api, invoice.subscription))


async def keep_invoice(db: Db, organization_id: str, view: InvoiceView) -> Sequence[Event]:
    """Write down how an invoice stands; what there is to tell."""
    events: list[Event] = []
    told = told_invoice(view.invoice)
    if told is not None:
        events.extend(await tell_invoice(db, organization_id, told))
    if view.subscription is not None:
        events.extend(await _paid_period(db, organization_id, view.invoice, view.subscription))
    elif "purchase_id" not in (view.invoice.metadata or {}):
        # One that an operator wrote at Stripe's own pages.
        events.extend(await _paid(db, organization_id, view.invoice))
    return events


async def _paid_period(
    db: Db, organization_id: str, invoice: Invoice, subscription: Subscription
) -> Sequence[Event]:
    """The money that pays for a subscription, once, and that its renewal is paid."""
    if invoice.status != "paid":
        return await keep_subscription(db, organization_id, subscription)
    first_time = not await has_moved(db, organization_id, _movement(invoice))
    moved = await _paid(db, organization_id, invoice)
    renewed = first_time and invoice.billing_reason == "subscription_cycle"
    kept = await keep_subscription(db, organization_id, subscription, renewed=renewed)
    return [*moved, *kept]


async def _paid(db: Db, organization_id: str, invoice: Invoice) -> Sequence[Event]:
    """The money of a paid invoice, once."""
    if invoice.status != "paid":
        return ()
    return await move_money(
        db,
        organization_id,
        _movement(invoice),
        invoice.amount_paid,
        "subscription",
        invoice.id,
        db.now,
    )


def _movement(invoice: Invoice) -> str:
    return f"invoice:{invoice.id}"
