"""A subscription at Stripe as a model: what it is told, when it renews, which facts it tells."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from shared.contracts.base import Refusal
from shared.contracts.stripe_gateway import (
    ChangeStripeSubscription,
    StripeSubscription,
    SubscriptionChanged,
    SubscriptionStatus,
)

DECLINED = Refusal(code="payment_failed", detail="Nothing was changed.", status=402)
PRICES = {"starter": 2_900, "pro": 7_900, "team": 19_900, "byo": 1_900}


def month_after(anchor: datetime, months: int) -> datetime:
    """Days counted down until the date exists: nothing in common with our own rule."""
    month = anchor.month - 1 + months
    for day in range(anchor.day, 27, -1):
        try:
            return anchor.replace(year=anchor.year + month // 12, month=month % 12 + 1, day=day)
        except ValueError:
            continue
    return anchor.replace(year=anchor.year + month // 12, month=month % 12 + 1)


@dataclass
class FakeSubscription:
    """One subscription; every change of it tells a fact with the next version."""

    organization_id: str
    number: int
    tier: str
    anchor: datetime
    status: SubscriptionStatus = "active"
    months: int = 0
    cancel_at_period_end: bool = False
    lower_to: str | None = None
    declines: bool = False
    past_due_since: datetime | None = None
    version: int = 0
    periods: list[tuple[datetime, datetime]] = field(default_factory=list)
    told: list[SubscriptionChanged] = field(default_factory=list)

    @property
    def start(self) -> datetime:
        return month_after(self.anchor, self.months)

    @property
    def end(self) -> datetime:
        return month_after(self.anchor, self.months + 1)

    def tell(self, at: datetime, *, renewal_paid: bool = False) -> None:
        """A fact of how it stands."""
        self.version += 1
        self.told.append(
            SubscriptionChanged(
                organization_id=self.organization_id,
                version=self.version,
                subscription=self.stands(),
                renewal_paid=renewal_paid,
                changed_at=at,
            )
        )

    def stands(self) -> StripeSubscription:
        """As stripe_gateway tells it: tier and price that are paid, and what is to follow."""
        return StripeSubscription(
            stripe_subscription_id=f"sub_{self.number}_{self.organization_id}",
            tier=self.tier,
            price_cents=PRICES[self.tier],
            status=self.status,
            status_at_stripe=self.status,
            current_period_start=self.start,
            current_period_end=self.end,
            cancel_at_period_end=self.cancel_at_period_end,
            canceled_at=None,
            trial_start=None,
            trial_end=None,
            pending_tier=self.lower_to,
            pending_change_at=self.end if self.lower_to else None,
        )

    def begin(self, at: datetime) -> None:
        """The checkout is paid."""
        self.periods.append((self.start, self.end))
        self.tell(at)

    def change(
        self, request: ChangeStripeSubscription, at: datetime
    ) -> StripeSubscription | Refusal:
        """Do what our service asks; what is not paid changes nothing, and nothing is told."""
        if request.action == "upgrade" and self.declines:
            return DECLINED
        if request.action == "upgrade":
            self.tier, self.lower_to = request.tier or self.tier, None
        elif request.action == "downgrade":
            self.lower_to = request.tier if request.tier != self.tier else None
        elif request.action == "resume":
            self.cancel_at_period_end, self.lower_to = False, None
        elif request.action == "cancel":
            self.cancel_at_period_end = True
        else:
            self.end_now(at)
        self.tell(at)
        return self.stands()

    def end_now(self, at: datetime) -> None:
        """Gone for good; its period ends with it."""
        self.status = "canceled"
        self.lower_to = None
        start, end = self.periods[-1]
        self.periods[-1] = (start, min(end, at) if at > start else end)

    def pass_to(self, at: datetime, payment: Literal["paid", "failed"]) -> None:
        """Renew, or end, at every period end up to a moment."""
        while self.status != "canceled" and self.end <= at:
            moment = self.end
            if self.cancel_at_period_end:
                self.end_now(moment)
                self.cancel_at_period_end = False
            else:
                self.months += 1
                self.periods.append((self.start, self.end))
                self.tier, self.lower_to = self.lower_to or self.tier, None
                self.status = "active" if payment == "paid" else "past_due"
                failed = self.past_due_since or moment
                self.past_due_since = None if payment == "paid" else failed
            self.tell(moment, renewal_paid=payment == "paid")

    def pay(self, at: datetime) -> None:
        """What was due is paid."""
        if self.status == "past_due":
            self.status, self.past_due_since = "active", None
            self.tell(at, renewal_paid=True)
