"""Credit notes where money moved, or is about to: none leaves an invoice half corrected."""

import asyncio
from typing import Any
from uuid import uuid4

from shared.contracts.base import Refusal, Request
from shared.contracts.invoicing import (
    CreditNote,
    InvoicePaid,
    IssueCreditNote,
    ListCreditNotes,
    PaymentReturned,
    RenderCreditNote,
)
from shared.contracts.stripe_gateway import CancelPayment, RefundFailed, RefundPayment
from tests.invoicing.collecting.debtor import Debtor
from tests.stack import until


def noting(debtor: Debtor, invoice_id: str, cents: int, **changes: str) -> IssueCreditNote:
    values: dict[str, Any] = {"credit_note_id": uuid4().hex, "kind": "credit", **changes}
    return IssueCreditNote(
        organization_id=debtor.organization_id,
        invoice_id=invoice_id,
        amount_cents=cents,
        reason="a mistake",
        requested_by="operator",
        **values,
    )


async def notes(debtor: Debtor) -> tuple[CreditNote, ...]:
    return (await debtor.ask(ListCreditNotes(organization_id=debtor.organization_id))).credit_notes


async def fail_at_the_bank(debtor: Debtor, refund_id: str, cents: int, times: int = 1) -> None:
    for _ in range(times):
        await debtor.stripe.publish(
            RefundFailed(
                organization_id=debtor.organization_id,
                refund_id=refund_id,
                amount_cents=cents,
                failed_at=debtor.clock.now(),
            )
        )


async def credited(debtor: Debtor, invoice_id: str, cents: int) -> None:
    async def look() -> int:
        return (await debtor.row(invoice_id)).credited_cents

    await until(look, lambda found: found == cents)


async def test_a_credit_note_ends_a_question_that_a_customer_left_unanswered(
    debtor: Debtor,
) -> None:
    invoice_id = await debtor.owes()
    waiting = await debtor.pay(invoice_id, "pm_asks")
    await debtor.ask(noting(debtor, invoice_id, 1500))
    [ended] = debtor.stripe.requests(CancelPayment, debtor.organization_id)
    assert ended.charge_id == waiting.payment_id
    await debtor.attempts(invoice_id, 1, "failed")
    # The customer who comes back now pays what is left, not what the question was about.
    paid = await debtor.pay(invoice_id, "pm_better")
    assert (paid.status, paid.amount_cents) == ("succeeded", 3500)
    row = await debtor.row(invoice_id)
    assert (row.status, row.amount_paid_cents, row.credited_cents) == ("paid", 3500, 1500)
    assert debtor.stripe.charged(debtor.organization_id) == [3500]


async def test_who_answered_the_bank_a_moment_ago_has_paid_all_of_it(debtor: Debtor) -> None:
    invoice_id = await debtor.owes()
    waiting = await debtor.pay(invoice_id, "pm_asks")
    debtor.stripe.set(waiting.payment_id, status="succeeded", failure_code=None)
    refusal = await debtor.refused(noting(debtor, invoice_id, 1500))
    assert (refusal.status, refusal.code) == (409, "payment_under_way")
    row = await debtor.row(invoice_id)
    assert (row.status, row.amount_paid_cents, row.credited_cents) == ("paid", 5000, 0)
    assert len(await debtor.told_of(InvoicePaid)) == 1
    assert await notes(debtor) == ()


async def test_a_note_and_a_payment_at_once_never_collect_too_much(debtor: Debtor) -> None:
    for _ in range(5):
        invoice_id = await debtor.owes()
        await debtor.pay(invoice_id, "pm_asks")
        lessen: Request[Any] = noting(debtor, invoice_id, 1500)
        pay: Request[Any] = debtor.paying(invoice_id, "pm_better")
        note, paid = await asyncio.gather(debtor.answered(lessen), debtor.answered(pay))
        row = await debtor.row(invoice_id)
        if isinstance(note, Refusal):
            assert row.credited_cents == 0
        else:
            assert row.credited_cents == 1500
        if row.status == "paid":
            assert row.amount_paid_cents == 5000 - row.credited_cents, (note, paid)
        elif isinstance(note, Refusal):
            await debtor.stands(invoice_id, "paid")
    assert debtor.facts(PaymentReturned) == []


async def test_a_note_that_is_ordered_twice_at_once_is_set_aside_once(debtor: Debtor) -> None:
    invoice_id = await debtor.owes()
    await debtor.pay(invoice_id, "pm_asks")
    request: Request[Any] = noting(debtor, invoice_id, 1500)
    debtor.stripe.open.clear()
    first = asyncio.create_task(debtor.answered(request))

    async def set_aside() -> int:
        return (await debtor.row(invoice_id)).credited_cents

    await until(set_aside, lambda cents: cents == 1500)
    refusal = await debtor.refused(request, idempotency_key="again", principal="operator")
    assert (refusal.status, refusal.code) == (409, "credit_note_in_flight")
    assert await set_aside() == 1500
    debtor.stripe.open.set()
    note = await first
    assert await debtor.ask(request) == note
    # Whoever pays now pays what is left, and that is all.
    assert (await debtor.pay(invoice_id, "pm_better")).amount_cents == 3500
    await debtor.stands(invoice_id, "paid")


async def test_a_refund_that_fails_leaves_room_for_another_note(debtor: Debtor) -> None:
    invoice_id = await debtor.owes()
    paid = await debtor.pay(invoice_id)
    request = noting(debtor, invoice_id, 5000, kind="refund")
    note = await debtor.ask(request)
    assert (await debtor.row(invoice_id)).credited_cents == 5000
    await fail_at_the_bank(debtor, note.credit_note_id, 5000, times=3)
    await credited(debtor, invoice_id, 0)
    home = debtor.stripe.set(paid.payment_id, status="succeeded", refunded_cents=0)
    await debtor.stripe.tell(debtor.organization_id, home)

    [void] = await notes(debtor)
    assert void.voided_at == debtor.clock.now()
    assert (await debtor.ask(request)).voided_at is not None
    page = await debtor.ask(
        RenderCreditNote(
            organization_id=debtor.organization_id,
            credit_note_id=note.credit_note_id,
            format="html",
        )
    )
    assert b"the bank did not take this refund" in page.content.lower()

    another = await debtor.ask(noting(debtor, invoice_id, 5000, kind="refund"))
    assert another.credit_note_number.endswith("-000002")
    assert (await debtor.row(invoice_id)).credited_cents == 5000
    assert len(debtor.stripe.requests(RefundPayment, debtor.organization_id)) == 2


async def test_a_refund_that_fails_before_its_note_is_numbered_makes_none(debtor: Debtor) -> None:
    invoice_id = await debtor.owes()
    await debtor.pay(invoice_id)
    first = await debtor.ask(noting(debtor, invoice_id, 100, kind="refund"))
    await fail_at_the_bank(debtor, "cn-early", 700)
    await fail_at_the_bank(debtor, first.credit_note_id, 100)
    # Told after the other, so that one was heard as well.
    await credited(debtor, invoice_id, 0)
    early = noting(debtor, invoice_id, 700, kind="refund", credit_note_id="cn-early")
    refusal = await debtor.refused(early)
    assert (refusal.status, refusal.code) == (409, "refund_failed")
    assert (await debtor.row(invoice_id)).credited_cents == 0
    assert [each.credit_note_id for each in await notes(debtor)] == [first.credit_note_id]
