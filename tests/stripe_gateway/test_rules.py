"""Stripe's words in ours, and what a late word may not undo."""

import pytest

from services.stripe_gateway.rules.objects import Dispute, Refund, Subscription, SubscriptionItems
from services.stripe_gateway.rules.reversals import reason_of, refunded, withdrawn
from services.stripe_gateway.rules.states import (
    charge_status,
    dispute_stage,
    purchase_status,
    subscription_status,
)
from services.stripe_gateway.rules.subscriptions import described
from services.stripe_gateway.rules.webhooks import SUBJECTS, subject_of


@pytest.mark.parametrize(
    ("word", "ours"),
    [
        ("active", "active"),
        ("trialing", "trialing"),
        ("past_due", "past_due"),
        ("unpaid", "unpaid"),
        ("paused", "paused"),
        ("incomplete", "incomplete"),
        ("incomplete_expired", "canceled"),
        ("canceled", "canceled"),
    ],
)
def test_every_word_for_a_subscription_has_ours(word: str, ours: str) -> None:
    assert subscription_status(word, None) == ours


def test_an_unknown_word_keeps_what_was_and_canceled_is_for_ever() -> None:
    assert subscription_status("hibernating", "active") == "active"
    assert subscription_status("hibernating", None) is None
    assert subscription_status("active", "canceled") == "canceled"


@pytest.mark.parametrize(
    ("before", "session", "payment", "intent", "after"),
    [
        ("open", "open", "unpaid", None, "open"),
        ("open", "complete", "paid", None, "complete"),
        ("open", "complete", "no_payment_required", None, "complete"),
        ("open", "complete", "unpaid", "processing", "processing"),
        ("processing", "complete", "paid", "succeeded", "complete"),
        ("processing", "complete", "unpaid", "requires_payment_method", "failed"),
        ("processing", "complete", "unpaid", "canceled", "failed"),
        ("open", "expired", "unpaid", None, "expired"),
        ("complete", "expired", "unpaid", None, "complete"),
        ("complete", "complete", "unpaid", "processing", "complete"),
        ("failed", "open", "unpaid", None, "failed"),
        ("expired", "open", "unpaid", None, "expired"),
    ],
)
def test_a_purchase_moves_only_forward(
    before: str, session: str, payment: str, intent: str | None, after: str
) -> None:
    assert purchase_status(before, session, payment, intent) == after  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("before", "intent", "code", "refunded_cents", "after"),
    [
        ("pending", "succeeded", None, 0, "succeeded"),
        ("pending", "processing", None, 0, "pending"),
        ("pending", "requires_action", None, 0, "requires_action"),
        ("pending", "requires_payment_method", "authentication_required", 0, "requires_action"),
        ("pending", "requires_payment_method", "insufficient_funds", 0, "failed"),
        ("requires_action", "canceled", None, 0, "failed"),
        ("failed", "processing", None, 0, "failed"),
        ("failed", "succeeded", None, 0, "succeeded"),
        ("succeeded", "requires_payment_method", "x", 0, "succeeded"),
        ("succeeded", "canceled", None, 40, "partially_refunded"),
        ("refunded", "succeeded", None, 100, "refunded"),
    ],
)
def test_collected_money_stays_collected(
    before: str, intent: str, code: str | None, refunded_cents: int, after: str
) -> None:
    found = charge_status(before, intent, code, 100, refunded_cents)  # type: ignore[arg-type]
    assert found == after


def test_inquiries_take_nothing_and_unknown_words_neither() -> None:
    words = ("warning_needs_response", "warning_under_review", "warning_closed", "won", "tomorrow")
    disputes = [Dispute(id=word, amount=100, created=0, status=word) for word in words]
    assert withdrawn(disputes) == 0
    assert [dispute_stage(word) for word in words] == [
        "inquiry", "inquiry", "closed", "reinstated", "inquiry",
    ]  # fmt: skip
    lost = Dispute(id="lost", amount=70, created=0, status="lost")
    assert withdrawn([*disputes, lost]) == 70


def test_refunds_count_unless_they_failed() -> None:
    states = ("succeeded", "pending", "requires_action", "failed", "canceled")
    refunds = [Refund(id=word, amount=10, created=0, status=word) for word in states]
    assert refunded(refunds) == 30
    assert reason_of(100, 50, []) == "reinstated"
    assert reason_of(0, 50, []) == "refund"


def test_a_subscription_without_items_or_with_a_new_word_is_described_or_left() -> None:
    bare = Subscription(
        id="sub_1", status="active", customer="cus_1", created=0, items=SubscriptionItems()
    )
    found = described(bare, None)
    assert found is not None
    assert (found.tier, found.price_cents, found.current_period_end) == (None, None, None)
    odd = Subscription(
        id="sub_1", status="odd", customer="cus_1", created=0, items=SubscriptionItems()
    )
    assert described(odd, None) is None
    kept = described(odd, "past_due")
    assert kept is not None
    assert (kept.status, kept.status_at_stripe) == ("past_due", "odd")


def test_every_event_that_matters_has_one_subject() -> None:
    assert len(SUBJECTS) == 39
    assert subject_of("customer.created") is None
    assert subject_of("charge.refunded") is None
