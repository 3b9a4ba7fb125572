"""What Stripe is told without anybody waiting: ends and refunds, by steps that surely happen."""

# ruff: noqa: ARG002 -- the methods of a step have their form

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

import msgspec

from services.subscription.handlers.means import Means
from services.subscription.store.subscriptions import delete_waiting_orders
from services.subscription.tables import PurchaseRow, SubscriptionRow
from shared.clock import hourly
from shared.contracts.base import Event, Refusal, Reply
from shared.contracts.stripe_gateway import ChangeStripeSubscription, RefundPayment
from shared.database import Db
from shared.steps import Step, prepare_step

logger = logging.getLogger(__name__)

OURSELVES = "subscription"
# Somebody else gave it back.
GONE_ALREADY = frozenset({"refund_too_large"})


class NotGivenBack(Exception):
    """A refund was refused, for now: it is tried again, and in the end waits for an operator."""


class Ending(msgspec.Struct, frozen=True):
    """A subscription at Stripe that something else has replaced; `refund` if it was a mistake."""

    organization_id: str
    stripe_subscription_id: str
    refund: bool = False
    # Every period is paid back that begins at Stripe from here on, before the order gets there.
    refund_from: datetime | None = None


class Refunding(msgspec.Struct, frozen=True):
    """A purchase that was one too many."""

    organization_id: str
    session_id: str


class EndAtStripe(Step[Ending, Reply]):
    """Cancels a subscription at Stripe at once."""

    kind: ClassVar[str] = "end_at_stripe"
    state = Ending

    def __init__(self, means: Means) -> None:
        self._means = means

    async def call(self, step_id: str, state: Ending) -> Reply:
        """Tell Stripe."""
        request = ChangeStripeSubscription(
            organization_id=state.organization_id,
            stripe_subscription_id=state.stripe_subscription_id,
            action="cancel_now",
            refund=state.refund,
            refund_from=state.refund_from,
            may_be_called_off=True,
            requested_by=OURSELVES,
        )
        return await self._means.ask(request, step_id)

    async def conclude(
        self, step_id: str, state: Ending, outcome: Reply, db: Db
    ) -> Sequence[Event]:
        """Its end comes as a fact, like any other change at Stripe."""
        _note_refusal(step_id, outcome)
        return ()


class RefundPurchase(Step[Refunding, Reply]):
    """Gives back a lifetime that was bought a second time."""

    kind: ClassVar[str] = "refund_purchase"
    state = Refunding

    def __init__(self, means: Means) -> None:
        self._means = means

    async def call(self, step_id: str, state: Refunding) -> Reply:
        """Tell Stripe."""
        request = RefundPayment(
            organization_id=state.organization_id,
            refund_id=f"lifetime-twice-{state.session_id}"[:128],
            session_id=state.session_id,
            requested_by=OURSELVES,
        )
        # Whatever the key, the refund's id has it made once.
        answer = await self._means.ask(request, hourly(step_id, self._means.clock.now()))
        if isinstance(answer, Refusal) and answer.code not in GONE_ALREADY:
            raise NotGivenBack(answer.code)
        return answer

    async def conclude(
        self, step_id: str, state: Refunding, outcome: Reply, db: Db
    ) -> Sequence[Event]:
        """The money's way back comes as a fact."""
        _note_refusal(step_id, outcome)
        return ()


def _note_refusal(step_id: str, outcome: Reply) -> None:
    if isinstance(outcome, Refusal):
        logger.error("refused", extra={"fields": {"step": step_id, "code": outcome.code}})


async def end_at_stripe(
    db: Db, row: SubscriptionRow, live: SubscriptionRow, *, refund: bool, refund_from: datetime
) -> None:
    """Have a subscription ended at Stripe. Its running period is paid back with `refund`, and all
    that begin from `refund_from` on anyway: while Stripe is busy the plan goes on, and renews.

    Ordered once for each version of it that is heard of, whatever became of an earlier order: one
    that is told to go on still is ended. And once for each that counts instead of it, for what goes
    back depends on that.
    """
    stripe_id = row.stripe_subscription_id or ""
    instead = f"{live.subscription_id}:{int(refund_from.timestamp())}"
    step_id = f"end_at_stripe:{stripe_id}:{row.stripe_version}:{instead}"
    ending = Ending(row.organization_id, stripe_id, refund, refund_from)
    await prepare_step(db, EndAtStripe, step_id, ending)


async def call_off_end(db: Db, row: SubscriptionRow) -> None:
    """What was to be ended counts again: nothing that still waits ends it. An order that Stripe is
    told of just now cannot be called off.
    """
    await delete_waiting_orders(db, EndAtStripe.kind, row.stripe_subscription_id or "")


async def refund_purchase(db: Db, purchase: PurchaseRow) -> None:
    """Have a purchase refunded, once; anew, if a bank that held it back has given it to us."""
    state = Refunding(purchase.organization_id, purchase.session_id)
    step_id = f"refund_purchase:{purchase.session_id}:{purchase.reversal_version}"
    await prepare_step(db, RefundPurchase, step_id, state)
