"""A subscription at Stripe as a model: what it is told, when it renews, which facts it tells."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from shared.contracts.base import Refusal
from shared.contracts.stripe_gateway import (
    ChangeStripeSubscription,
    PlanChangePreview,
    PreviewPlanChange,
    StripeSubscription,
    SubscriptionChanged,
    SubscriptionStatus,
)

DECLINED = Refusal(code="payment_failed", detail="Nothing was changed.", status=402)
PRICES = {"starter": 2_900, "pro": 7_900, "team": 19_900, "byo": 1_900}
LEAST_CENTS = 50


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
    trial_days: int = 0
    status: SubscriptionStatus = "active"
    # A trial is the month before the first one that is paid.
    months: int = 0
    cancel_at_period_end: bool = False
    lower_to: str | None = None
    declines: bool = False
    past_due_since: datetime | None = None
    # What an operator gave instead of the tier's limit; it goes with the tier.
    own_limit: int | None = None
    # From when on its periods are paid back, once something goes before it.
    replaced_from: datetime | None = None
    version: int = 0
    periods: list[tuple[datetime, datetime]] = field(default_factory=list)
    # What each period was paid with, by its beginning, and of which what was paid went back.
    paid: dict[datetime, list[int]] = field(default_factory=lambda: defaultdict(list))
    paid_back: set[datetime] = field(default_factory=set)
    told: list[SubscriptionChanged] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"sub_{self.number}_{self.organization_id}"

    @property
    def billed_from(self) -> datetime:
        return self.anchor + timedelta(days=self.trial_days)

    @property
    def pending(self) -> bool:
        """Whether something follows the running period that can be taken back."""
        return self.cancel_at_period_end or self.lower_to is not None

    @property
    def start(self) -> datetime:
        return self.anchor if self.months < 0 else month_after(self.billed_from, self.months)

    @property
    def end(self) -> datetime:
        return month_after(self.billed_from, self.months + 1)

    @property
    def paid_cents(self) -> int:
        """All that was ever paid for it."""
        return sum(sum(each) for each in self.paid.values())

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
            stripe_subscription_id=self.name,
            tier=self.tier,
            price_cents=PRICES[self.tier],
            status=self.status,
            status_at_stripe=self.status,
            current_period_start=self.start,
            current_period_end=self.end,
            cancel_at_period_end=self.cancel_at_period_end,
            canceled_at=None,
            trial_start=self.anchor if self.trial_days else None,
            trial_end=self.billed_from if self.trial_days else None,
            pending_tier=self.lower_to,
            pending_change_at=self.end if self.lower_to else None,
        )

    def begin(self, at: datetime) -> None:
        """The checkout is paid, or the trial begun."""
        if self.trial_days:
            self.status, self.months = "trialing", -1
        else:
            self.paid[self.start].append(PRICES[self.tier])
        self.periods.append((self.start, self.end))
        self.tell(at)

    def preview(self, request: PreviewPlanChange) -> PlanChangePreview:
        """What is not used of the old plan, and what the new one costs for the rest."""
        left = (self.end - request.proration_date) / (self.end - self.start)
        tried = self.status == "trialing"
        unused = 0 if tried else -round(PRICES[self.tier] * left)
        rest = 0 if tried else round(request.price_cents * left)
        due = unused + rest
        return PlanChangePreview(
            due_now_cents=due if due >= LEAST_CENTS else 0,
            proration_cents=due,
            unused_cents=unused,
            rest_cents=rest,
            next_period_cents=request.price_cents,
            proration_date=request.proration_date,
        )

    def change(
        self, request: ChangeStripeSubscription, at: datetime
    ) -> StripeSubscription | Refusal:
        """Do what our service asks; what is not paid changes nothing, and nothing is told."""
        if request.action == "cancel_now":
            self._give_back(request)
        if self.status == "canceled":
            return Refusal(code="no_subscription", detail="It has ended.", status=404)
        if request.action == "upgrade" and self.declines and self.status != "trialing":
            return DECLINED
        if request.action == "upgrade":
            self._upgrade(request, at)
        elif request.action == "downgrade":
            self.lower_to = request.tier if request.tier != self.tier else None
        elif request.action == "resume":
            self.cancel_at_period_end = False
            self.lower_to = self.lower_to if request.keeps_downgrade else None
        elif request.action == "cancel":
            self.cancel_at_period_end = True
        else:
            self.end_now(at)
        self.tell(at)
        return self.stands()

    def _give_back(self, request: ChangeStripeSubscription) -> None:
        """The running period, if it is asked for, and every one that began since."""
        since = request.refund_from
        if request.refund and self.status != "canceled":
            self.paid_back.add(self.start)
        if since is not None:
            self.paid_back |= {start for start, _ in self.periods if start >= since}

    def _upgrade(self, request: ChangeStripeSubscription, at: datetime) -> None:
        asked = PreviewPlanChange(
            organization_id=self.organization_id,
            tier=request.tier or "",
            price_cents=request.price_cents or 0,
            proration_date=request.proration_date or at,
        )
        self.paid[self.start].append(self.preview(asked).due_now_cents)
        self._stand_on(request.tier or self.tier)

    def _stand_on(self, tier: str) -> None:
        self.own_limit = self.own_limit if tier == self.tier else None
        self.tier, self.lower_to = tier, None

    def end_now(self, at: datetime) -> None:
        """Gone for good, and its period ends with it."""
        self.status = "canceled"
        self.cancel_at_period_end, self.lower_to = False, None
        start, end = self.periods[-1]
        self.periods[-1] = (start, min(end, at) if at > start else end)

    def pass_to(self, at: datetime, payment: Literal["paid", "failed"]) -> None:
        """Renew, or end, at every period end up to a moment."""
        while self.status != "canceled" and self.end <= at:
            moment = self.end
            if self.cancel_at_period_end:
                self.end_now(moment)
            else:
                self.months += 1
                self.periods.append((self.start, self.end))
                self._stand_on(self.lower_to or self.tier)
                self.status = "active" if payment == "paid" else "past_due"
                if payment == "paid":
                    self.paid[self.start].append(PRICES[self.tier])
                failed = self.past_due_since or moment
                self.past_due_since = None if payment == "paid" else failed
            self.tell(moment, renewal_paid=payment == "paid")

    def pay(self, at: datetime) -> None:
        """What was due is paid."""
        if self.status == "past_due":
            self.status, self.past_due_since = "active", None
            self.paid[self.start].append(PRICES[self.tier])
            self.tell(at, renewal_paid=True)
