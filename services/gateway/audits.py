"""What operators see of the auditor: parked accounts, why they are, and that one may go on."""

from typing import Annotated

from litestar import get, post
from litestar.params import JSONBody, PathParameter, QueryParameter
from msgspec import Meta

from services.gateway.asks import Caller
from services.gateway.errors import ASKING_STATUSES, WRITING_STATUSES, declared
from services.gateway.parameters import (
    ID_PATTERN,
    TEXT_PATTERN,
    Given,
    Id,
    IdempotencyKey,
    Limit,
    RequestBody,
)
from shared.contracts.auditor import (
    ExplainFinding,
    Explanation,
    Finding,
    FindingStatus,
    GetParked,
    ListFindings,
    ParkedAccount,
    ReleaseAccount,
)

OnlyOne = Annotated[
    str | None, QueryParameter(description="Only this organization's.", pattern=ID_PATTERN)
]


class ReleaseBody(RequestBody, frozen=True, kw_only=True):
    """Who may go on, and why; the reason stays on record."""

    organization_id: Id
    reason: Annotated[str, Meta(pattern=TEXT_PATTERN, min_length=1, max_length=500)]


@get(
    "/parked-accounts",
    operation_id="list_parked_accounts",
    opt={"permission": "operate"},
    responses=declared(*ASKING_STATUSES),
    tags=["admin"],
)
async def list_parked_accounts(
    caller: Given[Caller], organization_id: OnlyOne = None, limit: Limit = 50
) -> list[ParkedAccount]:
    """List accounts whose numbers do not agree, longest parked first, with what was found."""
    answer = await caller.ask(GetParked(organization_id=organization_id, limit=limit))
    return list(answer.accounts)


@post(
    "/parked-accounts/release",
    operation_id="release_account",
    opt={"permission": "operate"},
    status_code=200,
    responses=declared(*WRITING_STATUSES),
    tags=["admin"],
)
async def release_account(
    data: JSONBody[ReleaseBody],
    caller: Given[Caller],
    idempotency_key: IdempotencyKey = None,
) -> ParkedAccount:
    """Let a parked account go on; what was found is accepted as long as it stays as it is."""
    return await caller.ask(
        ReleaseAccount(
            organization_id=data.organization_id,
            reason=data.reason,
            requested_by=caller.principal.name,
        ),
        idempotency_key=idempotency_key,
    )


@get(
    "/findings",
    operation_id="list_findings",
    opt={"permission": "operate"},
    responses=declared(*ASKING_STATUSES),
    tags=["admin"],
)
async def list_findings(
    caller: Given[Caller],
    organization_id: OnlyOne = None,
    finding_status: Annotated[FindingStatus | None, QueryParameter(name="status")] = None,
    limit: Limit = 50,
) -> list[Finding]:
    """List what the auditor found, newest first."""
    request = ListFindings(organization_id=organization_id, status=finding_status, limit=limit)
    return list((await caller.ask(request)).findings)


@get(
    "/findings/{finding_id:str}",
    operation_id="explain_finding",
    opt={"permission": "operate"},
    responses=declared(*ASKING_STATUSES),
    tags=["admin"],
)
async def explain_finding(
    finding_id: Annotated[str, PathParameter(pattern=ID_PATTERN)], caller: Given[Caller]
) -> Explanation:
    """Show what was compared, each figure with its owner and sequence, and the rows that differ."""
    return await caller.ask(ExplainFinding(finding_id=finding_id))
