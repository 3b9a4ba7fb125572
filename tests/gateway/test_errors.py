"""Every error has one shape, and nothing a client sends is a 500."""

from typing import Any

import httpx
import pytest
from litestar import post
from litestar.params import JSONBody

from services.gateway.rate_limits import TokenBuckets
from services.gateway.routes import ROUTES
from shared.bus import AnswerFailed, AnswerTimedOut, NoAnswerer
from shared.contracts.base import Refusal
from shared.contracts.cost_metering import GetCostSummary, RepriceCosts, SetPriceOverride
from tests.gateway.scripted import (
    NOW,
    OPERATOR,
    ORIGIN,
    ScriptedServices,
    app_of,
    bearer,
    client_of,
    http_scope,
    settings,
    token,
)

SUMMARY = "/api/billing/account/acme/costs/summary"
OVERRIDES = "/api/billing/admin/price-overrides"
REPRICE = "/api/billing/admin/costs/reprice"
PRICE: dict[str, Any] = {
    "provider": "acme-llm",
    "model": "frontier",
    "rates": {"input": "3", "output": "15"},
    "reason": "contract",
}


def assert_shape(answer: httpx.Response, status: int, code: str | None = None) -> dict[str, Any]:
    body: dict[str, Any] = answer.json()
    assert answer.status_code == body["status_code"] == status
    assert set(body) - {"extra"} == {"detail", "status_code", "code"}
    assert isinstance(body["detail"], str)
    assert body["detail"]
    assert code is None or body["code"] == code
    for field in body.get("extra", []):
        assert set(field) == {"key", "message", "source"}
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert len(answer.headers["x-trace-id"]) == 32
    return body


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/api/billing/nothing", 404, "not_found"),
        ("GET", "/schema/nothing", 404, "not_found"),
        ("GET", "/api/billing/admin/dead-letters/x", 404, "not_found"),
        ("GET", "/api/billing/account/%00/costs", 404, "organization_not_found"),
        ("GET", "/api/billing/account/%ff/costs", 404, "organization_not_found"),
        ("PATCH", SUMMARY, 405, "method_not_allowed"),
        ("BREW", SUMMARY, 405, "method_not_allowed"),
        ("GET", OVERRIDES, 403, "operators_only"),
        ("POST", OVERRIDES, 403, "operators_only"),
    ],
)
async def test_what_is_not_there_or_not_allowed(
    client: httpx.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    answer = await client.request(method, path, headers=bearer())

    assert_shape(answer, status, code)
    if status == 405:
        assert "GET" in answer.headers["allow"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 422, "invalid_field"),
        (b"{", 400, "malformed_json"),
        (b"nonsense", 400, "malformed_json"),
        (b'{"provider": "\xff"}', 400, "malformed_json"),
        (b'{"provider": "\\ud800"}', 400, "malformed_json"),
        (b'{"unknown": ' + b"[" * 30_000, 422, "invalid_field"),
        (b'{"reason": ' + b'{"a":' * 10_000, 422, "invalid_field"),
        (b"[" * 60_000, 422, "invalid_field"),
        (b"null", 422, "invalid_field"),
        (b'"text"', 422, "invalid_field"),
        (b"[]", 422, "invalid_field"),
        (b"{}", 422, "invalid_field"),
        (b"NaN", 400, "malformed_json"),
        (b'{"provider": 1e999}', 422, "invalid_field"),
        (b'"' + b"x" * 70_000 + b'"', 413, "body_too_large"),
    ],
)
async def test_a_broken_body_is_refused(
    client: httpx.AsyncClient, services: ScriptedServices, body: bytes, status: int, code: str
) -> None:
    answer = await client.post(OVERRIDES, content=body, headers=OPERATOR)

    assert_shape(answer, status, code)
    assert not services.asked


@post("/echo", opt={"permission": "public"})
async def echo(data: JSONBody[dict[str, Any]]) -> dict[str, Any]:
    return data


@pytest.mark.parametrize("body", [b'{"a": ' + b"[" * 30_000, b'{"a":' * 10_000, b'{"a": "\xff"}'])
async def test_a_body_that_would_break_the_reader_is_refused(
    services: ScriptedServices, body: bytes
) -> None:
    async with client_of(app_of(services, routes=(*ROUTES, echo))) as client:
        assert_shape(await client.post("/echo", content=body), 400, "malformed_json")


async def test_a_client_that_leaves_in_the_middle_of_a_body_is_no_defect(
    services: ScriptedServices, caplog: pytest.LogCaptureFixture
) -> None:
    app = app_of(services, routes=(*ROUTES, echo))
    sent: list[Any] = []
    parts = [
        {"type": "http.request", "body": b'{"a"', "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Any:
        return parts.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    await app(http_scope("POST", "/echo"), receive, send)

    assert sent[0]["status"] == 400
    assert "request failed" not in caplog.text


@pytest.mark.parametrize(
    ("path", "body", "key"),
    [
        (OVERRIDES, {**PRICE, "provider": 5}, "provider"),
        (OVERRIDES, {**PRICE, "provider": ""}, "provider"),
        (OVERRIDES, {**PRICE, "provider": "a\0"}, "provider"),
        (OVERRIDES, {**PRICE, "model": "x" * 129}, "model"),
        (OVERRIDES, {**PRICE, "organization_id": "a b"}, "organization_id"),
        (OVERRIDES, {**PRICE, "organization_id": "acme\n"}, "organization_id"),
        (OVERRIDES, {**PRICE, "rates": {"input": 3, "output": "15"}}, "rates.input"),
        (OVERRIDES, {**PRICE, "rates": {"input": "-3", "output": "15"}}, "rates.input"),
        (OVERRIDES, {**PRICE, "rates": {"input": "1e9", "output": "15"}}, "rates.input"),
        (OVERRIDES, {**PRICE, "rates": {"input": "3"}}, "rates"),
        (OVERRIDES, {**PRICE, "effective_from": "2026-01-01T00:00:00"}, "effective_from"),
        (OVERRIDES, {**PRICE, "effective_from": "1000-01-01T00:00:00Z"}, "effective_from"),
        (
            OVERRIDES,
            {
                **PRICE,
                "effective_from": "2026-01-01T00:00:00Z",
                "effective_to": "2026-01-01T00:00:00Z",
            },
            "effective_from",
        ),
        (OVERRIDES, {**PRICE, "efective_from": "2026-01-01T00:00:00Z"}, "body"),
        (OVERRIDES, {**PRICE, "requested_by": "somebody else"}, "body"),
        (
            REPRICE,
            {
                "organization_id": "acme",
                "occurred_from": "2026-01-02T00:00:00Z",
                "occurred_to": "2026-01-01T00:00:00Z",
                "reason": "x",
            },
            "occurred_from",
        ),
        ("/api/billing/admin/dead-letters/replay", {"letter_ids": []}, "letter_ids"),
        ("/api/billing/admin/dead-letters/replay", {"letter_ids": [0]}, "letter_ids[0]"),
        ("/api/billing/admin/dead-letters/replay", {"letter_ids": ["1"]}, "letter_ids[0]"),
        ("/api/billing/admin/dead-letters/replay", {"letter_ids": [2**63]}, "letter_ids[0]"),
        ("/api/billing/admin/dead-letters/discard", {"letter_ids": [1]}, "body"),
    ],
)
async def test_a_wrong_field_of_a_body_is_named(
    client: httpx.AsyncClient,
    services: ScriptedServices,
    path: str,
    body: dict[str, Any],
    key: str,
) -> None:
    answer = await client.post(path, json=body, headers=OPERATOR)

    fields = assert_shape(answer, 422, "invalid_field")["extra"]
    assert [(field["key"], field["source"]) for field in fields] == [(key, "body")]
    assert not services.asked


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (NoAnswerer("cost_metering is not answering"), 503, "service_unavailable"),
        (AnswerTimedOut("no answer"), 504, "no_answer_in_time"),
        (AnswerFailed("failed"), 503, "service_failed"),
    ],
)
async def test_a_service_that_does_not_answer_is_told_with_a_time_to_come_back(
    client: httpx.AsyncClient,
    services: ScriptedServices,
    failure: Exception,
    status: int,
    code: str,
) -> None:
    services.answers[GetCostSummary] = failure

    answer = await client.get(SUMMARY, headers=bearer())

    assert_shape(answer, status, code)
    assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize("status", [402, 404, 409, 422])
async def test_a_business_no_keeps_its_status_code_and_sentence(
    client: httpx.AsyncClient, services: ScriptedServices, status: int
) -> None:
    services.answers[RepriceCosts] = Refusal(code="a_word", detail="A sentence.", status=status)
    body = {
        "organization_id": "acme",
        "occurred_from": "2026-01-01T00:00:00Z",
        "occurred_to": "2026-01-02T00:00:00Z",
        "reason": "x",
    }

    answer = await client.post(REPRICE, json=body, headers=OPERATOR)

    assert assert_shape(answer, status, "a_word")["detail"] == "A sentence."


async def test_a_defect_is_logged_and_tells_nothing(
    client: httpx.AsyncClient, services: ScriptedServices, caplog: pytest.LogCaptureFixture
) -> None:
    services.answers[GetCostSummary] = ZeroDivisionError("password=hunter2")

    answer = await client.get(SUMMARY, headers=bearer())

    assert_shape(answer, 500, "internal_error")
    assert "hunter2" not in answer.text
    assert "ZeroDivisionError" in caplog.text


async def test_no_token_and_no_secret_reaches_a_log_or_an_answer(
    client: httpx.AsyncClient, services: ScriptedServices, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", logger="services.gateway")
    services.answers[SetPriceOverride] = ZeroDivisionError()
    text = token(sub="root", orgs={}, operator=True)
    forged = token(secret="another secret that nobody here may know")

    await client.post(OVERRIDES, json=PRICE, headers=bearer(text))
    refused = await client.post(OVERRIDES, json=PRICE, headers=bearer(forged))

    assert caplog.records
    for secret in (text, forged, forged.rpartition(".")[2]):
        assert secret not in caplog.text
        assert secret not in refused.text
    assert repr(settings()).count("another secret") == 0


async def test_a_change_is_logged_with_who_asked_for_it(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="services.gateway")

    await client.post(OVERRIDES, json=PRICE, headers=bearer(token(sub="root", operator=True)))
    await client.post(OVERRIDES, json=PRICE)

    told = [vars(each)["fields"] for each in caplog.records if each.message == "request"]
    assert [(each["principal"], each["status"]) for each in told] == [
        ("user:root", 201),
        (None, 401),
    ]


async def test_the_callers_trace_goes_on(client: httpx.AsyncClient) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {**bearer(), "traceparent": f"00-{trace}-b7ad6b7169203331-01"}

    assert (await client.get(SUMMARY, headers=headers)).headers["x-trace-id"] == trace
    assert (await client.get("/nothing", headers=headers)).headers["x-trace-id"] == trace
    broken = await client.get(SUMMARY, headers=[(b"traceparent", b"x\xff")])
    assert broken.headers["x-trace-id"] not in {trace, ""}


async def test_a_page_of_ours_may_ask_and_no_other(client: httpx.AsyncClient) -> None:
    ours = await client.get(SUMMARY, headers={**bearer(), "Origin": ORIGIN})
    other = await client.get(SUMMARY, headers={**bearer(), "Origin": "http://evil.example"})
    preflight = {"Access-Control-Request-Method": "POST", "Origin": "http://evil.example"}

    assert ours.headers["access-control-allow-origin"] == ORIGIN
    assert ours.headers["access-control-allow-credentials"] == "true"
    assert "access-control-allow-origin" not in other.headers
    refused = await client.options(SUMMARY, headers=preflight)
    assert "access-control-allow-origin" not in refused.headers
    allowed = await client.options(SUMMARY, headers={**preflight, "Origin": ORIGIN})
    assert allowed.headers["access-control-allow-origin"] == ORIGIN


async def test_answers_are_kept_by_no_cache_and_framed_by_no_page(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get(SUMMARY, headers=bearer())

    names = [name.lower() for name, _ in answer.headers.raw]
    assert len(names) == len(set(names))
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-frame-options"] == "DENY"
    assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_who_asks_too_often_waits_and_nobody_else_does(services: ScriptedServices) -> None:
    given = settings(rate_limit_per_second=0.5, rate_limit_burst=3)
    async with client_of(app_of(services, given)) as client:
        allowed = [await client.get(SUMMARY, headers=bearer()) for _ in range(3)]
        refused = await client.get(SUMMARY, headers=bearer())
        other = await client.get(SUMMARY, headers=bearer(token(sub="bob")))
        strangers = [await client.get(SUMMARY) for _ in range(4)]
        probe = await client.get("/livez")

    assert [each.status_code for each in allowed] == [200, 200, 200]
    assert_shape(refused, 429, "rate_limited")
    assert 1 <= int(refused.headers["retry-after"]) <= 2
    assert other.status_code == 200
    assert [each.status_code for each in strangers] == [401, 401, 401, 429]
    assert probe.status_code == 200


def test_a_bucket_fills_at_its_rate_and_no_higher_than_its_burst() -> None:
    buckets = TokenBuckets(rate_per_second=2.0, burst=4)

    assert [buckets.take("a", 0.0) for _ in range(5)] == [0, 0, 0, 0, 0.5]
    assert buckets.take("a", 0.5) == 0
    assert buckets.take("a", 0.5) > 0
    assert [buckets.take("a", 1000.0) for _ in range(5)][-1] > 0


def test_a_million_strangers_take_no_more_memory_than_the_limit() -> None:
    buckets = TokenBuckets(rate_per_second=1.0, burst=1, capacity=100)

    for number in range(10_000):
        buckets.take(f"stranger-{number}", NOW.timestamp())
        buckets.take("regular", NOW.timestamp())

    assert len(buckets) <= 100
    assert buckets.take("regular", NOW.timestamp()) > 0
