"""Stripe's words for how things stand, in ours; and which moves a late word may not undo."""

from services.stripe_gateway.rules.objects import Intent
from shared.contracts.stripe_gateway import (
    ChargeStatus,
    DisputeStage,
    PurchaseStatus,
    SubscriptionStatus,
)

SUBSCRIPTION_STATUSES: dict[str, SubscriptionStatus] = {
    "active": "active",
    "trialing": "trialing",
    "past_due": "past_due",
    "unpaid": "unpaid",
    "paused": "paused",
    "incomplete": "incomplete",
    "incomplete_expired": "canceled",
    "canceled": "canceled",
}
# While one of these lasts, money may fall due by itself.
RUNNING: frozenset[SubscriptionStatus] = frozenset(
    {"active", "trialing", "past_due", "unpaid", "paused", "incomplete"}
)
PAID: frozenset[str] = frozenset({"paid", "no_payment_required"})
UNDER_WAY: frozenset[PurchaseStatus] = frozenset({"open", "processing"})
SETTLED: frozenset[ChargeStatus] = frozenset({"succeeded", "refunded", "partially_refunded"})
WITHDRAWN = frozenset({"needs_response", "under_review", "lost"})
DISPUTE_STAGES: dict[str, DisputeStage] = {
    "warning_needs_response": "inquiry",
    "warning_under_review": "inquiry",
    "warning_closed": "closed",
    "needs_response": "withdrawn",
    "under_review": "withdrawn",
    "won": "reinstated",
    "prevented": "reinstated",
    "lost": "closed",
}
# Money that is on its way back counts as given back; `refund.failed` brings it home again.
NOT_GIVEN_BACK = frozenset({"failed", "canceled"})


def subscription_status(
    at_stripe: str, before: SubscriptionStatus | None
) -> SubscriptionStatus | None:
    """Our word; for one that we do not know what it was before. Canceled is for ever."""
    if before == "canceled":
        return before
    return SUBSCRIPTION_STATUSES.get(at_stripe, before)


def purchase_status(
    before: PurchaseStatus, session: str | None, payment: str, intent: str | None
) -> PurchaseStatus:
    """How a checkout stands by its session, payment status and payment; what is over stays over."""
    if before not in UNDER_WAY and not (before == "expired" and session == "complete"):
        return before
    if session == "expired":
        return "expired"
    if session != "complete":
        return before
    if payment in PAID:
        return "complete"
    return "failed" if intent in {"requires_payment_method", "canceled"} else "processing"


def charge_status(
    before: ChargeStatus, intent: str, error_code: str | None, amount: int, refunded: int
) -> ChargeStatus:
    """How an attempt stands by its payment; collected money stays collected until refunded."""
    if intent == "succeeded" or before in SETTLED:
        return refunded_status(amount, refunded)
    if intent == "requires_action":
        return "requires_action"
    if intent == "requires_payment_method":
        # Without the customer a bank's question ends here; with them it can still be answered.
        return "requires_action" if error_code == "authentication_required" else "failed"
    if intent == "canceled":
        return "failed"
    return "failed" if before == "failed" else "pending"


def is_abandoned(intent: Intent) -> bool:
    """Whether an attempt has failed but could still be paid: it has to be ended."""
    error = intent.last_payment_error
    asked = error is not None and "authentication_required" in {error.code, error.decline_code}
    return intent.status == "requires_payment_method" and not asked


def refunded_status(amount: int, refunded: int) -> ChargeStatus:
    """A collected payment, of which some may have gone back."""
    if refunded <= 0:
        return "succeeded"
    return "refunded" if refunded >= amount else "partially_refunded"


def dispute_stage(at_stripe: str) -> DisputeStage:
    """Our word for a dispute; one that we do not know moves no money."""
    return DISPUTE_STAGES.get(at_stripe, "inquiry")


def withdrawn_cents(at_stripe: str, amount: int) -> int:
    """What a dispute has taken from us; an inquiry takes nothing."""
    return amount if at_stripe in WITHDRAWN else 0
