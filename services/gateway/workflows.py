"""What the agents' platform asks before, while and after a workflow runs."""

import asyncio
from typing import Annotated, Literal

from litestar import get, post
from litestar.params import JSONBody, PathParameter
from msgspec import Meta

from services.gateway.asks import STRIPE_SECONDS, Caller
from services.gateway.errors import ASKING_STATUSES, WRITING_STATUSES, declared
from services.gateway.parameters import (
    TEXT_PATTERN,
    Given,
    IdempotencyKey,
    OrganizationId,
    RequestBody,
    Text,
)
from services.gateway.subscription_responses import (
    ExecutionCheckResponse,
    ReservationResponse,
    UsageSummaryResponse,
)
from services.gateway.subscription_translations import (
    execution_check,
    reservation,
    usage_summary,
)
from shared.contracts.account import GetAccount
from shared.contracts.subscription import (
    DAY_SECONDS,
    CheckExecution,
    CompleteWorkflow,
    GetUsageSummary,
    ReleaseWorkflow,
    RenewReservation,
    ReserveWorkflow,
)

Lifetime = Annotated[int, Meta(ge=1, le=7 * DAY_SECONDS)]
ReservationId = Annotated[
    str,
    PathParameter(
        description="The reservation.", pattern=TEXT_PATTERN, min_length=1, max_length=128
    ),
]


class ReserveBody(RequestBody, frozen=True, kw_only=True):
    """The workflow that is to run; asked again with the same id, it is the same reservation."""

    workflow_id: Text
    ticket_id: Text | None = None
    expires_in_seconds: Lifetime = DAY_SECONDS


class RenewBody(RequestBody, frozen=True, kw_only=True):
    """How long it shall live from now."""

    expires_in_seconds: Lifetime = DAY_SECONDS


class ReleaseBody(RequestBody, frozen=True, kw_only=True):
    """Why nothing is charged."""

    reason: Literal["failed", "canceled", "released"] = "released"


@get(
    "/account/{organization_id:str}/usage-summary",
    operation_id="get_usage_summary",
    opt={"permission": "watch_workflows"},
    responses=declared(*ASKING_STATUSES),
    tags=["workflows"],
)
async def get_usage_summary(
    organization_id: OrganizationId, caller: Given[Caller]
) -> UsageSummaryResponse:
    """Get what is used and left of plan, free workflows and credits, and whether one may run."""
    usage, check, account = await asyncio.gather(
        caller.ask(GetUsageSummary(organization_id=organization_id)),
        caller.ask(CheckExecution(organization_id=organization_id)),
        caller.ask(GetAccount(organization_id=organization_id)),
    )
    return usage_summary(usage, check, account.credit_balance_cents)


@post(
    "/account/{organization_id:str}/check-execution",
    operation_id="check_execution",
    opt={"permission": "watch_workflows"},
    status_code=200,
    responses=declared(*WRITING_STATUSES),
    tags=["workflows"],
)
async def check_execution(
    organization_id: OrganizationId,
    caller: Given[Caller],
    idempotency_key: IdempotencyKey = None,
) -> ExecutionCheckResponse:
    """Tell whether a workflow would be let through now; reserves nothing."""
    return execution_check(
        await caller.ask(
            CheckExecution(organization_id=organization_id), idempotency_key=idempotency_key
        )
    )


@post(
    "/account/{organization_id:str}/workflows/reserve",
    operation_id="reserve_workflow",
    opt={"permission": "run_workflows"},
    status_code=200,
    responses=declared(402, *WRITING_STATUSES),
    tags=["workflows"],
)
async def reserve_workflow(
    organization_id: OrganizationId,
    data: JSONBody[ReserveBody],
    caller: Given[Caller],
    idempotency_key: IdempotencyKey = None,
) -> ReservationResponse:
    """Set aside what a workflow will cost; 402 with a code when nothing covers it."""
    return reservation(
        await caller.ask(
            ReserveWorkflow(
                organization_id=organization_id,
                workflow_id=data.workflow_id,
                ticket_id=data.ticket_id,
                expires_in_seconds=data.expires_in_seconds,
            ),
            idempotency_key=idempotency_key,
            timeout_seconds=STRIPE_SECONDS,
        )
    )


@post(
    "/account/{organization_id:str}/workflows/{reservation_id:str}/renew",
    operation_id="renew_reservation",
    opt={"permission": "run_workflows"},
    status_code=200,
    responses=declared(*WRITING_STATUSES),
    tags=["workflows"],
)
async def renew_reservation(
    organization_id: OrganizationId,
    reservation_id: ReservationId,
    caller: Given[Caller],
    data: JSONBody[RenewBody | None] = None,
    idempotency_key: IdempotencyKey = None,
) -> ReservationResponse:
    """Let a reservation live longer, counted from now."""
    return reservation(
        await caller.ask(
            RenewReservation(
                organization_id=organization_id,
                reservation_id=reservation_id,
                expires_in_seconds=(data or RenewBody()).expires_in_seconds,
            ),
            idempotency_key=idempotency_key,
        )
    )


@post(
    "/account/{organization_id:str}/workflows/{reservation_id:str}/complete",
    operation_id="complete_workflow",
    opt={"permission": "run_workflows"},
    status_code=200,
    responses=declared(*WRITING_STATUSES),
    tags=["workflows"],
)
async def complete_workflow(
    organization_id: OrganizationId,
    reservation_id: ReservationId,
    caller: Given[Caller],
    idempotency_key: IdempotencyKey = None,
) -> ReservationResponse:
    """Charge what a workflow reserved, once: it succeeded."""
    return reservation(
        await caller.ask(
            CompleteWorkflow(organization_id=organization_id, reservation_id=reservation_id),
            idempotency_key=idempotency_key,
        )
    )


@post(
    "/account/{organization_id:str}/workflows/{reservation_id:str}/release",
    operation_id="release_workflow",
    opt={"permission": "run_workflows"},
    status_code=200,
    responses=declared(*WRITING_STATUSES),
    tags=["workflows"],
)
async def release_workflow(
    organization_id: OrganizationId,
    reservation_id: ReservationId,
    caller: Given[Caller],
    data: JSONBody[ReleaseBody | None] = None,
    idempotency_key: IdempotencyKey = None,
) -> ReservationResponse:
    """Give back what a workflow reserved: it failed, or will not run."""
    return reservation(
        await caller.ask(
            ReleaseWorkflow(
                organization_id=organization_id,
                reservation_id=reservation_id,
                reason=(data or ReleaseBody()).reason,
            ),
            idempotency_key=idempotency_key,
        )
    )
