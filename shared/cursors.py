"""Cursors: where the next page of a list goes on. Anybody may make one up."""

import re
from datetime import UTC, datetime, timedelta

from shared.contracts.base import Refusal

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
# Nothing of ours lies outside, and PostgreSQL's calendar and Python's end somewhere beyond.
LAST = (datetime(9999, 1, 1, tzinfo=UTC) - EPOCH) // MICROSECOND
# Digits, because with a zone and dashes two long ids would not fit in a cursor's 128 characters.
FORM = re.compile(r"([0-9]{1,18})~(.+)\Z", re.ASCII | re.DOTALL)


def write_cursor(at: datetime, row_id: str) -> str:
    """The place of a row in a list that is sorted by a moment and an id."""
    return f"{(at - EPOCH) // MICROSECOND}~{row_id}"


def read_cursor(cursor: str) -> tuple[datetime, str] | None:
    """The moment and the id in a cursor; None when no page of ours can have given it."""
    match = FORM.match(cursor)
    if match is None or int(match[1]) > LAST:
        return None
    return EPOCH + int(match[1]) * MICROSECOND, match[2]


def foreign_cursor(what: str) -> Refusal:
    """The answer to a cursor that no page of this gave."""
    detail = f"`cursor` is not one that a page of {what} gave."
    return Refusal(code="invalid_cursor", detail=detail, status=422)
