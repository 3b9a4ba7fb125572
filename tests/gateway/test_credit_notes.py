"""Credit notes: a customer sees what was corrected, and the document of each."""

from typing import Any

import httpx
import pytest

from shared.contracts.base import Refusal
from shared.contracts.invoicing import ListCreditNotes, RenderCreditNote
from tests.gateway.scripted import ScriptedServices, bearer

NOTES = "/api/billing/account/acme/credit-notes"


async def test_corrections_are_listed_in_dollars(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    found = await client.get(NOTES, headers=bearer())
    assert services.last.request == ListCreditNotes(organization_id="acme")
    assert [(each["id"], each["kind"], each["amount"]) for each in found.json()] == [
        ("note-1", "refund", 19.99)
    ]
    await client.get(NOTES, params={"invoice_id": "invoice-1"}, headers=bearer())
    wanted = ListCreditNotes(organization_id="acme", invoice_id="invoice-1")
    assert services.last.request == wanted


@pytest.mark.parametrize(
    ("form", "kind"), [("pdf", "application/pdf"), ("html", "text/html; charset=utf-8")]
)
async def test_a_credit_note_is_a_document_that_can_do_nothing(
    client: httpx.AsyncClient, services: ScriptedServices, form: Any, kind: str
) -> None:
    answer = await client.get(f"{NOTES}/note-1/{form}", headers=bearer())
    assert (answer.status_code, answer.content) == (200, b"%PDF-1.7 \x00\xff")
    assert answer.headers["content-type"] == kind
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline';")
    assert services.last.request == RenderCreditNote(
        organization_id="acme", credit_note_id="note-1", format=form
    )


async def test_one_that_is_not_there_is_not_found(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    services.answers[RenderCreditNote] = Refusal(
        code="credit_note_not_found", detail="There is no such credit note.", status=404
    )
    answer = await client.get(f"{NOTES}/note-2/pdf", headers=bearer())
    assert (answer.status_code, answer.json()["code"]) == (404, "credit_note_not_found")
