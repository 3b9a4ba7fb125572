"""Operators' orders about prices: overrides are set, repricing is asked for."""

from collections.abc import Sequence

from services.cost_metering.pricebook import refuse_override
from services.cost_metering.store import prices
from shared.contracts.base import Done, Event, Refusal, Reply
from shared.contracts.cost_metering import (
    ListPriceOverrides,
    ListUnpricedModels,
    PriceBookChanged,
    PriceOverrides,
    RepriceCosts,
    SetPriceOverride,
    UnpricedModels,
)
from shared.database import Db

Answer = Reply | tuple[Reply, Sequence[Event]]


async def set_price_override(request: SetPriceOverride, db: Db) -> Answer:
    """Keep an operator's price; what waits for it is priced within seconds."""
    refusal = refuse_override(request)
    if refusal is not None:
        return refusal
    override = await prices.add_override(db, request)
    if override is None:
        return Refusal(
            code="override_limit_reached",
            detail=f"There are {prices.MAX_OVERRIDES} overrides already.",
        )
    changed = PriceBookChanged(
        organization_id=request.organization_id or "all", override_id=override.override_id
    )
    return PriceOverrides(overrides=(override,)), [changed]


async def list_price_overrides(request: ListPriceOverrides, db: Db) -> PriceOverrides:
    """The latest overrides."""
    return PriceOverrides(overrides=await prices.list_overrides(db, request.limit))


async def list_unpriced_models(request: ListUnpricedModels, db: Db) -> UnpricedModels:
    """What waits for a price."""
    return UnpricedModels(models=await prices.list_unpriced(db, request.limit))


async def order_repricing(request: RepriceCosts, db: Db) -> Answer:
    """Keep an operator's order to price again; answers how many records it covers."""
    if request.occurred_from >= request.occurred_to:
        detail = "`occurred_from` must be earlier than `occurred_to`."
        return Refusal(code="invalid_time", detail=detail, status=422)
    await prices.add_order(db, request)
    return Done(affected=await prices.count_covered(db, request), at=db.now)
