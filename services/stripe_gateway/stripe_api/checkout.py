"""Hosted pages: checkout and portal."""

from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from services.stripe_gateway.rules.objects import Session
from services.stripe_gateway.stripe_api.connection import Mark, StripeApi, read
from services.stripe_gateway.stripe_api.prices import ensure_price

if TYPE_CHECKING:
    from stripe.params.checkout import SessionCreateParams


class Order(Struct, frozen=True, kw_only=True):
    """What a hosted page is to sell or set up. `amount_cents` is a month's for a subscription."""

    purchase_id: str
    organization_id: str
    kind: str
    tier: str | None
    amount_cents: int
    description: str
    success_url: str
    cancel_url: str
    expires_at: datetime
    trial_days: int = 0


async def create_session(api: StripeApi, mark: Mark, customer_id: str, order: Order) -> Session:
    """The page of a purchase, made once."""
    params = await _params(api, mark, customer_id, order)

    async def make(key: str) -> Session:
        made = await api.v1.checkout.sessions.create_async(params, {"idempotency_key": key})
        return read(Session, made)

    async def find() -> Session | None:
        found = await api.send(
            lambda: api.v1.checkout.sessions.list_async({"customer": customer_id, "limit": 100})
        )
        for each in found.data:
            session = read(Session, each)
            if (session.metadata or {}).get("purchase_id") == order.purchase_id:
                return session
        return None

    return await api.once(mark, "checkout", make, find)


async def _params(
    api: StripeApi, mark: Mark, customer_id: str, order: Order
) -> "SessionCreateParams":
    # Nothing is handed down by itself, so everything that a session makes is marked, too.
    metadata = api.metadata(
        order.organization_id, purchase_id=order.purchase_id, kind=order.kind, tier=order.tier
    )
    common: SessionCreateParams = {
        "customer": customer_id,
        "client_reference_id": order.organization_id,
        "metadata": metadata,
        "success_url": order.success_url,
        "cancel_url": order.cancel_url,
    }
    if order.kind == "setup":
        intent = {"metadata": metadata}
        return {**common, "mode": "setup", "currency": "usd", "setup_intent_data": intent}  # type: ignore[typeddict-item]
    common["expires_at"] = int(order.expires_at.timestamp())
    if order.kind == "subscription":
        price = await ensure_price(api, mark, order.tier or "", order.amount_cents)
        data = {"metadata": metadata, "description": order.description}
        trial = {"trial_period_days": order.trial_days} if order.trial_days else {}
        return {
            **common,
            "mode": "subscription",
            "line_items": [{"price": price.id, "quantity": 1}],
            "subscription_data": {**data, **trial},  # type: ignore[typeddict-item]
        }
    item = {"currency": "usd", "unit_amount": order.amount_cents}
    return {
        **common,
        "mode": "payment",
        "line_items": [
            {
                "quantity": 1,
                "price_data": {**item, "product_data": {"name": order.description}},  # type: ignore[typeddict-item]
            }
        ],
        "payment_intent_data": {"metadata": metadata, "description": order.description},
        "invoice_creation": {"enabled": True, "invoice_data": {"metadata": metadata}},
    }


async def fetch_session(api: StripeApi, session_id: str) -> Session:
    """A session as it stands."""
    found = await api.send(lambda: api.v1.checkout.sessions.retrieve_async(session_id))
    return read(Session, found)


async def create_portal(api: StripeApi, mark: Mark, customer_id: str, return_url: str) -> str:
    """The address of a customer's own page at Stripe."""

    async def make(key: str) -> str:
        made = await api.v1.billing_portal.sessions.create_async(
            {"customer": customer_id, "return_url": return_url}, {"idempotency_key": key}
        )
        return str(made.url)

    return await api.once(mark, "portal", make)
