"""What a customer's bank takes back shows on the invoice, and is not given back once more."""

from typing import Any

import msgspec
import pytest

from services.auditor.rules.checks import BY_NAME
from services.auditor.rules.judging import failures
from services.invoicing.app import means
from services.invoicing.handlers.returning import GiveBack, Returning
from services.invoicing.handlers.settling import keep_charge
from services.invoicing.store.profiles import lock_profile
from services.invoicing.tables import InvoiceRow
from shared.contracts.invoicing import (
    GetInvoice,
    GetInvoicingTotals,
    InvoiceChanged,
    RenderInvoice,
    VoidInvoice,
)
from shared.contracts.stripe_gateway import Charge, RefundPayment
from shared.steps import prepare_step
from tests.invoicing.collecting.debtor import Debtor
from tests.invoicing.collecting.test_mirroring import invoice_at_stripe, mirrored
from tests.invoicing.collecting.test_notes import noting
from tests.invoicing.sheets import text_of
from tests.stack import until


async def paid(debtor: Debtor) -> tuple[str, Charge]:
    """An invoice of $50 that was paid, and never changes; its id, and the charge."""
    invoice_id = await debtor.owes(5000, content_hash=b"what it says")
    payment = await debtor.pay(invoice_id)
    return invoice_id, debtor.stripe.charges[payment.payment_id]


async def tell(debtor: Debtor, charge: Charge, cents: int, version: int, **more: Any) -> None:
    """stripe_gateway says that so much of a charge is disputed."""
    said = msgspec.structs.replace(charge, disputed_cents=cents, **more)
    await debtor.stripe.tell(debtor.organization_id, said, version)


async def shows(debtor: Debtor, invoice_id: str, cents: int) -> InvoiceRow:
    """Wait until an invoice shows that so much is disputed."""

    async def look() -> InvoiceRow:
        return await debtor.row(invoice_id)

    return await until(look, lambda row: row.amount_disputed_cents == cents)


async def heard(debtor: Debtor, invoice_id: str, version: int) -> None:
    """Wait until a word about the charge was heard."""

    async def newest() -> int:
        async with means.database.read() as db:
            found = await db.driver.fetchval(
                "SELECT charge_version FROM payments WHERE organization_id = $1"
                " AND invoice_id = $2",
                debtor.organization_id,
                invoice_id,
            )
            return int(found)

    await until(newest, lambda found: found >= version)


def void(debtor: Debtor, invoice_id: str) -> VoidInvoice:
    return VoidInvoice(
        organization_id=debtor.organization_id,
        invoice_id=invoice_id,
        reason="a mistake",
        requested_by="operator",
    )


async def adds_up(debtor: Debtor) -> bool:
    """Whether what was paid is what was collected, by the auditor's checks of this service."""
    totals = await debtor.ask(GetInvoicingTotals(organization_id=debtor.organization_id))
    own = {name: getattr(totals, name) for name in totals.__struct_fields__}
    return "I8" not in {BY_NAME[name].invariant for name in failures({"invoicing": own})}


async def test_a_disputed_invoice_says_so_and_is_not_corrected_until_that_is_won(
    debtor: Debtor,
) -> None:
    invoice_id, charge = await paid(debtor)
    await tell(debtor, charge, 5000, 2)
    row = await shows(debtor, invoice_id, 5000)
    assert (row.status, row.amount_paid_cents, row.amount_refunded_cents) == ("paid", 5000, 0)
    assert await adds_up(debtor)
    own = (debtor.organization_id,)
    wanted = GetInvoice(organization_ids=own, invoice_id=invoice_id)
    assert (await debtor.ask(wanted)).amount_disputed_cents == 5000
    drawn = RenderInvoice(organization_ids=own, invoice_id=invoice_id)
    assert "$50.00 is disputed by your bank." in text_of((await debtor.ask(drawn)).content)

    for request in (noting(debtor, invoice_id, 100, kind="refund"), void(debtor, invoice_id)):
        assert (await debtor.refused(request)).code == "invoice_disputed"
    # Nor are credits given for what the bank has given back.
    refusal = await debtor.refused(noting(debtor, invoice_id, 100))
    assert (refusal.code, "$0.00" in refusal.detail) == ("beyond_invoice", True)
    assert debtor.stripe.requests(RefundPayment, debtor.organization_id) == []
    assert (await debtor.row(invoice_id)).credited_cents == 0

    await tell(debtor, charge, 0, 3)
    await shows(debtor, invoice_id, 0)
    await debtor.ask(noting(debtor, invoice_id, 5000, kind="refund"))
    assert [
        each.amount_cents for each in debtor.stripe.requests(RefundPayment, debtor.organization_id)
    ] == [5000]


async def test_words_of_a_dispute_that_come_late_and_twice_change_nothing(debtor: Debtor) -> None:
    invoice_id, charge = await paid(debtor)
    await tell(debtor, charge, 0, 4)
    await heard(debtor, invoice_id, 4)
    for version, cents in ((3, 5000), (3, 5000), (2, 0)):
        await tell(debtor, charge, cents, version)
    await tell(debtor, charge, 5000, 5)
    await tell(debtor, charge, 5000, 5)
    await shows(debtor, invoice_id, 5000)
    await tell(debtor, charge, 0, 4)
    await tell(debtor, charge, 5000, 6, payment_method_last4="0000")
    await heard(debtor, invoice_id, 6)
    await shows(debtor, invoice_id, 5000)
    facts = [each["invoice"]["amount_disputed_cents"] for each in debtor.facts(InvoiceChanged)]
    assert facts == [0, 5000]


async def test_a_surplus_whose_dispute_is_won_goes_back_however_long_that_took(
    debtor: Debtor,
) -> None:
    invoice_id, charge = await paid(debtor)
    step_id = f"give_back:{charge.charge_id}"
    async with means.database.transaction() as db:
        state = Returning(debtor.organization_id, charge.charge_id)
        await prepare_step(db, GiveBack, step_id, state)
        # As after four hours of trying.
        await db.driver.execute("UPDATE steps SET status = 'parked' WHERE step_id = $1", step_id)
        await db.driver.execute(
            "UPDATE payments SET surplus = true WHERE payment_id = $1", charge.charge_id
        )
    await tell(debtor, charge, 5000, 2)
    await heard(debtor, invoice_id, 2)
    assert debtor.stripe.requests(RefundPayment, debtor.organization_id) == []
    await tell(debtor, charge, 0, 3)

    async def refunded() -> int:
        return debtor.stripe.charges[charge.charge_id].refunded_cents

    await until(refunded, lambda cents: cents == 5000)


async def test_an_answer_of_before_the_dispute_does_not_end_it(debtor: Debtor) -> None:
    invoice_id, charge = await paid(debtor)
    await tell(debtor, charge, 5000, 2)
    await shows(debtor, invoice_id, 5000)
    async with means.database.transaction() as db:
        profile = await lock_profile(db, debtor.organization_id)
        await keep_charge(db, profile, charge.charge_id, charge)
    await shows(debtor, invoice_id, 5000)


async def test_a_payment_and_its_dispute_told_in_one_word_are_both_kept(debtor: Debtor) -> None:
    invoice_id = await debtor.owes()
    waiting = await debtor.pay(invoice_id, "pm_asks")
    charge = debtor.stripe.set(
        waiting.payment_id, status="succeeded", failure_code=None, disputed_cents=5000
    )
    await debtor.stripe.tell(debtor.organization_id, charge, 2)
    row = await shows(debtor, invoice_id, 5000)
    assert (row.status, row.amount_paid_cents) == ("paid", 5000)


@pytest.mark.parametrize(("refunded", "disputed"), [(2000, 3000), (0, 1500)])
async def test_what_was_refunded_and_what_is_disputed_stand_side_by_side(
    debtor: Debtor, refunded: int, disputed: int
) -> None:
    invoice_id, charge = await paid(debtor)
    status = "partially_refunded" if refunded else "succeeded"
    await tell(debtor, charge, disputed, 2, status=status, refunded_cents=refunded)
    row = await shows(debtor, invoice_id, disputed)
    assert row.amount_refunded_cents == refunded
    # What is left may still be given as credits, and no more.
    left = 5000 - refunded - disputed
    refusal = await debtor.refused(noting(debtor, invoice_id, left + 1))
    assert refusal.code == "beyond_invoice"


async def test_what_is_disputed_of_stripes_own_invoice_shows_on_it(debtor: Debtor) -> None:
    told = invoice_at_stripe(
        debtor, status="paid", amount_paid_cents=7900, paid_at=debtor.clock.now()
    )
    await mirrored(debtor, told)
    for version, refunded, disputed, shown in (
        (2, 0, 7900, 7900),
        (3, 0, 0, 0),
        # A payment may have paid a balance as well.
        (4, 1000, 9000, 6900),
    ):
        changed = msgspec.structs.replace(
            told, amount_refunded_cents=refunded, amount_disputed_cents=disputed
        )
        row = await mirrored(debtor, changed, version)
        assert (row.status, row.amount_refunded_cents) == ("paid", refunded)
        assert row.amount_disputed_cents == shown


async def test_an_attempt_at_stripes_own_invoice_says_nothing_of_disputes(debtor: Debtor) -> None:
    told = invoice_at_stripe(debtor)
    invoice_id = (await mirrored(debtor, told)).invoice_id
    payment = await debtor.pay(invoice_id)
    at = debtor.clock.now()
    changes = {"status": "paid", "amount_paid_cents": 7900, "paid_at": at}
    await mirrored(debtor, msgspec.structs.replace(told, **changes, amount_disputed_cents=7900), 2)
    # The same answer, once more, and with the card's name this time.
    charge = debtor.stripe.set(payment.payment_id, payment_method_brand="mastercard")
    async with means.database.transaction() as db:
        profile = await lock_profile(db, debtor.organization_id)
        await keep_charge(db, profile, payment.payment_id, charge)
    await debtor.attempts(invoice_id, 1, "succeeded")
    assert (await debtor.row(invoice_id)).amount_disputed_cents == 7900
