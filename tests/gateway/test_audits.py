"""What operators see of the auditor, and how they let an account go on."""

from typing import Any

import httpx
import msgspec
import pytest

from shared.contracts.auditor import ExplainFinding, GetParked, ListFindings, ReleaseAccount
from shared.contracts.base import Refusal
from tests.gateway.audit_answers import EXPLANATION, FINDING, PARKED
from tests.gateway.scripted import OPERATOR, ScriptedServices

ADMIN = "/api/billing/admin"


@pytest.mark.parametrize(
    ("path", "asked", "shown"),
    [
        ("/parked-accounts", GetParked(), [PARKED]),
        (
            "/parked-accounts?organization_id=acme&limit=3",
            GetParked(organization_id="acme", limit=3),
            [PARKED],
        ),
        ("/findings?status=open", ListFindings(status="open"), [FINDING]),
        (
            f"/findings/{FINDING.finding_id}",
            ExplainFinding(finding_id=FINDING.finding_id),
            EXPLANATION,
        ),
    ],
)
async def test_what_was_found_is_shown(
    client: httpx.AsyncClient, services: ScriptedServices, path: str, asked: Any, shown: Any
) -> None:
    answer = await client.get(ADMIN + path, headers=OPERATOR)

    assert answer.status_code == 200
    assert services.last.request == asked
    assert msgspec.json.decode(answer.content) == msgspec.json.decode(msgspec.json.encode(shown))


async def test_an_account_is_released_in_the_operators_name(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    body = {"organization_id": "acme", "reason": "known since the migration"}
    headers = {**OPERATOR, "Idempotency-Key": "key-1"}

    answer = await client.post(f"{ADMIN}/parked-accounts/release", json=body, headers=headers)

    assert answer.status_code == 200
    asked = ReleaseAccount(**body, requested_by="user:root")
    assert (services.last.request, services.last.idempotency_key) == (asked, "key-1")


async def test_who_is_not_parked_cannot_be_released(
    client: httpx.AsyncClient, services: ScriptedServices
) -> None:
    services.answers[ReleaseAccount] = Refusal(
        code="account_not_parked", detail="acme is not parked.", status=404
    )
    body = {"organization_id": "acme", "reason": "why not"}

    answer = await client.post(f"{ADMIN}/parked-accounts/release", json=body, headers=OPERATOR)

    assert (answer.status_code, answer.json()["code"]) == (404, "account_not_parked")
