"""How an organization is billed: its code, and when its month is closed."""

import hashlib
from datetime import datetime, timedelta

# Crockford's: no letter that is read as another one.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CODE_LENGTH = 12
CLOSES_AFTER = timedelta(hours=1)


def account_code(organization_id: str) -> str:
    """What stands in an organization's invoice numbers: 60 bits, so that no two are the same."""
    digest = int.from_bytes(hashlib.sha256(organization_id.encode()).digest())
    return "".join(ALPHABET[digest >> 5 * place & 31] for place in range(CODE_LENGTH))


def next_close(after: datetime) -> datetime:
    """When the month of this moment is closed: on the 1st of the next one, 01:00 UTC."""
    month = after.year * 12 + after.month
    first = datetime(month // 12, month % 12 + 1, 1, tzinfo=after.tzinfo)
    return first + CLOSES_AFTER
