"""Corrections: which event replaces which."""

from collections.abc import Sequence

from services.cost_metering.store.records import NewRecord
from shared.database import Db


async def claim_corrections(
    db: Db, corrections: Sequence[NewRecord]
) -> Sequence[tuple[NewRecord, str]]:
    """Note which events are replaced; answers those that another correction replaced before."""
    refused: list[tuple[NewRecord, str]] = []
    for record in corrections:
        holder = await db.driver.fetchval(
            "INSERT INTO cost_corrections AS c (organization_id, corrected_event_id, event_id)"
            " VALUES ($1, $2, $3) ON CONFLICT (organization_id, corrected_event_id)"
            " DO UPDATE SET event_id = c.event_id RETURNING c.event_id",
            record.organization_id,
            record.corrects,
            record.event_id,
        )
        if holder != record.event_id:
            refused.append((record, holder))
    return refused
