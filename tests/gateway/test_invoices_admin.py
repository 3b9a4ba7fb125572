"""What operators do about invoices over HTTP."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from shared.contracts.invoicing import (
    GetBillingTerms,
    IssueCreditNote,
    ListPayments,
    SetBillingTerms,
    VoidInvoice,
)
from tests.gateway.scripted import OPERATOR, ScriptedServices

ADMIN = "/api/billing/admin"
INVOICE = f"{ADMIN}/invoices/invoice-1"
NOTE = {
    "organization_id": "acme",
    "credit_note_id": "note-1",
    "kind": "refund",
    "amount_usd": 19.99,
    "reason": "goodwill",
}


async def test_an_invoice_is_taken_back_for_a_reason(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    body = {"organization_id": "acme", "reason": "a mistake"}
    headers = {**OPERATOR, "Idempotency-Key": "key-1"}

    answer = await client.post(f"{INVOICE}/void", json=body, headers=headers)

    assert (answer.status_code, answer.json()["id"]) == (200, "invoice-1")
    assert services.last.request == VoidInvoice(
        organization_id="acme",
        invoice_id="invoice-1",
        reason="a mistake",
        requested_by="user:root",
    )
    assert services.last.idempotency_key == "key-1"


@pytest.mark.parametrize("kind", ["credit", "refund"])
async def test_an_invoice_is_corrected_to_the_cent(
    client: httpx.AsyncClient, services: ScriptedServices, kind: Any
) -> None:
    body = {**NOTE, "kind": kind}

    answer = await client.post(f"{INVOICE}/credit-notes", json=body, headers=OPERATOR)

    assert answer.json() == {
        "id": "note-1",
        "credit_note_number": "CN-0123456789AB-000001",
        "organization_id": "acme",
        "invoice_id": "invoice-1",
        "kind": "refund",
        "amount": 19.99,
        "reason": "goodwill",
        "created_at": "2026-11-22T12:00:00Z",
        "voided_at": None,
    }
    assert services.last.request == IssueCreditNote(
        organization_id="acme",
        invoice_id="invoice-1",
        credit_note_id="note-1",
        kind=kind,
        amount_cents=1999,
        reason="goodwill",
        requested_by="user:root",
    )


@pytest.mark.parametrize(
    "change",
    [
        {"amount_usd": 0},
        {"amount_usd": -1},
        {"amount_usd": 0.001},
        {"amount_usd": "5"},
        {"kind": "gift"},
        {"reason": ""},
        {"credit_note_id": ""},
        {"organization_id": "*"},
        {"more": 1},
    ],
)
async def test_a_correction_that_is_not_clear_is_not_made(
    client: httpx.AsyncClient, services: ScriptedServices, change: dict[str, Any]
) -> None:
    answer = await client.post(f"{INVOICE}/credit-notes", json=NOTE | change, headers=OPERATOR)

    assert answer.status_code == 422
    assert not services.asked


async def test_operators_see_the_payments_of_any_organization(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    answer = await client.get(f"{INVOICE}/payments?organization_id=acme", headers=OPERATOR)
    without = await client.get(f"{INVOICE}/payments", headers=OPERATOR)

    assert [each["client_secret"] for each in answer.json()] == [None]
    assert services.last.request == ListPayments(organization_id="acme", invoice_id="invoice-1")
    assert without.status_code == 422


async def test_discount_and_tax_are_shown_and_set(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    shown = await client.get(f"{ADMIN}/billing-terms?organization_id=acme", headers=OPERATOR)
    assert services.last.request == GetBillingTerms(organization_id="acme")
    body = {
        "organization_id": "acme",
        "discount_basis_points": 1000,
        "discount_until": "2026-12-01T01:00:00+01:00",
        "tax_basis_points": 1900,
        "tax_name": "VAT",
    }
    put = await client.post(f"{ADMIN}/billing-terms", json=body, headers=OPERATOR)

    assert shown.json() == put.json()
    assert shown.json()["tax_basis_points"] == 1900
    assert services.last.request == SetBillingTerms(
        organization_id="acme",
        discount_basis_points=1000,
        discount_until=datetime(2026, 12, 1, tzinfo=UTC),
        tax_basis_points=1900,
        tax_name="VAT",
        requested_by="user:root",
    )


@pytest.mark.parametrize(
    "change",
    [
        {"discount_basis_points": 10_001},
        {"tax_basis_points": -1},
        {"tax_basis_points": 19.5},
        {"discount_until": "2026-12-01T00:00:00"},
        {"tax_basis_points": 1900, "tax_name": "a\u0000b"},
        {"tax_name": "VAT"},
        {"discount_until": "2026-12-01T00:00:00Z"},
    ],
)
async def test_terms_that_are_none_are_not_set(
    client: httpx.AsyncClient, services: ScriptedServices, change: dict[str, Any]
) -> None:
    body = {"organization_id": "acme", **change}

    assert (await client.post(f"{ADMIN}/billing-terms", json=body, headers=OPERATOR)).is_error
    assert not services.asked
