"""Facts of others in words for a customer: one draft of a notice for each, or none."""

from datetime import datetime

import msgspec

from shared.contracts.account import CreditsLow
from shared.contracts.invoicing import (
    InvoiceIssued,
    InvoicePaid,
    PaymentFailed,
    PaymentReminder,
)
from shared.contracts.notices import NoticeKind, Severity
from shared.contracts.subscription import LimitReached, Resource

RESOURCES: dict[Resource, str] = {
    "workflows": "workflows of your plan",
    "free_workflows": "free workflows",
    "agents": "agents of your plan",
    "storage": "storage of your plan",
}


class Draft(msgspec.Struct, frozen=True):
    """What is to be said; `reference` is the occasion, which is told once."""

    kind: NoticeKind
    severity: Severity
    title: str
    text: str
    reference: str


def credits_low(fact: CreditsLow) -> Draft:
    """The balance fell below the threshold."""
    left = dollars(fact.balance_cents)
    return Draft(
        kind="credits_low",
        severity="warning",
        title=f"Your credits are running low: {left} left",
        text=f"{left} of credits are left. Buy more, so that your workflows go on.",
        reference=fact.noticed_at.isoformat(),
    )


def invoice_issued(fact: InvoiceIssued) -> Draft:
    """An invoice of ours is final."""
    if fact.amount_due_cents == 0:
        how = f"Your credits have paid all of it, {dollars(fact.total_cents)}."
    else:
        by = f" by {date(fact.due_at)}" if fact.due_at else ""
        how = f"{dollars(fact.amount_due_cents)} is due{by}."
    return Draft(
        kind="invoice_issued",
        severity="info",
        title=f"Invoice {fact.invoice_number} is ready",
        text=how,
        reference=fact.invoice_id,
    )


def invoice_paid(fact: InvoicePaid) -> Draft | None:
    """The receipt; what credits paid alone was said with the invoice."""
    if fact.amount_paid_cents == 0:
        return None
    paid = dollars(fact.amount_paid_cents)
    return Draft(
        kind="invoice_paid",
        severity="success",
        title=f"Receipt: {paid} for invoice {fact.invoice_number}",
        text=f"Thank you. We received {paid} on {date(fact.paid_at)}.",
        reference=fact.invoice_id,
    )


def payment_reminder(fact: PaymentReminder) -> Draft:
    """An invoice is due soon, or past due."""
    amount, day = dollars(fact.amount_due_cents), date(fact.due_at)
    late = fact.kind == "past_due"
    return Draft(
        kind="payment_reminder",
        severity="warning",
        title=f"Invoice {fact.invoice_number} is {'past due' if late else 'due soon'}",
        text=f"{amount} {'was' if late else 'is'} due on {day}. Please pay it on the billing page.",
        reference=f"{fact.invoice_id}:{fact.kind}:{fact.reminded_at:%Y-%m-%d}",
    )


def payment_failed(fact: PaymentFailed) -> Draft:
    """Auto-billing could not collect."""
    why = f" The bank says: {fact.failure_message}" if fact.failure_message else ""
    following = (
        f"We try again on {date(fact.next_attempt_at)}."
        if fact.next_attempt_at
        else "We will not try this card again: please add another one."
    )
    return Draft(
        kind="payment_failed",
        severity="critical",
        title=f"The payment of invoice {fact.invoice_number} failed",
        text=f"We could not collect {dollars(fact.amount_due_cents)}.{why} {following}",
        reference=f"{fact.invoice_id}:{fact.attempt}",
    )


def limit_reached(fact: LimitReached) -> Draft:
    """So much of a limit is in use."""
    what = RESOURCES[fact.resource]
    full = fact.threshold_percent >= 100
    return Draft(
        kind="limit_reached",
        severity="warning" if full else "info",
        title=f"You have used {fact.threshold_percent}% of the {what}",
        text=f"{'Nothing' if full else 'Little'} is left of the {what}. A larger plan has more.",
        reference=f"{fact.resource}:{fact.threshold_percent}:{fact.period_start.isoformat()}",
    )


def trial_ending(ends_at: datetime, tier: str) -> Draft:
    """A trial ends in a few days."""
    return Draft(
        kind="trial_ending",
        severity="info",
        title=f"Your trial ends on {date(ends_at)}",
        text=f"After it, the {plan(tier)} plan is charged. Cancel before, if you do not want it.",
        reference=ends_at.isoformat(),
    )


def card_expiring(card_id: str, card_name: str, expires_at: datetime) -> Draft:
    """The card that is charged cannot be charged much longer."""
    return Draft(
        kind="card_expiring",
        severity="warning",
        title=f"Your {card_name} expires soon",
        text=f"It cannot be charged from {date(expires_at)} on. Please add another card.",
        reference=f"{card_id}:{expires_at:%Y-%m}",
    )


def suspended(reference: str) -> Draft:
    """Nothing runs until what is past due is paid."""
    return Draft(
        kind="suspended",
        severity="critical",
        title="Your account is suspended",
        text="No workflow runs until what is past due is paid. Pay it on the billing page.",
        reference=reference,
    )


def reinstated(reference: str) -> Draft:
    """Everything runs again."""
    return Draft(
        kind="reinstated",
        severity="success",
        title="Your account is active again",
        text="Thank you: everything runs again.",
        reference=reference,
    )


def dollars(cents: int) -> str:
    """`$1,234.50`."""
    sign = "-" if cents < 0 else ""
    return f"{sign}${abs(cents) // 100:,}.{abs(cents) % 100:02}"


def date(at: datetime) -> str:
    """`1 November 2026`."""
    return f"{at.day} {at:%B %Y}"


def plan(tier: str) -> str:
    """A tier as customers know it."""
    return "BYO" if tier == "byo" else tier.capitalize()
