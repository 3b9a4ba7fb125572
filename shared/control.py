"""What owners answer to the auditor in one way: the rows of a book, and what is not told yet."""

from collections.abc import Awaitable, Callable, Mapping

from shared.contracts.base import Refusal
from shared.contracts.operations import (
    ControlRow,
    ControlRows,
    ListControlRows,
    ListOrganizations,
    OrganizationIds,
)
from shared.database import Db

# More waiting facts than this need no exact number.
COUNTED_FACTS = 100

# Byte order is the order of code points, so that two owners' books can be laid side by side.
_PAGE = """
SELECT key, amount::bigint AS amount FROM ({book}) AS book
WHERE key COLLATE "C" > $3 AND ($2::timestamptz IS NULL OR true)
ORDER BY key COLLATE "C" LIMIT $4
"""
_UNTOLD = """
SELECT count(*) FROM (
    SELECT 1 FROM outbox WHERE right(subject, length($1) + 1) = '.' || $1 LIMIT $2
) AS waiting
"""


def rows_of(
    books: Mapping[str, str],
) -> Callable[[ListControlRows, Db], Awaitable[ControlRows | Refusal]]:
    """A handler that shows books: queries for `key` (text) and `amount` (integer) of the
    organization `$1`, up to the time `$2` if they can tell (null: all).
    """

    async def list_rows(request: ListControlRows, db: Db) -> ControlRows | Refusal:
        query = books.get(request.book)
        if query is None:
            detail = f"There is no book `{request.book}`; there are {', '.join(sorted(books))}."
            return Refusal(code="book_not_found", detail=detail, status=404)
        found = await db.driver.fetch(
            _PAGE.format(book=query),
            request.organization_id,
            request.until,
            request.after,
            request.limit,
        )
        rows = tuple(ControlRow(key=row["key"], amount=row["amount"]) for row in found)
        more = len(rows) == request.limit
        return ControlRows(rows=rows, next_after=rows[-1].key if more else None)

    return list_rows


def organizations_of(
    table: str,
) -> Callable[[ListOrganizations, Db], Awaitable[OrganizationIds]]:
    """A handler that lists the organizations of a table with one row for each."""
    page = f"SELECT organization_id FROM {table} WHERE organization_id > $1 ORDER BY 1 LIMIT $2"  # noqa: S608

    async def list_organizations(request: ListOrganizations, db: Db) -> OrganizationIds:
        rows = await db.driver.fetch(page, request.after, request.limit)
        return OrganizationIds(organization_ids=tuple(row["organization_id"] for row in rows))

    return list_organizations


async def count_untold(db: Db, organization_id: str) -> int:
    """An organization's facts that are committed and not yet on the bus, up to a hundred.

    Read after what they tell about: none means that all of that is told.
    """
    return int(await db.driver.fetchval(_UNTOLD, organization_id, COUNTED_FACTS))
