"""The round under way; there is one row, and who begins a round holds it."""

from datetime import datetime, timedelta

import asyncpg

from shared.database import Db

_ADD = """
INSERT INTO rounds (name, number, begun_at, looks_open) VALUES ('round', 0, $1, 0)
ON CONFLICT DO NOTHING
"""
_BEGIN = """
UPDATE rounds SET number = $1, begun_at = $2, looks_open = $3,
    finished_at = CASE WHEN $3 = 0 THEN $2 ELSE finished_at END
"""
_END_LOOK = """
UPDATE rounds SET looks_open = looks_open - 1,
    finished_at = CASE WHEN looks_open = 1 THEN $2 ELSE finished_at END
WHERE number = $1 AND looks_open > 0 RETURNING looks_open
"""
# What was looked at is written elsewhere; a concluded step of ours has nothing more to tell.
_FORGET = "DELETE FROM steps WHERE status = 'concluded' AND kind IN ('look', 'discover')"

# Looks that have not ended by then were left by somebody who was killed.
GIVEN_UP_AFTER = timedelta(seconds=60)


class Round:
    """A round as it stands."""

    def __init__(self, row: asyncpg.Record) -> None:
        self.number: int = row["number"]
        self.begun_at: datetime = row["begun_at"]
        self.looks_open: int = row["looks_open"]
        self.finished_at: datetime | None = row["finished_at"]

    def is_over(self, at: datetime, every: timedelta) -> bool:
        """Whether the next one is due: looks that take long must not pile up."""
        if self.number == 0:
            return True
        patience = max(every, GIVEN_UP_AFTER) if self.looks_open else every
        return at >= self.begun_at + patience

    def age(self, at: datetime) -> timedelta:
        """How long ago the last one was finished; since the beginning if none ever was."""
        return at - (self.finished_at or self.begun_at)


async def get_round(db: Db) -> Round:
    """The round under way, held until the transaction ends."""
    await db.driver.execute(_ADD, db.now)
    row = await db.driver.fetchrow("SELECT * FROM rounds FOR UPDATE")
    if row is None:
        raise LookupError("there is no round")
    return Round(row)


async def begin_round(db: Db, number: int, looks: int) -> None:
    """Begin a round of so many looks; one that was under way is given up."""
    await db.driver.execute(_BEGIN, number, db.now, looks)
    await db.driver.execute(_FORGET)


async def end_look(db: Db, number: int) -> bool:
    """A look of a round has ended; whether it was the last one."""
    left: int | None = await db.driver.fetchval(_END_LOOK, number, db.now)
    return left == 0
