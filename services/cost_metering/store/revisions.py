"""What records are worth now: revisions are appended, one at a time, and the latest counts."""

from collections.abc import Sequence
from typing import Any

import asyncpg
from sqlalchemy import func, insert, select, update

from services.cost_metering.tables import cost_revisions, reprice_orders
from shared.database import Db

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


async def hold(db: Db) -> None:
    """Keep other jobs and replicas from revising records until the transaction ends."""
    lock = func.pg_advisory_xact_lock(func.hashtextextended("cost_metering revisions", 0))
    await db.execute(select(lock))


# Two ordered halves instead of `<>`, because those an index can answer.
_OTHER_EDITIONS = " UNION ALL ".join(
    f"(SELECT * FROM unpriced_records WHERE book {side} $1 ORDER BY book LIMIT $2)"  # noqa: S608
    for side in "<>"
)


async def unpriced_page(db: Db, edition: str, limit: int) -> Sequence[asyncpg.Record]:
    """Records without a price that were not looked at with this edition of the price book."""
    return await db.driver.fetch(
        f"""{_CURRENT} JOIN ({_OTHER_EDITIONS}) AS u
        ON u.organization_id = r.organization_id AND u.event_id = r.event_id""",
        edition,
        limit,
    )


async def set_looked_at(db: Db, rows: Sequence[Any], edition: str) -> None:
    """This edition of the price book has no price for these records."""
    await db.driver.executemany(
        "UPDATE unpriced_records SET book = $3 WHERE organization_id = $1 AND event_id = $2",
        [(row["organization_id"], row["event_id"], edition) for row in rows],
    )


async def priced_page(
    db: Db, order: Any, after_event_id: str, limit: int
) -> Sequence[asyncpg.Record]:
    """The next records that an operator's order covers, by event id."""
    return await db.driver.fetch(
        f"""{_CURRENT} WHERE r.organization_id = $1 AND r.event_id > $2
        AND r.occurred_at >= $3 AND r.occurred_at < $4
        AND ($5::text IS NULL OR r.provider = $5) AND ($6::text IS NULL OR r.model = $6)
        ORDER BY r.event_id LIMIT $7""",
        order.organization_id,
        after_event_id,
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
