"""Operators' routes: each asks the right service the right thing, in the operator's name."""

from typing import Any

import httpx
import msgspec
import pytest

from services.gateway import admin
from shared.contracts.base import Refusal
from shared.contracts.cost_metering import (
    ListPriceOverrides,
    ListProducerHoles,
    ListUnpricedModels,
    PriceOverrides,
    RegisterAgent,
    RepriceCosts,
    SetPriceOverride,
    TokenRates,
)
from shared.contracts.operations import (
    DeadLetters,
    DiscardDeadLetters,
    ListDeadLetters,
    ListParkedSteps,
    ReplayDeadLetters,
    ResumeParkedSteps,
    ShowDeadLetter,
    ShowParkedStep,
)
from tests.gateway.scripted import (
    HOLE,
    LETTER,
    NOW,
    OPERATOR,
    OVERRIDE,
    SERVICE_KEY,
    STEP,
    UNPRICED,
    ScriptedServices,
    app_of,
    bearer,
    client_of,
)

ADMIN = "/api/billing/admin"
WHO = "user:root"
CREDENTIALS = "/api/billing/account/acme/agents/agent-1/credentials"


@pytest.mark.parametrize(
    ("path", "query", "asked", "answer"),
    [
        ("/unpriced-models", {"limit": 7}, ListUnpricedModels(limit=7), UNPRICED),
        ("/price-overrides", {}, ListPriceOverrides(limit=50), OVERRIDE),
        ("/producer-holes", {}, ListProducerHoles(), HOLE),
        (
            "/producer-holes",
            {"organization_id": "acme", "limit": 1},
            ListProducerHoles(organization_id="acme", limit=1),
            HOLE,
        ),
        ("/dead-letters", {}, ListDeadLetters(), LETTER),
        (
            "/dead-letters",
            {"state": "discarded", "reason": "malformed", "limit": 2},
            ListDeadLetters(state="discarded", reason="malformed", limit=2),
            LETTER,
        ),
        ("/parked-steps", {}, ListParkedSteps(), STEP),
        (
            "/parked-steps",
            {"kind": "collect", "organization_id": "acme", "limit": 2},
            ListParkedSteps(kind="collect", organization_id="acme", limit=2),
            STEP,
        ),
    ],
)
async def test_a_list_is_asked_and_answered_plainly(
    client: httpx.AsyncClient,
    services: ScriptedServices,
    path: str,
    query: dict[str, Any],
    asked: Any,
    answer: Any,
) -> None:
    found = await client.get(ADMIN + path, params=query, headers=OPERATOR)

    assert found.json() == [msgspec.to_builtins(answer)]
    assert services.last.request == asked
    owners = {"/dead-letters": "cost_metering", "/parked-steps": "stripe_gateway"}
    assert services.last.owner == owners.get(path)


async def test_a_price_is_set_in_the_operators_name_and_under_its_key(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    body = {
        "provider": "acme-llm",
        "model": "front",
        "match": "prefix",
        "organization_id": "acme",
        "rates": {"input": "0.000001", "output": "999999999.123456789012", "cache_read": "0"},
        "effective_from": "2026-11-01T00:00:00Z",
        "reason": "contract of November",
    }

    answer = await client.post(
        f"{ADMIN}/price-overrides", json=body, headers={**OPERATOR, "Idempotency-Key": "key-1"}
    )

    assert answer.status_code == 201
    assert answer.json() == [msgspec.to_builtins(OVERRIDE)]
    assert services.last.request == SetPriceOverride(
        provider="acme-llm",
        model="front",
        match="prefix",
        organization_id="acme",
        rates=TokenRates(input="0.000001", output="999999999.123456789012", cache_read="0"),
        effective_from=NOW.replace(day=1, hour=0),
        reason="contract of November",
        requested_by="user:root",
    )
    assert (services.last.principal, services.last.idempotency_key) == ("user:root", "key-1")


def test_a_price_has_exactly_the_rates_of_the_contract() -> None:
    assert admin.RatesBody.__struct_fields__ == TokenRates.__struct_fields__


async def test_records_are_priced_again(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    body = {
        "organization_id": "acme",
        "model": "gpt-4o",
        "occurred_from": "2026-11-01T00:00:00Z",
        "occurred_to": "2026-11-02T00:00:00Z",
        "reason": "wrong price",
    }

    answer = await client.post(f"{ADMIN}/costs/reprice", json=body, headers=OPERATOR)

    assert answer.json() == {"affected": 3, "at": None}
    assert services.last.request == RepriceCosts(
        organization_id="acme",
        model="gpt-4o",
        occurred_from=NOW.replace(day=1, hour=0),
        occurred_to=NOW.replace(day=2, hour=0),
        reason="wrong price",
        requested_by="user:root",
    )


async def test_a_dead_letter_is_shown_replayed_and_discarded(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    shown = await client.get(f"{ADMIN}/dead-letters/7", headers=OPERATOR)
    assert shown.json() == msgspec.to_builtins(LETTER)
    assert services.last.request == ShowDeadLetter(letter_id=7)

    ids = {"letter_ids": [7, 8]}
    await client.post(f"{ADMIN}/dead-letters/replay", json=ids, headers=OPERATOR)
    assert services.last.request == ReplayDeadLetters(letter_ids=(7, 8), requested_by=WHO)

    discard = {**ids, "reason": "a test"}
    await client.post(f"{ADMIN}/dead-letters/discard", json=discard, headers=OPERATOR)
    assert services.last.request == DiscardDeadLetters(
        letter_ids=(7, 8), discard_reason="a test", requested_by=WHO
    )
    assert {asked.owner for asked in services.asked} == {"cost_metering"}


async def test_a_parked_step_is_shown_and_resumed_in_the_operators_name(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    whose = {"service": "invoicing"}
    one = {**whose, "step_id": STEP.step_id}
    shown = await client.get(f"{ADMIN}/parked-steps/show", params=one, headers=OPERATOR)
    assert shown.json() == msgspec.to_builtins(STEP)
    assert services.last.request == ShowParkedStep(step_id=STEP.step_id)

    resume = {"step_ids": [STEP.step_id]}
    headers = {**OPERATOR, "Idempotency-Key": "key-1"}
    await client.post(f"{ADMIN}/parked-steps/resume", params=whose, json=resume, headers=headers)
    assert services.last.request == ResumeParkedSteps(step_ids=(STEP.step_id,), requested_by=WHO)
    assert services.last.idempotency_key == "key-1"
    assert {asked.owner for asked in services.asked} == {"invoicing"}


async def test_a_dead_letter_that_is_not_there_is_a_404(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    services.answers[ShowDeadLetter] = DeadLetters(letters=())

    answer = await client.get(f"{ADMIN}/dead-letters/8", headers=OPERATOR)

    assert (answer.status_code, answer.json()["code"]) == (404, "dead_letter_not_found")


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/dead-letters", {"service": "postgres"}),
        ("/dead-letters", {"state": "gone"}),
        ("/dead-letters/0", {}),
        ("/parked-steps", {"service": "gateway"}),
        ("/parked-steps", {"organization_id": "*"}),
        ("/parked-steps/show", {"step_id": "x" * 513}),
        (f"/dead-letters/{2**64}", {}),
        ("/producer-holes", {"organization_id": "*"}),
    ],
)
async def test_a_wrong_parameter_is_a_422(
    client: httpx.AsyncClient, services: ScriptedServices, path: str, query: dict[str, str]
) -> None:
    answer = await client.get(ADMIN + path, params=query, headers=OPERATOR)

    assert answer.status_code == 422
    assert not services.asked


async def test_an_override_list_is_empty_before_the_first(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    services.answers[ListPriceOverrides] = PriceOverrides(overrides=())

    assert (await client.get(f"{ADMIN}/price-overrides", headers=OPERATOR)).json() == []


async def test_an_agent_gets_a_credential_of_its_own_once_it_is_counted(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    headers = {**bearer(SERVICE_KEY), "Idempotency-Key": "key-1"}

    answer = await client.post(CREDENTIALS, headers=headers)

    body = answer.json()
    assert answer.status_code == 201
    assert (body["organization_id"], body["agent_id"]) == ("acme", "agent-1")
    assert body["credentials"].startswith("-----BEGIN NATS USER JWT-----")
    assert body["inbox_prefix"].startswith("_INBOX.U")
    assert body["nats_url"] == "nats://127.0.0.1:4222"
    assert body["expires_at"] == "2026-11-22T13:00:00Z"
    assert services.last.request == RegisterAgent(organization_id="acme", agent_id="agent-1")
    assert services.last.idempotency_key is None
    assert services.last.principal == "service:platform"


async def test_an_agent_beyond_the_cap_gets_nothing(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    services.answers[RegisterAgent] = Refusal(code="too_many_agents", detail="No.", status=409)

    answer = await client.post(CREDENTIALS, headers=bearer())

    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_agents")
    assert "credentials" not in answer.json()


@pytest.mark.parametrize("agent", ["*", ">", "a.b", "%00", "a" * 65, "-a", "%20"])
async def test_an_agents_name_never_becomes_more_than_one_token_of_a_subject(
    client: httpx.AsyncClient, services: ScriptedServices, agent: str
) -> None:
    path = f"/api/billing/account/acme/agents/{agent}/credentials"

    assert (await client.post(path, headers=bearer())).status_code == 422
    assert not services.asked


async def test_without_a_signing_key_no_credential_is_issued(services: ScriptedServices) -> None:
    async with client_of(app_of(services)) as client:
        answer = await client.post(CREDENTIALS, headers=bearer())

    assert (answer.status_code, answer.json()["code"]) == (503, "credentials_not_configured")
    assert not services.asked


async def test_the_public_key_of_stripe(services: ScriptedServices) -> None:
    from tests.gateway.scripted import settings

    half = settings(stripe_publishable_key="pk_test_1")
    whole = settings(stripe_publishable_key="pk_test_1", stripe_secret_key="sk_test_1")
    for given, expected in ((settings(), (None, False)), (half, ("pk_test_1", False))):
        async with client_of(app_of(services, given)) as client:
            body = (await client.get("/api/billing/config")).json()
        assert (body["publishable_key"], body["is_configured"]) == expected
    async with client_of(app_of(services, whole)) as client:
        text = (await client.get("/api/billing/config")).text
    assert "sk_test_1" not in text
    assert '"is_configured":true' in text
