"""Who may do what, on every route there is: a new route fails here until somebody decides."""

import itertools
from datetime import timedelta
from typing import Any

import httpx
import pytest
from litestar import Litestar, get
from litestar.exceptions import ImproperlyConfiguredException
from litestar.routes import HTTPRoute

from services.gateway.authentication import SESSION_COOKIE
from services.gateway.permissions import PERMISSIONS, Permission, Principal, denial
from services.gateway.routes import ROUTES
from tests.gateway.scripted import (
    NOW,
    OPERATOR,
    ORIGIN,
    SERVICE_KEY,
    ScriptedServices,
    app_of,
    bearer,
    client_of,
    token,
    unsigned,
)

API = "/api/billing"
ACCOUNT = f"{API}/account/{{organization_id:str}}"
NOTICE = "notices/{notice_id:str}/preview"
WORKFLOW = f"{ACCOUNT}/workflows/{{reservation_id:str}}"
INVOICE = "/invoices/{invoice_id:str}"
CREDITS = {"organization_id": "acme", "amount_usd": 10, "description": "goodwill"}
VOID = {"organization_id": "acme", "reason": "a mistake"}
PRICE = {
    "provider": "acme-llm",
    "model": "frontier",
    "rates": {"input": "3", "output": "15"},
    "reason": "contract",
}
REPRICE = {
    "organization_id": "acme",
    "occurred_from": "2026-11-01T00:00:00Z",
    "occurred_to": "2026-11-02T00:00:00Z",
    "reason": "contract",
}

# Every route with who may use it and a body that is accepted. This table is written by hand, so
# that a permission which is changed in the code is noticed here.
EXPECTED: dict[tuple[str, str], tuple[str, Any]] = {
    ("GET", "/"): ("anyone", None),
    ("GET", "/settings/{rest:path}"): ("anyone", None),
    ("GET", "/billing/{rest:path}"): ("anyone", None),
    ("GET", "/_next/{rest:path}"): ("anyone", None),
    ("GET", "/icon.svg"): ("anyone", None),
    ("GET", "/livez"): ("anyone", None),
    ("GET", "/readyz"): ("anyone", None),
    ("GET", "/metrics"): ("anyone", None),
    ("GET", "/schema"): ("anyone", None),
    ("GET", "/schema/openapi.json"): ("anyone", None),
    ("GET", "/schema/{path:str}"): ("anyone", None),
    ("GET", f"{API}/config"): ("anyone", None),
    ("GET", f"{API}/session"): ("user", None),
    ("POST", f"{API}/session"): ("user", None),
    ("DELETE", f"{API}/session"): ("anyone", None),
    ("GET", f"{ACCOUNT}/costs/summary"): ("reader", None),
    ("GET", f"{ACCOUNT}/costs"): ("reader", None),
    ("GET", f"{ACCOUNT}/costs/daily"): ("reader", None),
    ("GET", f"{ACCOUNT}/costs/export.csv"): ("reader", None),
    ("GET", f"{ACCOUNT}/events"): ("reader", None),
    ("GET", f"{ACCOUNT}/notices"): ("reader", None),
    ("GET", f"{ACCOUNT}/credit-notes"): ("reader", None),
    ("GET", f"{ACCOUNT}/credit-notes/{{credit_note_id:str}}/pdf"): ("reader", None),
    ("GET", f"{ACCOUNT}/credit-notes/{{credit_note_id:str}}/html"): ("reader", None),
    ("POST", f"{ACCOUNT}/agents/{{agent_id:str}}/credentials"): ("manager or service", None),
    ("POST", f"{API}/webhooks/stripe"): ("anyone", None),
    ("GET", f"{API}/plans"): ("anyone", None),
    ("GET", ACCOUNT): ("reader", None),
    ("PATCH", ACCOUNT): ("manager", {"auto_billing_enabled": True}),
    ("GET", f"{ACCOUNT}/credits"): ("reader", None),
    ("GET", f"{ACCOUNT}/payment-methods"): ("reader", None),
    ("POST", f"{ACCOUNT}/payment-method"): ("manager", {"payment_method_id": "pm_1"}),
    ("DELETE", f"{ACCOUNT}/payment-methods/{{payment_method_id:str}}"): ("manager", None),
    ("POST", f"{ACCOUNT}/setup-intent"): ("manager", None),
    ("POST", f"{ACCOUNT}/credits/checkout"): ("manager", {"amount_usd": 19.99}),
    ("POST", f"{ACCOUNT}/lifetime/checkout"): ("manager", {}),
    ("POST", f"{ACCOUNT}/subscription/checkout"): ("manager", {"tier": "pro"}),
    ("GET", f"{ACCOUNT}/checkout/{{session_id:str}}"): ("reader", None),
    ("POST", f"{ACCOUNT}/portal"): ("manager", None),
    ("GET", f"{ACCOUNT}/subscription"): ("reader", None),
    ("POST", f"{ACCOUNT}/subscription/cancel"): ("manager", None),
    ("POST", f"{ACCOUNT}/subscription/reactivate"): ("manager", None),
    ("POST", f"{ACCOUNT}/subscription/preview"): ("reader", {"tier": "team"}),
    ("POST", f"{ACCOUNT}/subscription/change"): ("manager", {"tier": "team"}),
    ("PUT", f"{ACCOUNT}/subscription/byo-providers"): ("manager", {"providers": ["openai"]}),
    ("GET", f"{ACCOUNT}/usage-summary"): ("reader or service", None),
    ("POST", f"{ACCOUNT}/check-execution"): ("reader or service", None),
    ("POST", f"{ACCOUNT}/workflows/reserve"): ("manager or service", {"workflow_id": "w-1"}),
    ("POST", f"{WORKFLOW}/renew"): ("manager or service", {}),
    ("POST", f"{WORKFLOW}/complete"): ("manager or service", None),
    ("POST", f"{WORKFLOW}/release"): ("manager or service", {}),
    ("POST", f"{ACCOUNT}/storage"): ("manager or service", {"storage_bytes": 1}),
    ("POST", f"{ACCOUNT}/agents"): ("manager or service", {"agents_in_use": 1}),
    ("GET", f"{ACCOUNT}/invoices"): ("reader", None),
    ("GET", f"{ACCOUNT}/invoices/upcoming"): ("reader", None),
    ("POST", f"{ACCOUNT}/invoices/generate"): ("manager", None),
    ("GET", f"{ACCOUNT}/usage"): ("reader", None),
    ("GET", f"{API}{INVOICE}"): ("reader of what is found", None),
    ("GET", f"{API}{INVOICE}/pdf"): ("reader of what is found", None),
    ("GET", f"{API}{INVOICE}/html"): ("reader of what is found", None),
    ("GET", f"{API}{INVOICE}/usage"): ("reader of what is found", None),
    ("GET", f"{API}{INVOICE}/payments"): ("reader of what is found", None),
    ("POST", f"{API}{INVOICE}/pay"): ("manager of what is found", {}),
    ("POST", f"{API}/admin{INVOICE}/void"): ("operator", VOID),
    ("POST", f"{API}/admin{INVOICE}/credit-notes"): (
        "operator",
        {**VOID, "credit_note_id": "n-1", "kind": "refund", "amount_usd": 1},
    ),
    ("GET", f"{API}/admin{INVOICE}/payments"): ("operator", None),
    ("GET", f"{API}/admin/billing-terms"): ("operator", None),
    ("POST", f"{API}/admin/billing-terms"): ("operator", {"organization_id": "acme"}),
    ("POST", f"{API}/admin/credits/grant"): ("operator", {**CREDITS, "grant_id": "g-1"}),
    ("POST", f"{API}/admin/credits/take"): ("operator", {**CREDITS, "taking_id": "t-1"}),
    ("POST", f"{API}/admin/tier"): ("operator", {"organization_id": "acme", "tier": "team"}),
    ("POST", f"{API}/admin/tax-exempt"): (
        "operator",
        {"organization_id": "acme", "tax_exempt": True},
    ),
    ("GET", f"{API}/admin/audit"): ("operator", None),
    ("GET", f"{API}/admin/notices"): ("operator", None),
    ("GET", f"{API}/admin/notices/{{notice_id:str}}/preview"): ("operator", None),
    ("GET", f"{API}/admin/unpriced-models"): ("operator", None),
    ("GET", f"{API}/admin/price-overrides"): ("operator", None),
    ("POST", f"{API}/admin/price-overrides"): ("operator", PRICE),
    ("POST", f"{API}/admin/costs/reprice"): ("operator", REPRICE),
    ("GET", f"{API}/admin/producer-holes"): ("operator", None),
    ("GET", f"{API}/admin/parked-accounts"): ("operator", None),
    ("POST", f"{API}/admin/parked-accounts/release"): (
        "operator",
        {"organization_id": "acme", "reason": "known"},
    ),
    ("GET", f"{API}/admin/findings"): ("operator", None),
    ("GET", f"{API}/admin/findings/{{finding_id:str}}"): ("operator", None),
    ("GET", f"{API}/admin/dead-letters"): ("operator", None),
    ("GET", f"{API}/admin/dead-letters/{{letter_id:int}}"): ("operator", None),
    ("POST", f"{API}/admin/dead-letters/replay"): ("operator", {"letter_ids": [7]}),
    ("POST", f"{API}/admin/dead-letters/discard"): (
        "operator",
        {"letter_ids": [7], "reason": "a test"},
    ),
    ("GET", f"{API}/admin/parked-steps"): ("operator", None),
    ("GET", f"{API}/admin/parked-steps/show"): ("operator", None),
    ("POST", f"{API}/admin/parked-steps/resume"): ("operator", {"step_ids": ["charge:7"]}),
}

# Open to anyone, with nothing to see: there is one document, and no page is built in tests.
NOTHING_THERE = {"/schema/{path:str}", "/_next/{rest:path}", "/icon.svg"}

# What a route demands beside a body.
HEADERS = {f"{API}/webhooks/stripe": {"Stripe-Signature": "t=1,v1=00"}}
QUERIES = {
    f"{API}/admin/{name}": {"organization_id": "acme"}
    for name in ("audit", "billing-terms", f"{INVOICE[1:]}/payments", NOTICE)
} | {f"{API}/admin/parked-steps/show": {"step_id": "charge:7"}}

WHO = {
    "no token": {},
    "expired": bearer(token(exp=int((NOW - timedelta(minutes=1)).timestamp()))),
    "wrong audience": bearer(token(aud="other")),
    "wrong issuer": bearer(token(iss="other")),
    "alg none": bearer(unsigned(token())),
    "other organization": bearer(token(orgs={"globex": "owner"})),
    "unknown role": bearer(token(orgs={"acme": "admin"})),
    "viewer": bearer(token(orgs={"acme": "viewer"})),
    "member": bearer(token(orgs={"acme": "member"})),
    "billing_admin": bearer(token(orgs={"acme": "billing_admin"})),
    "owner": bearer(token(orgs={"acme": "owner"})),
    "service key": bearer(SERVICE_KEY),
    "unknown service key": bearer(SERVICE_KEY[:-1] + "_"),
    "operator": OPERATOR,
}
STRANGERS = {
    "no token",
    "expired",
    "wrong audience",
    "wrong issuer",
    "alg none",
    "unknown service key",
}
ROLES = {"viewer", "member", "billing_admin", "owner"}


def verdict(needs: str, who: str) -> int | None:
    """The status of a denial, None where it is allowed."""
    if needs == "anyone":
        return None
    if who in STRANGERS:
        return 401
    if who == "service key":
        return None if needs.endswith("or service") else 403
    if needs == "user":
        return None
    if needs == "operator":
        return None if who == "operator" else 403
    if who not in ROLES:
        return 404
    return None if needs.startswith("reader") or who in {"billing_admin", "owner"} else 403


def routes_of(app: Litestar) -> set[tuple[str, str]]:
    return {
        (method, route.path)
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        for method in handler.http_methods
        if method != "OPTIONS"
    }


def address(path: str) -> str:
    return (
        path.replace("{organization_id:str}", "acme")
        .replace("{agent_id:str}", "agent-1")
        .replace("{letter_id:int}", "7")
        .replace("{notice_id:str}", "notice-1")
        .replace("{finding_id:str}", "finding-1")
        .replace("{credit_note_id:str}", "note-1")
        .replace("{payment_method_id:str}", "pm_1")
        .replace("{invoice_id:str}", "invoice-1")
        .replace("{session_id:str}", "cs_1")
        .replace("{reservation_id:str}", "reservation-1")
        .replace("{path:str}", "openapi.yaml")
        .replace("{rest:path}", "billing")
    )


def test_every_route_is_in_the_table(app: Litestar) -> None:
    assert routes_of(app) == set(EXPECTED)


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize(("method", "path"), EXPECTED, ids=str)
async def test_a_route_lets_in_whom_the_table_says(
    client: httpx.AsyncClient, services: ScriptedServices, method: str, path: str, who: str
) -> None:
    needs, body = EXPECTED[method, path]
    expected = verdict(needs, who)
    if path.endswith("/events") and expected is None:
        return  # an answer without an end: see test_live_streams

    headers, query = {**WHO[who], **HEADERS.get(path, {})}, QUERIES.get(path)
    answer = await client.request(method, address(path), headers=headers, json=body, params=query)

    if expected is None:
        assert answer.status_code in {200, 201, 204} or path in NOTHING_THERE
    else:
        assert answer.status_code == answer.json()["status_code"] == expected
        # What has no organization in its address is looked up among the caller's, and nothing else.
        assert all("acme" not in each.request.organization_ids for each in services.asked)
        assert not services.asked or needs.endswith("found")


@pytest.mark.parametrize("who", ["no token", "viewer", "operator"])
@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
async def test_head_and_options_open_no_door(
    client: httpx.AsyncClient, services: ScriptedServices, method: str, who: str
) -> None:
    for path in {path for _, path in EXPECTED if path.startswith(API)}:
        answer = await client.request(method, address(path), headers=WHO[who])

        assert answer.status_code in {204, 401, 405} | ({404} if who == "operator" else set())
        assert answer.status_code != 204 or who != "no token"
    assert not services.asked


async def test_another_organization_looks_like_one_that_does_not_exist(
    client: httpx.AsyncClient,
) -> None:
    foreign = await client.get(f"{API}/account/globex/costs", headers=bearer())
    missing = await client.get(f"{API}/account/nobody-has-this/costs", headers=bearer())

    assert foreign.status_code == missing.status_code == 404
    assert foreign.json() == missing.json()


@pytest.mark.parametrize("name", ["%00", "acme%00", "acme%0A", "..", "a%2Fb", "é", "a" * 65, "*"])
async def test_a_strange_organization_is_not_found_for_a_service_key_either(
    client: httpx.AsyncClient, services: ScriptedServices, name: str
) -> None:
    path = f"{API}/account/{name}/agents/agent-1/credentials"

    answer = await client.post(path, headers=bearer(SERVICE_KEY))

    assert answer.status_code == 404
    assert not services.asked


def declared_badly(path: str, **options: Any) -> Any:
    @get(path, **options)
    async def handler() -> None:
        return None

    return handler


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("/new", {}),
        ("/new", {"opt": {"permission": "misspelt"}}),
        ("/new", {"opt": {"exclude_from_auth": True}}),
        ("/new/{organization_id:str}", {"opt": {"permission": "signed_in"}}),
        ("/new/{organization_id:str}", {"opt": {"permission": "public"}}),
        ("/new", {"opt": {"permission": "read"}}),
    ],
)
def test_a_route_without_a_fitting_permission_does_not_boot(
    services: ScriptedServices, path: str, options: dict[str, Any]
) -> None:
    with pytest.raises(ImproperlyConfiguredException, match="/new"):
        app_of(services, routes=(*ROUTES, declared_badly(path, **options)))


async def test_no_option_of_a_route_switches_authentication_off(
    services: ScriptedServices,
) -> None:
    route = declared_badly("/new", opt={"permission": "signed_in", "exclude_from_auth": True})
    async with client_of(app_of(services, routes=(*ROUTES, route))) as client:
        assert (await client.get("/new")).status_code == 401


async def test_an_address_that_begins_like_a_public_one_is_not_public(
    client: httpx.AsyncClient,
) -> None:
    for path in (
        "/api/billing/config/../session",
        "/api/billing//session",
        "/api/billing/session/",
    ):
        assert (await client.get(path)).status_code in {401, 404}
    assert (await client.get("/api/billing/configs")).status_code == 404


async def test_a_write_with_a_cookie_needs_a_page_of_ours(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    path = f"{API}/account/acme/agents/agent-1/credentials"
    cookie = {"Cookie": f"{SESSION_COOKIE}={token()}"}
    bad = ["http://evil.example", "null", "", f"{ORIGIN}.evil.example", "https://localhost:3000"]

    for origin in bad:
        refused = await client.post(path, headers={**cookie, "Origin": origin})
        assert (refused.status_code, refused.json()["code"]) == (403, "origin_refused")
    assert (await client.post(path, headers=cookie)).status_code == 403
    assert not services.asked
    assert (await client.post(path, headers={**cookie, "Origin": ORIGIN})).status_code == 201


async def test_a_header_wins_over_a_cookie(client: httpx.AsyncClient) -> None:
    headers = {**bearer("rubbish"), "Cookie": f"{SESSION_COOKIE}={token()}"}

    assert (await client.get(f"{API}/session", headers=headers)).status_code == 401


def test_a_denial_never_depends_on_whether_the_organization_exists() -> None:
    for permission, role in itertools.product(PERMISSIONS.values(), ROLES):
        principal = Principal(name="user:a", roles={"acme": role})  # type: ignore[dict-item]
        assert denial(permission, principal, "b") == denial(permission, principal, "c")


def test_a_permission_without_fields_still_wants_somebody() -> None:
    assert denial(Permission(), None, None) is not None
