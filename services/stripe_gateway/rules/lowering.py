"""A cheaper plan that follows when what is paid ends, as its subscription's marks tell of it.

The cheaper price is the subscription's own meanwhile, so that the next invoice is of it whatever
becomes of us; the marks say what is paid until then. While an upgrade is tried the paid price is
put back, for the difference is to that, and the marks keep which plan is to follow all the same.
"""

from msgspec import Struct
from msgspec.structs import replace

from services.stripe_gateway.rules.objects import Metadata, Price, Subscription, SubscriptionItem

PAID_TIER, PAID_PRICE, PAID_CENTS, PAID_UNTIL = (
    "paid_tier",
    "paid_price",
    "paid_cents",
    "paid_until",
)
NEXT_TIER, NEXT_PRICE = "next_tier", "next_price"
UNMARKED = dict.fromkeys((PAID_TIER, PAID_PRICE, PAID_CENTS, PAID_UNTIL, NEXT_TIER, NEXT_PRICE), "")


class Lowering(Struct, frozen=True):
    """What is paid until a moment (Unix seconds), and what follows. Prices by Stripe's ids."""

    paid_tier: str | None
    paid_price: str
    paid_cents: int | None
    until: int
    next_tier: str | None
    next_price: str
    # Whether the subscription has the paid price just now, because an upgrade is tried.
    restored: bool = False

    @property
    def marks(self) -> Metadata:
        """How a subscription is marked that has the cheaper price; none if it is what is paid."""
        if self.next_price == self.paid_price:
            return UNMARKED
        cents = "" if self.paid_cents is None else str(self.paid_cents)
        return {
            **UNMARKED,
            PAID_TIER: self.paid_tier or "",
            PAID_PRICE: self.paid_price,
            PAID_CENTS: cents,
            PAID_UNTIL: str(self.until),
        }

    @property
    def restored_marks(self) -> Metadata:
        """How it is marked while it has the paid price again."""
        return {**self.marks, NEXT_TIER: self.next_tier or "", NEXT_PRICE: self.next_price}


def main_item(subscription: Subscription) -> SubscriptionItem | None:
    """The item that is a plan of ours, wherever it stands in the list."""
    items = subscription.items.data
    plans = [item for item in items if "tier" in item.price.metadata]
    return plans[0] if plans else items[0] if items else None


def lowering_of(subscription: Subscription) -> Lowering | None:
    """The cheaper plan that is announced, if one is. Marks that no longer fit the price, after an
    upgrade or a change at Stripe's own pages, announce nothing.
    """
    item, marks = main_item(subscription), subscription.metadata
    until = _number(marks.get(PAID_UNTIL))
    if item is None or until is None or (item.current_period_end or until + 1) > until:
        return None
    following = marks.get(NEXT_PRICE)
    found = Lowering(
        paid_tier=marks.get(PAID_TIER) or None,
        paid_price=marks.get(PAID_PRICE) or item.price.id,
        paid_cents=_number(marks.get(PAID_CENTS)),
        until=until,
        next_tier=(marks.get(NEXT_TIER) if following else item.price.metadata.get("tier")) or None,
        next_price=following or item.price.id,
        restored=bool(following),
    )
    return found if _fits(found, item) else None


def lowering_to(subscription: Subscription, item: SubscriptionItem, price: Price) -> Lowering:
    """What to announce so that a price follows what is paid, whatever was to follow so far."""
    paid = lowering_of(subscription) or Lowering(
        paid_tier=item.price.metadata.get("tier"),
        paid_price=item.price.id,
        paid_cents=item.price.unit_amount,
        until=item.current_period_end or 0,
        next_tier=None,
        next_price=item.price.id,
    )
    return replace(paid, next_tier=price.metadata.get("tier"), next_price=price.id, restored=False)


def _fits(lowering: Lowering, item: SubscriptionItem) -> bool:
    if lowering.restored:
        return item.price.id == lowering.paid_price
    cents, paid = item.price.unit_amount, lowering.paid_cents
    cheaper = cents is None or paid is None or cents <= paid
    return cheaper and item.price.id != lowering.paid_price


def _number(mark: str | None) -> int | None:
    return int(mark) if mark and mark.isdigit() else None
