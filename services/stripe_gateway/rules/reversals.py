"""How much of a payment has gone back, and why."""

from collections.abc import Sequence
from typing import Literal

from services.stripe_gateway.rules.objects import Dispute, Refund
from services.stripe_gateway.rules.states import NOT_GIVEN_BACK, dispute_stage, withdrawn_cents


def refunded(refunds: Sequence[Refund]) -> int:
    """Cents given back, or on their way."""
    return sum(refund.amount for refund in refunds if refund.status not in NOT_GIVEN_BACK)


def withdrawn(disputes: Sequence[Dispute]) -> int:
    """Cents that banks hold back or have taken; inquiries take nothing."""
    return sum(withdrawn_cents(dispute.status, dispute.amount) for dispute in disputes)


def left_to_refund(
    received_cents: int, refunds: Sequence[Refund], disputes: Sequence[Dispute]
) -> int:
    """Cents of a payment that are still ours to give back: a bank that takes some is not outbid."""
    return max(0, received_cents - refunded(refunds) - withdrawn(disputes))


def is_held_back(disputes: Sequence[Dispute]) -> bool:
    """Whether a bank has not decided yet on some of a payment."""
    return any(dispute_stage(dispute.status) == "withdrawn" for dispute in disputes)


def giving_back_of(intent_id: str) -> str:
    """The step in which a payment goes back that a plan should not have been paid with."""
    return f"give_back:{intent_id}"


def reason_of(
    before: int, now: int, disputes: Sequence[Dispute]
) -> Literal["refund", "dispute", "reinstated"]:
    """Why what is reversed has changed."""
    if now < before:
        return "reinstated"
    return "dispute" if withdrawn(disputes) else "refund"
