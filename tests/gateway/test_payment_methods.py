"""Payment methods over HTTP, and how often one organization may try cards."""

from typing import Any

import httpx
import msgspec
import pytest

from services.gateway.rate_limits import HourlyLimit
from shared.contracts.base import Refusal
from shared.contracts.stripe_gateway import (
    AttachPaymentMethod,
    CreateSetupIntent,
    DetachPaymentMethod,
    ListPaymentMethods,
    PaymentMethods,
)
from tests.gateway.billing_answers import MASTERCARD, VISA
from tests.gateway.scripted import (
    ScriptedServices,
    app_of,
    bearer,
    client_of,
    settings,
    token,
)

ACCOUNT = "/api/billing/account/acme"
ATTACH = f"{ACCOUNT}/payment-method"
CARD = {
    "id": "pm_1",
    "type": "card",
    "card_brand": "visa",
    "card_last4": "4242",
    "is_default": True,
    "exp_month": 12,
    "exp_year": 2030,
}


async def test_methods_are_listed_and_there_may_be_none(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    some = await client.get(f"{ACCOUNT}/payment-methods", headers=bearer())
    services.answers[ListPaymentMethods] = PaymentMethods(payment_methods=())
    none = await client.get(f"{ACCOUNT}/payment-methods", headers=bearer())

    assert some.json()[0] == CARD
    assert [each["id"] for each in some.json()] == ["pm_1", "pm_2"]
    assert (none.status_code, none.json()) == (200, [])


async def test_a_card_is_attached_with_the_patience_that_stripe_needs(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    headers = {**bearer(), "Idempotency-Key": "key-1"}

    answer = await client.post(ATTACH, json={"payment_method_id": "pm_1"}, headers=headers)

    assert (answer.status_code, answer.json()) == (200, CARD)
    assert services.last.request == AttachPaymentMethod(
        organization_id="acme", payment_method_id="pm_1", requested_by="user:alice"
    )
    assert (services.last.idempotency_key, services.last.timeout_seconds) == ("key-1", 30.0)


@pytest.mark.parametrize(
    ("as_default", "methods", "answered"),
    [
        (True, (VISA, MASTERCARD), "pm_1"),
        (False, (VISA, MASTERCARD), "pm_2"),
        (False, (VISA,), "pm_1"),
    ],
)
async def test_a_test_cards_name_becomes_a_method_of_its_own(
    client: httpx.AsyncClient,
    services: ScriptedServices,
    as_default: bool,
    methods: Any,
    answered: str,
) -> None:
    services.answers[AttachPaymentMethod] = PaymentMethods(payment_methods=methods)
    body = {"payment_method_id": "pm_card_visa", "set_as_default": as_default}

    answer = await client.post(ATTACH, json=body, headers=bearer())

    assert answer.json()["id"] == answered


async def test_a_card_that_was_removed_meanwhile_is_not_found(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    services.answers[AttachPaymentMethod] = PaymentMethods(payment_methods=())

    answer = await client.post(ATTACH, json={"payment_method_id": "pm_1"}, headers=bearer())

    assert (answer.status_code, answer.json()["code"]) == (404, "payment_method_not_found")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"payment_method_id": ""},
        {"payment_method_id": "pm-1"},
        {"payment_method_id": "pm_1\n"},
        {"payment_method_id": "../customers"},
        {"payment_method_id": "x" * 256},
        {"payment_method_id": 1},
        {"payment_method_id": "pm_1", "set_as_default": "yes"},
        {"payment_method_id": "pm_1", "customer": "cus_1"},
    ],
)
async def test_what_is_no_payment_method_reaches_nobody(
    client: httpx.AsyncClient, services: ScriptedServices, body: Any
) -> None:
    assert (await client.post(ATTACH, json=body, headers=bearer())).status_code == 422
    assert not services.asked


async def test_a_method_is_removed_with_the_documents_words(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    answer = await client.delete(f"{ACCOUNT}/payment-methods/pm_1", headers=bearer())

    assert answer.json() == {"status": "success", "message": "Payment method removed"}
    assert services.last.request == DetachPaymentMethod(
        organization_id="acme", payment_method_id="pm_1", requested_by="user:alice"
    )


async def test_a_foreign_method_and_the_last_one_keep_their_no(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    foreign = Refusal(code="payment_method_not_found", detail="No.", status=404)
    services.answers[DetachPaymentMethod] = [foreign, Refusal(code="last_method", detail="No.")]

    answers = [
        await client.delete(f"{ACCOUNT}/payment-methods/pm_9", headers=bearer()) for _ in range(2)
    ]

    assert [each.status_code for each in answers] == [404, 409]


async def test_a_setup_intent_begins(client: httpx.AsyncClient, services: ScriptedServices) -> None:
    answer = await client.post(f"{ACCOUNT}/setup-intent", headers=bearer())

    assert answer.json() == {"setup_intent_id": "seti_1", "client_secret": "seti_1_secret_x"}
    assert services.last.request == CreateSetupIntent(
        organization_id="acme", requested_by="user:alice"
    )


async def test_whoever_asks_an_organization_tries_so_many_cards_an_hour(
    services: ScriptedServices,
) -> None:
    app = app_of(services, settings(attaches_per_hour=2))
    bob, globex = token(sub="bob"), token(orgs={"globex": "owner"})
    async with client_of(app) as client:

        async def attach(organization: str, text: str) -> httpx.Response:
            path = f"/api/billing/account/{organization}/payment-method"
            return await client.post(path, json={"payment_method_id": "pm_1"}, headers=bearer(text))

        allowed = [await attach("acme", token()), await attach("acme", bob)]
        refused = await attach("acme", bob)
        other = await attach("globex", globex)
        malformed = await client.post(ATTACH, json={}, headers=bearer())

    assert [each.status_code for each in allowed] == [200, 200]
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_attaches")
    assert 1700 < int(refused.headers["retry-after"]) <= 1800
    assert refused.json()["detail"].endswith("30 minutes.")
    assert other.status_code == 200
    assert malformed.status_code == 422


def test_the_limits_are_the_documented_ones() -> None:
    fields = {field.name: field.default for field in msgspec.structs.fields(type(settings()))}

    assert (fields["attaches_per_hour"], fields["checkouts_per_hour"]) == (5, 10)
    limit = HourlyLimit("attaches", 5)
    for _ in range(5):
        limit.take("acme")
    with pytest.raises(Exception, match="12 minutes"):
        limit.take("acme")
