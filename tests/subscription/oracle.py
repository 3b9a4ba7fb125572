"""What an organization has, by a tally of its own: nothing in common with how we keep it."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.subscription.fake_stripe import PRICES, FakeSubscription, month_after

LIMITS = {"starter": 20, "pro": 100, "team": 500, "byo": -1, "enterprise": -1, "lifetime": 50}
FREE = 5
GRACE = timedelta(days=7)
TRIALS = {"pro": 14, "byo": 31}
LIFETIME_CENTS = 49_900
# A counter: whose, and from when on.
Counted = tuple[str, datetime]


def month_of(anchor: datetime, at: datetime) -> tuple[datetime, datetime]:
    """The month that `at` lies in, found by walking on from the day that it all began."""
    months = 0
    while month_after(anchor, months + 1) <= at:
        months += 1
    return month_after(anchor, months), month_after(anchor, months + 1)


def month_start(at: datetime) -> datetime:
    """When the calendar month began."""
    return datetime(at.year, at.month, 1, tzinfo=at.tzinfo)


@dataclass
class Unbilled:
    """A lifetime, or what an operator gave: no Stripe renews it."""

    name: str
    tier: str
    began_at: datetime
    price_cents: int | None = None
    own_limit: int | None = None

    def start(self, at: datetime) -> datetime:
        return month_of(self.began_at, at)[0]


@dataclass
class Oracle:
    """All that was bought and given, and every workflow that was charged."""

    subscriptions: list[FakeSubscription] = field(default_factory=list)
    lifetime: Unbilled | None = None
    # Payments for a lifetime, by session; only the first one stands.
    sessions: list[str] = field(default_factory=list)
    given: Unbilled | None = None
    gifts: list[Unbilled] = field(default_factory=list)
    charged: Counter[Counted] = field(default_factory=Counter)

    @property
    def alive(self) -> list[FakeSubscription]:
        return [each for each in self.subscriptions if each.status != "canceled"]

    @property
    def better(self) -> Unbilled | None:
        """What goes before all that Stripe bills."""
        return self.given or self.lifetime

    @property
    def at_stripe(self) -> FakeSubscription | None:
        """The subscription that counts: the newest, where nothing better is had."""
        return self.alive[-1] if self.alive and self.better is None else None

    @property
    def tier(self) -> str:
        found = self.better or self.at_stripe
        return found.tier if found else "free"

    @property
    def price_cents(self) -> int | None:
        if self.better:
            return self.better.price_cents
        return PRICES[self.tier] if self.at_stripe else 0

    @property
    def limit(self) -> int:
        found = self.better or self.at_stripe
        own = found.own_limit if found else None
        return LIMITS.get(self.tier, FREE) if own is None else own

    def trial_days(self, tier: str) -> int:
        """Only the first plan is tried."""
        return TRIALS.get(tier, 0) if not self.subscriptions else 0

    def counter(self, at: datetime) -> Counted:
        """What a workflow counts in as long as the plan has room."""
        if self.better:
            return self.better.name, self.better.start(at)
        found = self.at_stripe
        return (found.name, found.start) if found else ("free", month_start(at))

    def room(self, count: int, at: datetime) -> int:
        """How many of so many workflows are covered without credits."""
        since = self.at_stripe.past_due_since if self.at_stripe else None
        if since is not None and since + GRACE <= at:
            return 0
        free = FREE - self.charged["free", month_start(at)]
        if not (self.better or self.at_stripe):
            return min(count, free)
        left = max(0, self.limit - self.charged[self.counter(at)])
        return count if self.limit < 0 else min(count, left + free)

    def charge(self, covered_by: str | None, at: datetime) -> None:
        """A workflow has completed."""
        counter = ("free", month_start(at)) if covered_by == "free" else self.counter(at)
        self.charged[counter] += 1

    def give(self, tier: str, limit: int | None, at: datetime) -> bool:
        """An operator sets a tier, or takes back what was given; whether there is anything to."""
        counts = self.better or self.at_stripe
        if tier == "free":
            had, self.given = self.given, None
            return had is not None
        if counts is not None and counts.tier == tier:
            counts.own_limit = limit
        elif self.given is not None:
            self.given.tier, self.given.own_limit = tier, limit
        else:
            self.given = Unbilled(f"gift{len(self.gifts)}", tier, at, None, limit)
            self.gifts.append(self.given)
        return True

    def buy_lifetime(self, session: str, at: datetime) -> None:
        """One is paid for; a second one is not had."""
        self.sessions.append(session)
        if self.lifetime is None:
            self.lifetime = Unbilled("lifetime", "lifetime", at, LIFETIME_CENTS)

    def replace(self) -> None:
        """Something goes before all but one of what Stripe bills: paid back is each period that
        begins when there is something better, and of two plans side by side what the older one's
        running period was paid with, and each later one.
        """
        for each in self.alive:
            if each is self.at_stripe:
                # Its turn has come again before it was ended.
                each.replaced_from = None
            else:
                since = self.better.began_at if self.better else each.start
                each.replaced_from = min(each.replaced_from or since, since)

    def owed(self, found: FakeSubscription) -> set[datetime]:
        """The periods, by their beginnings, of which what they were paid with goes back."""
        since = found.replaced_from
        return set() if since is None else {start for start, _ in found.periods if start >= since}
