"""Watermarks: what each producer's gapless sequence has brought, and the agents that may send."""

from collections.abc import Sequence
from datetime import timedelta

import msgspec
from sqlalchemy import delete, func, select, text, update

from services.cost_metering.tables import agents
from shared.contracts.cost_metering import ProducerHole
from shared.credentials import MAX_LIFETIME
from shared.database import Db

# An agent counts as long as the longest credential lives that it may have got, which is signed a
# moment after it was counted.
COUNTED_FOR = MAX_LIFETIME + timedelta(minutes=5)
# A sequence in more pieces than this takes no further ones; what closes a hole is always taken.
MAX_PIECES = 1000


class Received(msgspec.Struct, frozen=True, gc=False):
    """Sequence numbers that came, as half-open ranges of one producer."""

    organization_id: str
    agent_id: str
    producer: str
    ranges: Sequence[tuple[int, int]]


_MARK = """
INSERT INTO producers AS p
    (organization_id, agent_id, producer, received, highest, complete, last_seen_at)
SELECT organization_id, agent_id, producer, received, upper(received) - 1,
       received = int8multirange(int8range(1, upper(received))), $5
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
     AS new (organization_id, agent_id, producer, pieces),
     LATERAL (SELECT pieces::int8multirange AS received) AS r
ORDER BY 1, 2, 3
ON CONFLICT (organization_id, agent_id, producer) DO UPDATE SET
    received = p.received + excluded.received,
    highest = greatest(p.highest, excluded.highest),
    complete = (p.received + excluded.received)
        = int8multirange(int8range(1, greatest(p.highest, excluded.highest) + 1)),
    last_seen_at = greatest(p.last_seen_at, excluded.last_seen_at)
WHERE excluded.received <@ p.received IS FALSE
  AND (SELECT count(*) FROM unnest(p.received + excluded.received))
      <= greatest($6, (SELECT count(*) FROM unnest(p.received)))
"""


async def mark_received(db: Db, received: Sequence[Received]) -> None:
    """Add what came to the watermarks, in a fixed order, so that replicas cannot deadlock."""
    if not received:
        return
    await db.driver.execute(
        _MARK,
        [each.organization_id for each in received],
        [each.agent_id for each in received],
        [each.producer for each in received],
        ["{" + ",".join(f"[{a},{b})" for a, b in each.ranges) + "}" for each in received],
        db.now,
        MAX_PIECES,
    )


_HOLES = text("""
SELECT organization_id, agent_id, producer, lower(hole) AS first, upper(hole) - 1 AS last,
       last_seen_at AS noticed_at
FROM producers,
     unnest(int8multirange(int8range(1, highest + 1)) - received) AS hole
WHERE NOT complete
  AND (CAST(:organization_id AS text) IS NULL OR organization_id = :organization_id)
ORDER BY last_seen_at, organization_id, agent_id, producer, first
LIMIT :limit
""")


async def list_holes(db: Db, organization_id: str | None, limit: int) -> tuple[ProducerHole, ...]:
    """Sequence numbers that never came, oldest first."""
    rows = await db.execute(_HOLES, {"organization_id": organization_id, "limit": limit})
    return tuple(ProducerHole(**row._mapping) for row in rows)  # noqa: SLF001 -- SQLAlchemy's name


async def count_agents(db: Db, organization_id: str) -> int:
    """How many agents of an organization may hold a credential."""
    counted = await db.execute(
        select(func.count()).where(
            agents.c.organization_id == organization_id,
            agents.c.last_issued_at > db.now - COUNTED_FOR,
        )
    )
    return int(counted.scalar_one())


async def add_agent(db: Db, organization_id: str, agent_id: str, cap: int) -> bool:
    """Count an agent in, unless the cap is reached; one that counts already is let through."""
    lock = func.pg_advisory_xact_lock(func.hashtextextended(f"agents {organization_id}", 0))
    await db.execute(select(lock))
    # Those whose last credential has ended, so that names that come once do not pile up.
    await db.execute(
        delete(agents).where(
            agents.c.organization_id == organization_id,
            agents.c.last_issued_at <= db.now - COUNTED_FOR,
        )
    )
    known = await db.execute(
        update(agents)
        .where(agents.c.organization_id == organization_id, agents.c.agent_id == agent_id)
        .values(last_issued_at=func.greatest(agents.c.last_issued_at, db.now))
    )
    if known.rowcount == 1:
        return True
    if await count_agents(db, organization_id) >= cap:
        return False
    await db.execute(
        agents.insert().values(
            organization_id=organization_id,
            agent_id=agent_id,
            registered_at=db.now,
            last_issued_at=db.now,
        )
    )
    return True
