"""Prices as they are kept: rate cards, overrides, what waits for a price, orders to reprice."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import func, insert, select, text
from sqlalchemy.dialects.postgresql import insert as upsert

from services.cost_metering.pricebook import RateCard
from services.cost_metering.tables import price_overrides, rate_cards, reprice_orders
from shared.clock import new_id
from shared.contracts.cost_metering import (
    PriceOverride,
    RepriceCosts,
    SetPriceOverride,
    TokenRates,
    UnpricedModel,
)
from shared.database import Db

# All overrides are in every meter's memory, with the price book.
MAX_OVERRIDES = 10_000


async def latest_override(db: Db) -> int:
    """The position of the latest override; grows with every one, 0 without any."""
    return int(await db.driver.fetchval("SELECT coalesce(max(position), 0) FROM price_overrides"))


async def list_overrides(db: Db, limit: int) -> tuple[PriceOverride, ...]:
    """The latest overrides, newest first."""
    rows = await db.execute(
        select(price_overrides).order_by(price_overrides.c.position.desc()).limit(limit)
    )
    return tuple(_override(row._mapping) for row in rows)  # noqa: SLF001 -- SQLAlchemy's name


def _override(row: Any) -> PriceOverride:
    values = {name: row[name] for name in PriceOverride.__struct_fields__ if name != "rates"}
    return PriceOverride(**values, rates=msgspec.convert(row["rates"], TokenRates))


async def add_override(db: Db, request: SetPriceOverride) -> PriceOverride | None:
    """Add an override; rows are never changed, a later one wins. None when there are too many."""
    # One at a time: positions are then committed in their order, and the highest one a meter has
    # seen stands for all before it.
    lock = func.pg_advisory_xact_lock(func.hashtextextended("cost_metering overrides", 0))
    await db.execute(select(lock))
    counted = await db.execute(select(func.count()).select_from(price_overrides))
    if counted.scalar_one() >= MAX_OVERRIDES:
        return None
    override = PriceOverride(
        override_id=new_id(),
        provider=request.provider,
        model=request.model,
        match=request.match,
        organization_id=request.organization_id,
        rates=request.rates,
        effective_from=request.effective_from or datetime.fromisoformat("1970-01-01T00:00:00Z"),
        effective_to=request.effective_to,
        reason=request.reason,
        created_by=request.requested_by,
        created_at=db.now,
    )
    values = msgspec.structs.asdict(override)
    values["rates"] = msgspec.to_builtins(override.rates)
    await db.execute(insert(price_overrides).values(values))
    return override


async def keep_cards(db: Db, cards: Iterable[RateCard]) -> None:
    """Keep the rate cards that records point at; a card's id is its content's hash."""
    rows = [
        {
            "rate_card_id": card.id,
            "provider": card.provider,
            "model": card.model,
            "source": card.source,
            "context": card.context,
            "exact": card.exact,
            "free": card.free,
            "long_writes": card.long_writes,
            "dear_kinds": sorted(card.dear_kinds),
            "tiers": [{"start": tier.start, "rates": list(tier.rates)} for tier in card.tiers],
            "first_used_at": db.now,
        }
        for card in sorted(cards, key=lambda card: card.id)
    ]
    if rows:
        await db.execute(upsert(rate_cards).on_conflict_do_nothing(), rows)


_UNPRICED = text("""
SELECT provider, model, count(*) AS records, coalesce(sum(tokens), 0) AS tokens,
       count(DISTINCT organization_id) AS organizations, min(noticed_at) AS first_seen_at
FROM unpriced_records GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT :limit
""")


async def list_unpriced(db: Db, limit: int) -> tuple[UnpricedModel, ...]:
    """What waits for a price, most records first."""
    rows = await db.execute(_UNPRICED, {"limit": limit})
    return tuple(
        UnpricedModel(
            provider=row.provider,
            model=row.model,
            records=row.records,
            tokens=int(row.tokens),
            organizations=row.organizations,
            first_seen_at=row.first_seen_at,
        )
        for row in rows
    )


async def add_order(db: Db, request: RepriceCosts) -> None:
    """Keep an operator's order; it is worked off in pieces."""
    await db.execute(
        insert(reprice_orders).values(
            order_id=new_id(),
            organization_id=request.organization_id,
            provider=request.provider,
            model=request.model,
            occurred_from=request.occurred_from,
            occurred_to=request.occurred_to,
            reason=request.reason,
            ordered_by=request.requested_by,
            ordered_at=db.now,
            after_event_id="",
            revised=0,
        )
    )


async def count_covered(db: Db, request: RepriceCosts) -> int:
    """How many records an order covers."""
    counted = await db.driver.fetchval(
        """SELECT count(*) FROM cost_records r WHERE r.organization_id = $1
        AND r.occurred_at >= $2 AND r.occurred_at < $3
        AND ($4::text IS NULL OR r.provider = $4) AND ($5::text IS NULL OR r.model = $5)""",
        request.organization_id,
        request.occurred_from,
        request.occurred_to,
        request.provider,
        request.model,
    )
    return int(counted)
