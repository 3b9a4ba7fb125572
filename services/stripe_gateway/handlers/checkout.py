"""Hosted pages: checkouts, how they stand, and the portal."""

from datetime import timedelta

from services.stripe_gateway.handlers.steps import Begun, StripeStep, Told
from services.stripe_gateway.rules.objects import Session
from services.stripe_gateway.rules.purchases import refuse_checkout
from services.stripe_gateway.rules.redirects import may_lead_to
from services.stripe_gateway.rules.refusals import BAD_REDIRECT, NO_CHECKOUT
from services.stripe_gateway.store import purchases
from services.stripe_gateway.stripe_api import checkout as at_stripe
from services.stripe_gateway.stripe_api.checkout import Order
from shared.contracts.base import Refusal, Reply
from shared.contracts.stripe_gateway import (
    Checkout,
    CheckoutState,
    CreateCheckout,
    CreatePortal,
    GetCheckout,
    Portal,
)
from shared.database import Db

# Stripe lets a page live for 24 hours; the rest is left for trying again.
PAGE_LIVES_FOR = timedelta(hours=23)
# A page with less time left is not given to a second tab.
LEAST_LEFT = timedelta(minutes=30)


async def get_checkout(request: GetCheckout, db: Db) -> CheckoutState | Refusal:
    """How a checkout stands, from our own rows."""
    row = await purchases.find_purchase_of_session(db, request.organization_id, request.session_id)
    return NO_CHECKOUT if row is None else purchases.state_of(row)


class CheckoutOrder(Begun, frozen=True, kw_only=True):
    """The page to open."""

    order: Order


class OpenCheckout(StripeStep[CreateCheckout, CheckoutOrder, Session]):
    """Open a hosted page; a second tab gets the one that is open."""

    kind = "create_checkout"
    state = CheckoutOrder
    request = CreateCheckout

    async def plan(self, request: CreateCheckout, begun: Begun, db: Db) -> CheckoutOrder | Reply:
        """See StripeStep."""
        origins = self.workshop.settings.origins
        if not all(may_lead_to(url, origins) for url in (request.success_url, request.cancel_url)):
            return BAD_REDIRECT
        refusal = refuse_checkout(request.kind, request.amount_cents, request.tier)
        if refusal is not None:
            return refusal
        same = await purchases.find_open_purchase(db, request, db.now + LEAST_LEFT)
        if same is not None:
            return Checkout(session_id=same.session_id, checkout_url=same.checkout_url)
        purchase_id, expires_at = begun.mark.local_id, db.now + PAGE_LIVES_FOR
        await purchases.add_purchase(db, purchase_id, request, expires_at)
        order = Order(
            purchase_id=purchase_id,
            organization_id=request.organization_id,
            kind=request.kind,
            tier=request.tier,
            amount_cents=request.amount_cents,
            description=request.description,
            success_url=request.success_url,
            cancel_url=request.cancel_url,
            expires_at=expires_at,
            trial_days=request.trial_days,
        )
        return CheckoutOrder(who=begun.who, mark=begun.mark, order=order)

    async def do(self, state: CheckoutOrder, customer_id: str) -> Session:
        """See StripeStep."""
        return await at_stripe.create_session(
            self.workshop.api, state.mark, customer_id, state.order
        )

    async def done(self, state: CheckoutOrder, value: Session, db: Db) -> Told:
        """See StripeStep."""
        row = await purchases.set_purchase(
            db, state.order.purchase_id, session_id=value.id, checkout_url=value.url
        )
        # A webhook may have been faster than we are, so the page may be over already.
        return Checkout(session_id=value.id, checkout_url=value.url or "", status=row.status), ()


class PortalState(Begun, frozen=True, kw_only=True):
    """Where the portal leads back to."""

    return_url: str


class OpenPortal(StripeStep[CreatePortal, PortalState, str]):
    """Open the customer's own page at Stripe."""

    kind = "create_portal"
    state = PortalState
    request = CreatePortal

    async def plan(self, request: CreatePortal, begun: Begun, db: Db) -> PortalState | Reply:  # noqa: ARG002
        """See StripeStep."""
        if not may_lead_to(request.return_url, self.workshop.settings.origins):
            return BAD_REDIRECT
        return PortalState(who=begun.who, mark=begun.mark, return_url=request.return_url)

    async def do(self, state: PortalState, customer_id: str) -> str:
        """See StripeStep."""
        return await at_stripe.create_portal(
            self.workshop.api, state.mark, customer_id, state.return_url
        )

    async def done(self, state: PortalState, value: str, db: Db) -> Told:  # noqa: ARG002
        """See StripeStep."""
        return Portal(portal_url=value), ()
