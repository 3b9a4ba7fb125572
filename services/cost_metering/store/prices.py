"""Prices as they are kept: rate cards, overrides, and the revisions that repricing appends."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import asyncpg
import msgspec
from sqlalchemy import insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from services.cost_metering.pricebook import RateCard
from services.cost_metering.tables import (
    cost_revisions,
    price_overrides,
    rate_cards,
    reprice_orders,
)
from shared.clock import new_id
from shared.contracts.cost_metering import (
    PriceOverride,
    RepriceCosts,
    SetPriceOverride,
    TokenRates,
    UnpricedModel,
)
from shared.database import Db

# Overrides that are in memory with the price book.
MAX_OVERRIDES = 10_000


async def price_book_version(db: Db) -> int:
    """Grows with every override."""
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


async def add_override(db: Db, request: SetPriceOverride) -> PriceOverride:
    """Add an override; rows are never changed, a later one wins."""
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


# Steps from one (provider, model, organization) to the next along the index.
_UNPRICED_GROUPS = text("""
WITH RECURSIVE step AS (
    (SELECT provider, model, organization_id FROM unpriced_records
     ORDER BY provider, model, organization_id LIMIT 1)
    UNION ALL
    SELECT following.* FROM step, LATERAL (
        SELECT u.provider, u.model, u.organization_id FROM unpriced_records u
        WHERE (u.provider, u.model, u.organization_id)
              > (step.provider, step.model, step.organization_id)
        ORDER BY u.provider, u.model, u.organization_id LIMIT 1
    ) AS following
)
SELECT * FROM step LIMIT :limit
""")


async def unpriced_groups(db: Db, limit: int) -> Sequence[tuple[str, str, str]]:
    """Which (provider, model, organization) have records without a price."""
    rows = await db.execute(_UNPRICED_GROUPS, {"limit": limit})
    return [tuple(row) for row in rows]


_CURRENT = """
SELECT r.*, coalesce(v.revision, 0) AS revision,
       r.duplicate_of IS NULL AND coalesce(v.counted, true) AS counted,
       coalesce(v.pricing_status, r.pricing_status) AS status_now,
       CASE WHEN v.revision IS NULL THEN r.suspect_reason ELSE v.suspect_reason END AS suspect_now,
       CASE WHEN v.revision IS NULL THEN r.rate_card_id ELSE v.rate_card_id END AS card_now,
       CASE WHEN v.revision IS NULL THEN r.prompt_cost_picousd ELSE v.prompt_cost_picousd END
           AS prompt_now,
       CASE WHEN v.revision IS NULL THEN r.completion_cost_picousd
           ELSE v.completion_cost_picousd END AS completion_now
FROM cost_records r
LEFT JOIN LATERAL (
    SELECT * FROM cost_revisions v
    WHERE v.organization_id = r.organization_id AND v.event_id = r.event_id
    ORDER BY v.revision DESC LIMIT 1
) AS v ON true
"""


async def unpriced_page(
    db: Db, group: tuple[str, str, str], after_event_id: str, limit: int
) -> Sequence[Any]:
    """Records of a group that still have no price, by event id."""
    return await db.driver.fetch(
        f"""{_CURRENT} JOIN unpriced_records u USING (organization_id, event_id)
        WHERE u.provider = $1 AND u.model = $2 AND u.organization_id = $3 AND u.event_id > $4
        ORDER BY u.event_id LIMIT $5""",
        *group,
        after_event_id,
        limit,
    )


async def priced_page(db: Db, order: Any, limit: int) -> Sequence[Any]:
    """The next records that an operator's order covers, by event id."""
    return await db.driver.fetch(
        f"""{_CURRENT} WHERE r.organization_id = $1 AND r.event_id > $2
        AND r.occurred_at >= $3 AND r.occurred_at < $4
        AND ($5::text IS NULL OR r.provider = $5) AND ($6::text IS NULL OR r.model = $6)
        ORDER BY r.event_id LIMIT $7""",
        order.organization_id,
        order.after_event_id,
        order.occurred_from,
        order.occurred_to,
        order.provider,
        order.model,
        limit,
    )


async def current_records(
    db: Db, keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], asyncpg.Record]:
    """Records as they stand now, by organization and event id."""
    rows = await db.driver.fetch(
        f"""{_CURRENT} JOIN unnest($1::text[], $2::text[]) AS wanted (organization_id, event_id)
        ON wanted.organization_id = r.organization_id AND wanted.event_id = r.event_id""",
        [organization_id for organization_id, _ in keys],
        [event_id for _, event_id in keys],
    )
    return {(row["organization_id"], row["event_id"]): row for row in rows}


async def add_revisions(db: Db, revisions: Sequence[dict[str, Any]]) -> None:
    """Append what records are worth now."""
    if revisions:
        await db.execute(insert(cost_revisions), revisions)


async def forget_unpriced(db: Db, rows: Sequence[Any]) -> None:
    """Take records that have a price off the work list."""
    await db.driver.executemany(
        "DELETE FROM unpriced_records WHERE organization_id = $1 AND event_id = $2",
        [(row["organization_id"], row["event_id"]) for row in rows],
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


async def next_order(db: Db) -> Any:
    """The oldest order that is not finished, held until the transaction ends."""
    rows = await db.execute(
        select(reprice_orders)
        .where(reprice_orders.c.finished_at.is_(None))
        .order_by(reprice_orders.c.ordered_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return rows.first()


async def set_order_progress(
    db: Db, order: Any, after_event_id: str, revised: int, *, finished: bool
) -> None:
    """Remember how far an order has got."""
    await db.execute(
        update(reprice_orders)
        .where(reprice_orders.c.order_id == order.order_id)
        .values(
            after_event_id=after_event_id,
            revised=reprice_orders.c.revised + revised,
            finished_at=db.now if finished else None,
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
