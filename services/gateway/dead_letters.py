"""What services could not process, and what operators decide about it."""

from typing import Annotated

from litestar import get, post
from litestar.params import FromQuery, JSONBody, PathParameter, QueryParameter
from msgspec import Meta

from services.gateway.asks import Caller
from services.gateway.errors import ASKING_STATUSES, WRITING_STATUSES, ApiError, declared
from services.gateway.parameters import (
    Given,
    IdempotencyKey,
    Limit,
    RequestBody,
    Text,
    text_query,
)
from shared.contracts.base import MAX_EXACT_INTEGER, Done
from shared.contracts.operations import (
    DeadLetter,
    DeadLetterState,
    DiscardDeadLetters,
    ListDeadLetters,
    Owner,
    ReplayDeadLetters,
    ShowDeadLetter,
)

LetterId = Annotated[int, Meta(ge=1, le=MAX_EXACT_INTEGER)]
LetterIds = Annotated[list[LetterId], Meta(min_length=1, max_length=200)]


class ReplayBody(RequestBody, frozen=True, kw_only=True):
    """Which letters to hand to their handler again."""

    letter_ids: LetterIds


class DiscardBody(RequestBody, frozen=True, kw_only=True):
    """Which letters to give up, and why; the reason stays on record."""

    letter_ids: LetterIds
    reason: Text


@get(
    "/dead-letters",
    operation_id="list_dead_letters",
    opt={"permission": "operate"},
    responses=declared(*ASKING_STATUSES),
    tags=["admin"],
)
async def list_dead_letters(
    caller: Given[Caller],
    service: FromQuery[Owner] = "cost_metering",
    letter_state: Annotated[DeadLetterState, QueryParameter(name="state")] = "parked",
    reason: Annotated[str | None, text_query("Only letters with this reason.")] = None,
    limit: Limit = 50,
) -> list[DeadLetter]:
    """List what a service has parked, newest first, without the bodies."""
    request = ListDeadLetters(state=letter_state, reason=reason, limit=limit)
    return list((await caller.ask(request, owner=service)).letters)


@get(
    "/dead-letters/{letter_id:int}",
    operation_id="get_dead_letter",
    opt={"permission": "operate"},
    responses=declared(*ASKING_STATUSES),
    tags=["admin"],
)
async def get_dead_letter(
    letter_id: Annotated[int, PathParameter(ge=1, le=MAX_EXACT_INTEGER)],
    caller: Given[Caller],
    service: FromQuery[Owner] = "cost_metering",
) -> DeadLetter:
    """Show one letter with its body."""
    answer = await caller.ask(ShowDeadLetter(letter_id=letter_id), owner=service)
    if not answer.letters:
        raise ApiError(404, "dead_letter_not_found", "There is no such dead letter.")
    return answer.letters[0]


@post(
    "/dead-letters/replay",
    operation_id="replay_dead_letters",
    opt={"permission": "operate"},
    status_code=200,
    responses=declared(*WRITING_STATUSES),
    tags=["admin"],
)
async def replay_dead_letters(
    data: JSONBody[ReplayBody],
    caller: Given[Caller],
    service: FromQuery[Owner] = "cost_metering",
    idempotency_key: IdempotencyKey = None,
) -> Done:
    """Hand letters to their handler again; what fails again is parked again."""
    return await caller.ask(
        ReplayDeadLetters(letter_ids=tuple(data.letter_ids), requested_by=caller.principal.name),
        owner=service,
        idempotency_key=idempotency_key,
    )


@post(
    "/dead-letters/discard",
    operation_id="discard_dead_letters",
    opt={"permission": "operate"},
    status_code=200,
    responses=declared(*WRITING_STATUSES),
    tags=["admin"],
)
async def discard_dead_letters(
    data: JSONBody[DiscardBody],
    caller: Given[Caller],
    service: FromQuery[Owner] = "cost_metering",
    idempotency_key: IdempotencyKey = None,
) -> Done:
    """Give letters up for good, with a reason that stays on record."""
    return await caller.ask(
        DiscardDeadLetters(
            letter_ids=tuple(data.letter_ids),
            discard_reason=data.reason,
            requested_by=caller.principal.name,
        ),
        owner=service,
        idempotency_key=idempotency_key,
    )
