"""The audit log: appended under the account's lock, read in order or newest first."""

from collections.abc import AsyncIterator

import asyncpg
import msgspec

from services.account.tables.rows import AuditHead, AuditRow
from shared.database import Db

# Entries read at once when a whole chain is verified.
PAGE = 2000

_COLUMNS = """
organization_id, sequence, actor, action, subject, changes::text AS changes, at,
previous_hash, hash
"""


async def get_head(db: Db, organization_id: str) -> AuditHead | None:
    """Where an organization's log ends; None when it has no account."""
    row = await db.driver.fetchrow(
        "SELECT audit_sequence, audit_hash FROM accounts WHERE organization_id = $1",
        organization_id,
    )
    return None if row is None else AuditHead(row["audit_sequence"], row["audit_hash"])


_ADD = """
INSERT INTO audit_entries (organization_id, sequence, actor, action, subject, changes, at,
                           previous_hash, hash)
VALUES ($1, $2, $3, $4, $5, $6::text::jsonb, $7, $8, $9)
"""
_MOVE_HEAD = """
UPDATE accounts SET audit_sequence = $2, audit_hash = $3
WHERE organization_id = $1 AND audit_sequence = $2 - 1
"""


async def add_entry(db: Db, row: AuditRow) -> None:
    """Append an entry; the account's row says from now on that the log ends here."""
    changes = msgspec.json.encode(row.changes).decode()
    keys = (row.organization_id, row.sequence)
    said = (row.actor, row.action, row.subject, changes, row.at)
    await db.driver.execute(_ADD, *keys, *said, row.previous_hash, row.hash)
    # An account that is just being opened names its first entry itself.
    await db.driver.execute(_MOVE_HEAD, *keys, row.hash)


async def list_entries(
    db: Db, organization_id: str, before_sequence: int | None, limit: int
) -> list[AuditRow]:
    """A page, newest first."""
    rows = await db.driver.fetch(
        f"SELECT {_COLUMNS} FROM audit_entries"  # noqa: S608 -- fragments of ours
        " WHERE organization_id = $1 AND ($2::bigint IS NULL OR sequence < $2)"
        " ORDER BY sequence DESC LIMIT $3",
        organization_id,
        before_sequence,
        limit,
    )
    return [_row(row) for row in rows]


async def walk(db: Db, organization_id: str, last: int) -> AsyncIterator[AuditRow]:
    """The log from its beginning up to an entry."""
    after = 0
    while True:
        rows = await db.driver.fetch(
            f"SELECT {_COLUMNS} FROM audit_entries"  # noqa: S608 -- fragments of ours
            " WHERE organization_id = $1 AND sequence > $2 AND sequence <= $3"
            " ORDER BY sequence LIMIT $4",
            organization_id,
            after,
            last,
            PAGE,
        )
        for row in rows:
            yield _row(row)
        if len(rows) < PAGE:
            return
        after = rows[-1]["sequence"]


def _row(row: asyncpg.Record) -> AuditRow:
    changes = msgspec.json.decode(row["changes"], type=dict[str, str])
    return AuditRow(**{**dict(row), "changes": changes})
