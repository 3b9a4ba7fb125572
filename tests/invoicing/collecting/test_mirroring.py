"""Stripe's own invoices beside ours: as Stripe has them, changed only by Stripe, paid at Stripe."""

from datetime import timedelta
from typing import Any

import msgspec

from services.invoicing.app import means
from services.invoicing.store.invoices import list_lines
from services.invoicing.store.mirrored import find_mirrored
from services.invoicing.tables import InvoiceRow
from shared.contracts.invoicing import InvoiceChanged, InvoicePaid
from shared.contracts.stripe_gateway import (
    CollectPayment,
    PayStripeInvoice,
    StripeInvoice,
    StripeInvoiceChanged,
    StripeInvoiceLine,
)
from tests.invoicing.collecting.debtor import Debtor
from tests.stack import until


def invoice_at_stripe(debtor: Debtor, **changes: Any) -> StripeInvoice:
    """A month of a plan, that could not be collected."""
    now = debtor.clock.now()
    month = now + timedelta(days=31)
    plan = StripeInvoiceLine(
        description="Pro plan",
        quantity=1,
        total_cents=7900,
        period_start=now,
        period_end=month,
    )
    values: dict[str, Any] = {
        "stripe_invoice_id": f"in_{debtor.organization_id.replace('-', '_')}",
        "number": "ABC-0001",
        "status": "open",
        "description": None,
        "currency": "usd",
        "subtotal_cents": 7900,
        "discount_cents": 0,
        "tax_cents": 0,
        "total_cents": 7900,
        "amount_due_cents": 7900,
        "amount_paid_cents": 0,
        "attempted": True,
        "lines": (plan,),
        "period_start": now,
        "period_end": month,
        "due_at": None,
        "finalized_at": now,
        "paid_at": None,
        "voided_at": None,
        "created_at": now,
        **changes,
    }
    return StripeInvoice(**values)


async def tell(debtor: Debtor, invoice: StripeInvoice, version: int = 1) -> None:
    """As stripe_gateway does."""
    await debtor.stripe.publish(
        StripeInvoiceChanged(
            organization_id=debtor.organization_id,
            version=version,
            invoice=invoice,
            changed_at=debtor.clock.now(),
        )
    )


async def mirrored(debtor: Debtor, invoice: StripeInvoice, version: int = 1) -> InvoiceRow:
    """Tell, and wait until it is written down."""
    await tell(debtor, invoice, version)

    async def look() -> InvoiceRow | None:
        async with means.database.read() as db:
            return await find_mirrored(db, debtor.organization_id, invoice.stripe_invoice_id)

    found = await until(look, lambda row: row is not None and row.stripe_version >= version)
    assert found is not None
    return found


async def test_an_invoice_of_stripes_is_shown_as_stripe_has_it(debtor: Debtor) -> None:
    told = invoice_at_stripe(debtor)
    row = await mirrored(debtor, told)
    assert (row.kind, row.number, row.invoice_number) == ("stripe", None, "ABC-0001")
    assert (row.status, row.amount_due_cents, row.amount_paid_cents) == ("past_due", 7900, 0)
    async with means.database.read() as db:
        [line] = (await list_lines(db, [row]))[row.invoice_id]
    assert (line.kind, line.description, line.total_cents) == ("stripe", "Pro plan", 7900)

    paid = msgspec.structs.replace(
        told, status="paid", amount_paid_cents=7900, paid_at=debtor.clock.now()
    )
    await mirrored(debtor, paid, 3)
    # Late, and twice.
    await tell(debtor, told, 2)
    await tell(debtor, paid, 3)
    again = await mirrored(debtor, paid, 4)
    assert (again.status, again.invoice_id, again.amount_paid_cents) == (
        "paid",
        row.invoice_id,
        7900,
    )
    assert len(await debtor.told_of(InvoicePaid)) == 1
    statuses = [each["invoice"]["status"] for each in debtor.facts(InvoiceChanged)]
    assert statuses == ["past_due", "paid"]


async def test_what_stripe_gave_back_of_an_invoice_shows_on_it(debtor: Debtor) -> None:
    paid = invoice_at_stripe(
        debtor, status="paid", amount_paid_cents=7900, paid_at=debtor.clock.now()
    )
    await mirrored(debtor, paid)
    for version, cents in ((2, 1000), (3, 7900), (4, 0)):
        told = msgspec.structs.replace(paid, amount_refunded_cents=cents)
        row = await mirrored(debtor, told, version)
        assert (row.status, row.amount_refunded_cents) == ("paid", cents)
    # No more than was paid of it: a payment may have paid a balance as well.
    row = await mirrored(debtor, msgspec.structs.replace(paid, amount_refunded_cents=9000), 5)
    assert row.amount_refunded_cents == 7900
    facts = await debtor.told_of(InvoiceChanged, 5)
    told_of = [each["invoice"]["amount_refunded_cents"] for each in facts]
    assert told_of == [0, 1000, 7900, 0, 7900]


async def test_words_of_stripe_become_ours(debtor: Debtor) -> None:
    now = debtor.clock.now()
    cases: list[tuple[dict[str, Any], str]] = [
        ({"status": "open", "attempted": False}, "open"),
        ({"status": "open", "attempted": False, "due_at": now - timedelta(days=1)}, "past_due"),
        ({"status": "open", "attempted": True}, "past_due"),
        ({"status": "uncollectible"}, "past_due"),
        ({"status": "void", "voided_at": now}, "void"),
        ({"status": "paid", "amount_paid_cents": 7900, "paid_at": now}, "paid"),
    ]
    for version, (changes, status) in enumerate(cases, start=1):
        row = await mirrored(debtor, invoice_at_stripe(debtor, **changes), version)
        assert row.status == status, changes


async def test_a_balance_at_stripe_and_a_credit_keep_their_sums(debtor: Debtor) -> None:
    row = await mirrored(debtor, invoice_at_stripe(debtor, amount_due_cents=5000))
    assert (row.total_cents, row.credits_applied_cents, row.amount_due_cents) == (7900, 2900, 5000)
    credit = invoice_at_stripe(
        debtor,
        stripe_invoice_id="in_credit",
        subtotal_cents=-500,
        total_cents=-500,
        amount_due_cents=0,
        status="paid",
    )
    row = await mirrored(debtor, credit)
    assert (row.total_cents, row.amount_due_cents, row.status) == (-500, 0, "paid")


async def test_more_lines_than_are_told_are_one(debtor: Debtor) -> None:
    told = invoice_at_stripe(debtor, subtotal_cents=10_000, total_cents=10_000, lines_left_out=True)
    row = await mirrored(debtor, told)
    async with means.database.read() as db:
        lines = (await list_lines(db, [row]))[row.invoice_id]
    assert [line.total_cents for line in lines] == [7900, 2100]


async def test_an_open_invoice_of_stripes_is_paid_at_stripe(debtor: Debtor) -> None:
    told = invoice_at_stripe(debtor)
    row = await mirrored(debtor, told)
    declined = await debtor.pay(row.invoice_id, "pm_poor")
    assert (declined.status, declined.amount_cents) == ("failed", 7900)
    paid = await debtor.pay(row.invoice_id)
    assert paid.status == "succeeded"
    assert (await debtor.row(row.invoice_id)).status == "paid"
    assert debtor.stripe.requests(CollectPayment, debtor.organization_id) == []
    asked = debtor.stripe.requests(PayStripeInvoice, debtor.organization_id)
    assert {each.stripe_invoice_id for each in asked} == {told.stripe_invoice_id}
    assert (await debtor.refused(debtor.paying(row.invoice_id))).code == "invoice_paid"

    # The answer was faster than what Stripe told before it: that reopens nothing.
    await mirrored(debtor, told, 2)
    late = await debtor.row(row.invoice_id)
    assert (late.status, late.amount_paid_cents) == ("paid", 7900)
    now_paid = msgspec.structs.replace(
        told, status="paid", amount_paid_cents=7900, paid_at=debtor.clock.now()
    )
    await mirrored(debtor, now_paid, 3)
    assert len(await debtor.told_of(InvoicePaid)) == 1
    assert [each.status for each in await debtor.payments(row.invoice_id)] == [
        "succeeded",
        "failed",
    ]


async def test_a_confirmed_payment_of_stripes_invoice_is_finished_by_its_fact(
    debtor: Debtor,
) -> None:
    told = invoice_at_stripe(debtor)
    row = await mirrored(debtor, told)
    waiting = await debtor.pay(row.invoice_id, "pm_asks")
    assert (waiting.status, bool(waiting.client_secret)) == ("requires_action", True)
    paid = msgspec.structs.replace(
        told, status="paid", amount_paid_cents=7900, paid_at=debtor.clock.now()
    )
    await mirrored(debtor, paid, 2)
    [payment] = await debtor.payments(row.invoice_id)
    assert (payment.payment_id, payment.status) == (waiting.payment_id, "succeeded")


async def test_another_card_takes_over_at_stripe_without_an_end(debtor: Debtor) -> None:
    row = await mirrored(debtor, invoice_at_stripe(debtor))
    await debtor.pay(row.invoice_id, "pm_asks")
    assert (await debtor.pay(row.invoice_id, "pm_better")).status == "succeeded"
    statuses = [each.status for each in await debtor.payments(row.invoice_id)]
    assert statuses == ["succeeded", "failed"]
