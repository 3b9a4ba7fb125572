"""Invoices over HTTP: whose they are, how they are made and paid, what they look like."""

from typing import Any

import httpx
import msgspec
import pytest

from services.gateway.authentication import SESSION_COOKIE
from shared.bus import AnswerTimedOut
from shared.contracts.base import Refusal
from shared.contracts.invoicing import (
    GenerateInvoice,
    GetInvoice,
    Invoices,
    ListInvoices,
    ListInvoiceUsage,
    ListPayments,
    ListUsageRecords,
    MaybeInvoice,
    PayInvoice,
    PreviewInvoice,
    RenderInvoice,
    UsageRecords,
)
from tests.gateway.invoice_answers import INVOICE, NOT_FOUND, PAYMENT, RECORD
from tests.gateway.scripted import (
    ScriptedServices,
    app_of,
    bearer,
    client_of,
    settings,
    token,
)

API = "/api/billing"
ACCOUNT = f"{API}/account/acme"
PAY = f"{API}/invoices/invoice-1/pay"
GENERATE = f"{ACCOUNT}/invoices/generate"
SHOWN = {
    "id": "invoice-1",
    "invoice_number": "INV-0123456789AB-000042",
    "billing_account_id": "account-1",
    "ticket_id": None,
    "stripe_invoice_id": None,
    "status": "open",
    "period_start": "2026-11-01T00:00:00Z",
    "period_end": "2026-12-01T00:00:00Z",
    "subtotal": 30.0,
    "tax_amount": 5.13,
    "discount_amount": 3.0,
    "total": 32.13,
    "credits_applied": 12.14,
    "amount_due": 19.99,
    "amount_paid": 0.0,
    "currency": "usd",
    "line_items": [
        {
            "description": "Workflow runs",
            "quantity": 4,
            "unit_price": 10.0,
            "total": 40.0,
            "ticket_id": "T-1",
            "position": 1,
            "kind": "workflow_completion",
        },
        {
            "description": "A run of October was charged twice",
            "quantity": 1,
            "unit_price": -10.0,
            "total": -10.0,
            "position": 2,
            "kind": "adjustment",
            "period_start": "2026-10-01T00:00:00Z",
            "period_end": "2026-11-01T00:00:00Z",
            "corrects_invoice": "INV-0123456789AB-000041",
        },
    ],
    "description": None,
    "due_date": "2026-11-29T12:00:00Z",
    "finalized_at": "2026-11-22T12:00:00Z",
    "paid_at": None,
    "created_at": "2026-11-22T12:00:00Z",
    "organization_id": "acme",
    "kind": "usage",
    "amount_refunded": 0.0,
    "amount_credited": 0.01,
    "voided_at": None,
    "amount_disputed": 19.98,
}
PAID = {
    "id": "payment-1",
    "billing_account_id": "account-1",
    "invoice_id": "invoice-1",
    "stripe_payment_intent_id": "pi_1",
    "amount": 19.99,
    "currency": "usd",
    "status": "succeeded",
    "payment_method_type": "card",
    "payment_method_last4": "4242",
    "payment_method_brand": "visa",
    "failure_code": None,
    "failure_message": None,
    "refunded_amount": 0.0,
    "description": "INV-0123456789AB-000042",
    "created_at": "2026-11-22T12:00:00Z",
    "succeeded_at": "2026-11-22T12:00:00Z",
    "client_secret": None,
}


async def test_an_invoice_is_shown_in_dollars_with_its_lines(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    listed = await client.get(f"{ACCOUNT}/invoices", headers=bearer())
    one = await client.get(f"{API}/invoices/invoice-1", headers=bearer())

    assert (listed.status_code, listed.json()) == (200, [SHOWN])
    assert (one.status_code, one.json()) == (200, SHOWN)
    assert services.last.request == GetInvoice(organization_ids=("acme",), invoice_id="invoice-1")


@pytest.mark.parametrize("status", ["draft", "open", "paid", "past_due", "void"])
async def test_invoices_are_filtered_by_status(
    client: httpx.AsyncClient, services: ScriptedServices, status: Any
) -> None:
    answer = await client.get(f"{ACCOUNT}/invoices?status={status}&limit=7", headers=bearer())

    assert answer.status_code == 200
    assert services.last.request == ListInvoices(organization_id="acme", status=status, limit=7)


@pytest.mark.parametrize("query", ["status=overdue", "status=", "limit=0", "limit=201"])
async def test_an_unknown_filter_is_a_422(
    client: httpx.AsyncClient, services: ScriptedServices, query: str
) -> None:
    answer = await client.get(f"{ACCOUNT}/invoices?{query}", headers=bearer())

    assert (answer.status_code, answer.json()["extra"][0]["key"]) == (422, query.partition("=")[0])
    assert not services.asked


async def test_the_next_page_is_linked_with_the_same_filter(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    services.answers[ListInvoices] = Invoices(invoices=(), next_cursor="c 1")

    answer = await client.get(f"{ACCOUNT}/invoices?status=open", headers=bearer())

    assert answer.json() == []
    assert answer.headers["link"] == (f'<{ACCOUNT}/invoices?status=open&cursor=c+1>; rel="next"')


async def test_an_invoice_without_an_account_gets_the_organizations(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    services.answers[ListInvoices] = Invoices(
        invoices=(msgspec.structs.replace(INVOICE, billing_account_id=None),)
    )

    answer = await client.get(f"{ACCOUNT}/invoices", headers=bearer())

    assert answer.json()[0]["billing_account_id"] == "account-1"


async def test_a_token_of_many_organizations_finds_the_invoice_in_one(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    many = token(orgs={"globex": "viewer", "acme": "member", "initech": "nonsense"})

    answer = await client.get(f"{API}/invoices/invoice-1", headers=bearer(many))

    assert answer.json()["organization_id"] == "acme"
    assert services.last.request.organization_ids == ("acme", "globex")


async def test_another_organizations_invoice_looks_like_one_that_does_not_exist(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    foreign = bearer(token(orgs={"globex": "owner"}))
    for path in ("", "/usage", "/pdf", "/html", "/payments"):
        hers = await client.get(f"{API}/invoices/invoice-1{path}", headers=foreign)
        assert (hers.status_code, hers.json()["code"]) == (404, "invoice_not_found")
    services.answers[GetInvoice] = NOT_FOUND
    missing = await client.get(f"{API}/invoices/invoice-2", headers=bearer())
    assert missing.json() == hers.json()


async def test_an_answer_about_somebody_else_is_not_passed_on(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    services.answers[GetInvoice] = msgspec.structs.replace(INVOICE, organization_id="globex")

    for answer in (
        await client.get(f"{API}/invoices/invoice-1", headers=bearer()),
        await client.post(PAY, headers=bearer()),
    ):
        assert answer.status_code == 404
    assert {type(each.request) for each in services.asked} == {GetInvoice}


@pytest.mark.parametrize("body", [None, {}, {"payment_method_id": None}])
async def test_an_invoice_is_paid_with_the_default_card(
    client: httpx.AsyncClient, services: ScriptedServices, body: Any
) -> None:
    headers = {**bearer(), "Idempotency-Key": "key-1"}

    answer = await client.post(PAY, json=body, headers=headers)

    assert (answer.status_code, answer.json()) == (200, PAID)
    assert services.last.request == PayInvoice(
        organization_id="acme", invoice_id="invoice-1", requested_by="user:alice"
    )
    assert (services.last.idempotency_key, services.last.timeout_seconds) == ("key-1", 30.0)


async def test_an_invoice_is_paid_with_the_card_that_is_named(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    await client.post(PAY, json={"payment_method_id": "pm_2"}, headers=bearer())

    assert services.last.request.payment_method_id == "pm_2"


@pytest.mark.parametrize("body", [b'{"payment_method_id": 5}', b'{"card": "pm_1"}', b'"pm_1"'])
async def test_what_cannot_be_paid_with_charges_nothing(
    client: httpx.AsyncClient, services: ScriptedServices, body: bytes
) -> None:
    assert (await client.post(PAY, content=body, headers=bearer())).status_code == 422
    assert not services.asked


async def test_a_role_counts_in_the_organization_of_the_invoice(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    elsewhere = bearer(token(orgs={"acme": "member", "globex": "owner"}))

    answer = await client.post(PAY, headers=elsewhere)

    assert (answer.status_code, answer.json()["code"]) == (403, "role_too_low")
    assert [type(each.request) for each in services.asked] == [GetInvoice]


async def test_a_declined_card_is_an_answer_not_an_error(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    services.answers[PayInvoice] = msgspec.structs.replace(
        PAYMENT,
        status="failed",
        failure_code="insufficient_funds",
        failure_message="The card has insufficient funds.",
        succeeded_at=None,
    )

    answer = await client.post(PAY, headers=bearer())

    assert (answer.status_code, answer.json()["status"]) == (200, "failed")
    assert answer.json()["failure_message"] == "The card has insufficient funds."
    assert answer.json()["client_secret"] is None


async def test_only_who_has_to_act_is_given_the_secret(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    waiting = msgspec.structs.replace(PAYMENT, status="requires_action", succeeded_at=None)
    services.answers[PayInvoice] = waiting
    services.answers[ListPayments] = msgspec.structs.replace(
        services.answers[ListPayments], payments=(waiting,)
    )

    paid = await client.post(PAY, headers=bearer())
    listed = await client.get(f"{API}/invoices/invoice-1/payments", headers=bearer())

    assert paid.json()["client_secret"] == "pi_1_secret_x"
    assert listed.json() == [{**paid.json(), "client_secret": None}]


@pytest.mark.parametrize(
    ("refusal", "status"),
    [
        (Refusal(code="invoice_paid", detail="This invoice is paid."), 409),
        (Refusal(code="no_payment_method", detail="There is no card.", status=402), 402),
        (Refusal(code="pending", detail="It is being worked on."), 409),
        (AnswerTimedOut(), 504),
    ],
)
async def test_what_cannot_be_paid_says_why(
    client: httpx.AsyncClient, services: ScriptedServices, refusal: Any, status: int
) -> None:
    services.answers[PayInvoice] = refusal

    answer = await client.post(PAY, headers=bearer())

    assert answer.status_code == answer.json()["status_code"] == status
    assert ("retry-after" in answer.headers) == (status == 504 or "being" in answer.text)


async def test_an_invoice_is_made_of_what_is_not_billed_and_may_be_none(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    headers = {**bearer(), "Idempotency-Key": "key-1"}
    made = await client.post(GENERATE, headers=headers)
    asked = services.last
    services.answers[GenerateInvoice] = MaybeInvoice(invoice=None)
    none = await client.post(GENERATE, headers=bearer())

    assert (made.status_code, made.json()) == (200, SHOWN)
    assert asked.request == GenerateInvoice(organization_id="acme", requested_by="user:alice")
    assert (asked.idempotency_key, asked.timeout_seconds) == ("key-1", 30.0)
    assert (none.status_code, none.content) == (200, b"null")


async def test_what_would_be_billed_now_is_shown_with_what_waits(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    some = await client.get(f"{ACCOUNT}/invoices/upcoming", headers=bearer())
    services.answers[PreviewInvoice] = MaybeInvoice(invoice=None, carried_cents=49)
    none = await client.get(f"{ACCOUNT}/invoices/upcoming", headers=bearer())

    assert some.json() == {"invoice": SHOWN, "carried": 0.3}
    assert none.json() == {"invoice": None, "carried": 0.49}


@pytest.mark.parametrize("path", [PAY, GENERATE])
async def test_one_organization_may_not_try_without_end(
    services: ScriptedServices, path: str
) -> None:
    given = settings(invoices_per_hour=2, payments_per_hour=2)
    async with client_of(app_of(services, given)) as client:
        answers = [await client.post(path, headers=bearer()) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert int(answers[2].headers["retry-after"]) > 0


async def test_usage_is_shown_with_what_covered_it(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    answer = await client.get(f"{ACCOUNT}/usage?billed=true", headers=bearer())

    assert answer.json() == [
        {
            "id": "record-1",
            "billing_account_id": "account-1",
            "ticket_id": "T-1",
            "usage_type": "workflow_completion",
            "quantity": 1,
            "unit_price": 10.0,
            "total_price": 10.0,
            "free_tier_used": False,
            "invoice_id": "invoice-1",
            "billed": True,
            "usage_details": {
                "covered_by": "none",
                "tier": "pro",
                "source_id": "workflow-1",
                "occurred_at": "2026-11-22T11:58:00Z",
                "workflow_id": "workflow-1",
            },
            "recorded_at": "2026-11-22T11:59:00Z",
            "billed_at": "2026-11-22T12:00:00Z",
        }
    ]
    assert services.last.request == ListUsageRecords(organization_id="acme", billed=True)


async def test_a_cost_that_is_passed_on_is_not_rounded_before_it_is_billed(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    services.answers[ListUsageRecords] = UsageRecords(
        records=(
            msgspec.structs.replace(
                RECORD, usage_type="llm_cost", total_picousd=7_500_000_000, total_cents=1
            ),
        ),
        next_cursor="next",
    )

    answer = await client.get(f"{ACCOUNT}/usage?billed=false", headers=bearer())

    assert answer.json()[0]["total_price"] == 0.0075
    assert "workflow_id" not in answer.json()[0]["usage_details"]
    assert answer.headers["link"] == f'<{ACCOUNT}/usage?billed=false&cursor=next>; rel="next"'


@pytest.mark.parametrize("billed", ["maybe", "2", ""])
async def test_usage_is_billed_or_not(
    client: httpx.AsyncClient, services: ScriptedServices, billed: str
) -> None:
    answer = await client.get(f"{ACCOUNT}/usage?billed={billed}", headers=bearer())

    assert answer.status_code == 422
    assert not services.asked


async def test_the_records_behind_a_line_are_listed(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    answer = await client.get(f"{API}/invoices/invoice-1/usage?position=1", headers=bearer())

    assert [each["id"] for each in answer.json()] == ["record-1"]
    assert services.last.request == ListInvoiceUsage(
        organization_ids=("acme",), invoice_id="invoice-1", position=1
    )


@pytest.mark.parametrize(
    ("form", "kind"), [("pdf", "application/pdf"), ("html", "text/html; charset=utf-8")]
)
async def test_a_document_is_read_with_a_cookie_and_can_do_nothing(
    client: httpx.AsyncClient, services: ScriptedServices, form: Any, kind: str
) -> None:
    headers = {"Cookie": f"{SESSION_COOKIE}={token(orgs={'acme': 'viewer'})}"}

    answer = await client.get(f"{API}/invoices/invoice-1/{form}", headers=headers)

    assert (answer.status_code, answer.content) == (200, b"%PDF-1.7 \x00\xff")
    assert answer.headers["content-type"] == kind
    assert answer.headers["content-disposition"] == 'inline; filename="INV.pdf"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "private, no-cache"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline';")
    assert services.last.request == RenderInvoice(
        organization_ids=("acme",), invoice_id="invoice-1", format=form
    )


async def test_a_documents_name_breaks_no_header(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    found = services.answers[RenderInvoice](
        RenderInvoice(organization_ids=("acme",), invoice_id="1")
    )
    services.answers[RenderInvoice] = msgspec.structs.replace(found, file_name='a"\r\nX: é.pdf')

    answer = await client.get(f"{API}/invoices/invoice-1/pdf", headers=bearer())

    assert answer.headers["content-disposition"] == 'inline; filename="a_X_.pdf"'


async def test_a_draft_has_no_document(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    services.answers[RenderInvoice] = Refusal(code="invoice_draft", detail="It is a draft.")

    answer = await client.get(f"{API}/invoices/invoice-1/pdf", headers=bearer())

    assert (answer.status_code, answer.json()["detail"]) == (409, "It is a draft.")
    assert answer.headers["content-type"] == "application/json"
