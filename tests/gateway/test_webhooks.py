"""Stripe's events at the edge: handed on byte for byte, answered so that none is lost."""

import asyncio
from typing import Any

import httpx
import pytest

from shared.bus import AnswerFailed, AnswerTimedOut, NoAnswerer
from shared.contracts.base import Done, Refusal
from shared.contracts.stripe_gateway import MAX_WEBHOOK_BYTES, ReceiveWebhook
from tests.gateway.scripted import ScriptedServices, app_of, bearer, client_of, settings

WEBHOOK = "/api/billing/webhooks/stripe"
SIGNED = {"Stripe-Signature": "t=1,v1=00"}


@pytest.mark.parametrize(
    "body",
    [
        b'{"id": "evt_1"}',
        b' {"id" : "evt_1"}\n\n',
        b'{"text": "\\u00e9 \xc3\xa9"}',
        b"\xff\xfe not UTF-8 \x00",
        b"not json",
        b"[]",
        b"",
    ],
)
async def test_every_byte_arrives_as_it_was_signed(
    client: httpx.AsyncClient, services: ScriptedServices, body: bytes
) -> None:
    headers = {**SIGNED, "Content-Type": "application/json; charset=utf-8"}

    answer = await client.post(WEBHOOK, content=body, headers=headers)

    assert (answer.status_code, answer.json()) == (200, {"status": "received"})
    assert services.last.request == ReceiveWebhook(body=body, signature="t=1,v1=00")


async def test_only_here_may_a_body_be_half_a_megabyte(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    largest = b'"' + b"x" * (MAX_WEBHOOK_BYTES - 2) + b'"'

    fits = await client.post(WEBHOOK, content=largest, headers=SIGNED)
    too_large = await client.post(WEBHOOK, content=largest + b" ", headers=SIGNED)
    elsewhere = await client.post(
        "/api/billing/account/acme/credits/checkout", content=largest, headers=bearer()
    )

    assert fits.status_code == 200
    assert (too_large.status_code, too_large.json()["code"]) == (413, "body_too_large")
    assert elsewhere.status_code == 413
    assert len(services.asked) == 1


@pytest.mark.parametrize(
    "headers", [{}, {"Stripe-Signature": ""}, {"Stripe-Signature": "x" * 5000}]
)
async def test_without_a_signature_nothing_is_handed_on(
    client: httpx.AsyncClient, services: ScriptedServices, headers: dict[str, str]
) -> None:
    answer = await client.post(WEBHOOK, content=b"{}", headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (400, "signature_missing")
    assert not services.asked


@pytest.mark.parametrize(
    ("answered", "status"),
    [
        (Refusal(code="invalid_signature", detail="No.", status=400), 400),
        (NoAnswerer("stripe_gateway is not answering"), 503),
        (AnswerFailed("its database is away"), 503),
        (AnswerTimedOut("late"), 504),
    ],
)
async def test_what_was_not_kept_is_not_acknowledged(
    client: httpx.AsyncClient, services: ScriptedServices, answered: Any, status: int
) -> None:
    services.answers[ReceiveWebhook] = answered

    answer = await client.post(WEBHOOK, content=b"{}", headers=SIGNED)

    assert answer.status_code == answer.json()["status_code"] == status
    if status >= 500:
        assert int(answer.headers["retry-after"]) > 0


async def test_a_burst_is_taken_in_and_no_token_is_needed(services: ScriptedServices) -> None:
    given = settings(rate_limit_per_second=0.5, rate_limit_burst=1)
    async with client_of(app_of(services, given)) as client:
        answers = [await client.post(WEBHOOK, content=b"{}", headers=SIGNED) for _ in range(50)]

    assert {each.status_code for each in answers} == {200}
    assert {each.principal for each in services.asked} == {"nobody"}


class SlowServices(ScriptedServices):
    """Answers when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = 0
        self.let = asyncio.Event()

    async def ask(self, request: Any, **options: Any) -> Any:
        self.waiting += 1
        await self.let.wait()
        return Done()


async def test_a_flood_is_bounded_and_comes_again_later() -> None:
    services = SlowServices()
    async with client_of(app_of(services)) as client:
        sent = [
            asyncio.create_task(client.post(WEBHOOK, content=b"{}", headers=SIGNED))
            for _ in range(64)
        ]
        async with asyncio.timeout(10):
            while services.waiting < 64:
                await asyncio.sleep(0)
        refused = await client.post(WEBHOOK, content=b"{}", headers=SIGNED)
        services.let.set()
        answers = await asyncio.gather(*sent)

    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_webhooks")
    assert {each.status_code for each in answers} == {200}
