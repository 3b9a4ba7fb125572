"""Paying an open invoice of Stripe's, because its customer asks for it."""

from msgspec import Struct

from services.stripe_gateway.handlers.looks.invoices import (
    InvoiceView,
    keep_invoice,
    look_at_invoice,
)
from services.stripe_gateway.handlers.steps import Begun, StripeStep, Told
from services.stripe_gateway.rules.invoices import charge_for
from services.stripe_gateway.rules.objects import Intent
from services.stripe_gateway.rules.refusals import NO_INVOICE, NO_METHOD
from services.stripe_gateway.store import customers
from services.stripe_gateway.store.invoices import has_invoice
from services.stripe_gateway.stripe_api import Mark, StripeRefused
from services.stripe_gateway.stripe_api import invoices as at_stripe
from shared.contracts.base import Reply
from shared.contracts.stripe_gateway import PayStripeInvoice
from shared.database import Db


class PayState(Begun, frozen=True, kw_only=True):
    """Which invoice to pay; its mark is the attempt's, so that asking again makes no other."""

    charge_id: str
    stripe_invoice_id: str
    payment_method_id: str


class Paid(Struct, frozen=True):
    """How the invoice stands after the attempt, and its payment."""

    view: InvoiceView
    intent: Intent | None


class PayInvoice(StripeStep[PayStripeInvoice, PayState, Paid]):
    """Collect an invoice at Stripe, which charges for each of its invoices once."""

    kind = "pay_stripe_invoice"
    state = PayState
    request = PayStripeInvoice
    laned = True

    async def plan(self, request: PayStripeInvoice, begun: Begun, db: Db) -> PayState | Reply:
        """See StripeStep."""
        if not await has_invoice(db, request.organization_id, request.stripe_invoice_id):
            return NO_INVOICE
        methods = (await customers.list_methods(db, request.organization_id)).payment_methods
        # The customer's default goes before the card that a subscription was bought with.
        wanted = [
            method.payment_method_id
            for method in methods
            if request.payment_method_id == method.payment_method_id
            or (request.payment_method_id is None and method.is_default)
        ]
        if not wanted:
            return NO_METHOD
        return PayState(
            who=begun.who,
            mark=Mark(local_id=f"{request.organization_id}:{request.charge_id}", begun_at=db.now),
            charge_id=request.charge_id,
            stripe_invoice_id=request.stripe_invoice_id,
            payment_method_id=wanted[0],
        )

    async def do(self, state: PayState, customer_id: str) -> Paid:  # noqa: ARG002
        """See StripeStep."""
        api = self.workshop.api
        before = await at_stripe.fetch_invoice(api, state.stripe_invoice_id)
        if before.status in {"open", "uncollectible"}:
            try:
                await at_stripe.pay_invoice(
                    api,
                    state.mark,
                    state.stripe_invoice_id,
                    state.payment_method_id,
                    off_session=False,
                )
            except StripeRefused as refused:
                # Declined, or to be confirmed: the invoice's payment says which. An attempt that
                # was made with the card of then is not made again with today's.
                if not (refused.declined or refused.code == "idempotency_error"):
                    await self._check_paid(state, refused)
        view = await look_at_invoice(self.workshop, state.stripe_invoice_id)
        return Paid(view, await at_stripe.find_payment(api, state.stripe_invoice_id))

    async def _check_paid(self, state: PayState, refused: StripeRefused) -> None:
        """Somebody else may have paid it a moment ago; otherwise it is a "no"."""
        now = await at_stripe.fetch_invoice(self.workshop.api, state.stripe_invoice_id)
        if now.status != "paid":
            raise refused

    async def done(self, state: PayState, value: Paid, db: Db) -> Told:
        """See StripeStep."""
        events = await keep_invoice(db, state.who.organization_id, value.view)
        at = state.mark.begun_at
        return charge_for(state.charge_id, value.view.invoice, value.intent, at), events
