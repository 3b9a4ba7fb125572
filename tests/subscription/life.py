"""What a customer, an operator, an agent, a bank and time do, and what has to come of it."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

from hypothesis import event

from services.subscription.handlers.changes import Cancels, ChangesPlan, Reactivates
from services.subscription.handlers.reserving import reserve_included, result_for
from shared.contracts.base import Refusal
from shared.contracts.stripe_gateway import PurchasePaid
from shared.contracts.subscription import (
    CancelSubscription,
    ChangePlan,
    ChangePreview,
    CompleteWorkflow,
    Offer,
    ReactivateSubscription,
    ReleaseWorkflow,
    Reservation,
    SetTier,
)
from tests.subscription.fake_stripe import DECLINED, PRICES, FakeSubscription
from tests.subscription.oracle import LIFETIME_CENTS
from tests.subscription.world import World

PREVIEW_HOLDS = timedelta(hours=1)


class Life(World):
    """Everything that may happen; each is expected by the oracle's arithmetic alone."""

    def pass_time(self, by: timedelta, payment: Any = "paid") -> None:
        """Stripe renews, tries and ends what falls due."""
        self.clock.advance(by)
        for each in self.oracle.subscriptions:
            each.pass_to(self.clock.now(), payment)

    async def shown(self, tier: str, price_cents: int, trial_days: int) -> bool:
        """Whether a plan can be bought, at the price that it then has."""
        offer, preview = await self.offer(tier), await self.preview(tier)
        stripe = self.oracle.at_stripe
        for_sale = self.oracle.better is None and (stripe is None or tier == "lifetime")
        assert isinstance(offer, Offer) == for_sale
        if isinstance(offer, Offer):
            assert (offer.price_cents, offer.trial_days) == (price_cents, trial_days)
            assert isinstance(preview, ChangePreview) or stripe is not None
        if isinstance(preview, ChangePreview) and preview.kind == "checkout":
            assert preview.due_now_cents == (0 if trial_days else price_cents)
        return for_sale

    async def do_subscribe(self, value: tuple[str, bool]) -> None:
        """Buy a plan, or pay on a page that was opened while one could be bought."""
        tier, opened_before = value
        trial_days = self.oracle.trial_days(tier)
        # No two begin at once, so that there is a newest.
        self.pass_time(timedelta(seconds=1))
        await self.hear_in_order()
        if not await self.shown(tier, PRICES[tier], trial_days) and not opened_before:
            return
        subscriptions = self.oracle.subscriptions
        found = FakeSubscription(
            self.organization_id, len(subscriptions), tier, self.clock.now(), trial_days
        )
        subscriptions.append(found)
        found.begin(self.clock.now())
        event(f"subscribed {found.status}")

    async def do_lifetime(self, opened_before: bool) -> None:
        """Buy a lifetime, or pay on a page that was opened while it could be bought."""
        self.pass_time(timedelta(seconds=1))
        await self.hear_in_order()
        if not await self.shown("lifetime", LIFETIME_CENTS, 0) and not opened_before:
            return
        session = f"cs_{len(self.oracle.sessions)}_{self.organization_id.replace('-', '')}"
        self.oracle.buy_lifetime(session, self.clock.now())
        self.purchases.append(
            PurchasePaid(
                organization_id=self.organization_id,
                session_id=session,
                kind="lifetime",
                tier="lifetime",
                amount_cents=LIFETIME_CENTS,
                payment_intent_id=None,
                stripe_invoice_id=None,
                paid_at=self.clock.now(),
            )
        )

    async def do_operator(self, value: tuple[Any, int | None]) -> None:
        tier, limit = value
        self.pass_time(timedelta(seconds=1))
        await self.hear_in_order()
        request = SetTier(
            organization_id=self.organization_id,
            tier=tier,
            workflows_limit=limit,
            requested_by="operator",
        )
        async with self.database.transaction() as db:
            answer, _ = await self.operators.set_tier(request, db)
        done = self.oracle.give(tier, limit, self.clock.now())
        assert isinstance(answer, Refusal) != done
        event(f"operator sets {tier}")

    async def do_change(self, value: tuple[str, int]) -> None:
        """Look at the price, think for some minutes, and choose."""
        tier, minutes = value
        preview = await self.preview(tier)
        self.pass_time(timedelta(minutes=minutes))
        await self.hear_in_order()
        upgrade = isinstance(preview, ChangePreview) and preview.kind == "upgrade"
        request = ChangePlan(
            organization_id=self.organization_id,
            tier=tier,  # type: ignore[arg-type]  # drawn from tiers
            proration_date=preview.proration_date if isinstance(preview, ChangePreview) else None,
            requested_by="owner",
        )
        found = self.oracle.at_stripe
        before = None if found is None else (found.tier, found.pending, found.paid_cents)
        answer = await self.step(ChangesPlan, request, self._change)
        event(f"change {answer.code if isinstance(answer, Refusal) else 'done'}")
        if found is None or before is None:
            assert isinstance(answer, Refusal)
        elif tier == before[0]:
            assert isinstance(answer, Refusal) != before[1]
            assert not found.pending
        elif found.status not in {"active", "trialing"}:
            assert isinstance(answer, Refusal)
        elif PRICES[tier] <= PRICES[before[0]]:
            # Whatever was to follow so far, what is paid for is had until its end.
            assert (found.tier, found.lower_to) == (before[0], tier)
        elif upgrade:
            assert isinstance(preview, ChangePreview)
            self._check_upgrade(found, preview, answer, found.paid_cents - before[2])

    def _check_upgrade(
        self, found: FakeSubscription, preview: ChangePreview, answer: Any, paid_cents: int
    ) -> None:
        """It costs what was shown, if that is not outdated and the card is good."""
        assert preview.proration_date is not None
        age = self.clock.now() - preview.proration_date
        if age > PREVIEW_HOLDS or preview.proration_date < found.start:
            assert isinstance(answer, Refusal)
            assert (answer.code, paid_cents) == ("preview_outdated", 0)
        elif found.declines and found.status != "trialing":
            assert (answer, paid_cents) == (DECLINED, 0)
        else:
            assert paid_cents == preview.due_now_cents
            assert (found.tier, found.lower_to) == (preview.to_tier, None)
            assert preview.next_period_cents == PRICES[found.tier]

    async def do_card(self, card: str) -> None:
        for each in self.oracle.subscriptions:
            each.declines = card == "declined"

    async def do_stripe(self, mood: str) -> None:
        self.busy = mood == "busy"

    async def do_cancel(self, at_period_end: bool) -> None:
        found = self.oracle.at_stripe
        can = found is not None and not (at_period_end and found.cancel_at_period_end)
        request = CancelSubscription(
            organization_id=self.organization_id, at_period_end=at_period_end, requested_by="owner"
        )
        answer = await self.step(Cancels, request, self._change)
        assert isinstance(answer, Refusal) != can
        assert found is None or found.cancel_at_period_end or found.status == "canceled"

    async def do_reactivate(self, _: None) -> None:
        """Take the end back; the cheaper plan that was to follow still does."""
        found = self.oracle.at_stripe
        pending = found is not None and found.cancel_at_period_end
        follows = found.lower_to if found else None
        request = ReactivateSubscription(organization_id=self.organization_id, requested_by="owner")
        answer = await self.step(Reactivates, request, self._change)
        assert isinstance(answer, Refusal) != pending
        if found is not None and pending:
            assert (found.cancel_at_period_end, found.lower_to) == (False, follows)

    async def do_pass(self, value: tuple[int, Any]) -> None:
        days, payment = value
        self.pass_time(timedelta(days=days), payment)

    async def do_pay(self, _: None) -> None:
        if self.oracle.at_stripe is not None:
            self.oracle.at_stripe.pay(self.clock.now())

    async def do_work(self, value: tuple[int, int]) -> None:
        """Reserve some workflows at once, complete some, release the others."""
        count, completed = value
        ids = [f"run-{uuid4().hex}" for _ in range(count)]
        async with self.database.transaction() as db:
            found = await reserve_included(self.means, self.organization_id, ids, 3_600, db)
        covered = []
        for workflow_id in ids:
            row = found.rows.get(workflow_id)
            if row is not None and row.state == "reserved":
                covered.append(result_for(found.standing, row))
        assert len(covered) == self.oracle.room(count, self.clock.now())
        for number, reservation in enumerate(covered):
            assert isinstance(reservation, Reservation)
            await self._finish(reservation, completed=number < completed)

    async def _finish(self, reservation: Reservation, *, completed: bool) -> None:
        organization_id, reservation_id = self.organization_id, reservation.reservation_id
        async with self.database.transaction() as db:
            if not completed:
                given_up = ReleaseWorkflow(
                    organization_id=organization_id, reservation_id=reservation_id
                )
                await self.workflows.release(given_up, db)
                return
            done = CompleteWorkflow(organization_id=organization_id, reservation_id=reservation_id)
            await self.workflows.complete(done, db)
        self.oracle.charge(reservation.covered_by, self.clock.now())
