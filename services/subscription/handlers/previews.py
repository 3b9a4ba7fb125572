"""What choosing a tier would do and cost, before it is chosen."""

# ruff: noqa: ARG002 -- the methods of a step have their form

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

import msgspec

from services.subscription.handlers.means import Means
from services.subscription.handlers.views import coming_warnings, offer_of
from services.subscription.rules import offers
from shared.bus import AnswerFailed, AnswerTimedOut, NoAnswerer
from shared.contracts.base import Event, Refusal, Reply
from shared.contracts.stripe_gateway import PlanChangePreview, PreviewPlanChange
from shared.contracts.subscription import ChangePreview, Offer, PreviewChange, TierName
from shared.database import Db
from shared.steps import AnsweringStep

UNASKED = Refusal(
    code="preview_unavailable", detail="The price cannot be computed now; try again shortly."
)


class Preview(msgspec.Struct, frozen=True):
    """An upgrade that Stripe is asked the price of."""

    organization_id: str
    tier: TierName
    price_cents: int
    proration_date: datetime


class Previews(AnsweringStep[PreviewChange, Preview, PlanChangePreview | Refusal]):
    """Answers `PreviewChange`; only an upgrade needs Stripe to say what is due now."""

    kind: ClassVar[str] = "preview_change"
    request = PreviewChange
    state = Preview

    def __init__(self, means: Means) -> None:
        self._means = means

    async def prepare(self, request: PreviewChange, db: Db) -> Preview | Reply:
        """What needs no price of Stripe's is answered at once."""
        standing = await self._means.locked_standing(db, request.organization_id)
        kind = offers.change_kind(standing, request.tier)
        if isinstance(kind, Refusal):
            return kind
        price = standing.terms.catalogue[request.tier].price_cents or 0
        if kind == "upgrade":
            # Whole seconds, as Stripe keeps them: the change then costs what was shown.
            moment = standing.at.replace(microsecond=0)
            return Preview(request.organization_id, request.tier, price, moment)
        at_end = standing.shown.current_period_end
        bought = await offer_of(self._means, db, request.organization_id, request.tier)
        tried = kind == "checkout" and isinstance(bought, Offer) and bought.trial_days > 0
        return ChangePreview(
            kind=kind,
            from_tier=standing.shown.tier,
            to_tier=request.tier,
            due_now_cents=price if kind == "checkout" and not tried else 0,
            proration_cents=0,
            next_period_cents=0 if request.tier == "lifetime" else price,
            proration_date=None,
            takes_effect_at=standing.at if kind in {"checkout", "keep"} else at_end,
            warnings=await coming_warnings(db, standing, request.tier),
        )

    async def call(self, step_id: str, state: Preview) -> PlanChangePreview | Refusal:
        """Ask for the price. Nothing changes by asking, so a lost answer is simply no answer."""
        request = PreviewPlanChange(
            organization_id=state.organization_id,
            tier=state.tier,
            price_cents=state.price_cents,
            proration_date=state.proration_date,
        )
        try:
            return await self._means.ask(request, step_id)
        except (NoAnswerer, AnswerTimedOut, AnswerFailed):
            return UNASKED

    async def answer(
        self, step_id: str, state: Preview, outcome: PlanChangePreview | Refusal, db: Db
    ) -> tuple[Reply, Sequence[Event]]:
        """The price as Stripe computes it."""
        if isinstance(outcome, Refusal):
            return outcome, ()
        standing = await self._means.standing(db, state.organization_id)
        preview = ChangePreview(
            kind="upgrade",
            from_tier=standing.shown.tier,
            to_tier=state.tier,
            due_now_cents=outcome.due_now_cents,
            proration_cents=outcome.proration_cents,
            unused_cents=outcome.unused_cents,
            rest_cents=outcome.rest_cents,
            next_period_cents=outcome.next_period_cents,
            proration_date=outcome.proration_date,
            takes_effect_at=standing.at,
            warnings=await coming_warnings(db, standing, state.tier),
        )
        return preview, ()
