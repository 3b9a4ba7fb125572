"""A subscription of Stripe's in our words."""

from datetime import UTC, datetime

from msgspec import Struct

from services.stripe_gateway.rules.invoice_objects import Preview
from services.stripe_gateway.rules.lowering import lowering_of, main_item
from services.stripe_gateway.rules.objects import Subscription
from services.stripe_gateway.rules.purchases import LEAST_CENTS
from services.stripe_gateway.rules.states import subscription_status
from shared.contracts.stripe_gateway import StripeSubscription


def described(
    subscription: Subscription, before: StripeSubscription | None
) -> StripeSubscription | None:
    """All that we tell of it; None for an unknown status where there is none from before."""
    status = subscription_status(subscription.status, before.status if before else None)
    if status is None:
        return None
    item = main_item(subscription)
    tier = item.price.metadata.get("tier") if item else None
    if tier is None:
        # Not a price of ours: the tier that was bought, until a change of plan has named another.
        tier = before.tier if before else subscription.metadata.get("tier")
    end = item.current_period_end if item else None
    price_cents = item.price.unit_amount if item else None
    lowering = lowering_of(subscription)
    if lowering is not None:
        # What the customer has, and what an upgrade is reckoned from, is what is paid.
        tier, price_cents = lowering.paid_tier, lowering.paid_cents
    ends_with_period = subscription.cancel_at_period_end or (
        subscription.cancel_at is not None and end is not None and subscription.cancel_at <= end
    )
    return StripeSubscription(
        stripe_subscription_id=subscription.id,
        tier=tier,
        price_cents=price_cents,
        status=status,
        status_at_stripe=subscription.status,
        current_period_start=_at(item.current_period_start if item else None),
        current_period_end=_at(end),
        cancel_at_period_end=ends_with_period,
        canceled_at=_at(subscription.canceled_at),
        trial_start=_at(subscription.trial_start),
        trial_end=_at(subscription.trial_end),
        pending_tier=lowering.next_tier if lowering else None,
        pending_change_at=_at(lowering.until if lowering else None),
    )


class Quote(Struct, frozen=True):
    """What a change of plan costs at once, and what of it settles the rest of the period, of which
    `rest_cents` is what the new plan costs for it. Cents.
    """

    due_now_cents: int
    proration_cents: int
    rest_cents: int = 0


def quote(subscription: Subscription, shown: Preview, put_back: Preview | None) -> Quote:
    """What an upgrade costs, by a preview of it; and for a plan that is lowered, by one of putting
    the paid price back, which is done before the upgrade and costs nothing: what both have in
    common, the cheaper plan's unused time, is not charged. In a trial nothing is.

    Too little to be charged waits as the customer's debt, and comes with the next invoice.
    """
    if subscription.status == "trialing":
        # A preview shows the next invoice then, which is the one after the trial.
        return Quote(due_now_cents=0, proration_cents=0)
    restoring = put_back.proration if put_back else 0
    due = shown.amount_due - restoring
    return Quote(
        due_now_cents=due if due >= LEAST_CENTS else 0,
        proration_cents=shown.proration - restoring,
        rest_cents=shown.rest,
    )


def _at(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
