"""Paying an invoice: one charge however many ask, a decline is an answer, money never twice."""

import asyncio
from typing import Any

import msgspec
import pytest

from services.invoicing.app import means
from services.invoicing.handlers import paying
from services.invoicing.handlers.collecting import stop_collecting
from services.invoicing.store.invoices import find_invoice, save_invoices
from services.invoicing.store.payments import find_paying
from services.invoicing.store.profiles import lock_profile
from shared.contracts.base import Refusal
from shared.contracts.invoicing import (
    InvoiceChanged,
    InvoicePaid,
    Payment,
    PaymentChanged,
    PaymentReturned,
)
from shared.contracts.stripe_gateway import CancelPayment, CollectPayment, RefundPayment
from shared.outbox import add_events
from tests.invoicing.collecting.debtor import Debtor
from tests.stack import until


async def void(debtor: Debtor, invoice_id: str) -> None:
    """As whoever voids invoices does it."""
    async with means.database.transaction() as db:
        profile = await lock_profile(db, debtor.organization_id)
        invoice = await find_invoice(db, [debtor.organization_id], invoice_id)
        assert invoice is not None
        voided = msgspec.structs.replace(invoice, status="void", voided_at=db.now)
        await save_invoices(db, [voided])
        await add_events(db, await stop_collecting(db, profile, voided))


async def test_an_invoice_is_paid_with_the_default_card(debtor: Debtor) -> None:
    invoice_id = await debtor.owes(5000)

    paid = await debtor.pay(invoice_id)

    assert (paid.status, paid.amount_cents, paid.payment_method_last4) == (
        "succeeded",
        5000,
        "4242",
    )
    assert paid.description == "Invoice INV-TEST-000001"
    assert paid.client_secret is None
    row = await debtor.row(invoice_id)
    assert (row.status, row.amount_paid_cents, row.paid_at) == ("paid", 5000, debtor.clock.now())
    [fact] = await debtor.told_of(InvoicePaid)
    assert (fact["invoice_id"], fact["amount_paid_cents"]) == (invoice_id, 5000)
    [changed] = await debtor.told_of(InvoiceChanged)
    assert changed["invoice"]["status"] == "paid"
    assert [each["payment"]["status"] for each in debtor.facts(PaymentChanged)] == ["succeeded"]
    assert await debtor.payments(invoice_id) == (paid,)


async def test_a_given_card_is_charged_with_the_customer_there(debtor: Debtor) -> None:
    invoice_id = await debtor.owes()
    await debtor.pay(invoice_id, "pm_better")
    [asked] = debtor.stripe.requests(CollectPayment, debtor.organization_id)
    assert (asked.payment_method_id, asked.off_session) == ("pm_better", False)


async def test_many_pays_at_once_make_one_charge(debtor: Debtor) -> None:
    invoice_id = await debtor.owes()
    debtor.stripe.open.clear()
    request: Any = debtor.paying(invoice_id)
    asking = [asyncio.create_task(debtor.answered(request)) for _ in range(12)]

    async def asked() -> int:
        return len(debtor.stripe.requests(CollectPayment, debtor.organization_id))

    await until(asked, lambda count: count > 0)
    debtor.stripe.open.set()
    answers = await asyncio.gather(*asking)

    [payment] = await debtor.payments(invoice_id)
    joined = [answer for answer in answers if isinstance(answer, Payment)]
    assert joined
    assert set(joined) == {payment}
    # Whoever came when it was done already is told so.
    assert {each.code for each in answers if isinstance(each, Refusal)} <= {"invoice_paid"}
    assert debtor.stripe.charged(debtor.organization_id) == [5000]
    assert len(debtor.facts(InvoicePaid)) == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        (
            {"status": "draft", "number": None, "invoice_number": None, "finalized_at": None},
            "invoice_draft",
        ),
        ({"status": "void"}, "invoice_void"),
        ({"status": "paid", "amount_paid_cents": 5000}, "invoice_paid"),
        ({"credited_cents": 5000}, "nothing_due"),
        (
            {"status": "open", "credits_applied_cents": 5000, "amount_due_cents": 0},
            "nothing_due",
        ),
    ],
)
async def test_what_is_not_due_is_not_charged(
    debtor: Debtor, changes: dict[str, Any], code: str
) -> None:
    invoice_id = await debtor.owes(5000, **changes)
    refusal = await debtor.refused(debtor.paying(invoice_id))
    assert (refusal.code, refusal.status) == (code, 409)
    assert debtor.stripe.requests(CollectPayment, debtor.organization_id) == []


async def test_a_parked_account_is_not_charged(debtor: Debtor) -> None:
    invoice_id = await debtor.owes()
    await debtor.park("numbers do not agree")
    refusal = await debtor.refused(debtor.paying(invoice_id))
    assert (refusal.code, refusal.status) == ("account_parked", 409)


async def test_an_unknown_invoice_or_card_is_not_found(debtor: Debtor) -> None:
    assert (await debtor.refused(debtor.paying("inv-0"))).status == 404
    invoice_id = await debtor.owes()
    refusal = await debtor.refused(debtor.paying(invoice_id, "pm_unknown"))
    assert (refusal.code, refusal.status) == ("payment_method_not_found", 404)
    assert (await debtor.pay(invoice_id)).status == "succeeded"


async def test_a_declined_card_is_an_answer_and_another_one_pays(debtor: Debtor) -> None:
    invoice_id = await debtor.owes()
    declined = await debtor.pay(invoice_id, "pm_poor")
    assert (declined.status, declined.failure_code) == ("failed", "insufficient_funds")
    assert declined.failure_message
    assert (await debtor.row(invoice_id)).status == "open"

    assert (await debtor.pay(invoice_id)).status == "succeeded"
    statuses = [each.status for each in await debtor.payments(invoice_id)]
    assert statuses == ["succeeded", "failed"]


async def test_the_same_key_gets_the_same_answer(debtor: Debtor) -> None:
    invoice_id = await debtor.owes()
    first = await debtor.pay(invoice_id, idempotency_key="key-1")
    again = await debtor.pay(invoice_id, idempotency_key="key-1")
    assert first == again
    assert debtor.stripe.charged(debtor.organization_id) == [5000]


async def test_what_has_to_be_confirmed_is_not_paid_and_given_again(debtor: Debtor) -> None:
    invoice_id = await debtor.owes()
    first = await debtor.pay(invoice_id, "pm_asks")
    again = await debtor.pay(invoice_id, "pm_asks")

    assert first.status == again.status == "requires_action"
    assert first.payment_id == again.payment_id
    assert first.client_secret == again.client_secret == f"secret_{first.payment_id}"
    assert (await debtor.row(invoice_id)).status == "open"
    assert all(not each.client_secret for each in await debtor.payments(invoice_id))
    assert all(not each["payment"]["client_secret"] for each in debtor.facts(PaymentChanged))

    confirmed = debtor.stripe.set(first.payment_id, status="succeeded", failure_code=None)
    await debtor.stripe.tell(debtor.organization_id, confirmed)
    await debtor.stands(invoice_id, "paid")
    [paid] = await debtor.payments(invoice_id)
    assert (paid.status, paid.failure_code) == ("succeeded", None)


async def test_another_card_ends_what_waits_before_it_is_charged(debtor: Debtor) -> None:
    invoice_id = await debtor.owes()
    waiting = await debtor.pay(invoice_id, "pm_asks")
    paid = await debtor.pay(invoice_id, "pm_better")

    assert paid.status == "succeeded"
    [ended] = debtor.stripe.requests(CancelPayment, debtor.organization_id)
    assert ended.charge_id == waiting.payment_id
    assert [each.status for each in await debtor.payments(invoice_id)] == ["succeeded", "failed"]
    assert debtor.stripe.charged(debtor.organization_id) == [5000]


async def test_who_joins_charges_nothing_before_the_attempt_before_has_ended(
    debtor: Debtor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paying, "JOIN_SECONDS", 0.2)
    invoice_id = await debtor.owes()
    await debtor.pay(invoice_id, "pm_asks")
    debtor.stripe.open.clear()
    request: Any = debtor.paying(invoice_id, "pm_better")
    asking = [asyncio.create_task(debtor.answered(request)) for _ in range(2)]

    async def ending() -> int:
        return len(debtor.stripe.requests(CancelPayment, debtor.organization_id))

    await until(ending, lambda count: count > 1)
    assert len(debtor.stripe.requests(CollectPayment, debtor.organization_id)) == 1
    debtor.stripe.open.set()
    await asyncio.gather(*asking)

    assert debtor.stripe.charged(debtor.organization_id) == [5000]
    assert (await debtor.row(invoice_id)).status == "paid"


async def test_a_payment_confirmed_a_moment_ago_is_the_one(debtor: Debtor) -> None:
    invoice_id = await debtor.owes()
    waiting = await debtor.pay(invoice_id, "pm_asks")
    debtor.stripe.set(waiting.payment_id, status="succeeded", failure_code=None)

    other = await debtor.pay(invoice_id, "pm_better")

    assert (other.status, other.failure_code) == ("failed", "paid_by_another_attempt")
    assert (await debtor.row(invoice_id)).status == "paid"
    assert debtor.stripe.charged(debtor.organization_id) == [5000]


async def test_late_failures_never_reopen_a_paid_invoice(debtor: Debtor) -> None:
    invoice_id = await debtor.owes()
    paid = await debtor.pay(invoice_id)
    charge = debtor.stripe.charges[paid.payment_id]
    late = msgspec.structs.replace(charge, status="failed", failure_code="card_declined")
    for version, told in ((7, late), (3, late), (8, charge)):
        await debtor.stripe.tell(debtor.organization_id, told, version)
    refunded = debtor.stripe.give_back(paid.payment_id, 100)
    await debtor.stripe.tell(debtor.organization_id, refunded, 9)

    [row] = await debtor.attempts(invoice_id, 1, "partially_refunded")
    assert row.failure_code is None
    assert (await debtor.row(invoice_id)).status == "paid"
    assert len(debtor.facts(InvoicePaid)) == 1


async def test_refunds_are_cumulative_and_count_once(debtor: Debtor) -> None:
    invoice_id = await debtor.owes()
    paid = await debtor.pay(invoice_id)
    partly = debtor.stripe.give_back(paid.payment_id, 1500)
    for _ in range(3):
        await debtor.stripe.tell(debtor.organization_id, partly, 2)
    [row] = await debtor.attempts(invoice_id, 1, "partially_refunded")
    assert row.refunded_cents == 1500
    assert (await debtor.row(invoice_id)).amount_refunded_cents == 1500

    whole = debtor.stripe.give_back(paid.payment_id, 3500)
    await debtor.stripe.tell(debtor.organization_id, whole, 4)
    await debtor.attempts(invoice_id, 1, "refunded")
    # A refund that failed at the bank comes home again.
    home = debtor.stripe.set(paid.payment_id, status="partially_refunded", refunded_cents=1500)
    await debtor.stripe.tell(debtor.organization_id, home, 5)
    await debtor.stripe.tell(debtor.organization_id, whole, 4)
    await debtor.attempts(invoice_id, 1, "partially_refunded")
    row_now = await debtor.row(invoice_id)
    assert (row_now.status, row_now.amount_paid_cents) == ("paid", 5000)
    assert row_now.amount_refunded_cents == 1500


async def test_an_attempt_under_way_is_ended_when_its_invoice_is_voided(debtor: Debtor) -> None:
    invoice_id = await debtor.owes()
    waiting = await debtor.pay(invoice_id, "pm_asks")
    await void(debtor, invoice_id)
    await debtor.attempts(invoice_id, 1, "failed")
    assert debtor.stripe.charges[waiting.payment_id].status == "failed"


async def test_a_charge_on_its_way_to_stripe_never_happens_once_its_invoice_is_void(
    debtor: Debtor,
) -> None:
    await debtor.settings(has_payment_method=True, auto_billing_enabled=True)
    debtor.stripe.arrives.clear()
    invoice_id = await debtor.owes()

    async def on_its_way() -> list[CollectPayment]:
        return debtor.stripe.requests(CollectPayment, debtor.organization_id)

    await until(on_its_way, lambda found: len(found) > 0)
    await void(debtor, invoice_id)
    await debtor.attempts(invoice_id, 1, "failed")
    debtor.stripe.arrives.set()
    await debtor.pass_days(1)
    assert debtor.stripe.charged(debtor.organization_id) == []
    assert debtor.stripe.requests(RefundPayment, debtor.organization_id) == []
    assert len(await debtor.payments(invoice_id)) == 1


async def test_money_for_a_void_invoice_goes_back(debtor: Debtor) -> None:
    invoice_id = await debtor.owes()
    waiting = await debtor.pay(invoice_id, "pm_asks")
    confirmed = debtor.stripe.set(waiting.payment_id, status="succeeded", failure_code=None)
    await void(debtor, invoice_id)
    await debtor.stripe.tell(debtor.organization_id, confirmed)

    async def given_back() -> list[RefundPayment]:
        return debtor.stripe.requests(RefundPayment, debtor.organization_id)

    await until(given_back, lambda refunds: len(refunds) > 0)
    [returned] = await debtor.told_of(PaymentReturned)
    assert (returned["invoice_id"], returned["amount_cents"]) == (invoice_id, 5000)
    await debtor.stripe.tell(
        debtor.organization_id, debtor.stripe.charges[waiting.payment_id], version=9
    )
    [row] = await debtor.attempts(invoice_id, 1, "refunded")
    assert row.refunded_cents == 5000
    invoice = await debtor.row(invoice_id)
    assert (invoice.status, invoice.amount_paid_cents) == ("void", 0)
    assert len(debtor.stripe.requests(RefundPayment, debtor.organization_id)) == 1
    assert debtor.facts(InvoicePaid) == []


async def test_a_second_success_is_given_back(debtor: Debtor) -> None:
    invoice_id = await debtor.owes()
    declined = await debtor.pay(invoice_id, "pm_poor")
    paid = await debtor.pay(invoice_id)
    # As a bank might, long after it had declined.
    late = debtor.stripe.set(declined.payment_id, status="succeeded", failure_code=None)
    await debtor.stripe.tell(debtor.organization_id, late)
    await debtor.told_of(PaymentReturned)
    async with means.database.read() as db:
        # What a credit note refunds, and a document names, is what has paid it.
        refundable = await find_paying(db, debtor.organization_id, invoice_id)
    assert refundable is not None
    assert refundable.payment_id == paid.payment_id
    await debtor.stripe.tell(
        debtor.organization_id, debtor.stripe.charges[declined.payment_id], version=9
    )

    async def statuses() -> list[str]:
        return [each.status for each in await debtor.payments(invoice_id)]

    async def refunds() -> list[str]:
        asked = debtor.stripe.requests(RefundPayment, debtor.organization_id)
        return [each.charge_id for each in asked]

    assert await until(refunds, lambda found: len(found) > 0) == [declined.payment_id]
    await debtor.stripe.tell(
        debtor.organization_id, debtor.stripe.charges[declined.payment_id], version=10
    )
    await until(statuses, lambda found: found == ["succeeded", "refunded"])
    assert (await debtor.row(invoice_id)).amount_refunded_cents == 0
    assert len(debtor.facts(InvoicePaid)) == 1


async def test_an_answer_that_never_came_is_looked_up(debtor: Debtor) -> None:
    invoice_id = await debtor.owes()
    debtor.stripe.open.clear()
    refusal = await debtor.bus.ask(debtor.paying(invoice_id), timeout_seconds=1.0)
    assert isinstance(refusal, Refusal)
    assert refusal.code == "pending"
    # The charge was made, and its answer is on its way: whoever comes now finds it.
    answer = await debtor.pay(invoice_id)
    assert isinstance(answer, Payment)
    assert answer.status == "succeeded"
    debtor.stripe.open.set()
    assert debtor.stripe.charged(debtor.organization_id) == [5000]
    assert len(await debtor.payments(invoice_id)) == 1


async def test_what_the_bank_takes_its_time_for_stays_pending(debtor: Debtor) -> None:
    invoice_id = await debtor.owes()
    assert (await debtor.pay(invoice_id, "pm_slow")).status == "pending"
    [row] = await debtor.payments(invoice_id)
    done = debtor.stripe.set(row.payment_id, status="succeeded")
    await debtor.stripe.tell(debtor.organization_id, done)
    await debtor.stands(invoice_id, "paid")
