"""Which events matter, and what each is a hint to look at."""

from typing import Literal

Subject = Literal[
    "customer", "method", "session", "intent", "refund", "dispute", "subscription", "invoice"
]

_SUBJECTS: dict[Subject, tuple[str, ...]] = {
    "customer": ("customer.updated", "customer.deleted"),
    "method": (
        "payment_method.attached",
        "payment_method.detached",
        "payment_method.updated",
        "payment_method.automatically_updated",
        "setup_intent.succeeded",
    ),
    "session": (
        "checkout.session.completed",
        "checkout.session.async_payment_succeeded",
        "checkout.session.async_payment_failed",
        "checkout.session.expired",
    ),
    "intent": (
        "payment_intent.succeeded",
        "payment_intent.payment_failed",
        "payment_intent.requires_action",
        "payment_intent.canceled",
        "payment_intent.processing",
    ),
    "refund": ("refund.created", "refund.updated", "refund.failed"),
    "dispute": (
        "charge.dispute.created",
        "charge.dispute.updated",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.funds_reinstated",
        "charge.dispute.closed",
    ),
    "subscription": (
        "customer.subscription.created",
        "customer.subscription.updated",
        "customer.subscription.deleted",
        "customer.subscription.paused",
        "customer.subscription.resumed",
        "customer.subscription.trial_will_end",
        "customer.subscription.pending_update_applied",
        "customer.subscription.pending_update_expired",
    ),
    "invoice": (
        "invoice.finalized",
        "invoice.overdue",
        "invoice.paid",
        "invoice.payment_failed",
        "invoice.payment_action_required",
        "invoice.voided",
        "invoice.marked_uncollectible",
    ),
}
SUBJECTS: dict[str, Subject] = {
    kind: subject for subject, kinds in _SUBJECTS.items() for kind in kinds
}


def subject_of(kind: str) -> Subject | None:
    """What to look at for an event of this type; None when it does not matter to us."""
    return SUBJECTS.get(kind)
