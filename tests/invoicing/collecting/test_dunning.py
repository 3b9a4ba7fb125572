"""Auto-billing and what follows when it fails: retries, reminders, suspension and its lifting."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.invoicing.app import means
from services.invoicing.handlers import autobilling
from services.invoicing.rules.dunning import is_hard, next_attempt
from services.invoicing.store.dunning import find_dunning, next_due
from shared.contracts.invoicing import (
    AccountReinstated,
    AccountSuspended,
    InvoicePaid,
    PaymentFailed,
    PaymentReminder,
)
from shared.contracts.stripe_gateway import CollectPayment
from tests.invoicing.collecting.debtor import Debtor
from tests.invoicing.collecting.test_paying import void


@pytest.fixture
async def automatic(debtor: Debtor) -> Debtor:
    """A debtor with auto-billing on."""
    await debtor.settings(auto_billing_enabled=True, has_payment_method=True)
    return debtor


async def test_auto_billing_charges_at_finalization_without_the_customer(automatic: Debtor) -> None:
    invoice_id = await automatic.owes(5000)
    await automatic.stands(invoice_id, "paid")
    [asked] = automatic.stripe.requests(CollectPayment, automatic.organization_id)
    assert (asked.off_session, asked.payment_method_id, asked.amount_cents) == (True, None, 5000)
    assert automatic.facts(PaymentFailed) == []
    async with means.database.read() as db:
        assert await find_dunning(db, automatic.organization_id, invoice_id) is None


async def test_an_account_that_is_parked_is_reminded_when_it_is_released(debtor: Debtor) -> None:
    invoice_id = await debtor.owes()
    await debtor.park("its numbers do not agree")
    await debtor.pass_days(4)
    await debtor.pass_days(4)
    assert debtor.facts(PaymentReminder) == []
    assert (await debtor.row(invoice_id)).status == "open"
    async with means.database.read() as db:
        due = await next_due(db)
    assert due is None or due > debtor.clock.now()
    await debtor.park(None)
    await debtor.do_what_is_due()
    [late] = await debtor.told_of(PaymentReminder)
    assert (late["kind"], late["amount_due_cents"]) == ("past_due", 5000)
    assert (await debtor.row(invoice_id)).status == "past_due"


async def test_what_is_parked_between_a_look_and_its_reminder_is_not_reminded_of(
    debtor: Debtor, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoice_id = await debtor.owes()
    await debtor.park("its numbers do not agree")

    async def seen_before(*_: Any) -> list[tuple[str, str]]:
        return [(debtor.organization_id, invoice_id)]

    monkeypatch.setattr(autobilling, "list_due_reminders", seen_before)
    await debtor.pass_days(8)
    assert debtor.facts(PaymentReminder) == []
    assert (await debtor.row(invoice_id)).status == "open"


async def test_without_auto_billing_it_stays_open_and_is_only_reminded_of(debtor: Debtor) -> None:
    invoice_id = await debtor.owes()
    await debtor.pass_days(3)
    assert debtor.facts(PaymentReminder) == []
    await debtor.pass_days(1)
    await debtor.do_what_is_due()
    [soon] = await debtor.told_of(PaymentReminder)
    assert (soon["kind"], soon["amount_due_cents"]) == ("due_soon", 5000)
    assert (await debtor.row(invoice_id)).status == "open"

    await debtor.pass_days(3)
    assert (await debtor.row(invoice_id)).status == "past_due"
    kinds = [each["kind"] for each in await debtor.told_of(PaymentReminder, 2)]
    assert kinds == ["due_soon", "past_due"]
    await debtor.pass_days(30)
    assert len(debtor.facts(PaymentReminder)) == 2
    assert debtor.facts(AccountSuspended) == []
    assert debtor.stripe.requests(CollectPayment, debtor.organization_id) == []

    assert (await debtor.pay(invoice_id)).status == "succeeded"
    assert (await debtor.row(invoice_id)).status == "paid"


async def test_the_monthly_limit_leaves_an_invoice_to_be_paid_by_hand(automatic: Debtor) -> None:
    await automatic.settings(auto_billing_enabled=True, auto_billing_monthly_limit_cents=8000)
    first = await automatic.owes(5000)
    await automatic.stands(first, "paid")
    second = await automatic.owes(4000)
    third = await automatic.owes(3000)
    await automatic.stands(third, "paid")
    assert await automatic.payments(second) == ()
    assert (await automatic.row(second)).status == "open"
    assert automatic.stripe.charged(automatic.organization_id) == [5000, 3000]


async def test_a_parked_account_is_charged_when_it_is_released(automatic: Debtor) -> None:
    await automatic.park("numbers do not agree")
    invoice_id = await automatic.owes()
    await automatic.pass_days(0.5)
    assert await automatic.payments(invoice_id) == ()
    await automatic.park(None)
    await automatic.do_what_is_due()
    await automatic.stands(invoice_id, "paid")


async def test_the_ladder_ends_in_suspension_and_payment_lifts_it(automatic: Debtor) -> None:
    await automatic.set_card("pm_poor")
    began = automatic.clock.now()
    invoice_id = await automatic.owes(5000)
    await automatic.attempts(invoice_id, 1, "failed")
    for number, days in enumerate((1, 2, 2, 2), start=2):
        await automatic.pass_days(days)
        await automatic.attempts(invoice_id, number, "failed")
        await automatic.do_what_is_due()
        assert len(await automatic.payments(invoice_id)) == number

    failures = await automatic.told_of(PaymentFailed, 5)
    assert [each["attempt"] for each in failures] == [1, 2, 3, 4, 5]
    assert {each["failure_code"] for each in failures} == {"insufficient_funds"}
    moments = [(began + timedelta(days=day)).isoformat() for day in (1, 3, 5, 7)]
    assert [each["next_attempt_at"].replace("Z", "+00:00") for each in failures[:4]] == moments
    assert failures[4]["next_attempt_at"] is None
    [suspended] = await automatic.told_of(AccountSuspended)
    assert (suspended["version"], suspended["invoice_id"]) == (1, invoice_id)
    await automatic.pass_days(20)
    assert len(await automatic.payments(invoice_id)) == 5

    await automatic.pay(invoice_id, "pm_good")
    [lifted] = await automatic.told_of(AccountReinstated)
    assert lifted["version"] == 2
    assert (await automatic.row(invoice_id)).status == "paid"
    assert automatic.stripe.charged(automatic.organization_id) == [5000]


async def test_a_hard_decline_is_not_tried_again(automatic: Debtor) -> None:
    await automatic.set_card("pm_lost")
    invoice_id = await automatic.owes()
    await automatic.attempts(invoice_id, 1, "failed")
    [failed] = await automatic.told_of(PaymentFailed)
    assert (failed["failure_code"], failed["next_attempt_at"]) == ("lost_card", None)
    for _ in range(3):
        await automatic.pass_days(2)
    assert automatic.facts(AccountSuspended) == []
    await automatic.pass_days(1)
    assert len(await automatic.payments(invoice_id)) == 1
    await automatic.told_of(AccountSuspended)


async def test_a_new_card_is_tried_at_once(automatic: Debtor) -> None:
    await automatic.set_card("pm_poor")
    invoice_id = await automatic.owes()
    await automatic.attempts(invoice_id, 1, "failed")
    await automatic.set_card("pm_poor")
    assert len(await automatic.payments(invoice_id)) == 1
    await automatic.set_card("pm_better")
    await automatic.attempts(invoice_id, 2, "succeeded")
    await automatic.told_of(InvoicePaid)
    await automatic.pass_days(10)
    assert len(await automatic.payments(invoice_id)) == 2
    assert automatic.facts(AccountSuspended) == []


async def test_a_new_card_lifts_a_suspension(automatic: Debtor) -> None:
    await automatic.set_card("pm_lost")
    first, second = await automatic.owes(5000), await automatic.owes(6000)
    await automatic.attempts(first, 1, "failed")
    await automatic.attempts(second, 1, "failed")
    await automatic.pass_days(8)
    await automatic.told_of(AccountSuspended)
    await automatic.pay(first, "pm_good")
    assert automatic.facts(AccountReinstated) == []
    await automatic.set_card("pm_better")
    await automatic.stands(second, "paid")
    await automatic.told_of(AccountReinstated)
    assert len(automatic.facts(AccountSuspended)) == 1


async def test_voiding_the_last_overdue_invoice_lifts_a_suspension(automatic: Debtor) -> None:
    await automatic.set_card("pm_lost")
    invoice_id = await automatic.owes()
    await automatic.attempts(invoice_id, 1, "failed")
    await automatic.pass_days(7)
    await automatic.told_of(AccountSuspended)
    await void(automatic, invoice_id)
    await automatic.told_of(AccountReinstated)


async def test_what_the_bank_asks_is_left_to_the_customer(automatic: Debtor) -> None:
    await automatic.set_card("pm_asks")
    invoice_id = await automatic.owes()
    await automatic.attempts(invoice_id, 1, "requires_action")
    [failed] = await automatic.told_of(PaymentFailed)
    assert (failed["failure_code"], failed["next_attempt_at"]) == ("authentication_required", None)
    await automatic.pass_days(2)
    assert len(await automatic.payments(invoice_id)) == 1

    by_hand = await automatic.pay(invoice_id)
    assert (by_hand.status, bool(by_hand.client_secret)) == ("requires_action", True)
    confirmed = automatic.stripe.set(by_hand.payment_id, status="succeeded", failure_code=None)
    await automatic.stripe.tell(automatic.organization_id, confirmed)
    await automatic.stands(invoice_id, "paid")
    assert automatic.stripe.charged(automatic.organization_id) == [5000]


async def test_auto_billing_waits_for_a_customer_who_is_paying(automatic: Debtor) -> None:
    await automatic.set_card("pm_poor")
    invoice_id = await automatic.owes()
    await automatic.attempts(invoice_id, 1, "failed")
    automatic.clock.advance(timedelta(days=1))
    waiting = await automatic.pay(invoice_id, "pm_asks")
    await automatic.do_what_is_due()
    [newest, _] = await automatic.payments(invoice_id)
    assert (newest.payment_id, newest.status) == (waiting.payment_id, "requires_action")
    # The customer has left the page long ago.
    await automatic.pass_days(0.5)
    await automatic.attempts(invoice_id, 3, "failed")
    assert automatic.stripe.charges[waiting.payment_id].status == "failed"


async def test_a_removed_card_counts_as_a_failure_that_only_another_one_heals(
    automatic: Debtor,
) -> None:
    automatic.stripe.defaults.pop(automatic.organization_id)
    invoice_id = await automatic.owes()
    await automatic.attempts(invoice_id, 1, "failed")
    [failed] = await automatic.told_of(PaymentFailed)
    assert failed["failure_code"] == "payment_method_not_found"
    await automatic.set_card("pm_better")
    await automatic.stands(invoice_id, "paid")


def test_retries_follow_the_first_failure() -> None:
    first = datetime(2027, 1, 31, 12, tzinfo=UTC)
    found = [next_attempt(first, first + timedelta(days=day)) for day in (0, 1, 2, 6.9, 7)]
    days = [moment - first if moment else None for moment in found]
    assert days == [timedelta(days=day) for day in (1, 3, 3, 7)] + [None]
    assert is_hard("stolen_card")
    assert not is_hard("insufficient_funds")
    assert not is_hard(None)
