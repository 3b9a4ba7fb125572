"""Accounts and credits over HTTP: what is asked, and how two services' answers become one."""

from typing import Any

import httpx
import pytest

from shared.bus import NoAnswerer
from shared.contracts.account import (
    Address,
    Buyer,
    CreditEntries,
    GetAccount,
    ListCreditEntries,
    UpdateAccount,
)
from shared.contracts.subscription import GetUsageSummary
from tests.gateway.billing_answers import CREDIT
from tests.gateway.scripted import ScriptedServices, bearer

ACCOUNT = "/api/billing/account/acme"


async def patch(client: httpx.AsyncClient, body: Any, **headers: str) -> httpx.Response:
    return await client.patch(ACCOUNT, json=body, headers={**bearer(), **headers})


async def test_an_account_is_composed_of_two_services(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    answer = await client.get(ACCOUNT, headers=bearer())

    assert answer.json() == {
        "id": "account-1",
        "organization_id": "acme",
        "stripe_customer_id": "cus_1",
        "has_payment_method": True,
        "status": "active",
        "free_workflows_remaining": 3,
        "free_workflows_reset_at": "2026-12-01T00:00:00Z",
        "credit_balance": 19.99,
        "auto_billing_enabled": True,
        "billing_email": "billing@acme.example",
        "tax_exempt": False,
        "total_workflows_completed": 7,
        "total_amount_spent": 1.01,
        "created_at": "2026-11-19T12:00:00Z",
        "updated_at": "2026-11-22T12:00:00Z",
        "auto_billing_monthly_limit": 100.5,
        "credit_held": 10.0,
        "credit_debt": 0.05,
        "buyer": {"name": "Acme Inc.", "address": None, "tax_id": None},
    }
    assert [each.request for each in services.asked] == [
        GetAccount(organization_id="acme"),
        GetUsageSummary(organization_id="acme"),
    ]


async def test_without_the_account_service_there_is_no_page(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    services.answers[GetAccount] = NoAnswerer("account is not answering")

    answer = await client.get(ACCOUNT, headers=bearer())

    assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")


async def test_settings_are_changed_in_the_callers_name(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    address = {"line1": "1 Main St", "city": "Berlin", "country": "DE"}
    body = {
        "billing_email": "new@acme.example",
        "auto_billing_enabled": False,
        "auto_billing_monthly_limit": 19.99,
        "buyer": {"name": "Acme GmbH", "address": address, "tax_id": "DE1"},
    }

    answer = await patch(client, body, **{"Idempotency-Key": "key-1"})

    assert answer.status_code == 200
    assert answer.json()["id"] == "account-1"
    assert services.last.request == UpdateAccount(
        organization_id="acme",
        requested_by="user:alice",
        billing_email="new@acme.example",
        auto_billing_enabled=False,
        auto_billing_monthly_limit_cents=1999,
        buyer=Buyer(
            name="Acme GmbH",
            address=Address(line1="1 Main St", city="Berlin", country="DE"),
            tax_id="DE1",
        ),
    )
    assert services.last.idempotency_key == "key-1"


async def test_what_is_left_out_stays_and_null_takes_away(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    await patch(client, {"auto_billing_enabled": True})
    assert services.last.request == UpdateAccount(
        organization_id="acme", requested_by="user:alice", auto_billing_enabled=True
    )

    await patch(client, {"billing_email": None, "auto_billing_monthly_limit": None})
    assert services.last.request == UpdateAccount(
        organization_id="acme",
        requested_by="user:alice",
        billing_email=None,
        auto_billing_monthly_limit_cents=None,
    )


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"billing_email": "nobody"}, "billing_email"),
        ({"billing_email": "a@b\n"}, "billing_email"),
        ({"billing_email": "a b@c"}, "billing_email"),
        ({"auto_billing_enabled": "yes"}, "auto_billing_enabled"),
        ({"auto_billing_enabled": None}, "auto_billing_enabled"),
        ({"auto_billing_monthly_limit": "10"}, "auto_billing_monthly_limit"),
        ({"auto_billing_monthly_limit": 0}, "auto_billing_monthly_limit"),
        ({"auto_billing_monthly_limit": -1}, "auto_billing_monthly_limit"),
        ({"auto_billing_monthly_limit": 0.001}, "auto_billing_monthly_limit"),
        ({"auto_billing_monthly_limit": 1e300}, "auto_billing_monthly_limit"),
        ({"buyer": {"name": "x" * 201}}, "buyer.name"),
        ({"buyer": {"name": "a\0"}}, "buyer.name"),
        ({"buyer": {"address": {"line1": "x", "country": "de"}}}, "buyer.address.country"),
        ({"buyer": {"address": {"line1": "x"}}}, "buyer.address"),
        ({"tax_exempt": True}, "body"),
        ({"credit_balance": 1000}, "body"),
    ],
)
async def test_a_setting_that_cannot_be_is_named(
    client: httpx.AsyncClient, services: ScriptedServices, body: Any, field: str
) -> None:
    answer = await patch(client, body)

    assert answer.status_code == 422
    assert [each["key"] for each in answer.json()["extra"]] == [field]
    assert not services.asked


async def test_the_ledger_is_shown_in_dollars_and_pages(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    services.answers[ListCreditEntries] = CreditEntries(entries=(CREDIT,), next_cursor="1")

    answer = await client.get(f"{ACCOUNT}/credits?limit=1&cursor=2", headers=bearer())

    assert answer.json() == [
        {
            "id": "entry-1",
            "sequence": 1,
            "kind": "granted",
            "lot_kind": "purchased",
            "amount": 19.99,
            "balance_after": 19.99,
            "debt_after": 0.0,
            "description": "$19.99 of credits",
            "reference": "cs_1",
            "expires_at": None,
            "created_at": "2026-11-22T12:00:00Z",
        }
    ]
    assert answer.links["next"]["url"] == f"{ACCOUNT}/credits?limit=1&cursor=1"
    assert services.last.request == ListCreditEntries(organization_id="acme", limit=1, cursor="2")
