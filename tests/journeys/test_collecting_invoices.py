"""Invoices from the use to the money: paid by hand, automatically, late, once; all of it real."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from shared.contracts.base import PASSING
from shared.contracts.invoicing import CreditNote, IssueCreditNote
from tests.journeys.subscriber import Subscriber, cents, pay, subscriber
from tests.journeys.system import System
from tests.stack import until

WORKFLOW_CENTS = 1000
FREE = 5


class Payer:
    """What somebody does about invoices."""

    def __init__(self, subscriber: Subscriber, http: httpx.AsyncClient) -> None:
        self.subscriber = subscriber
        self.http = http
        self.path = f"/api/billing/account/{subscriber.organization}"

    async def bill_automatically(self, on: bool) -> None:
        """Switch auto-billing."""
        answer = await self.http.patch(self.path, json={"auto_billing_enabled": on})
        assert answer.status_code == 200, answer.text
        await self.subscriber.machine.settle()

    async def use(self, workflows: int) -> None:
        """Run so many workflows beyond the free ones, with a good card."""
        await self.subscriber.use_card("pm_card_visa")
        await self.bill_automatically(True)
        await self.subscriber.run(FREE + workflows)
        await self.subscriber.machine.settle()

    async def bill(self) -> Any:
        """Have what was used billed now."""
        return await self.subscriber.done("/invoices/generate")

    async def owe(self, workflows: int) -> Any:
        """An open invoice, to be paid by hand."""
        await self.use(workflows)
        await self.bill_automatically(False)
        made = await self.bill()
        assert made["status"] == "open"
        return made

    async def invoice(self, invoice_id: str) -> Any:
        """How an invoice stands."""
        return (await self.http.get(f"/api/billing/invoices/{invoice_id}")).json()

    async def stands(self, invoice_id: str, status: str) -> Any:
        """Wait until an invoice has a status."""

        async def look() -> Any:
            return await self.invoice(invoice_id)

        return await until(look, lambda found: found["status"] == status)

    async def invoices(self) -> list[Any]:
        """All of them, newest first."""
        found: list[Any] = (await self.http.get(f"{self.path}/invoices")).json()
        return found

    async def payments(self, invoice_id: str) -> list[Any]:
        """The attempts at an invoice, newest first."""
        answer = await self.http.get(f"/api/billing/invoices/{invoice_id}/payments")
        assert answer.status_code == 200, answer.text
        found: list[Any] = answer.json()
        return found

    async def paid_by(self, invoice_id: str, status: str) -> Any:
        """The newest attempt, once it has a status."""

        async def look() -> Any:
            return (await self.payments(invoice_id))[0]

        return await until(look, lambda found: found["status"] == status)

    async def pay(self, invoice_id: str, card: str | None = None, **headers: str) -> httpx.Response:
        """Ask to pay, with the default card or another one of the customer's."""
        body = None if card is None else {"payment_method_id": card}
        path = f"/api/billing/invoices/{invoice_id}/pay"
        return await self.http.post(path, json=body, headers=headers)

    async def save_card(self, token: str) -> str:
        """Another card, not the default; answers its id."""
        known = {each["id"] for each in await self._cards()}
        await self.subscriber.done("/payment-method", payment_method_id=token, set_as_default=False)
        cards = {each["id"] for each in await self._cards()}
        [made] = cards - known
        return str(made)

    async def _cards(self) -> list[Any]:
        found: list[Any] = (await self.http.get(f"{self.path}/payment-methods")).json()
        return found

    async def refund(self, invoice_id: str, amount_cents: int) -> None:
        """An operator gives some of it back."""
        bus = await self.subscriber.system.stack.bus()
        note = await bus.ask(
            IssueCreditNote(
                organization_id=self.subscriber.organization,
                invoice_id=invoice_id,
                credit_note_id=uuid4().hex,
                kind="refund",
                amount_cents=amount_cents,
                reason="A gesture",
                requested_by="operator",
            ),
            timeout_seconds=20,
        )
        await bus.close()
        assert isinstance(note, CreditNote), note


@pytest.fixture
async def payer(system: System, organization: str) -> AsyncIterator[Payer]:
    """Somebody new."""
    async with subscriber(system, organization) as made, system.http(organization) as http:
        yield Payer(made, http)


async def test_auto_billing_collects_what_was_used(payer: Payer) -> None:
    await payer.use(2)
    made = await payer.bill()
    paid = await payer.stands(made["id"], "paid")
    assert cents(paid["amount_due"]) == cents(paid["amount_paid"]) == 2 * WORKFLOW_CENTS
    [attempt] = await payer.payments(made["id"])
    assert (attempt["status"], attempt["payment_method_last4"]) == ("succeeded", "4242")
    assert payer.subscriber.money() == [2000]
    await payer.subscriber.machine.settle()
    assert cents((await payer.subscriber.account())["total_amount_spent"]) == 2000


async def test_many_pays_make_one_charge(payer: Payer) -> None:
    made = await payer.owe(1)
    answers = await asyncio.gather(*(payer.pay(made["id"]) for _ in range(8)))
    paid = [answer.json() for answer in answers if answer.status_code == 200]
    assert paid
    assert {each["id"] for each in paid} == {paid[0]["id"]}
    assert {each["status"] for each in paid} == {"succeeded"}
    refused = [answer.json() for answer in answers if answer.status_code != 200]
    assert {each["code"] for each in refused} <= {"invoice_paid"}
    again = await payer.pay(made["id"])
    assert (again.status_code, again.json()["code"]) == (409, "invoice_paid")
    assert payer.subscriber.money() == [1000]


async def test_a_decline_then_the_banks_question_then_the_money(payer: Payer) -> None:
    made = await payer.owe(1)
    fails = await payer.save_card("pm_card_chargeCustomerFail")
    asks = await payer.save_card("pm_card_authenticationRequired")
    declined = await payer.pay(made["id"], fails)
    assert (declined.status_code, declined.json()["status"]) == (200, "failed")
    assert declined.json()["failure_message"]
    waiting = (await payer.pay(made["id"], asks)).json()
    again = (await payer.pay(made["id"], asks)).json()
    assert waiting["status"] == again["status"] == "requires_action"
    assert waiting["client_secret"] == again["client_secret"]
    assert (await payer.invoice(made["id"]))["status"] == "open"
    async with httpx.AsyncClient(trust_env=False) as browser:
        page = f"{payer.subscriber.system.sandbox.url}/3ds/{waiting['client_secret']}"
        await browser.post(page, data={"outcome": "complete"})
    await payer.stands(made["id"], "paid")
    assert [each["status"] for each in await payer.payments(made["id"])] == ["succeeded", "failed"]
    assert payer.subscriber.money() == [1000]


async def test_refunds_in_parts_end_at_the_whole(payer: Payer) -> None:
    made = await payer.owe(2)
    assert (await payer.pay(made["id"])).json()["status"] == "succeeded"
    for part, status in ((500, "partially_refunded"), (1500, "refunded")):
        await payer.refund(made["id"], part)

        await payer.paid_by(made["id"], status)
    assert cents((await payer.payments(made["id"]))[0]["refunded_amount"]) == 2000
    assert (await payer.invoice(made["id"]))["status"] == "paid"
    assert payer.subscriber.money() == [2000, -500, -1500]


async def test_what_cannot_be_collected_suspends_until_a_new_card_pays(payer: Payer) -> None:
    await payer.use(1)
    await payer.subscriber.use_card("pm_card_chargeCustomerFail")
    await payer.subscriber.machine.settle()
    made = await payer.bill()
    await payer.subscriber.machine.settle()
    began = datetime.fromisoformat((await payer.payments(made["id"]))[0]["created_at"])
    await payer.subscriber.travel(began + timedelta(days=8))
    assert [each["status"] for each in await payer.payments(made["id"])] == ["failed"] * 5
    assert (await payer.invoice(made["id"]))["status"] == "past_due"
    assert (await payer.subscriber.account())["status"] == "suspended"
    assert (await payer.subscriber.reserve()).status_code == 402

    await payer.subscriber.use_card("pm_card_visa")
    await payer.stands(made["id"], "paid")
    await payer.subscriber.machine.settle()
    assert (await payer.subscriber.account())["status"] == "active"
    assert payer.subscriber.money() == [1000]


async def test_one_history_holds_all_that_was_charged(payer: Payer) -> None:
    await payer.subscriber.subscribe("pro")
    page = await payer.subscriber.done("/credits/checkout", amount_usd=19.99)
    await pay(page["checkout_url"])

    async def mirrored() -> list[Any]:
        return await payer.invoices()

    found = await until(mirrored, lambda rows: len(rows) == 2)
    assert {cents(each["amount_paid"]) for each in found} == {7900, 1999}
    assert {each["status"] for each in found} == {"paid"}
    assert all(each["stripe_invoice_id"] and each["line_items"] for each in found)

    async with payer.subscriber.stripe() as client:
        customer = payer.subscriber.customer_id
        draft = await client.v1.invoices.create_async({"customer": customer, "auto_advance": False})
        assert draft.id
        await client.v1.invoice_items.create_async(
            {"customer": customer, "invoice": draft.id, "amount": 4200, "currency": "usd"}
        )
        await client.v1.invoices.finalize_invoice_async(draft.id, {"auto_advance": False})
    found = await until(mirrored, lambda rows: len(rows) == 3)
    [open_one] = [each for each in found if each["stripe_invoice_id"] == draft.id]
    assert open_one["status"] == "open"
    await payer.subscriber.use_card("pm_card_visa")
    answers = await asyncio.gather(*(payer.pay(open_one["id"]) for _ in range(3)))
    assert "succeeded" in {answer.json().get("status") for answer in answers}
    assert (await payer.stands(open_one["id"], "paid"))["amount_paid"] == 42.0
    assert sorted(payer.subscriber.money()) == [1999, 4200, 7900]


async def test_killed_after_the_charge_it_charges_no_second_time(payer: Payer) -> None:
    made = await payer.owe(1)
    system = payer.subscriber.system
    process = system.processes["invoicing"]
    process.kill()
    process.start("step.called:1")
    process.wait()
    key = uuid4().hex
    asking = asyncio.create_task(payer.pay(made["id"], **{"Idempotency-Key": key}))
    assert await asyncio.to_thread(process.died) == -9
    # Who asked has gone, too.
    asking.cancel()
    process.start()
    process.wait()
    database = system.stack.database("invoicing")
    async with database.transaction() as db:
        # As if the minute had passed that a killed process keeps its steps for.
        await db.driver.execute(
            "UPDATE steps SET due_at = clock_timestamp() WHERE status = 'prepared'"
        )
    await database.close()

    async def answer() -> httpx.Response:
        return await payer.pay(made["id"], **{"Idempotency-Key": key})

    def is_final(found: httpx.Response) -> bool:
        return found.status_code == 200 or (
            found.status_code == 409 and found.json()["code"] not in PASSING
        )

    answered = await until(answer, is_final, timeout_seconds=40)
    assert answered.json().get("status") == "succeeded", answered.text
    await payer.stands(made["id"], "paid")
    assert payer.subscriber.money() == [1000]
