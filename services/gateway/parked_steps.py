"""Work at other systems that services gave up after many attempts, and that operators resume."""

from typing import Annotated

from litestar import get, post
from litestar.params import FromQuery, JSONBody, QueryParameter
from msgspec import Meta

from services.gateway.asks import Caller
from services.gateway.errors import ASKING_STATUSES, WRITING_STATUSES, ApiError, declared
from services.gateway.parameters import (
    ID_PATTERN,
    TEXT_PATTERN,
    Given,
    IdempotencyKey,
    Limit,
    RequestBody,
    text_query,
)
from shared.contracts.base import Done
from shared.contracts.operations import (
    ListParkedSteps,
    Owner,
    ParkedStep,
    ResumeParkedSteps,
    ShowParkedStep,
)

LONGEST_ID = 512
StepIds = Annotated[
    list[Annotated[str, Meta(pattern=TEXT_PATTERN, min_length=1, max_length=LONGEST_ID)]],
    Meta(min_length=1, max_length=200),
]


class ResumeBody(RequestBody, frozen=True, kw_only=True):
    """Which steps to take up again."""

    step_ids: StepIds


@get(
    "/parked-steps",
    operation_id="list_parked_steps",
    opt={"permission": "operate"},
    responses=declared(*ASKING_STATUSES),
    tags=["admin"],
)
async def list_parked_steps(
    caller: Given[Caller],
    service: FromQuery[Owner] = "stripe_gateway",
    kind: Annotated[str | None, text_query("Only steps of this kind.")] = None,
    organization_id: Annotated[
        str | None, QueryParameter(description="Only this organization's.", pattern=ID_PATTERN)
    ] = None,
    limit: Limit = 50,
) -> list[ParkedStep]:
    """List the steps that a service gave up, the last tried first, without their states."""
    request = ListParkedSteps(kind=kind, organization_id=organization_id, limit=limit)
    return list((await caller.ask(request, owner=service)).steps)


# Its id stands in the query, because there may be a slash in it.
@get(
    "/parked-steps/show",
    operation_id="get_parked_step",
    opt={"permission": "operate"},
    responses=declared(*ASKING_STATUSES),
    tags=["admin"],
)
async def get_parked_step(
    caller: Given[Caller],
    step_id: Annotated[
        str,
        QueryParameter(
            description="The step, as the list names it.",
            pattern=TEXT_PATTERN,
            min_length=1,
            max_length=LONGEST_ID,
        ),
    ],
    service: FromQuery[Owner] = "stripe_gateway",
) -> ParkedStep:
    """Show one step with what it was prepared with, whatever has become of it since."""
    answer = await caller.ask(ShowParkedStep(step_id=step_id), owner=service)
    if not answer.steps:
        raise ApiError(404, "step_not_found", "There is no such step.")
    return answer.steps[0]


@post(
    "/parked-steps/resume",
    operation_id="resume_parked_steps",
    opt={"permission": "operate"},
    status_code=200,
    responses=declared(*WRITING_STATUSES),
    tags=["admin"],
)
async def resume_parked_steps(
    data: JSONBody[ResumeBody],
    caller: Given[Caller],
    service: FromQuery[Owner] = "stripe_gateway",
    idempotency_key: IdempotencyKey = None,
) -> Done:
    """Take steps up again with all their attempts before them; what is not parked stays as is."""
    return await caller.ask(
        ResumeParkedSteps(step_ids=tuple(data.step_ids), requested_by=caller.principal.name),
        owner=service,
        idempotency_key=idempotency_key,
    )
