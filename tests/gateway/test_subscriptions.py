"""Plans, subscriptions and workflows over HTTP: what is asked, and how the answers look."""

from datetime import timedelta
from typing import Any

import httpx
import msgspec
import pytest

from shared.contracts.base import Refusal
from shared.contracts.subscription import (
    CancelSubscription,
    ChangePlan,
    CheckExecution,
    CompleteWorkflow,
    ExecutionCheck,
    GetSubscription,
    PreviewChange,
    ReactivateSubscription,
    ReleaseWorkflow,
    RenewReservation,
    ReserveWorkflow,
    SetByoProviders,
    SetGauge,
)
from tests.gateway.billing_answers import AT, SUBSCRIPTION
from tests.gateway.scripted import NOW, SERVICE_KEY, ScriptedServices, bearer

SOON = timedelta(minutes=5, seconds=1)

ACCOUNT = "/api/billing/account/acme"
KEY = bearer(SERVICE_KEY)


async def test_the_catalogue_is_in_dollars_and_for_everybody(client: httpx.AsyncClient) -> None:
    answer = (await client.get("/api/billing/plans")).json()

    assert answer["workflow_price"] == 10.0
    assert answer["free_workflows_per_month"] == 5
    assert [each["price"] for each in answer["plans"]] == [79.0, None]
    assert answer["plans"][1] == {
        "tier": "enterprise",
        "name": "Enterprise",
        "price": None,
        "interval": None,
        "workflows_limit": -1,
        "agents_limit": -1,
        "storage_limit_gb": -1,
        "trial_days": 0,
        "notes": ["Contact us"],
    }


async def test_a_subscription_has_the_documents_form(client: httpx.AsyncClient) -> None:
    answer = (await client.get(f"{ACCOUNT}/subscription", headers=bearer())).json()

    assert answer["id"] == "subscription-1"
    assert answer["billing_account_id"] == "account-1"
    assert (answer["tier"], answer["status"]) == ("pro", "active")
    assert (answer["workflows_used"], answer["workflows_remaining"]) == (40, 58)
    assert (answer["storage_limit_gb"], answer["storage_used_gb"]) == (50, 1.5)
    assert answer["current_period_end"] == "2026-12-01T00:00:00Z"
    assert (answer["pending_tier"], answer["agents_used"]) == ("starter", 3)
    assert answer["warnings"][0]["resource"] == "storage"


async def test_a_subscription_without_an_account_opens_one(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    services.answers[GetSubscription] = msgspec.structs.replace(
        SUBSCRIPTION, billing_account_id=None, tier="free", byo_providers_configured=("openai",)
    )

    answer = (await client.get(f"{ACCOUNT}/subscription", headers=bearer())).json()

    assert (answer["billing_account_id"], answer["tier"]) == ("account-1", "free")
    assert answer["byo_providers_configured"] == ["openai"]


@pytest.mark.parametrize(("query", "at_period_end"), [("", True), ("?at_period_end=false", False)])
async def test_a_subscription_is_canceled_with_the_documents_words(
    client: httpx.AsyncClient, services: ScriptedServices, query: str, at_period_end: bool
) -> None:
    answer = await client.post(f"{ACCOUNT}/subscription/cancel{query}", headers=bearer())

    assert answer.json() == {"status": "success", "message": "Subscription canceled"}
    assert services.last.request == CancelSubscription(
        organization_id="acme", at_period_end=at_period_end, requested_by="user:alice"
    )
    assert services.last.timeout_seconds == 30.0


async def test_a_subscription_is_reactivated_with_the_documents_words(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    answer = await client.post(f"{ACCOUNT}/subscription/reactivate", headers=bearer())

    assert answer.json() == {"status": "success", "message": "Subscription reactivated"}
    assert services.last.request == ReactivateSubscription(
        organization_id="acme", requested_by="user:alice"
    )


@pytest.mark.parametrize("status", [404, 409])
async def test_what_cannot_be_canceled_keeps_its_no(
    client: httpx.AsyncClient, services: ScriptedServices, status: int
) -> None:
    services.answers[CancelSubscription] = Refusal(code="no", detail="No.", status=status)

    answer = await client.post(f"{ACCOUNT}/subscription/cancel", headers=bearer())

    assert answer.status_code == status


async def test_a_change_costs_what_its_preview_said(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    preview = await client.post(
        f"{ACCOUNT}/subscription/preview", json={"tier": "team"}, headers=bearer()
    )
    assert services.last.request == PreviewChange(organization_id="acme", tier="team")
    body = {"tier": "team", "proration_date": preview.json()["proration_date"]}
    changed = await client.post(f"{ACCOUNT}/subscription/change", json=body, headers=bearer())

    assert (preview.json()["due_now"], preview.json()["next_period"]) == (40.01, 199.0)
    assert (preview.json()["unused_time"], preview.json()["rest_of_period"]) == (-26.4, 66.41)
    assert (preview.json()["kind"], preview.json()["to_tier"]) == ("upgrade", "team")
    assert changed.json()["id"] == "subscription-1"
    assert services.last.request == ChangePlan(
        organization_id="acme", tier="team", proration_date=AT, requested_by="user:alice"
    )


async def test_providers_are_named(client: httpx.AsyncClient, services: ScriptedServices) -> None:
    path = f"{ACCOUNT}/subscription/byo-providers"

    answer = await client.put(path, json={"providers": ["anthropic", "openai"]}, headers=bearer())

    assert answer.json()["id"] == "subscription-1"
    assert services.last.request == SetByoProviders(
        organization_id="acme", providers=("anthropic", "openai"), requested_by="user:alice"
    )


async def test_usage_credits_and_whether_one_may_run_are_one_answer(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    services.answers[CheckExecution] = ExecutionCheck(
        can_execute=False,
        covered_by="none",
        code="not_covered",
        detail="Nothing covers it.",
        unit_price_cents=1000,
    )

    answer = (await client.get(f"{ACCOUNT}/usage-summary", headers=KEY)).json()

    assert (answer["subscription_tier"], answer["credit_balance"]) == ("pro", 19.99)
    assert (answer["can_execute"], answer["reason"]) == (False, "Nothing covers it.")
    assert (answer["free_workflows_remaining"], answer["workflow_price"]) == (3, 10.0)


async def test_whether_one_may_run(client: httpx.AsyncClient) -> None:
    answer = await client.post(f"{ACCOUNT}/check-execution", headers=KEY)

    assert answer.json() == {
        "can_execute": True,
        "reason": None,
        "code": "covered",
        "covered_by": "plan",
        "unit_price": 10.0,
    }


async def test_a_platform_reserves_in_its_own_name(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    body = {"workflow_id": "workflow-1", "ticket_id": "T-1", "expires_in_seconds": 60}

    answer = await client.post(f"{ACCOUNT}/workflows/reserve", json=body, headers=KEY)

    assert answer.json() == {
        "id": "reservation-1",
        "organization_id": "acme",
        "workflow_id": "workflow-1",
        "state": "reserved",
        "covered_by": "credits",
        "unit_price": 10.0,
        "expires_at": "2026-11-23T12:00:00Z",
        "charged_at": None,
    }
    assert services.last.request == ReserveWorkflow(
        organization_id="acme", workflow_id="workflow-1", ticket_id="T-1", expires_in_seconds=60
    )
    assert services.last.principal == "service:platform"


async def test_what_nothing_covers_is_a_402_with_a_word_for_machines(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    services.answers[ReserveWorkflow] = Refusal(code="suspended", detail="Suspended.", status=402)

    answer = await client.post(
        f"{ACCOUNT}/workflows/reserve", json={"workflow_id": "w"}, headers=KEY
    )

    assert (answer.status_code, answer.json()["code"]) == (402, "suspended")


@pytest.mark.parametrize(
    ("action", "body", "asked"),
    [
        ("complete", None, CompleteWorkflow(organization_id="acme", reservation_id="r-1")),
        ("release", None, ReleaseWorkflow(organization_id="acme", reservation_id="r-1")),
        (
            "release",
            {"reason": "failed"},
            ReleaseWorkflow(organization_id="acme", reservation_id="r-1", reason="failed"),
        ),
        ("renew", None, RenewReservation(organization_id="acme", reservation_id="r-1")),
        (
            "renew",
            {"expires_in_seconds": 5},
            RenewReservation(organization_id="acme", reservation_id="r-1", expires_in_seconds=5),
        ),
    ],
)
async def test_a_reservation_ends_or_lives_on(
    client: httpx.AsyncClient, services: ScriptedServices, action: str, body: Any, asked: Any
) -> None:
    path = f"{ACCOUNT}/workflows/r-1/{action}"

    answer = await client.post(path, json=body, headers={**KEY, "Idempotency-Key": "key-1"})

    assert (answer.status_code, answer.json()["id"]) == (200, "reservation-1")
    assert services.last.request == asked
    assert services.last.idempotency_key == "key-1"


async def test_gauges_are_measured_now_unless_they_say_when(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    then = {"agents_in_use": 3, "measured_at": "2026-11-22T13:00:00+01:00"}

    stored = await client.post(f"{ACCOUNT}/storage", json={"storage_bytes": 5}, headers=KEY)
    assert services.last.request == SetGauge(
        organization_id="acme", gauge="storage_bytes", value=5, measured_at=NOW
    )
    await client.post(f"{ACCOUNT}/agents", json=then, headers=KEY)
    assert services.last.request == SetGauge(
        organization_id="acme", gauge="agents_in_use", value=3, measured_at=AT
    )
    assert stored.json() == {"status": "success", "message": "Recorded"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("subscription/change", {"tier": "gold"}),
        ("subscription/change", {"tier": "team", "proration_date": "2026-11-22T12:00:00"}),
        ("subscription/change", {"tier": "team", "proration_date": "0001-01-01T00:00:00Z"}),
        ("workflows/reserve", {}),
        ("workflows/reserve", {"workflow_id": ""}),
        ("workflows/reserve", {"workflow_id": "a\0"}),
        ("workflows/reserve", {"workflow_id": "w", "expires_in_seconds": 0}),
        ("workflows/reserve", {"workflow_id": "w", "expires_in_seconds": 10**9}),
        ("workflows/reserve", {"workflow_id": "w", "covered_by": "free"}),
        ("workflows/r-1/release", {"reason": "expired"}),
        ("storage", {"storage_bytes": -1}),
        ("storage", {"storage_bytes": 1.5}),
        ("storage", {"storage_bytes": 2**60}),
        ("agents", {"agents_in_use": "3"}),
        ("agents", {"agents_in_use": 1, "measured_at": "2026-11-22T12:00:00"}),
        ("agents", {"agents_in_use": 1, "measured_at": (NOW + SOON).isoformat()}),
        ("storage", {"storage_bytes": 1, "measured_at": "2199-01-01T00:00:00Z"}),
    ],
)
async def test_a_wrong_field_reaches_nobody(
    client: httpx.AsyncClient, services: ScriptedServices, path: str, body: Any
) -> None:
    answer = await client.post(f"{ACCOUNT}/{path}", json=body, headers=bearer())

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_field")
    assert not services.asked
