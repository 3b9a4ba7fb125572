"""Our service by its handlers, Stripe as a model, and an oracle of what should be."""

from typing import Any
from uuid import uuid4

import msgspec

from services.subscription.handlers.at_stripe import Ending, Refunding
from services.subscription.handlers.means import Means
from services.subscription.handlers.operators import Operators
from services.subscription.handlers.plans import Plans
from services.subscription.handlers.previews import Previews
from services.subscription.handlers.views import offer_of
from services.subscription.handlers.workflows import Workflows
from shared.clock import FixedClock
from shared.contracts.base import Refusal
from shared.contracts.stripe_gateway import (
    ChangeStripeSubscription,
    PreviewPlanChange,
    PurchasePaid,
    PurchaseReversed,
)
from shared.contracts.subscription import (
    ChangePreview,
    Offer,
    PreviewChange,
)
from shared.database import Database
from tests.subscription.oracle import LIFETIME_CENTS, Oracle


class World:
    """One organization: what is told, asked and ordered of it, however often."""

    def __init__(self, database: Database, clock: FixedClock, means: Means) -> None:
        self.database, self.clock, self.means = database, clock, means
        self.organization_id = f"org-{uuid4().hex[:12]}"
        self.plans, self.workflows = Plans(means), Workflows(means)
        self.operators = Operators(means)
        self.oracle = Oracle()
        self.paid_back: list[str] = []
        self.purchases: list[PurchasePaid | PurchaseReversed] = []
        self.busy = False

    async def act(self, name: str, value: Any) -> None:
        """One thing that happens; what follows from it at Stripe does, unless that is busy."""
        await getattr(self, f"do_{name}")(value)
        self.oracle.replace()
        await self.hear_in_order()
        await self.hear()
        if not self.busy and await self.run_errands():
            await self.hear_in_order()
            await self.hear()

    async def hear(self) -> None:
        """Deliver new facts twice and backwards, and an old one again."""
        facts = [fact for each in self.oracle.subscriptions for fact in each.told]
        new = [fact for each in self.oracle.subscriptions for fact in each.told[-3:]]
        for fact in (*reversed(new), *new, *facts[:1]):
            await self._follow(fact)
        for purchase in (*reversed(self.purchases), *self.purchases):
            await self._follow(purchase)

    async def hear_in_order(self) -> None:
        """Deliver what was not delivered yet, one after the other."""
        for purchase in self.purchases:
            await self._follow(purchase)
        for each in self.oracle.subscriptions:
            for fact in each.told:
                await self._follow(fact)

    async def _follow(self, fact: Any) -> None:
        async with self.database.transaction() as db:
            if isinstance(fact, PurchasePaid):
                await self.plans.begin_lifetime(fact, db)
            elif isinstance(fact, PurchaseReversed):
                await self.plans.reverse_lifetime(fact, db)
            else:
                await self.plans.follow_stripe(fact, db)

    async def step(self, kind: Any, request: Any, call: Any) -> Any:
        """Carry out an answering step; Stripe's model is called for it."""
        step = kind(self.means)
        async with self.database.transaction() as db:
            state = await step.prepare(request, db)
        if not isinstance(state, step.state):
            return state
        outcome = call(state)
        async with self.database.transaction() as db:
            reply, _ = await step.answer("step", state, outcome, db)
        return reply

    def _change(self, state: Any) -> Any:
        (told,) = [
            each for each in self.oracle.subscriptions if each.name == state.stripe_subscription_id
        ]
        assert told is self.oracle.at_stripe
        return told.change(state.request(), self.clock.now())

    async def preview(self, tier: str) -> ChangePreview | Refusal:
        """What a tier would cost, as the page shows it."""

        def price(state: Any) -> Any:
            assert self.oracle.at_stripe is not None
            return self.oracle.at_stripe.preview(
                PreviewPlanChange(
                    organization_id=self.organization_id,
                    tier=state.tier,
                    price_cents=state.price_cents,
                    proration_date=state.proration_date,
                )
            )

        request = PreviewChange(
            organization_id=self.organization_id,
            tier=tier,  # type: ignore[arg-type]  # drawn from tiers
        )
        found: ChangePreview | Refusal = await self.step(Previews, request, price)
        return found

    async def offer(self, tier: Any) -> Offer | Refusal:
        """What a checkout would sell."""
        async with self.database.read() as db:
            return await offer_of(self.means, db, self.organization_id, tier)

    async def run_errands(self) -> bool:
        """Do at Stripe what was ordered, the oldest first; whether there was anything to do."""
        async with self.database.transaction() as db:
            rows = await db.driver.fetch(
                "UPDATE steps SET status = 'concluded', concluded_at = clock_timestamp()"
                " WHERE state ->> 'organization_id' = $1 AND status = 'prepared'"
                " RETURNING due_at, kind, state::text",
                self.organization_id,
            )
        for row in sorted(rows, key=lambda each: each["due_at"]):
            if row["kind"] == "end_at_stripe":
                self._end(msgspec.json.decode(row["state"], type=Ending))
            else:
                self._pay_back(msgspec.json.decode(row["state"], type=Refunding))
        return bool(rows)

    def _end(self, ending: Ending) -> None:
        (found,) = [
            each for each in self.oracle.subscriptions if each.name == ending.stripe_subscription_id
        ]
        assert found is not self.oracle.at_stripe
        asked = ChangeStripeSubscription(
            organization_id=self.organization_id,
            action="cancel_now",
            refund=ending.refund,
            refund_from=ending.refund_from,
            requested_by="ourselves",
        )
        found.change(asked, self.clock.now())

    def _pay_back(self, refunding: Refunding) -> None:
        self.paid_back.append(refunding.session_id)
        self.purchases.append(
            PurchaseReversed(
                organization_id=self.organization_id,
                session_id=refunding.session_id,
                kind="lifetime",
                amount_cents=LIFETIME_CENTS,
                reversed_cents=LIFETIME_CENTS,
                version=1,
                reason="refund",
                reversed_at=self.clock.now(),
            )
        )
