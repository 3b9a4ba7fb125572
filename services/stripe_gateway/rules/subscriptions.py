"""A subscription of Stripe's in our words."""

from datetime import UTC, datetime

from services.stripe_gateway.rules.invoice_objects import Preview
from services.stripe_gateway.rules.objects import Subscription, SubscriptionItem
from services.stripe_gateway.rules.purchases import LEAST_CENTS
from services.stripe_gateway.rules.states import subscription_status
from shared.contracts.stripe_gateway import StripeSubscription, SubscriptionStatus

# Marks on a subscription whose price was lowered while a dearer period was paid.
PAID_TIER, PAID_PRICE, PAID_UNTIL = "paid_tier", "paid_price", "paid_until"
UNMARKED = {PAID_TIER: "", PAID_PRICE: "", PAID_UNTIL: ""}


def main_item(subscription: Subscription) -> SubscriptionItem | None:
    """The item that is a plan of ours, wherever it stands in the list."""
    items = subscription.items.data
    plans = [item for item in items if "tier" in item.price.metadata]
    return plans[0] if plans else items[0] if items else None


def lowered_until(subscription: Subscription) -> int | None:
    """While a dearer period is still paid for: until when (Unix seconds)."""
    item = main_item(subscription)
    until = subscription.metadata.get(PAID_UNTIL, "")
    if item is None or not until.isdigit() or item.current_period_end is None:
        return None
    return int(until) if item.current_period_end <= int(until) else None


def described(
    subscription: Subscription, before: SubscriptionStatus | None
) -> StripeSubscription | None:
    """All that we tell of it; None for an unknown status where there is none from before."""
    status = subscription_status(subscription.status, before)
    if status is None:
        return None
    item = main_item(subscription)
    tier = item.price.metadata.get("tier") if item else None
    tier = tier or subscription.metadata.get("tier")
    end = item.current_period_end if item else None
    pending, until = None, lowered_until(subscription)
    if until is not None:
        tier, pending = subscription.metadata.get(PAID_TIER), tier
    ends_with_period = subscription.cancel_at_period_end or (
        subscription.cancel_at is not None and end is not None and subscription.cancel_at <= end
    )
    return StripeSubscription(
        stripe_subscription_id=subscription.id,
        tier=tier,
        price_cents=item.price.unit_amount if item else None,
        status=status,
        status_at_stripe=subscription.status,
        current_period_start=_at(item.current_period_start if item else None),
        current_period_end=_at(end),
        cancel_at_period_end=ends_with_period,
        canceled_at=_at(subscription.canceled_at),
        trial_start=_at(subscription.trial_start),
        trial_end=_at(subscription.trial_end),
        pending_tier=pending,
        pending_change_at=_at(until),
    )


def due_now(preview: Preview) -> int:
    """What of an invoice to be is charged at once: too little to be charged waits as the
    customer's debt, and comes with the next invoice.
    """
    return preview.amount_due if preview.amount_due >= LEAST_CENTS else 0


def _at(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
