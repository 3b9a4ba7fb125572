"""What may be bought, and whether a page sold what we asked it to sell."""

from services.stripe_gateway.rules.objects import Session
from shared.contracts.base import Refusal
from shared.contracts.stripe_gateway import PurchaseKind

# Stripe charges no less than 50 cents; credits are bought for at most 1,000 dollars at a time.
LEAST_CENTS = 50
MOST_CREDITS_CENTS = 100_000


def refuse_checkout(kind: PurchaseKind, amount_cents: int, tier: str | None) -> Refusal | None:
    """Why this cannot be bought; None when it can."""
    if kind == "setup":
        return None
    if kind == "subscription" and tier is None:
        return Refusal(code="tier_missing", detail="Choose a plan to subscribe to.", status=422)
    if amount_cents < LEAST_CENTS:
        return Refusal(code="amount_too_small", detail="The least amount is $0.50.", status=422)
    if kind == "credits" and amount_cents > MOST_CREDITS_CENTS:
        detail = "Credits are bought for at most $1,000.00 at a time."
        return Refusal(code="amount_too_large", detail=detail, status=422)
    return None


def mismatch(session: Session, organization_id: str, kind: str, amount_cents: int) -> str | None:
    """What of a page is not as we asked for it; None when all is."""
    metadata = session.metadata or {}
    if metadata.get("organization_id") != organization_id:
        return "organization"
    if kind == "setup":
        return None
    if session.currency != "usd":
        return "currency"
    # Nothing is due on a page that begins with a trial; each invoice tells of its own money.
    due = {amount_cents, 0} if kind == "subscription" else {amount_cents}
    return None if session.amount_total in due else "amount"
