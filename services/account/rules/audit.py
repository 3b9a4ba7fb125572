"""The audit log's chain: each entry's hash covers its content and the hash before it."""

import hashlib
from datetime import UTC

import msgspec

from services.account.tables.rows import AuditHead, AuditRow

START = AuditHead(sequence=0, hash=b"")


def seal(row: AuditRow) -> AuditRow:
    """The entry with its hash."""
    return msgspec.structs.replace(row, hash=hash_of(row))


def hash_of(row: AuditRow) -> bytes:
    """SHA-256 over the hash before and everything the entry says, in one fixed form."""
    content = [
        row.organization_id,
        row.sequence,
        row.actor,
        row.action,
        row.subject,
        sorted(row.changes.items()),
        row.at.astimezone(UTC).isoformat(),
    ]
    return hashlib.sha256(row.previous_hash + msgspec.json.encode(content)).digest()


class Verification:
    """Reads a chain from its beginning and remembers the first entry that was altered."""

    def __init__(self) -> None:
        self._head = START
        self.broken_at: int | None = None

    def read(self, row: AuditRow) -> None:
        """Check the next entry."""
        if self.broken_at is not None:
            return
        if row.sequence != self._head.sequence + 1:
            self.broken_at = self._head.sequence + 1  # it was deleted
        elif row.hash != hash_of(row):
            self.broken_at = row.sequence
        elif row.previous_hash != self._head.hash:
            # This one is whole, so the one before was written anew, its hash included.
            self.broken_at = max(1, self._head.sequence)
        self._head = AuditHead(row.sequence, row.hash)

    def finish(self, head: AuditHead) -> None:
        """Compare the end with what the account's row says that it is."""
        if self.broken_at is not None:
            return
        if self._head.sequence < head.sequence:
            self.broken_at = self._head.sequence + 1
        elif self._head.hash != head.hash:
            self.broken_at = head.sequence
