"""From a workflow beyond the quota to a paid invoice, over HTTP: every process real."""

import asyncio
from typing import Any

import httpx

from tests.journeys.buy_credits import Shop
from tests.journeys.system import System
from tests.journeys.test_buying_credits import charged

API = "/api/billing"
FREE, BEYOND = 5, 3
PARALLEL = 6


class Debtor:
    """An organization whose workflows run on its card, until an invoice asks for the money."""

    def __init__(self, system: System, organization: str, http: httpx.AsyncClient) -> None:
        self.system = system
        self.http = http
        self.shop = Shop(http, organization)
        self._account = f"{API}/account/{organization}"

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """What an address answers that refuses nothing."""
        answer = await self.http.request(method, path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def save(self, card: str) -> Any:
        """Save a card of the sandbox's."""
        return await self.ask(
            "POST", f"{self._account}/payment-method", {"payment_method_id": card}
        )

    async def run(self, workflows: int) -> list[str]:
        """Run workflows while the card is behind them; answers what covered each."""
        await self.ask("PATCH", self._account, {"auto_billing_enabled": True})
        covered = [await self._run(f"w-{number}") for number in range(workflows)]
        await self.ask("PATCH", self._account, {"auto_billing_enabled": False})
        return covered

    async def _run(self, workflow: str) -> str:
        body = {"workflow_id": workflow}
        path = f"{self._account}/workflows/reserve"
        answer = await self.http.post(path, json=body)
        while answer.status_code == 402:  # the card is not known yet where workflows are counted
            await asyncio.sleep(0.05)
            answer = await self.http.post(path, json=body)
        reserved = answer.json()
        await self.ask("POST", f"{self._account}/workflows/{reserved['id']}/complete")
        return str(reserved["covered_by"])

    async def generate(self) -> Any:
        """Bill what is not billed."""
        return await self.ask("POST", f"{self._account}/invoices/generate")

    async def owes(self) -> Any:
        """The invoice of three workflows."""
        assert (await self.run(FREE + BEYOND))[FREE:] == ["auto_billing"] * BEYOND
        await self.shop.wait(lambda found: len(found) == BEYOND, "/usage?billed=false")
        return await self.generate()

    async def taken(self) -> list[int]:
        """What was really taken, in cents, by the sandbox's own ledger."""
        return charged(self.system, (await self.shop.get())["stripe_customer_id"])


async def test_what_ran_beyond_the_quota_is_invoiced_once_and_paid_once(
    system: System, organization: str
) -> None:
    async with system.http(organization) as http:
        debtor = Debtor(system, organization, http)
        await debtor.save("pm_card_visa")
        covered = await debtor.run(FREE + BEYOND)
        await debtor.shop.wait(lambda found: len(found) == BEYOND, "/usage?billed=false")
        upcoming = await debtor.shop.get("/invoices/upcoming")
        made = await asyncio.gather(*(debtor.generate() for _ in range(PARALLEL)))
        nothing = await debtor.generate()
        listed = await debtor.shop.get("/invoices?status=open")
        path = f"{API}/invoices/{listed[0]['id']}"
        one = await debtor.ask("GET", path)
        pdf = await http.get(f"{path}/pdf")
        html = await http.get(f"{path}/html")
        behind = await debtor.ask("GET", f"{path}/usage?position=1")
        paid = await asyncio.gather(*(http.post(f"{path}/pay") for _ in range(PARALLEL)))
        again = await http.post(f"{path}/pay")
        settled = await debtor.ask("GET", path)
        payments = await debtor.ask("GET", f"{path}/payments")
        account = await debtor.shop.wait(lambda found: found["total_amount_spent"] > 0)
        taken = await debtor.taken()

    assert covered == ["free"] * FREE + ["auto_billing"] * BEYOND
    assert upcoming["invoice"]["amount_due"] == 30.0
    assert {each["id"] for each in made if each} == {one["id"]}
    assert (nothing, len(listed)) == (None, 1)
    assert (one["status"], one["total"], one["amount_due"]) == ("open", 30.0, 30.0)
    assert one["invoice_number"].endswith("-000001")
    assert (pdf.status_code, pdf.headers["content-type"]) == (200, "application/pdf")
    assert pdf.content.startswith(b"%PDF-")
    assert one["invoice_number"] in html.text
    assert f'filename="{one["invoice_number"]}.pdf"' in pdf.headers["content-disposition"]
    assert {each["usage_details"]["workflow_id"] for each in behind} == {"w-5", "w-6", "w-7"}
    answers = [each.json() for each in paid if each.status_code == 200]
    assert {each["status"] for each in answers} <= {"succeeded", "pending"}
    assert {each["id"] for each in answers} == {payments[0]["id"]}
    assert {each.status_code for each in paid} <= {200, 409}
    assert again.status_code == 409
    assert (settled["status"], settled["amount_paid"]) == ("paid", 30.0)
    assert [each["status"] for each in payments] == ["succeeded"]
    assert taken == [3000]
    assert account["total_amount_spent"] == 30.0
    assert account["total_workflows_completed"] == FREE + BEYOND


async def test_a_declined_card_is_an_answer_and_another_card_pays(
    system: System, organization: str
) -> None:
    async with system.http(organization) as http:
        debtor = Debtor(system, organization, http)
        await debtor.save("pm_card_chargeCustomerFail")
        invoice = await debtor.owes()
        path = f"{API}/invoices/{invoice['id']}"
        declined = await debtor.ask("POST", f"{path}/pay")
        still = await debtor.ask("GET", path)
        card = await debtor.save("pm_card_mastercard")
        paid = await debtor.ask("POST", f"{path}/pay", {"payment_method_id": card["id"]})
        taken = await debtor.taken()

    assert (declined["status"], declined["amount"]) == ("failed", 30.0)
    assert declined["failure_message"]
    assert (still["status"], still["amount_paid"]) == ("open", 0.0)
    assert (paid["status"], paid["payment_method_brand"]) == ("succeeded", "mastercard")
    assert taken == [3000]


async def test_a_bank_that_asks_is_told_so_and_nothing_is_paid_yet(
    system: System, organization: str
) -> None:
    async with system.http(organization) as http:
        debtor = Debtor(system, organization, http)
        await debtor.save("pm_card_visa")
        invoice = await debtor.owes()
        path = f"{API}/invoices/{invoice['id']}"
        card = await debtor.save("pm_card_authenticationRequired")
        asked = await debtor.ask("POST", f"{path}/pay", {"payment_method_id": card["id"]})
        again = await debtor.ask("POST", f"{path}/pay", {"payment_method_id": card["id"]})
        still = await debtor.ask("GET", path)
        listed = await debtor.ask("GET", f"{path}/payments")
        taken = await debtor.taken()

    assert asked["status"] == again["status"] == "requires_action"
    assert asked["client_secret"].startswith(f"{asked['stripe_payment_intent_id']}_secret_")
    assert asked["failure_message"] == "The bank asks you to confirm this payment."
    assert again["id"] == asked["id"]
    assert [each["client_secret"] for each in listed] == [None]
    assert (still["status"], still["amount_paid"]) == ("open", 0.0)
    assert taken == []


async def test_another_organization_can_neither_see_nor_pay_an_invoice(
    system: System, organization: str
) -> None:
    async with system.http(organization) as http, system.http(f"{organization}-2") as other:
        debtor = Debtor(system, organization, http)
        await debtor.save("pm_card_visa")
        path = f"{API}/invoices/{(await debtor.owes())['id']}"
        refused = [
            await other.request(method, f"{path}{more}")
            for method, more in (("GET", ""), ("GET", "/usage"), ("GET", "/pdf"), ("POST", "/pay"))
        ]
        taken = await debtor.taken()

    assert [each.status_code for each in refused] == [404] * 4
    assert taken == []
