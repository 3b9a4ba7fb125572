"""The audit log: written in the transaction of what it tells, shown and verified on request."""

from collections.abc import Mapping

from services.account.rules import audit as rules
from services.account.store import audit
from services.account.tables.rows import AuditHead, AuditRow
from shared.contracts.account import AuditEntry, AuditTrail, ListAudit
from shared.contracts.base import MAX_EXACT_INTEGER
from shared.database import Db

# Who acts when nobody asked: time passed, or an organization was seen for the first time.
OURSELVES = "account"
STRIPE_GATEWAY = "stripe_gateway"
INVOICING = "invoicing"
SUBSCRIPTION = "subscription"


async def note(
    db: Db,
    organization_id: str,
    actor: str,
    action: str,
    subject: str,
    changes: Mapping[str, str],
) -> None:
    """Append to the log of an organization whose account is locked."""
    head = await audit.get_head(db, organization_id)
    if head is None:
        raise LookupError("an audit log was written without its account")
    row = after(head, db, organization_id, actor, action, subject, changes)
    await audit.add_entry(db, row)


def after(
    head: AuditHead,
    db: Db,
    organization_id: str,
    actor: str,
    action: str,
    subject: str,
    changes: Mapping[str, str],
) -> AuditRow:
    """The entry that follows a head, with its hash."""
    return rules.seal(
        AuditRow(
            organization_id=organization_id,
            sequence=head.sequence + 1,
            actor=actor,
            action=action,
            subject=subject,
            changes=dict(changes),
            at=db.now,
            previous_hash=head.hash,
        )
    )


async def list_audit(request: ListAudit, db: Db) -> AuditTrail:
    """A page of the log; with `verify` its whole chain is recomputed."""
    before = request.before_sequence
    if before is not None:
        before = max(0, min(before, MAX_EXACT_INTEGER))
    rows = await audit.list_entries(db, request.organization_id, before, request.limit)
    broken_at = await _verify(db, request.organization_id) if request.verify else None
    entries = tuple(
        AuditEntry(
            sequence=row.sequence,
            actor=row.actor,
            action=row.action,
            subject=row.subject,
            changes=row.changes,
            at=row.at,
            hash=row.hash.hex(),
        )
        for row in rows
    )
    return AuditTrail(entries=entries, broken_at=broken_at)


async def _verify(db: Db, organization_id: str) -> int | None:
    # The head is read first, so that what is appended meanwhile alarms nobody.
    head = await audit.get_head(db, organization_id)
    verification = rules.Verification()
    if head is not None:
        async for row in audit.walk(db, organization_id, head.sequence):
            verification.read(row)
        verification.finish(head)
    return verification.broken_at
