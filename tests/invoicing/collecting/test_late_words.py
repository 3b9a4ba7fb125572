"""What is heard in the wrong order, or while something else goes on, costs nobody anything."""

import asyncio
from datetime import timedelta
from typing import Any

import msgspec

from services.invoicing.app import means
from services.invoicing.handlers.returning import GiveBack, Returning
from shared.contracts.base import Refusal, Reply, Request
from shared.contracts.invoicing import AccountSuspended, PaymentFailed
from shared.contracts.stripe_gateway import CollectPayment, RefundPayment
from shared.steps import prepare_step
from tests.invoicing.collecting.debtor import Debtor
from tests.invoicing.collecting.test_notes import noting
from tests.stack import until


async def automatic(debtor: Debtor) -> None:
    await debtor.settings(auto_billing_enabled=True, has_payment_method=True)


async def test_a_card_that_came_while_the_account_was_parked_is_tried_when_it_is_released(
    debtor: Debtor,
) -> None:
    await automatic(debtor)
    await debtor.set_card("pm_lost")
    invoice_id = await debtor.owes()
    await debtor.attempts(invoice_id, 1, "failed")
    await debtor.park("numbers do not agree")
    await debtor.set_card("pm_better")
    await debtor.pass_days(8)
    assert len(await debtor.payments(invoice_id)) == 1
    await debtor.park(None)
    await debtor.do_what_is_due()
    await debtor.stands(invoice_id, "paid")
    assert debtor.facts(AccountSuspended) == []


async def test_a_card_that_came_while_the_old_one_was_asked_is_tried_next(debtor: Debtor) -> None:
    await automatic(debtor)
    await debtor.set_card("pm_lost")
    debtor.stripe.open.clear()
    invoice_id = await debtor.owes()

    async def asked() -> int:
        return len(debtor.stripe.requests(CollectPayment, debtor.organization_id))

    await until(asked, lambda count: count == 1)
    await debtor.set_card("pm_better")
    debtor.stripe.open.set()
    await debtor.attempts(invoice_id, 1, "failed")
    await debtor.do_what_is_due()
    await debtor.stands(invoice_id, "paid")
    assert debtor.facts(PaymentFailed) == []
    assert debtor.stripe.charged(debtor.organization_id) == [5000]


async def test_a_setting_that_was_on_before_an_invoice_and_is_heard_after_it_counts(
    debtor: Debtor,
) -> None:
    finalized_at = debtor.clock.now() + timedelta(minutes=1)
    early = await debtor.owes(3000)
    invoice_id = await debtor.owes(finalized_at=finalized_at)
    assert await debtor.payments(invoice_id) == ()
    await automatic(debtor)
    await debtor.stands(invoice_id, "paid")
    # This one became final at the same moment; what was so then is true of it as well.
    await debtor.stands(early, "paid")
    await debtor.settings()
    debtor.clock.advance(timedelta(days=1))
    old = await debtor.owes()
    debtor.clock.advance(timedelta(days=1))
    await automatic(debtor)
    await debtor.do_what_is_due()
    assert await debtor.payments(old) == ()
    assert sorted(debtor.stripe.charged(debtor.organization_id)) == [3000, 5000]


async def test_a_charge_that_waits_is_not_made_once_its_account_is_parked(debtor: Debtor) -> None:
    await automatic(debtor)
    debtor.stripe.busy = True
    invoice_id = await debtor.owes()

    async def asked() -> int:
        return len(debtor.stripe.requests(CollectPayment, debtor.organization_id))

    await until(asked, lambda count: count >= 1)
    await debtor.park("numbers do not agree")
    debtor.stripe.busy = False
    await debtor.attempts(invoice_id, 1, "failed")
    assert debtor.stripe.charged(debtor.organization_id) == []
    assert debtor.facts(PaymentFailed) == []
    await debtor.pass_days(3)
    await debtor.park(None)
    await debtor.do_what_is_due()
    await debtor.stands(invoice_id, "paid")
    assert debtor.stripe.charged(debtor.organization_id) == [5000]


async def test_a_payment_and_its_refund_told_in_one_word_are_both_kept(debtor: Debtor) -> None:
    invoice_id = await debtor.owes()
    waiting = await debtor.pay(invoice_id, "pm_asks")
    debtor.stripe.set(waiting.payment_id, status="succeeded", failure_code=None)
    refunded = debtor.stripe.give_back(waiting.payment_id, 2000)
    paid = msgspec.structs.replace(refunded, status="succeeded", refunded_cents=0)
    await debtor.stripe.tell(debtor.organization_id, refunded, 2)
    await debtor.attempts(invoice_id, 1, "partially_refunded")
    await debtor.stripe.tell(debtor.organization_id, paid, 1)
    row = await debtor.row(invoice_id)
    assert (row.status, row.amount_paid_cents, row.amount_refunded_cents) == ("paid", 5000, 2000)


async def test_a_surplus_that_stripe_does_not_give_back_is_tried_until_it_does(
    debtor: Debtor,
) -> None:
    invoice_id = await debtor.owes()
    paid = await debtor.pay(invoice_id)
    refusals = [Refusal(code="refused_by_stripe", detail="Not now.") for _ in range(2)]
    debtor.stripe.refuses[RefundPayment] = refusals
    async with means.database.transaction() as db:
        state = Returning(debtor.organization_id, paid.payment_id)
        await prepare_step(db, GiveBack, f"give_back:{paid.payment_id}", state)

    async def left() -> int:
        return len(refusals)

    async def refunded() -> int:
        return debtor.stripe.charges[paid.payment_id].refunded_cents

    # Within an hour Stripe would only say again what it has said.
    await until(left, lambda number: number == 1)
    debtor.clock.advance(timedelta(hours=1))
    await until(left, lambda number: number == 0)
    debtor.clock.advance(timedelta(hours=1))
    assert await until(refunded, lambda cents: cents > 0) == 5000
    assert len(debtor.stripe.requests(RefundPayment, debtor.organization_id)) == 3
    assert refusals == []


async def test_a_credit_note_ordered_by_two_people_at_once_leaves_its_invoice_open(
    debtor: Debtor,
) -> None:
    invoice_id = await debtor.owes(1000)
    request: Request[Any] = noting(debtor, invoice_id, 500, credit_note_id="cn-twice")
    answers: list[Reply] = await asyncio.gather(
        *(
            debtor.answered(request, idempotency_key=f"{debtor.organization_id}-{n}")
            for n in range(2)
        )
    )
    note = await debtor.ask(request)
    others = [each for each in answers if each != note]
    assert len(others) < 2
    assert {each.code for each in others if isinstance(each, Refusal)} <= {"credit_note_in_flight"}
    row = await debtor.row(invoice_id)
    assert (row.status, row.credited_cents) == ("open", 500)
