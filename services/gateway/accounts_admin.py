"""What operators do to an organization: credits, tier, tax, and the log of who changed what."""

from typing import Annotated, Literal

from litestar import get, post
from litestar.params import JSONBody, QueryParameter
from msgspec import Meta

from services.gateway.account_responses import CreditBalanceResponse, StatusResponse
from services.gateway.account_translations import credit_balance
from services.gateway.amounts import cents_of, number_text
from services.gateway.asks import STRIPE_SECONDS, Caller
from services.gateway.errors import ASKING_STATUSES, WRITING_STATUSES, declared, invalid
from services.gateway.paging import PageRequest
from services.gateway.parameters import (
    ID_PATTERN,
    TEXT_PATTERN,
    AwareTime,
    Given,
    Id,
    IdempotencyKey,
    Limit,
    RequestBody,
    Text,
    time_range,
)
from shared.clock import Clock
from shared.contracts.account import AuditTrail, GrantCredits, ListAudit, TakeCredits, UpdateAccount
from shared.contracts.base import MAX_EXACT_INTEGER
from shared.contracts.subscription import SetTier, TierName

MOST_CREDITS_CENTS = 100_000_000
Description = Annotated[str, Meta(pattern=TEXT_PATTERN, min_length=1, max_length=200)]
TierLimit = Annotated[int, Meta(ge=-1, le=10**9)]


class GrantBody(RequestBody, frozen=True, kw_only=True):
    """Credits to give, in dollars with at most two decimals; `grant_id` is given once only."""

    organization_id: Id
    grant_id: Text
    amount_usd: float
    kind: Literal["purchased", "promotional"] = "promotional"
    expires_at: AwareTime | None = None
    description: Description


class TakingBody(RequestBody, frozen=True, kw_only=True):
    """Credits to take, in dollars with at most two decimals; `taking_id` is taken once only."""

    organization_id: Id
    taking_id: Text
    amount_usd: float
    description: Description


class TierBody(RequestBody, frozen=True, kw_only=True):
    """A tier to give (`free` takes one back); limits override the tier's, -1 is unlimited."""

    organization_id: Id
    tier: TierName
    workflows_limit: TierLimit | None = None
    agents_limit: TierLimit | None = None
    storage_limit_gb: TierLimit | None = None


class TaxExemptBody(RequestBody, frozen=True, kw_only=True):
    """Whether an organization pays tax."""

    organization_id: Id
    tax_exempt: bool


async def _cents(request: PageRequest) -> int:
    text = number_text(await request.body(), "amount_usd")
    return cents_of(text, "amount_usd", least_cents=1, most_cents=MOST_CREDITS_CENTS)


@post(
    "/credits/grant",
    operation_id="grant_credits",
    opt={"permission": "operate"},
    status_code=200,
    responses=declared(*WRITING_STATUSES),
    tags=["admin"],
)
async def grant_credits(
    request: PageRequest,
    data: JSONBody[GrantBody],
    caller: Given[Caller],
    clock: Given[Clock],
    idempotency_key: IdempotencyKey = None,
) -> CreditBalanceResponse:
    """Give an organization credits."""
    expires_at = time_range(None, data.expires_at, names=("", "expires_at"), source="body").end
    if expires_at is not None and expires_at <= clock.now():
        raise invalid("expires_at", "must be in the future", "body")
    answer = await caller.ask(
        GrantCredits(
            organization_id=data.organization_id,
            grant_id=data.grant_id,
            amount_cents=await _cents(request),
            kind=data.kind,
            expires_at=expires_at,
            description=data.description,
            requested_by=caller.principal.name,
        ),
        idempotency_key=idempotency_key,
    )
    return credit_balance(answer)


@post(
    "/credits/take",
    operation_id="take_credits",
    opt={"permission": "operate"},
    status_code=200,
    responses=declared(*WRITING_STATUSES),
    tags=["admin"],
)
async def take_credits(
    request: PageRequest,
    data: JSONBody[TakingBody],
    caller: Given[Caller],
    idempotency_key: IdempotencyKey = None,
) -> CreditBalanceResponse:
    """Take credits from an organization, at most what is free."""
    answer = await caller.ask(
        TakeCredits(
            organization_id=data.organization_id,
            taking_id=data.taking_id,
            amount_cents=await _cents(request),
            description=data.description,
            requested_by=caller.principal.name,
        ),
        idempotency_key=idempotency_key,
    )
    return credit_balance(answer)


@post(
    "/tier",
    operation_id="set_tier",
    opt={"permission": "operate"},
    status_code=200,
    responses=declared(*WRITING_STATUSES),
    tags=["admin"],
)
async def set_tier(
    data: JSONBody[TierBody],
    caller: Given[Caller],
    idempotency_key: IdempotencyKey = None,
) -> StatusResponse:
    """Give an organization a tier; a plan that runs at Stripe is ended there."""
    given = await caller.ask(
        SetTier(
            organization_id=data.organization_id,
            tier=data.tier,
            workflows_limit=data.workflows_limit,
            agents_limit=data.agents_limit,
            storage_limit_gb=data.storage_limit_gb,
            requested_by=caller.principal.name,
        ),
        idempotency_key=idempotency_key,
        timeout_seconds=STRIPE_SECONDS,
    )
    return StatusResponse(message=f"The tier is {given.tier}")


@post(
    "/tax-exempt",
    operation_id="set_tax_exempt",
    opt={"permission": "operate"},
    status_code=200,
    responses=declared(*WRITING_STATUSES),
    tags=["admin"],
)
async def set_tax_exempt(
    data: JSONBody[TaxExemptBody],
    caller: Given[Caller],
    idempotency_key: IdempotencyKey = None,
) -> StatusResponse:
    """Say whether an organization pays tax."""
    await caller.ask(
        UpdateAccount(
            organization_id=data.organization_id,
            tax_exempt=data.tax_exempt,
            requested_by=caller.principal.name,
        ),
        idempotency_key=idempotency_key,
    )
    return StatusResponse(message="Tax exempt" if data.tax_exempt else "Not tax exempt")


@get(
    "/audit",
    operation_id="list_audit",
    opt={"permission": "operate"},
    responses=declared(*ASKING_STATUSES),
    tags=["admin"],
)
async def list_audit(
    caller: Given[Caller],
    organization_id: Annotated[str, QueryParameter(description="Whose log.", pattern=ID_PATTERN)],
    limit: Limit = 50,
    before: Annotated[
        int | None,
        QueryParameter(description="Entries before this sequence.", ge=1, le=MAX_EXACT_INTEGER),
    ] = None,
    verify: Annotated[
        bool, QueryParameter(description="Recompute the whole chain of hashes.")
    ] = False,
) -> AuditTrail:
    """List who changed what, newest first; `broken_at` names the first entry that was altered."""
    request = ListAudit(
        organization_id=organization_id, limit=limit, before_sequence=before, verify=verify
    )
    return await caller.ask(request, timeout_seconds=STRIPE_SECONDS if verify else 5.0)
