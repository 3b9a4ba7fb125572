"""Notices: customers see theirs, operators all of them and how their mails look."""

import httpx
import msgspec

from shared.contracts.base import Refusal
from shared.contracts.notices import GetNoticePreview, ListNotices, Notices
from tests.gateway.scripted import NOTICE, OPERATOR, ScriptedServices, bearer

ADMIN = "/api/billing/admin/notices"


async def test_a_customer_sees_its_notices_page_by_page_and_nothing_of_the_mails(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    services.answers[ListNotices] = Notices(notices=(NOTICE,), next_cursor="c~acme~1")
    address = "/api/billing/account/acme/notices"
    found = await client.get(address, params={"limit": 1}, headers=bearer())
    assert services.last.request == ListNotices(organization_id="acme", limit=1)
    assert found.json() == [
        {
            "id": "notice-1",
            "kind": "invoice_issued",
            "severity": "info",
            "title": "Invoice INV-1 is ready",
            "text": "$19.99 is due.",
            "reference": "invoice-1",
            "raised_at": "2026-11-22T12:00:00Z",
        }
    ]
    assert 'rel="next"' in found.headers["Link"]
    await client.get(address, params={"cursor": "c~acme~1"}, headers=bearer())
    assert services.last.request == ListNotices(organization_id="acme", cursor="c~acme~1")


async def test_operators_see_what_became_of_the_mails(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    found = await client.get(ADMIN, headers=OPERATOR)
    assert services.last.request == ListNotices()
    assert found.json() == [msgspec.to_builtins(NOTICE)]
    await client.get(ADMIN, params={"organization_id": "acme"}, headers=OPERATOR)
    assert services.last.request == ListNotices(organization_id="acme")


async def test_a_preview_is_a_page_that_runs_and_loads_nothing(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    wanted = {"organization_id": "acme"}
    found = await client.get(f"{ADMIN}/notice-1/preview", params=wanted, headers=OPERATOR)
    assert services.last.request == GetNoticePreview(organization_id="acme", notice_id="notice-1")
    assert found.headers["Content-Type"].startswith("text/html")
    assert found.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src")
    assert found.text == "<p>Hello</p>"
    services.answers[GetNoticePreview] = Refusal(
        code="notice_not_found", detail="There is no such notice.", status=404
    )
    missing = await client.get(f"{ADMIN}/notice-2/preview", params=wanted, headers=OPERATOR)
    assert missing.status_code == 404
    assert missing.json()["code"] == "notice_not_found"
