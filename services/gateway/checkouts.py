"""Hosted pages of Stripe's: buying credits, a lifetime or a plan, and the customer's portal."""

from typing import Annotated

from litestar import Request, get, post
from litestar.datastructures import State
from litestar.params import JSONBody, PathParameter

from services.gateway.account_responses import (
    CheckoutResponse,
    CheckoutStateResponse,
    PortalResponse,
)
from services.gateway.account_translations import checkout_state
from services.gateway.amounts import cents_of, dollar_text, number_text
from services.gateway.asks import STRIPE_SECONDS, Caller
from services.gateway.errors import ASKING_STATUSES, WRITING_STATUSES, declared
from services.gateway.parameters import Given, IdempotencyKey, OrganizationId, RequestBody
from services.gateway.payment_methods import STRIPE_ID_PATTERN
from services.gateway.permissions import Principal
from services.gateway.rate_limits import HourlyLimit
from services.gateway.redirects import SESSION_PLACEHOLDER, page_of
from services.gateway.settings import GatewaySettings
from shared.contracts.stripe_gateway import (
    CreateCheckout,
    CreatePortal,
    GetCheckout,
    PurchaseKind,
)
from shared.contracts.subscription import OfferTier, TierName

# Stripe charges no less, and we sell no more at once.
LEAST_PURCHASE_CENTS = 50
MOST_PURCHASE_CENTS = 100_000

SUCCESS_PATH = f"/billing/success?session_id={SESSION_PLACEHOLDER}"
CANCEL_PATH = "/billing/cancel"
BILLING_PATH = "/settings/billing"


class ReturnPagesBody(RequestBody, frozen=True, kw_only=True):
    """Where the browser goes afterwards: pages of this site, or its usual ones."""

    success_url: str | None = None
    cancel_url: str | None = None


class CreditPurchaseBody(ReturnPagesBody, frozen=True, kw_only=True):
    """How many dollars of credits: from 0.50 to 1000, with at most two decimals."""

    amount_usd: float


class LifetimePurchaseBody(ReturnPagesBody, frozen=True, kw_only=True):
    """The lifetime plan."""


class SubscriptionPurchaseBody(ReturnPagesBody, frozen=True, kw_only=True):
    """The plan to subscribe to."""

    tier: TierName


class Counter:
    """Opens hosted pages for one caller, within the limit of the organization."""

    def __init__(self, caller: Caller, settings: GatewaySettings, limit: HourlyLimit) -> None:
        self._caller = caller
        self._origins = settings.frontend_origins
        self._limit = limit

    async def open(
        self,
        organization_id: str,
        kind: PurchaseKind,
        amount_cents: int,
        description: str,
        pages: ReturnPagesBody,
        idempotency_key: str | None,
        tier: TierName | None = None,
        trial_days: int = 0,
    ) -> CheckoutResponse:
        """A page that sells one thing; raises a 422 for a return page that is not ours."""
        request = CreateCheckout(
            organization_id=organization_id,
            kind=kind,
            amount_cents=amount_cents,
            tier=tier,
            trial_days=trial_days,
            description=description,
            success_url=page_of(pages.success_url, SUCCESS_PATH, self._origins, "success_url"),
            cancel_url=page_of(pages.cancel_url, CANCEL_PATH, self._origins, "cancel_url"),
            requested_by=self._caller.principal.name,
        )
        self._limit.take(organization_id)
        made = await self._caller.ask(
            request, idempotency_key=idempotency_key, timeout_seconds=STRIPE_SECONDS
        )
        return CheckoutResponse(checkout_url=made.checkout_url, session_id=made.session_id)

    async def open_tier(
        self,
        organization_id: str,
        tier: TierName,
        pages: ReturnPagesBody,
        idempotency_key: str | None,
    ) -> CheckoutResponse:
        """A page that sells a plan at its price for this organization."""
        offer = await self._caller.ask(OfferTier(organization_id=organization_id, tier=tier))
        days = offer.trial_days
        return await self.open(
            organization_id,
            "lifetime" if offer.interval == "once" else "subscription",
            offer.price_cents,
            f"{offer.name} plan, {days} days free" if days else f"{offer.name} plan",
            pages,
            idempotency_key,
            tier,
            days,
        )


@post(
    "/account/{organization_id:str}/credits/checkout",
    operation_id="buy_credits",
    opt={"permission": "manage"},
    status_code=200,
    responses=declared(402, *WRITING_STATUSES),
    tags=["checkout"],
)
async def buy_credits(
    request: Request[Principal, None, State],
    organization_id: OrganizationId,
    data: JSONBody[CreditPurchaseBody],
    counter: Given[Counter],
    idempotency_key: IdempotencyKey = None,
) -> CheckoutResponse:
    """Open a page that sells credits; they are granted when it is paid."""
    cents = cents_of(
        number_text(await request.body(), "amount_usd"),
        "amount_usd",
        least_cents=LEAST_PURCHASE_CENTS,
        most_cents=MOST_PURCHASE_CENTS,
    )
    description = f"{dollar_text(cents)} of credits"
    return await counter.open(organization_id, "credits", cents, description, data, idempotency_key)


@post(
    "/account/{organization_id:str}/lifetime/checkout",
    operation_id="buy_lifetime",
    opt={"permission": "manage"},
    status_code=200,
    responses=declared(402, *WRITING_STATUSES),
    tags=["checkout"],
)
async def buy_lifetime(
    organization_id: OrganizationId,
    counter: Given[Counter],
    data: JSONBody[LifetimePurchaseBody | None] = None,
    idempotency_key: IdempotencyKey = None,
) -> CheckoutResponse:
    """Open a page that sells the lifetime plan, to who does not have it."""
    pages = data or LifetimePurchaseBody()
    return await counter.open_tier(organization_id, "lifetime", pages, idempotency_key)


@post(
    "/account/{organization_id:str}/subscription/checkout",
    operation_id="buy_subscription",
    opt={"permission": "manage"},
    status_code=200,
    responses=declared(402, *WRITING_STATUSES),
    tags=["checkout"],
)
async def buy_subscription(
    organization_id: OrganizationId,
    data: JSONBody[SubscriptionPurchaseBody],
    counter: Given[Counter],
    idempotency_key: IdempotencyKey = None,
) -> CheckoutResponse:
    """Open a page that sells a plan, to who has no paid one; a running one is changed instead."""
    return await counter.open_tier(organization_id, data.tier, data, idempotency_key)


@get(
    "/account/{organization_id:str}/checkout/{session_id:str}",
    operation_id="get_checkout",
    opt={"permission": "read"},
    responses=declared(*ASKING_STATUSES),
    tags=["checkout"],
)
async def get_checkout(
    organization_id: OrganizationId,
    session_id: Annotated[
        str, PathParameter(description="The session.", pattern=STRIPE_ID_PATTERN)
    ],
    caller: Given[Caller],
) -> CheckoutStateResponse:
    """Tell how a checkout stands: what a page of success asks, instead of trusting its address."""
    return checkout_state(
        await caller.ask(GetCheckout(organization_id=organization_id, session_id=session_id))
    )


@post(
    "/account/{organization_id:str}/portal",
    operation_id="open_portal",
    opt={"permission": "manage"},
    status_code=200,
    responses=declared(*WRITING_STATUSES),
    tags=["checkout"],
)
async def open_portal(
    organization_id: OrganizationId,
    caller: Given[Caller],
    settings: Given[GatewaySettings],
    idempotency_key: IdempotencyKey = None,
) -> PortalResponse:
    """Open Stripe's own page for cards and invoices; it leads back to the billing page."""
    made = await caller.ask(
        CreatePortal(
            organization_id=organization_id,
            return_url=f"{settings.frontend_origins[0]}{BILLING_PATH}",
            requested_by=caller.principal.name,
        ),
        idempotency_key=idempotency_key,
        timeout_seconds=STRIPE_SECONDS,
    )
    return PortalResponse(portal_url=made.portal_url)
