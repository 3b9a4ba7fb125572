"""Killed anywhere, what is taken back, credited, refunded or collected is so once and all of it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from services.account.app import service as account
from services.invoicing.app import service as invoicing
from shared.bus import Bus
from shared.clock import FixedClock
from shared.contracts.account import UpdateAccount
from shared.contracts.base import Refusal, Request
from shared.contracts.invoicing import (
    CreditNote,
    CreditNoteKind,
    Invoice,
    InvoiceVoided,
    IssueCreditNote,
    ListCreditNotes,
    ListPayments,
    PayInvoice,
    Payment,
    VoidInvoice,
)
from shared.contracts.stripe_gateway import CancelPayment, CollectPayment, RefundPayment
from tests.invoicing.collecting.scripted_stripe import ScriptedStripe
from tests.invoicing.crashing import STEP, all_done, answered, killed
from tests.invoicing.customer import Customer, World
from tests.processes import running
from tests.stack import Stack, until

# Where a step of its own dies, and where it is told of.
ONCE = tuple(f"{point}:1" for point in (*STEP, "outbox.published"))
# A step that prepares another one, which prepares a third: each of them dies everywhere.
THRICE = tuple(f"{point}:{turn}" for turn in (1, 2, 3) for point in STEP)


@pytest.fixture
async def stripe(stack: Stack) -> AsyncIterator[ScriptedStripe]:
    scripted = await ScriptedStripe.start(stack, FixedClock(datetime.now(UTC)))
    yield scripted
    await scripted.stop()


@pytest.fixture
async def customer(stack: Stack, bus: Bus, stripe: ScriptedStripe) -> AsyncIterator[Customer]:
    """Somebody in the machine's own time, with a real account and a scripted Stripe."""
    world = World(stack, bus, FixedClock(datetime.now(UTC)))
    await stack.redeliver_after(invoicing, 1)
    async with stack.running(account):
        found = Customer(world, f"org-{uuid4().hex[:12]}")
        await found.listen()
        yield found
        await found.check()
    await stack.redeliver_after(invoicing, None)
    await world.close()


async def billed(customer: Customer, count: int, *, by_credits: int = 0) -> list[Invoice]:
    """So many invoices of $10.00, some of each by credits."""
    invoices = []
    for _ in range(count):
        if by_credits:
            await customer.grant(by_credits)
        await customer.use(customer.charged(at=datetime.now(UTC)))
        invoices.append(await customer.invoice())
    return invoices


async def paying(customer: Customer, invoice: Invoice, card: str) -> Payment:
    return await customer.ask(
        PayInvoice(
            organization_id=customer.organization_id,
            invoice_id=invoice.invoice_id,
            payment_method_id=card,
            requested_by="owner",
        )
    )


async def survived(
    customer: Customer, log: Path, requests: Sequence[Request[Any]], failpoints: Sequence[str]
) -> list[Any]:
    """Each request is asked of a process that dies by it; the answers they have in the end."""
    for number, (request, failpoint) in enumerate(zip(requests, failpoints, strict=True)):
        asking: Any = request
        key = f"key-{number}"

        async def ask(asking: Any = asking, key: str = key) -> object:
            return await customer.world.bus.ask(
                asking, idempotency_key=key, principal="operator", timeout_seconds=1
            )

        await killed(customer, log, failpoint, ask)
    async with running(customer.world.stack, "invoicing", log) as alive:
        await alive.ready()
        answers = [
            await answered(customer, request, f"key-{number}")
            for number, request in enumerate(requests)
        ]
        await all_done(customer, alive)
        assert not [answer for answer in answers if isinstance(answer, Refusal)]
    return answers


async def test_a_void_survives_a_kill_everywhere(customer: Customer, tmp_path: Path) -> None:
    async with customer.world.stack.running(invoicing):
        invoices = await billed(customer, len(ONCE), by_credits=400)
    voids = [void(customer, invoice) for invoice in invoices]
    answers = await survived(customer, tmp_path / "log", voids, ONCE)
    assert [answer.status for answer in answers] == ["void"] * len(ONCE)
    assert (await customer.account()).credit_balance_cents == 400 * len(ONCE)
    (row,) = await customer.sql(
        "SELECT count(*) FILTER (WHERE billed_at IS NULL AND invoice_id IS NULL) AS unbilled,"
        " count(*) AS uses FROM usage_records WHERE organization_id = $1"
    )
    assert tuple(row) == (len(ONCE), len(ONCE))
    told = {each["invoice_id"] for each in customer.facts(InvoiceVoided)}
    assert told == {invoice.invoice_id for invoice in invoices}
    async with customer.world.stack.running(invoicing):
        again = await customer.invoice()
    assert (again.total_cents, again.credits_applied_cents) == (5000, 2000)
    assert again.invoice_number.endswith("-000006")


def void(customer: Customer, invoice: Invoice) -> VoidInvoice:
    return VoidInvoice(
        organization_id=customer.organization_id,
        invoice_id=invoice.invoice_id,
        reason="a mistake",
        requested_by="operator",
    )


async def test_what_comes_for_a_void_invoice_goes_back_once_whatever_is_killed(
    customer: Customer, stripe: ScriptedStripe, tmp_path: Path
) -> None:
    async with customer.world.stack.running(invoicing):
        invoices = await billed(customer, len(THRICE))
        waiting = [await paying(customer, invoice, "pm_asks") for invoice in invoices]
    confirmed = waiting[::2] + waiting[-3:]
    for payment in confirmed:
        # Told to nobody yet: the void meets it when it ends the attempt.
        stripe.set(payment.payment_id, status="succeeded", failure_code=None)
    voids = [void(customer, invoice) for invoice in invoices]
    await survived(customer, tmp_path / "log", voids, THRICE)
    back = {payment.payment_id for payment in confirmed}
    assert {name: cents for name, (_, cents) in stripe.refunds.items()} == {
        f"surplus:{payment_id}": 1000 for payment_id in back
    }
    for payment in waiting:
        charge = stripe.charges[payment.payment_id]
        assert charge.status == ("refunded" if payment.payment_id in back else "failed")
    ended = stripe.requests(CancelPayment, customer.organization_id)
    assert {each.charge_id for each in ended} == {each.payment_id for each in waiting}
    rows = await customer.sql("SELECT * FROM payments WHERE organization_id = $1")
    assert {row["payment_id"] for row in rows if row["surplus"]} == back


@pytest.mark.parametrize("how", ["lessen", "grant", "refund"])
async def test_a_credit_note_survives_a_kill_everywhere(
    customer: Customer, stripe: ScriptedStripe, tmp_path: Path, how: str
) -> None:
    async with customer.world.stack.running(invoicing):
        invoices = await billed(customer, len(ONCE), by_credits=1000 if how == "grant" else 0)
        card = {"refund": "pm_good", "lessen": "pm_asks"}.get(how)
        payments = [await paying(customer, each, card) for each in invoices if card]
    kind: CreditNoteKind = "refund" if how == "refund" else "credit"
    notes = [note(customer, invoice, kind) for invoice in invoices]
    answers = await survived(customer, tmp_path / "log", notes, ONCE)
    assert sorted(each.credit_note_number[-6:] for each in answers) == [
        f"{number:06}" for number in range(1, len(ONCE) + 1)
    ]
    async with customer.world.stack.running(invoicing):
        listed = await customer.ask(ListCreditNotes(organization_id=customer.organization_id))
        after = await customer.invoices()
    assert {each.credit_note_id for each in listed.credit_notes} == {
        each.credit_note_id for each in answers if isinstance(each, CreditNote)
    }
    assert [each.credited_cents for each in after] == [300] * len(ONCE)
    granted = 300 * len(ONCE) if how == "grant" else 0
    assert (await customer.account()).credit_balance_cents == granted
    refunds = [cents for _, cents in stripe.refunds.values()]
    assert refunds == ([300] * len(ONCE) if how == "refund" else [])
    if how == "lessen":
        # What would have collected too much has ended.
        assert {stripe.charges[each.payment_id].status for each in payments} == {"failed"}


def note(customer: Customer, invoice: Invoice, kind: CreditNoteKind) -> IssueCreditNote:
    return IssueCreditNote(
        organization_id=customer.organization_id,
        invoice_id=invoice.invoice_id,
        credit_note_id=uuid4().hex,
        kind=kind,
        amount_cents=300,
        reason="a mistake",
        requested_by="operator",
    )


async def test_auto_billing_charges_once_whatever_is_killed(
    customer: Customer, stripe: ScriptedStripe, tmp_path: Path
) -> None:
    await stripe.set_default(customer.organization_id, "pm_poor")
    async with customer.world.stack.running(invoicing):
        await customer.ask(
            UpdateAccount(
                organization_id=customer.organization_id,
                requested_by="owner",
                auto_billing_enabled=True,
            )
        )
        await until(partial(automatic, customer), lambda found: found == [True])
        invoices = await billed(customer, 8)
        for invoice in invoices:
            await attempted(customer, invoice, 1)
    await stripe.set_default(customer.organization_id, "pm_good")

    async def nothing() -> None:
        await asyncio.sleep(0)

    for failpoint in ONCE:
        await killed(customer, tmp_path / "log", failpoint, nothing)
    async with running(customer.world.stack, "invoicing", tmp_path / "log") as alive:
        await all_done(customer, alive)
        for invoice in invoices:
            newest, _ = await attempted(customer, invoice, 2)
            assert (newest.status, newest.amount_cents) == ("succeeded", 1000)
        assert {each.status for each in await customer.invoices()} == {"paid"}
    assert stripe.charged(customer.organization_id) == [1000] * 8
    asked = stripe.requests(CollectPayment, customer.organization_id)
    assert len({each.charge_id for each in asked}) == 16
    assert stripe.requests(RefundPayment, customer.organization_id) == []


async def automatic(customer: Customer) -> list[bool]:
    query = "SELECT auto_billing_enabled FROM billing_profiles WHERE organization_id = $1"
    return [row[0] for row in await customer.sql(query)]


async def attempted(customer: Customer, invoice: Invoice, count: int) -> tuple[Payment, ...]:
    """Wait until there have been so many attempts, which have all ended."""
    request = ListPayments(organization_id=customer.organization_id, invoice_id=invoice.invoice_id)

    async def look() -> tuple[Payment, ...]:
        return (await customer.ask(request)).payments

    def ended(found: tuple[Payment, ...]) -> bool:
        return len(found) == count and all(each.status != "pending" for each in found)

    return await until(look, ended)
