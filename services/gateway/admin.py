"""What operators see and change in the metering of costs: prices and gaps."""

from typing import Annotated, Literal

import msgspec
from litestar import get, post
from litestar.params import JSONBody, QueryParameter
from msgspec import Meta

from services.gateway.asks import Caller
from services.gateway.errors import ASKING_STATUSES, WRITING_STATUSES, declared
from services.gateway.parameters import (
    DOLLARS_PATTERN,
    ID_PATTERN,
    AwareTime,
    Given,
    Id,
    IdempotencyKey,
    Limit,
    RequestBody,
    Text,
    time_range,
)
from shared.contracts.base import Done
from shared.contracts.cost_metering import (
    ListPriceOverrides,
    ListProducerHoles,
    ListUnpricedModels,
    PriceOverride,
    ProducerHole,
    RepriceCosts,
    SetPriceOverride,
    TokenRates,
    UnpricedModel,
)

Rate = Annotated[str, Meta(pattern=DOLLARS_PATTERN)]


class RatesBody(RequestBody, frozen=True, kw_only=True):
    """US dollars per million tokens, as decimal text; a missing rate is the input's or 0."""

    input: Rate
    output: Rate
    cache_read: Rate | None = None
    cache_write_5m: Rate | None = None
    cache_write_1h: Rate | None = None
    reasoning: Rate | None = None


class PriceOverrideBody(RequestBody, frozen=True, kw_only=True):
    """A price that is asked before the price book, for one organization or for all."""

    provider: Text
    model: Text
    match: Literal["exact", "prefix"] = "exact"
    organization_id: Id | None = None
    rates: RatesBody
    effective_from: AwareTime | None = None
    effective_to: AwareTime | None = None
    reason: Text


class RepriceBody(RequestBody, frozen=True, kw_only=True):
    """What to price again: an organization's records from a half-open time."""

    organization_id: Id
    provider: Text | None = None
    model: Text | None = None
    occurred_from: AwareTime
    occurred_to: AwareTime
    reason: Text


@get(
    "/unpriced-models",
    operation_id="list_unpriced_models",
    opt={"permission": "operate"},
    responses=declared(*ASKING_STATUSES),
    tags=["admin"],
)
async def list_unpriced_models(caller: Given[Caller], limit: Limit = 50) -> list[UnpricedModel]:
    """List models that no price fits, over all organizations, most records first."""
    return list((await caller.ask(ListUnpricedModels(limit=limit))).models)


@get(
    "/price-overrides",
    operation_id="list_price_overrides",
    opt={"permission": "operate"},
    responses=declared(*ASKING_STATUSES),
    tags=["admin"],
)
async def list_price_overrides(caller: Given[Caller], limit: Limit = 50) -> list[PriceOverride]:
    """List prices set by operators, newest first."""
    return list((await caller.ask(ListPriceOverrides(limit=limit))).overrides)


@post(
    "/price-overrides",
    operation_id="set_price_override",
    opt={"permission": "operate"},
    status_code=201,
    responses=declared(*WRITING_STATUSES),
    tags=["admin"],
)
async def set_price_override(
    data: JSONBody[PriceOverrideBody],
    caller: Given[Caller],
    idempotency_key: IdempotencyKey = None,
) -> list[PriceOverride]:
    """Set a price; records that waited for it are priced within seconds, others stay as they are.

    Answers the override that was added.
    """
    time_range(
        data.effective_from,
        data.effective_to,
        names=("effective_from", "effective_to"),
        source="body",
    )
    rates = TokenRates(**msgspec.structs.asdict(data.rates))
    answer = await caller.ask(
        SetPriceOverride(
            provider=data.provider,
            model=data.model,
            match=data.match,
            organization_id=data.organization_id,
            rates=rates,
            effective_from=data.effective_from,
            effective_to=data.effective_to,
            reason=data.reason,
            requested_by=caller.principal.name,
        ),
        idempotency_key=idempotency_key,
    )
    return list(answer.overrides)


@post(
    "/costs/reprice",
    operation_id="reprice_costs",
    opt={"permission": "operate"},
    status_code=200,
    responses=declared(*WRITING_STATUSES),
    tags=["admin"],
)
async def reprice_costs(
    data: JSONBody[RepriceBody],
    caller: Given[Caller],
    idempotency_key: IdempotencyKey = None,
) -> Done:
    """Price an organization's priced records again, as revisions; answers how many changed."""
    time_range(
        data.occurred_from,
        data.occurred_to,
        names=("occurred_from", "occurred_to"),
        source="body",
    )
    return await caller.ask(
        RepriceCosts(
            organization_id=data.organization_id,
            provider=data.provider,
            model=data.model,
            occurred_from=data.occurred_from,
            occurred_to=data.occurred_to,
            reason=data.reason,
            requested_by=caller.principal.name,
        ),
        idempotency_key=idempotency_key,
    )


@get(
    "/producer-holes",
    operation_id="list_producer_holes",
    opt={"permission": "operate"},
    responses=declared(*ASKING_STATUSES),
    tags=["admin"],
)
async def list_producer_holes(
    caller: Given[Caller],
    organization_id: Annotated[
        str | None, QueryParameter(description="Only this organization's.", pattern=ID_PATTERN)
    ] = None,
    limit: Limit = 50,
) -> list[ProducerHole]:
    """List what producers have numbered and the meter has not seen, oldest first."""
    return list(
        (await caller.ask(ListProducerHoles(organization_id=organization_id, limit=limit))).holes
    )
