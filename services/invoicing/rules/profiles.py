"""How an organization is billed: its code, and when its month is closed."""

import hashlib
from datetime import UTC, datetime, timedelta

# Crockford's: no letter that is read as another one.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CODE_LENGTH = 12
CLOSES_AFTER = timedelta(hours=1)


def account_code(organization_id: str) -> str:
    """What stands in an organization's invoice numbers: 60 bits, so that no two are the same."""
    digest = int.from_bytes(hashlib.sha256(organization_id.encode()).digest())
    return "".join(ALPHABET[digest >> 5 * place & 31] for place in range(CODE_LENGTH))


def month_of(moment: datetime) -> datetime:
    """When the month of a moment begins, in UTC."""
    at = moment.astimezone(UTC)
    return datetime(at.year, at.month, 1, tzinfo=UTC)


def next_month(month: datetime) -> datetime:
    """When the month after this one begins."""
    return month_of(month + timedelta(days=31))


def next_close(after: datetime) -> datetime:
    """When the month of this moment is closed: on the 1st of the next one, 01:00 UTC."""
    return next_month(month_of(after)) + CLOSES_AFTER


def first_close(opened_at: datetime) -> datetime:
    """When an organization's first month is closed: it may have begun in the last hour."""
    of_last_month = month_of(opened_at) + CLOSES_AFTER
    return of_last_month if opened_at < of_last_month else next_close(opened_at)
