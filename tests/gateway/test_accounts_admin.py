"""What operators do to an organization, in their own name."""

from typing import Any

import httpx
import msgspec
import pytest

from shared.contracts.account import GrantCredits, ListAudit, TakeCredits, UpdateAccount
from shared.contracts.subscription import SetTier
from tests.gateway.billing_answers import AUDIT
from tests.gateway.scripted import NOW, OPERATOR, ScriptedServices

ADMIN = "/api/billing/admin"
GRANT = {
    "organization_id": "acme",
    "grant_id": "goodwill-1",
    "amount_usd": 10.01,
    "description": "for the outage",
}
TAKE = {
    "organization_id": "acme",
    "taking_id": "mistake-1",
    "amount_usd": 1000000,
    "description": "granted twice",
}
ACME = {"organization_id": "acme"}


@pytest.mark.parametrize(
    ("path", "body", "asked"),
    [
        (
            "/credits/grant",
            {**GRANT, "expires_at": "2026-12-22T12:00:00Z"},
            GrantCredits(
                organization_id="acme",
                grant_id="goodwill-1",
                amount_cents=1001,
                expires_at=NOW.replace(month=12),
                description="for the outage",
                requested_by="user:root",
            ),
        ),
        (
            "/credits/take",
            TAKE,
            TakeCredits(
                organization_id="acme",
                taking_id="mistake-1",
                amount_cents=100_000_000,
                description="granted twice",
                requested_by="user:root",
            ),
        ),
        (
            "/tier",
            {**ACME, "tier": "enterprise", "agents_limit": -1, "storage_limit_gb": 500},
            SetTier(
                organization_id="acme",
                tier="enterprise",
                agents_limit=-1,
                storage_limit_gb=500,
                requested_by="user:root",
            ),
        ),
        (
            "/tax-exempt",
            {**ACME, "tax_exempt": True},
            UpdateAccount(organization_id="acme", tax_exempt=True, requested_by="user:root"),
        ),
    ],
)
async def test_a_change_is_asked_for_in_the_operators_name(
    client: httpx.AsyncClient, services: ScriptedServices, path: str, body: Any, asked: Any
) -> None:
    headers = {**OPERATOR, "Idempotency-Key": "key-1"}

    answer = await client.post(ADMIN + path, json=body, headers=headers)

    assert answer.status_code == 200
    assert services.last.request == asked
    assert (services.last.principal, services.last.idempotency_key) == ("user:root", "key-1")


async def test_credits_after_a_change_are_in_dollars(client: httpx.AsyncClient) -> None:
    answer = await client.post(f"{ADMIN}/credits/grant", json=GRANT, headers=OPERATOR)

    assert answer.json() == {"balance": 29.99, "held": 0.0, "debt": 0.0, "changed": 10.0}


async def test_the_audit_log_is_shown_and_verified(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    query: dict[str, Any] = {**ACME, "limit": 7, "before": 100, "verify": True}

    answer = await client.get(f"{ADMIN}/audit", params=query, headers=OPERATOR)

    assert answer.json() == msgspec.json.decode(msgspec.json.encode(AUDIT))
    assert services.last.request == ListAudit(
        organization_id="acme", limit=7, before_sequence=100, verify=True
    )


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/credits/grant", {**GRANT, "amount_usd": 0}),
        ("/credits/grant", {**GRANT, "amount_usd": 0.001}),
        ("/credits/grant", {**GRANT, "amount_usd": 1000000.01}),
        ("/credits/grant", {**GRANT, "amount_usd": "10"}),
        ("/credits/grant", {**GRANT, "grant_id": ""}),
        ("/credits/grant", {**GRANT, "kind": "gift"}),
        ("/credits/grant", {**GRANT, "expires_at": "2026-11-22T12:00:00Z"}),
        ("/credits/grant", {**GRANT, "expires_at": "2026-12-22T12:00:00"}),
        ("/credits/grant", {**GRANT, "requested_by": "somebody else"}),
        ("/credits/take", {**TAKE, "organization_id": "a b"}),
        ("/credits/take", {**TAKE, "description": ""}),
        ("/tier", {**ACME, "tier": "gold"}),
        ("/tier", {**ACME, "tier": "pro", "agents_limit": -2}),
        ("/tax-exempt", {**ACME, "tax_exempt": 1}),
        ("/tax-exempt", ACME),
    ],
)
async def test_a_wrong_field_changes_nothing(
    client: httpx.AsyncClient, services: ScriptedServices, path: str, body: Any
) -> None:
    answer = await client.post(ADMIN + path, json=body, headers=OPERATOR)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_field")
    assert not services.asked
