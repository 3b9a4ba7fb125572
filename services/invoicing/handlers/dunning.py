"""What follows when auto-billing fails, and when an invoice is asked for no more."""

from collections.abc import Sequence

import msgspec

from services.invoicing.handlers.facts import number_of
from services.invoicing.rules.dunning import is_hard, next_move
from services.invoicing.rules.payments import PARKED
from services.invoicing.store.dunning import (
    drop_dunning,
    find_dunning,
    owes_still,
    save_dunning,
    set_suspended,
)
from services.invoicing.store.profiles import lock_profile
from services.invoicing.tables import DunningRow, InvoiceRow, PaymentRow, ProfileRow
from shared.contracts.base import Event
from shared.contracts.invoicing import AccountReinstated, AccountSuspended, PaymentFailed
from shared.database import Db


async def note_failure(
    db: Db, profile: ProfileRow, invoice: InvoiceRow, payment: PaymentRow
) -> Sequence[Event]:
    """Auto-billing could not collect: it tries again on its day, or gives up now."""
    row = await find_dunning(db, invoice.organization_id, invoice.invoice_id)
    if row is None:
        # It was paid or taken back meanwhile.
        return ()
    code = payment.failure_code
    if code == PARKED.code:
        # Its card was not asked: it is when the account is released.
        await save_dunning(db, msgspec.structs.replace(row, next_attempt_at=db.now))
        return ()
    if payment.payment_method_id != profile.default_payment_method_id:
        # What the old card says is nothing to the one that has come meanwhile.
        await save_dunning(db, msgspec.structs.replace(row, next_attempt_at=db.now))
        return ()
    at = next_move(row, code, db.now)
    failed = msgspec.structs.replace(
        row,
        attempts=row.attempts + 1,
        first_failed_at=row.first_failed_at or db.now,
        last_failure_code=code,
        next_attempt_at=None if row.suspended_at else at,
    )
    await save_dunning(db, failed)
    told = PaymentFailed(
        organization_id=invoice.organization_id,
        invoice_id=invoice.invoice_id,
        invoice_number=number_of(invoice),
        amount_due_cents=payment.amount_cents,
        attempt=failed.attempts,
        failure_code=code,
        failure_message=payment.failure_message,
        next_attempt_at=None if is_hard(code) else failed.next_attempt_at,
        failed_at=db.now,
    )
    if at is not None or row.suspended_at is not None:
        return [told]
    return [told, *await give_up(db, profile, failed)]


async def give_up(db: Db, profile: ProfileRow, row: DunningRow) -> Sequence[Event]:
    """Suspend an organization; one that is suspended already stays so."""
    await save_dunning(db, msgspec.structs.replace(row, suspended_at=db.now, next_attempt_at=None))
    if profile.suspended:
        return ()
    version = await set_suspended(db, profile, suspended=True)
    return [
        AccountSuspended(
            organization_id=row.organization_id,
            version=version,
            invoice_id=row.invoice_id,
            suspended_at=db.now,
        )
    ]


async def end(db: Db, invoice: InvoiceRow) -> Sequence[Event]:
    """An invoice was paid or taken back, as is written already. Who was suspended is reinstated
    when nothing overdue is left.
    """
    await drop_dunning(db, invoice.organization_id, invoice.invoice_id)
    # As it stands in this transaction: another invoice may have suspended it a moment ago.
    profile = await lock_profile(db, invoice.organization_id)
    if not profile.suspended or await owes_still(db, invoice.organization_id, db.now):
        return ()
    version = await set_suspended(db, profile, suspended=False)
    return [
        AccountReinstated(
            organization_id=invoice.organization_id, version=version, reinstated_at=db.now
        )
    ]
