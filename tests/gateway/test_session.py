"""Signing a browser in and out."""

from datetime import UTC, datetime

import httpx

from services.gateway.app import create_app
from services.gateway.authentication import SESSION_COOKIE
from shared.clock import FixedClock
from tests.gateway.scripted import (
    NOW,
    ORIGIN,
    SERVICE_KEY,
    ScriptedServices,
    app_of,
    bearer,
    client_of,
    settings,
    token,
)

SESSION = "/api/billing/session"
COSTS = "/api/billing/account/acme/costs/summary"


async def test_who_am_i_tells_roles_and_the_end_of_the_token(client: httpx.AsyncClient) -> None:
    headers = bearer(token(orgs={"globex": "viewer", "acme": "owner"}))

    answer = await client.get(SESSION, headers=headers)

    assert answer.json() == {
        "subject": "alice",
        "is_operator": False,
        "organizations": [
            {"organization_id": "acme", "role": "owner"},
            {"organization_id": "globex", "role": "viewer"},
        ],
        "expires_at": "2026-11-22T13:00:00Z",
        "now": "2026-11-22T12:00:00Z",
    }


async def test_the_time_that_is_told_is_the_one_that_bills_are_written_by() -> None:
    moment = datetime(2027, 1, 31, 8, tzinfo=UTC)
    app = create_app(settings(), ScriptedServices(), FixedClock(moment), wall_clock=FixedClock(NOW))

    async with client_of(app) as client:
        asked = await client.get(SESSION, headers=bearer())
        signed_in = await client.post(SESSION, headers=bearer())

    assert asked.json()["now"] == signed_in.json()["now"] == "2027-01-31T08:00:00Z"


async def test_a_browser_signs_in_reads_with_the_cookie_and_signs_out(
    client: httpx.AsyncClient,
) -> None:
    signed_in = await client.post(SESSION, headers={**bearer(), "Origin": ORIGIN})
    assert signed_in.status_code == 200
    assert client.cookies[SESSION_COOKIE]

    assert (await client.get("/api/billing/account/acme/costs/summary")).status_code == 200

    signed_out = await client.delete(SESSION, headers={"Origin": ORIGIN})
    assert signed_out.status_code == 204
    assert SESSION_COOKIE not in client.cookies
    assert (await client.get("/api/billing/account/acme/costs/summary")).status_code == 401


async def test_the_cookie_is_hidden_from_scripts_and_other_sites_and_ends_with_the_token(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.post(SESSION, headers=bearer())

    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "path=/api/billing" in cookie
    assert "max-age=3600" in cookie
    assert "domain" not in cookie


async def test_the_cookie_needs_tls_in_production(services: ScriptedServices) -> None:
    given = settings(environment="production", auth_mode="hs256", http_host="0.0.0.0")
    async with client_of(app_of(services, given)) as client:
        answer = await client.post(SESSION, headers=bearer())

    assert "; secure" in answer.headers["set-cookie"].lower()
    assert answer.headers["strict-transport-security"]


async def test_nobody_is_signed_in_by_another_page(client: httpx.AsyncClient) -> None:
    answer = await client.post(SESSION, headers={**bearer(), "Origin": "http://evil.example"})

    assert (answer.status_code, answer.json()["code"]) == (403, "origin_refused")
    assert "set-cookie" not in answer.headers


async def test_a_cookie_cannot_be_exchanged_for_another(client: httpx.AsyncClient) -> None:
    cookie = {"Cookie": f"{SESSION_COOKIE}={token()}", "Origin": ORIGIN}

    assert (await client.post(SESSION, headers=cookie)).status_code == 401


async def test_a_service_key_is_no_session(client: httpx.AsyncClient) -> None:
    assert (await client.post(SESSION, headers=bearer(SERVICE_KEY))).status_code == 403


async def test_a_token_too_large_for_a_cookie_is_refused(client: httpx.AsyncClient) -> None:
    orgs = {f"organization-{number}": "viewer" for number in range(150)}

    answer = await client.post(SESSION, headers=bearer(token(orgs=orgs)))

    assert (answer.status_code, answer.json()["code"]) == (422, "token_too_large")


async def test_an_ended_session_can_be_left(client: httpx.AsyncClient) -> None:
    headers = {"Cookie": f"{SESSION_COOKIE}={token(exp=0)}", "Origin": ORIGIN}

    answer = await client.delete(SESSION, headers=headers)

    assert answer.status_code == 204
    assert "max-age=0" in answer.headers["set-cookie"].lower()


async def test_another_page_signs_nobody_out(client: httpx.AsyncClient) -> None:
    headers = {"Cookie": f"{SESSION_COOKIE}={token()}", "Origin": "http://evil.example"}

    assert (await client.delete(SESSION, headers=headers)).status_code == 403
