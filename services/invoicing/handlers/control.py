"""What the auditor asks of invoicing, and what it says: an account is parked, or may go on."""

from collections.abc import Sequence

import msgspec

from services.invoicing.rules.invoices import content_hash
from services.invoicing.store import control
from services.invoicing.store.invoices import list_lines
from services.invoicing.store.profiles import lock_profile, save_profile
from shared.contracts.auditor import AccountParked, AccountReleased
from shared.contracts.base import Event, Refusal
from shared.contracts.invoicing import GetInvoicingTotals, InvoicingTotals
from shared.contracts.operations import ControlRow, ControlRows, ListControlRows
from shared.control import rows_of
from shared.database import Db

ALTERED = "altered"
_list_rows = rows_of(control.BOOKS)


async def get_invoicing_totals(request: GetInvoicingTotals, db: Db) -> InvoicingTotals:
    """An organization's billing by every road."""
    altered = await _altered(db, request.organization_id)
    return await control.get_totals(db, request.organization_id, request.until, len(altered))


async def list_control_rows(request: ListControlRows, db: Db) -> ControlRows | Refusal:
    """The rows of a book; which final invoices were altered is no query."""
    if request.book != ALTERED:
        return await _list_rows(request, db)
    altered = sorted(await _altered(db, request.organization_id))
    return ControlRows(rows=tuple(ControlRow(key=each, amount=1) for each in altered))


async def _altered(db: Db, organization_id: str) -> list[str]:
    rows = await control.list_final(db, organization_id)
    lines = await list_lines(db, rows) if rows else {}
    return [
        row.invoice_id
        for row in rows
        if content_hash(row, lines[row.invoice_id]) != row.content_hash
    ]


async def park_account(fact: AccountParked, db: Db) -> Sequence[Event]:
    """No invoice and no charge from now on; the last word counts, whatever comes first."""
    profile = await lock_profile(db, fact.organization_id)
    if profile.parked_at is None or fact.parked_at > profile.parked_at:
        # What our own recomputation says stays: it is why the auditor parks, too.
        reason = profile.parked_reason or control.AUDITOR + fact.reason
        parked = msgspec.structs.replace(profile, parked_reason=reason, parked_at=fact.parked_at)
        await save_profile(db, parked)
    return ()


async def release_account(fact: AccountReleased, db: Db) -> Sequence[Event]:
    """An operator has looked into it: billing goes on."""
    profile = await lock_profile(db, fact.organization_id)
    if profile.parked_at is None or fact.released_at > profile.parked_at:
        # Kept, so that an older word that comes later is known to be older.
        released = msgspec.structs.replace(profile, parked_reason=None, parked_at=fact.released_at)
        await save_profile(db, released)
    return ()
