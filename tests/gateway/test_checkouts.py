"""Buying over HTTP: the amount, the pages to return to, and nothing asked when one is wrong."""

from typing import Any

import httpx
import msgspec
import pytest

from services.gateway import asks
from shared.bus import NoAnswerer
from shared.contracts.account import GetAccount
from shared.contracts.base import Refusal
from shared.contracts.stripe_gateway import CreateCheckout, CreatePortal, GetCheckout
from shared.contracts.subscription import Offer, OfferTier
from tests.gateway.billing_answers import CHECKOUT
from tests.gateway.scripted import ScriptedServices, app_of, bearer, client_of, settings
from tests.gateway.test_redirects import REFUSED

ACCOUNT = "/api/billing/account/acme"
CREDITS = f"{ACCOUNT}/credits/checkout"
ORIGIN = "http://localhost:3000"
PAGE = {"checkout_url": "https://checkout.stripe.example/cs_1", "session_id": "cs_1"}


async def post(client: httpx.AsyncClient, path: str, body: Any, **headers: str) -> httpx.Response:
    return await client.post(path, json=body, headers={**bearer(), **headers})


async def test_credits_are_sold_on_a_page_that_leads_back(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    answer = await post(client, CREDITS, {"amount_usd": 19.99}, **{"Idempotency-Key": "key-1"})

    assert (answer.status_code, answer.json()) == (200, PAGE)
    assert services.last.request == CreateCheckout(
        organization_id="acme",
        kind="credits",
        amount_cents=1999,
        description="$19.99 of credits",
        success_url=f"{ORIGIN}/billing/success?session_id={{CHECKOUT_SESSION_ID}}",
        cancel_url=f"{ORIGIN}/billing/cancel",
        requested_by="user:alice",
    )
    assert (services.last.idempotency_key, services.last.timeout_seconds) == ("key-1", 30.0)


@pytest.mark.parametrize("cents", [50, 51, 99, 100, 101, 1999, 2999, 57_57, 99_999, 100_000])
async def test_the_cents_that_were_written_are_asked_for(
    client: httpx.AsyncClient, services: ScriptedServices, cents: int
) -> None:
    body = b'{"amount_usd": %d.%02d}' % divmod(cents, 100)

    answer = await client.post(CREDITS, content=body, headers=bearer())

    assert answer.status_code == 200
    assert services.last.request.amount_cents == cents


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("0.49", 422),
        ("1000.01", 422),
        ("19.999", 422),
        ("19.990000000000000001", 422),
        ("-19.99", 422),
        ("0", 422),
        ("1e400", 422),
        ("1e-400", 422),
        ('"19.99"', 422),
        ('"NaN"', 422),
        ("true", 422),
        ("null", 422),
        ("[19.99]", 422),
        ("NaN", 400),
        ("Infinity", 400),
        ("19,99", 400),
        ("019.99", 400),
        ("0x10", 400),
    ],
)
async def test_what_cannot_be_charged_opens_no_page(
    client: httpx.AsyncClient, services: ScriptedServices, text: str, status: int
) -> None:
    body = f'{{"amount_usd": {text}}}'

    answer = await client.post(CREDITS, content=body.encode(), headers=bearer())

    assert answer.status_code == answer.json()["status_code"] == status
    if status == 422:
        assert answer.json()["detail"].startswith("amount_usd: ")
    assert not services.asked


@pytest.mark.parametrize("body", [b"", b"{}", b'{"amount": 5}', b'{"amount_usd": 5, "x": 1}'])
async def test_an_order_says_how_much_and_nothing_else(
    client: httpx.AsyncClient, services: ScriptedServices, body: bytes
) -> None:
    assert (await client.post(CREDITS, content=body, headers=bearer())).status_code == 422
    assert not services.asked


@pytest.mark.parametrize("field", ["success_url", "cancel_url"])
async def test_no_page_leads_back_to_somebody_else(
    client: httpx.AsyncClient, services: ScriptedServices, field: str
) -> None:
    for url in REFUSED:
        answer = await post(client, CREDITS, {"amount_usd": 5, field: url})

        assert answer.status_code == 422, url
        assert [each["key"] for each in answer.json()["extra"]] == [field]
    assert not services.asked


async def test_a_page_of_ours_is_led_back_to(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    pages = {"success_url": f"{ORIGIN}/thanks?a=1", "cancel_url": f"{ORIGIN}/sorry"}

    await post(client, CREDITS, {"amount_usd": 5, **pages})

    assert services.last.request.success_url == pages["success_url"]
    assert services.last.request.cancel_url == pages["cancel_url"]


@pytest.mark.parametrize("body", [b"", b"{}", b"null"])
async def test_a_lifetime_is_sold_at_its_price_with_or_without_a_body(
    client: httpx.AsyncClient, services: ScriptedServices, body: bytes
) -> None:
    services.answers[OfferTier] = Offer(
        tier="lifetime", name="Lifetime", price_cents=49_900, interval="once"
    )

    answer = await client.post(f"{ACCOUNT}/lifetime/checkout", content=body, headers=bearer())

    assert answer.json() == PAGE
    assert services.asked[0].request == OfferTier(organization_id="acme", tier="lifetime")
    bought = services.last.request
    assert (bought.kind, bought.tier, bought.amount_cents) == ("lifetime", "lifetime", 49_900)
    assert bought.description == "Lifetime plan"


async def test_a_plan_is_sold_at_its_price(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    answer = await post(client, f"{ACCOUNT}/subscription/checkout", {"tier": "pro"})

    assert answer.json() == PAGE
    bought = services.last.request
    assert (bought.kind, bought.tier, bought.amount_cents) == ("subscription", "pro", 7900)
    assert (bought.trial_days, bought.description) == (0, "Pro plan")


async def test_a_trial_is_carried_to_the_page_and_told_there(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    services.answers[OfferTier] = Offer(
        tier="pro", name="Pro", price_cents=7900, interval="month", trial_days=14
    )

    await post(client, f"{ACCOUNT}/subscription/checkout", {"tier": "pro"})

    bought = services.last.request
    assert (bought.trial_days, bought.amount_cents) == (14, 7900)
    assert bought.description == "Pro plan, 14 days free"


@pytest.mark.parametrize("path", ["lifetime", "subscription"])
async def test_a_tier_that_is_not_for_sale_opens_no_page(
    client: httpx.AsyncClient, services: ScriptedServices, path: str
) -> None:
    services.answers[OfferTier] = Refusal(code="already_lifetime", detail="You have it.")
    body = {"tier": "pro"} if path == "subscription" else {}

    answer = await post(client, f"{ACCOUNT}/{path}/checkout", body)

    assert (answer.status_code, answer.json()["detail"]) == (409, "You have it.")
    assert [type(each.request) for each in services.asked] == [OfferTier]


@pytest.mark.parametrize("tier", ["gold", "", None, 1])
async def test_a_tier_that_is_none_is_a_422(
    client: httpx.AsyncClient, services: ScriptedServices, tier: Any
) -> None:
    answer = await post(client, f"{ACCOUNT}/subscription/checkout", {"tier": tier})

    assert answer.status_code == 422
    assert not services.asked


@pytest.mark.parametrize("code", ["pending", "customer_pending", "idempotency_key_in_flight"])
async def test_what_is_still_being_worked_on_says_when_to_ask_again(
    client: httpx.AsyncClient,
    services: ScriptedServices,
    monkeypatch: pytest.MonkeyPatch,
    code: str,
) -> None:
    monkeypatch.setattr(asks, "SET_UP_SECONDS", 0.1)
    services.answers[CreateCheckout] = Refusal(code=code, detail="Ask again.")

    answer = await post(client, CREDITS, {"amount_usd": 5})

    assert (answer.status_code, answer.json()["code"]) == (409, code)
    assert int(answer.headers["retry-after"]) > 0


async def test_the_first_who_buys_waits_a_moment_for_the_customer(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    pending = Refusal(code="customer_pending", detail="Ask again.")
    services.answers[CreateCheckout] = [pending, CHECKOUT]

    answer = await post(client, CREDITS, {"amount_usd": 5}, **{"Idempotency-Key": "key-1"})

    assert (answer.status_code, answer.json()) == (200, PAGE)
    # Nobody may have asked for the account before, and asking for it opens it.
    assert [type(each.request) for each in services.asked] == [
        CreateCheckout,
        GetAccount,
        CreateCheckout,
    ]
    assert services.asked[0].request == services.last.request
    assert services.asked[0].idempotency_key == services.last.idempotency_key == "key-1"


async def test_another_conflict_is_not_mended_by_waiting(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    services.answers[CreateCheckout] = Refusal(code="idempotency_key_reused", detail="No.")

    assert "retry-after" not in (await post(client, CREDITS, {"amount_usd": 5})).headers


async def test_how_a_checkout_stands(client: httpx.AsyncClient, services: ScriptedServices) -> None:
    answer = await client.get(f"{ACCOUNT}/checkout/cs_1", headers=bearer())

    assert answer.json() == {
        "session_id": "cs_1",
        "kind": "credits",
        "tier": None,
        "amount": 19.99,
        "status": "complete",
    }
    assert services.last.request == GetCheckout(organization_id="acme", session_id="cs_1")


@pytest.mark.parametrize("session", ["{CHECKOUT_SESSION_ID}", "a-b", "%00", "x" * 256])
async def test_a_session_that_is_none_reaches_nobody(
    client: httpx.AsyncClient, services: ScriptedServices, session: str
) -> None:
    answer = await client.get(f"{ACCOUNT}/checkout/{session}", headers=bearer())

    assert answer.status_code == 422
    assert not services.asked


async def test_the_portal_leads_back_to_the_billing_page(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    answer = await client.post(f"{ACCOUNT}/portal", headers=bearer())

    assert answer.json() == {"portal_url": "https://billing.stripe.example/p_1"}
    assert services.last.request == CreatePortal(
        organization_id="acme",
        return_url=f"{ORIGIN}/settings/billing",
        requested_by="user:alice",
    )


async def test_an_organization_opens_so_many_pages_an_hour_whatever_they_sell(
    services: ScriptedServices,
) -> None:
    async with client_of(app_of(services, settings(checkouts_per_hour=3))) as client:
        wrong = [await post(client, CREDITS, {"amount_usd": 0.1}) for _ in range(5)]
        bought = [
            await post(client, CREDITS, {"amount_usd": 5}),
            await post(client, f"{ACCOUNT}/lifetime/checkout", {}),
            await post(client, f"{ACCOUNT}/subscription/checkout", {"tier": "pro"}),
        ]
        refused = await post(client, CREDITS, {"amount_usd": 5})
        others = await client.get(f"{ACCOUNT}/checkout/cs_1", headers=bearer())

    assert {each.status_code for each in wrong} == {422}
    assert [each.status_code for each in bought] == [200, 200, 200]
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_checkouts")
    assert others.status_code == 200


async def test_without_stripe_gateway_buying_is_a_503(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    services.answers[CreateCheckout] = NoAnswerer("stripe_gateway is not answering")

    answer = await post(client, CREDITS, {"amount_usd": 5})

    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0


def test_what_is_asked_survives_the_bus() -> None:
    asked = CreateCheckout(
        organization_id="acme",
        kind="credits",
        amount_cents=50,
        description="x",
        success_url=f"{ORIGIN}/billing/success?session_id={{CHECKOUT_SESSION_ID}}",
        cancel_url=ORIGIN,
        requested_by="user:alice",
    )

    assert msgspec.json.decode(msgspec.json.encode(asked), type=CreateCheckout) == asked
