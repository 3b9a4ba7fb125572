"""What an organization's LLM calls cost: sums, records, days."""

from datetime import date
from typing import Annotated, Literal

from litestar import Response, get
from litestar.params import FromQuery, QueryParameter

from services.gateway.account_ids import AccountIds
from services.gateway.asks import Caller
from services.gateway.errors import ASKING_STATUSES, ApiError, declared, invalid
from services.gateway.paging import PageRequest, page
from services.gateway.parameters import (
    ID_PATTERN,
    Cursor,
    From,
    Given,
    Limit,
    OrganizationId,
    To,
    day_range,
    text_query,
    time_range,
)
from services.gateway.responses import (
    CostRecordResponse,
    CostSummaryResponse,
    DailyCostResponse,
)
from services.gateway.translations import cost_record, cost_summary, daily_cost
from shared.clock import Clock
from shared.contracts.cost_metering import (
    CostScope,
    GetCostSummary,
    GetDailyCosts,
    ListCosts,
)


@get(
    "/account/{organization_id:str}/costs/summary",
    operation_id="get_cost_summary",
    opt={"permission": "read"},
    responses=declared(*ASKING_STATUSES),
    tags=["costs"],
)
async def get_cost_summary(
    organization_id: OrganizationId,
    caller: Given[Caller],
    account_ids: Given[AccountIds],
    scope_type: FromQuery[CostScope] = "billing_account",
    scope_id: Annotated[str | None, text_query("The task, agent or sandbox.")] = None,
    from_: From = None,
    to: To = None,
) -> CostSummaryResponse:
    """Sum costs over the organization, or over one task, agent or sandbox, largest first."""
    times = time_range(from_, to)
    if scope_type == "billing_account":
        account_id = await account_ids.known(organization_id, caller)
        if scope_id not in {None, account_id}:
            raise ApiError(404, "billing_account_not_found", "There is no such billing account.")
        scope_id = account_id
    elif scope_id is None:
        raise invalid("scope_id", f"is needed with scope_type {scope_type}")
    summary = await caller.ask(
        GetCostSummary(
            organization_id=organization_id,
            scope_type=scope_type,
            scope_id=None if scope_type == "billing_account" else scope_id,
            occurred_from=times.start,
            occurred_to=times.end,
        )
    )
    return cost_summary(summary, scope_type, scope_id)


@get(
    "/account/{organization_id:str}/costs",
    operation_id="list_costs",
    opt={"permission": "read"},
    responses=declared(*ASKING_STATUSES),
    tags=["costs"],
)
async def list_costs(
    request: PageRequest,
    organization_id: OrganizationId,
    caller: Given[Caller],
    account_ids: Given[AccountIds],
    from_: From = None,
    to: To = None,
    provider: Annotated[str | None, text_query("Only this provider.")] = None,
    model: Annotated[str | None, text_query("Only this model.")] = None,
    task_id: Annotated[str | None, text_query("Only this task.")] = None,
    agent_id: Annotated[
        str | None, QueryParameter(description="Only this agent.", pattern=ID_PATTERN)
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response[list[CostRecordResponse]]:
    """List calls, newest first; `Link: <…>; rel="next"` leads to the page that follows."""
    times = time_range(from_, to)
    account_id = await account_ids.known(organization_id, caller)
    found = await caller.ask(
        ListCosts(
            organization_id=organization_id,
            occurred_from=times.start,
            occurred_to=times.end,
            provider=provider,
            model=model,
            task_id=task_id,
            agent_id=agent_id,
            limit=limit,
            cursor=cursor,
        )
    )
    records = [cost_record(record, account_id) for record in found.records]
    return page(request, records, found.next_cursor)


@get(
    "/account/{organization_id:str}/costs/daily",
    operation_id="get_daily_costs",
    opt={"permission": "read"},
    responses=declared(*ASKING_STATUSES),
    tags=["costs"],
)
async def get_daily_costs(
    organization_id: OrganizationId,
    caller: Given[Caller],
    clock: Given[Clock],
    days: Annotated[
        Literal[7, 30] | None, QueryParameter(description="The last days, today included.")
    ] = None,
    from_: Annotated[
        date | None, QueryParameter(name="from", description="The first day (UTC).")
    ] = None,
    to: Annotated[
        date | None, QueryParameter(name="to", description="The day after the last (UTC).")
    ] = None,
    group_by: FromQuery[Literal["provider", "model"]] = "provider",
) -> list[DailyCostResponse]:
    """Costs by UTC day of the call, oldest first; the last 30 days when none are named."""
    first_day, end_day = day_range(days, from_, to, clock.now().date())
    found = await caller.ask(
        GetDailyCosts(
            organization_id=organization_id,
            first_day=first_day,
            end_day=end_day,
            group_by=group_by,
        )
    )
    return [daily_cost(day) for day in found.days]
