"""Stripe's words in ours, and what a late word may not undo."""

import msgspec
import pytest

from services.stripe_gateway.rules.lowering import (
    PAID_CENTS,
    Lowering,
    lowering_of,
    lowering_to,
)
from services.stripe_gateway.rules.objects import (
    Dispute,
    Metadata,
    Price,
    Refund,
    Subscription,
    SubscriptionItem,
    SubscriptionItems,
)
from services.stripe_gateway.rules.reversals import (
    left_to_refund,
    reason_of,
    refunded,
    withdrawn,
)
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
    kept = described(odd, msgspec.structs.replace(found, status="past_due"))
    assert kept is not None
    assert (kept.status, kept.status_at_stripe) == ("past_due", "odd")


END = 2_000_000_000
PRO = Price("price_pro", 7900, {"tier": "pro"})
STARTER = Price("price_starter", 2900, {"tier": "starter"})
TEAM = Price("price_team", 19_900, {"tier": "team"})


def of_price(price: Price, marks: Metadata, end: int = END) -> Subscription:
    item = SubscriptionItem("si_1", price, END - 2_592_000, end)
    return Subscription(
        id="sub_1",
        status="active",
        customer="cus_1",
        created=0,
        items=SubscriptionItems([item]),
        # As Stripe keeps it: what is empty is gone.
        metadata={name: value for name, value in marks.items() if value},
    )


def lowering_from_pro() -> Lowering:
    paid = of_price(PRO, {})
    return lowering_to(paid, paid.items.data[0], STARTER)


def test_what_is_told_is_the_same_while_the_paid_price_is_put_back_for_an_upgrade() -> None:
    announced = lowering_from_pro()
    lowered = described(of_price(STARTER, announced.marks), None)
    assert lowered is not None
    assert (lowered.tier, lowered.price_cents, lowered.pending_tier) == ("pro", 7900, "starter")
    assert described(of_price(PRO, announced.restored_marks), None) == lowered
    restored = lowering_of(of_price(PRO, announced.restored_marks))
    assert restored is not None
    assert restored.marks == announced.marks


@pytest.mark.parametrize("price", [PRO, TEAM])
def test_marks_that_do_not_fit_the_price_announce_nothing(price: Price) -> None:
    marks = lowering_from_pro()
    assert lowering_of(of_price(price, marks.marks)) is None
    assert lowering_of(of_price(TEAM, marks.restored_marks)) is None
    found = described(of_price(price, marks.marks), None)
    assert found is not None
    assert (found.tier, found.price_cents) == (price.metadata["tier"], price.unit_amount)
    assert (found.pending_tier, found.pending_change_at) == (None, None)


def test_what_was_announced_is_done_when_its_period_has_ended() -> None:
    renewed = of_price(STARTER, lowering_from_pro().marks, END + 2_592_000)
    assert lowering_of(renewed) is None


def test_the_paid_plan_follows_itself_without_a_mark() -> None:
    lowered = of_price(STARTER, lowering_from_pro().marks)
    assert not any(lowering_to(lowered, lowered.items.data[0], PRO).marks.values())


def test_a_plan_marked_before_its_price_was_is_told_without_one() -> None:
    """Rather than at the price of the plan that follows."""
    marks = {**lowering_from_pro().marks, PAID_CENTS: ""}
    found = described(of_price(STARTER, marks), None)
    assert found is not None
    assert (found.tier, found.price_cents, found.pending_tier) == ("pro", None, "starter")


def test_a_bank_that_takes_a_payment_back_is_not_paid_twice() -> None:
    back = [Refund(id="re_1", amount=30, created=0, status="succeeded")]
    taken = [Dispute(id="du_1", amount=50, created=0, status="needs_response")]
    assert left_to_refund(100, back, taken) == 20
    assert left_to_refund(60, back, taken) == 0


def test_every_event_that_matters_has_one_subject() -> None:
    assert len(SUBJECTS) == 39
    assert subject_of("customer.created") is None
    assert subject_of("charge.refunded") is None
