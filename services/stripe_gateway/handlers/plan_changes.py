"""Changes of plan at Stripe: several calls each, that end the same whatever comes in between."""

from services.stripe_gateway.rules.lowering import (
    NEXT_PRICE,
    UNMARKED,
    Lowering,
    lowering_of,
    lowering_to,
    main_item,
)
from services.stripe_gateway.rules.objects import Price, Subscription, SubscriptionItem
from services.stripe_gateway.rules.refusals import NO_SUBSCRIPTION, UPGRADE_UNPAID
from services.stripe_gateway.rules.subscriptions import Quote, quote
from services.stripe_gateway.stripe_api import Mark, StripeApi, StripeRefused
from services.stripe_gateway.stripe_api import subscriptions as at_stripe
from services.stripe_gateway.stripe_api.invoices import void_invoice
from services.stripe_gateway.stripe_api.prices import ensure_price
from shared.contracts.base import Refusal


async def preview_upgrade(
    api: StripeApi, mark: Mark, subscription_id: str, tier: str, price_cents: int, at: int
) -> Quote | Refusal:
    """What `upgrade` would charge as of a moment (Unix seconds); nothing changes."""
    current = await at_stripe.fetch_subscription(api, subscription_id)
    item = main_item(current)
    if item is None:
        return NO_SUBSCRIPTION
    price = await ensure_price(api, mark, tier, price_cents)
    shown = await at_stripe.preview(api, current.id, item.id, price.id, at)
    lowering, put_back = lowering_of(current), None
    if lowering is not None and not lowering.restored:
        put_back = await at_stripe.preview(api, current.id, item.id, lowering.paid_price, at)
    return quote(current, shown, put_back)


async def upgrade(
    api: StripeApi,
    mark: Mark,
    current: Subscription,
    item: SubscriptionItem,
    price: Price,
    proration_date: int | None,
) -> Refusal | None:
    """Another plan now, if it is paid; otherwise all stays, also a cheaper plan that was to follow.

    Raises StripeRefused when Stripe does not even try.
    """
    lowering = lowering_of(current)
    if lowering is not None and not lowering.restored:
        # The difference is to what is paid, not to the cheaper plan that is to follow.
        await at_stripe.change_price_without_proration(
            api,
            mark,
            "put_back",
            current.id,
            item.id,
            lowering.paid_price,
            lowering.restored_marks,
        )
    try:
        changed = await at_stripe.upgrade(api, mark, current.id, item.id, price.id, proration_date)
    except StripeRefused as refused:
        if not refused.declined:
            await _lower_again(api, mark, current, item, lowering)
            raise
        changed = await at_stripe.fetch_subscription(api, current.id)
    now = main_item(changed)
    if changed.pending_update is None and now is not None and now.price.id == price.id:
        if NEXT_PRICE not in changed.metadata:
            return None
        # They fit no more, and a later change at Stripe's own pages must not make them.
        await at_stripe.set_marks(api, mark, current.id, UNMARKED)
        return None
    if changed.pending_update is not None and changed.latest_invoice is not None:
        # Otherwise it could be paid later, and the upgrade would come as a surprise.
        await void_invoice(api, mark, changed.latest_invoice)
    await _lower_again(api, mark, current, item, lowering)
    return UPGRADE_UNPAID


async def _lower_again(
    api: StripeApi,
    mark: Mark,
    current: Subscription,
    item: SubscriptionItem,
    lowering: Lowering | None,
) -> None:
    if lowering is not None:
        await at_stripe.change_price_without_proration(
            api, mark, "lower_again", current.id, item.id, lowering.next_price, lowering.marks
        )


async def lower(
    api: StripeApi, mark: Mark, current: Subscription, item: SubscriptionItem, price: Price
) -> None:
    """Another plan when what is paid ends. The plan that is paid anyway takes that back."""
    marks = lowering_to(current, item, price).marks
    await at_stripe.change_price_without_proration(
        api, mark, "change_price", current.id, item.id, price.id, marks
    )


async def resume(
    api: StripeApi,
    mark: Mark,
    current: Subscription,
    item: SubscriptionItem,
    *,
    keeps_downgrade: bool = False,
) -> None:
    """Let it go on as it is paid: its end does not follow, nor a cheaper plan, if that goes too."""
    if current.cancel_at is not None and not current.cancel_at_period_end:
        current = await at_stripe.clear_cancel_at(api, mark, current.id)
    elif current.cancel_at_period_end:
        current = await at_stripe.set_cancel_at_period_end(api, mark, current.id, cancel=False)
    lowering = None if keeps_downgrade else lowering_of(current)
    if lowering is not None:
        await at_stripe.change_price_without_proration(
            api, mark, "change_price", current.id, item.id, lowering.paid_price, UNMARKED
        )
