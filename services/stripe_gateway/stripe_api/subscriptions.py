"""Subscriptions and their invoices."""

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import msgspec

from services.stripe_gateway.rules.invoice_objects import Preview
from services.stripe_gateway.rules.objects import Subscription
from services.stripe_gateway.stripe_api.connection import Mark, StripeApi, StripeRefused, read
from services.stripe_gateway.stripe_api.invoices import pay_invoice

if TYPE_CHECKING:
    from stripe.params import SubscriptionUpdateParams


logger = logging.getLogger(__name__)

ENDED = frozenset({"canceled", "incomplete_expired"})
OVERDUE = frozenset({"past_due", "unpaid"})


async def fetch_subscription(api: StripeApi, subscription_id: str) -> Subscription:
    """A subscription as it stands."""
    found = await api.send(lambda: api.v1.subscriptions.retrieve_async(subscription_id))
    return read(Subscription, found)


async def list_subscriptions(api: StripeApi, customer_id: str) -> list[Subscription]:
    """All that a customer has or had."""
    found = await api.send(
        lambda: api.v1.subscriptions.list_async(
            {"customer": customer_id, "status": "all", "limit": 100}
        )
    )
    return [read(Subscription, each) for each in found.data]


async def upgrade(
    api: StripeApi,
    mark: Mark,
    subscription_id: str,
    item_id: str,
    price_id: str,
    proration_date: int | None,
) -> Subscription:
    """Another price now; it takes effect only if the difference is paid at once."""
    params: SubscriptionUpdateParams = {
        "items": [{"id": item_id, "price": price_id}],
        "proration_behavior": "always_invoice",
        "payment_behavior": "pending_if_incomplete",
    }
    if proration_date is not None:
        params["proration_date"] = proration_date

    async def find() -> Subscription | None:
        current = await fetch_subscription(api, subscription_id)
        prices = {item.price.id for item in current.items.data}
        return current if price_id in prices or current.pending_update else None

    return await api.once(mark, "upgrade", _updating(api, subscription_id, params), find)


async def change_price_without_proration(
    api: StripeApi,
    mark: Mark,
    operation: str,
    subscription_id: str,
    item_id: str,
    price_id: str,
    metadata: dict[str, str],
) -> Subscription:
    """Another price from the next invoice on; what is paid stays paid. Each `operation` of one
    intention is made once.
    """
    params: SubscriptionUpdateParams = {
        "items": [{"id": item_id, "price": price_id}],
        "proration_behavior": "none",
        "metadata": metadata,
    }
    return await api.once(mark, operation, _updating(api, subscription_id, params))


async def set_marks(
    api: StripeApi, mark: Mark, subscription_id: str, metadata: dict[str, str]
) -> Subscription:
    """Mark a subscription anew; nothing else of it changes."""
    params: SubscriptionUpdateParams = {"metadata": metadata}
    return await api.once(mark, "set_marks", _updating(api, subscription_id, params))


async def set_cancel_at_period_end(
    api: StripeApi, mark: Mark, subscription_id: str, *, cancel: bool
) -> Subscription:
    """Let it end with its period, or not."""
    params: SubscriptionUpdateParams = {"cancel_at_period_end": cancel}
    return await api.once(mark, "end_with_period", _updating(api, subscription_id, params))


async def clear_cancel_at(api: StripeApi, mark: Mark, subscription_id: str) -> Subscription:
    """Let it go on; flexible billing keeps the moment of its end in a field of its own."""
    params: SubscriptionUpdateParams = {"cancel_at": ""}
    return await api.once(mark, "clear_cancel_at", _updating(api, subscription_id, params))


async def pay_with(api: StripeApi, mark: Mark, customer_id: str, method_id: str) -> None:
    """Have what runs be paid with this method, and at once what is due.

    A subscription keeps the card that it was bought with, which goes before the customer's default.
    """
    for each in await list_subscriptions(api, customer_id):
        own = msgspec.structs.replace(mark, local_id=f"{mark.local_id}:{each.id}")
        if each.status not in ENDED and each.default_payment_method not in {None, method_id}:
            params: SubscriptionUpdateParams = {"default_payment_method": method_id}
            await api.once(own, "pay_with", _updating(api, each.id, params))
        if each.status in OVERDUE and each.latest_invoice is not None:
            try:
                await pay_invoice(api, own, each.latest_invoice, None, off_session=True)
            except StripeRefused as refused:
                # The card is saved all the same, and the invoice is tried again in its time.
                logger.info("still due", extra={"fields": {"code": refused.code}})


def _updating(
    api: StripeApi, subscription_id: str, params: "SubscriptionUpdateParams"
) -> Callable[[str], Awaitable[Subscription]]:
    async def make(key: str) -> Subscription:
        changed = await api.v1.subscriptions.update_async(
            subscription_id, params, {"idempotency_key": key}
        )
        return read(Subscription, changed)

    return make


async def cancel_now(api: StripeApi, mark: Mark, subscription_id: str) -> Subscription:
    """End it; nothing is refunded and nothing more is charged."""

    async def make(key: str) -> Subscription:
        canceled = await api.v1.subscriptions.cancel_async(
            subscription_id, {"invoice_now": False, "prorate": False}, {"idempotency_key": key}
        )
        return read(Subscription, canceled)

    return await api.once(mark, "cancel_now", make)


async def preview(
    api: StripeApi, subscription_id: str, item_id: str, price_id: str, proration_date: int
) -> Preview:
    """What another price would cost at a moment."""
    found = await api.send(
        lambda: api.v1.invoices.create_preview_async(
            {
                "subscription": subscription_id,
                "subscription_details": {
                    "items": [{"id": item_id, "price": price_id}],
                    "proration_behavior": "always_invoice",
                    "proration_date": proration_date,
                },
            }
        )
    )
    return read(Preview, found)
