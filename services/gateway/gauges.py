"""What an organization has in use, as its platform measures it."""

from typing import Annotated

from litestar import post
from litestar.params import JSONBody
from msgspec import Meta

from services.gateway.account_responses import StatusResponse
from services.gateway.asks import Caller
from services.gateway.errors import WRITING_STATUSES, declared, invalid
from services.gateway.parameters import (
    AwareTime,
    Given,
    IdempotencyKey,
    OrganizationId,
    RequestBody,
    time_range,
)
from shared.clock import Clock
from shared.contracts.base import MAX_EXACT_INTEGER
from shared.contracts.subscription import GaugeName, SetGauge
from shared.contracts.usage import MAX_AHEAD

Count = Annotated[int, Meta(ge=0, le=MAX_EXACT_INTEGER)]


class StorageBody(RequestBody, frozen=True, kw_only=True):
    """What is stored; without a time it is measured now."""

    storage_bytes: Count
    measured_at: AwareTime | None = None


class AgentsBody(RequestBody, frozen=True, kw_only=True):
    """How many agents are in use; without a time they are counted now."""

    agents_in_use: Count
    measured_at: AwareTime | None = None


class Gauges:
    """Tells what is in use, in one caller's name."""

    def __init__(self, caller: Caller, clock: Clock) -> None:
        self._caller = caller
        self._clock = clock

    async def set(
        self,
        organization_id: str,
        gauge: GaugeName,
        value: int,
        measured_at: AwareTime | None,
        idempotency_key: str | None,
    ) -> StatusResponse:
        """Record a value; the latest by its time counts."""
        now = self._clock.now()
        times = time_range(measured_at, None, names=("measured_at", ""), source="body")
        if times.start and times.start > now + MAX_AHEAD:
            raise invalid("measured_at", "lies too far ahead of now", "body")
        await self._caller.ask(
            SetGauge(
                organization_id=organization_id,
                gauge=gauge,
                value=value,
                measured_at=times.start or now,
            ),
            idempotency_key=idempotency_key,
        )
        return StatusResponse(message="Recorded")


@post(
    "/account/{organization_id:str}/storage",
    operation_id="set_storage",
    opt={"permission": "run_workflows"},
    status_code=200,
    responses=declared(*WRITING_STATUSES),
    tags=["gauges"],
)
async def set_storage(
    organization_id: OrganizationId,
    data: JSONBody[StorageBody],
    gauges: Given[Gauges],
    idempotency_key: IdempotencyKey = None,
) -> StatusResponse:
    """Tell how much the organization stores."""
    return await gauges.set(
        organization_id, "storage_bytes", data.storage_bytes, data.measured_at, idempotency_key
    )


@post(
    "/account/{organization_id:str}/agents",
    operation_id="set_agents_in_use",
    opt={"permission": "run_workflows"},
    status_code=200,
    responses=declared(*WRITING_STATUSES),
    tags=["gauges"],
)
async def set_agents_in_use(
    organization_id: OrganizationId,
    data: JSONBody[AgentsBody],
    gauges: Given[Gauges],
    idempotency_key: IdempotencyKey = None,
) -> StatusResponse:
    """Tell how many agents the organization has in use."""
    return await gauges.set(
        organization_id, "agents_in_use", data.agents_in_use, data.measured_at, idempotency_key
    )
