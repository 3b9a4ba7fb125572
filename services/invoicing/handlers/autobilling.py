"""Auto-billing: an invoice is charged to the default card, again on its days, and reminded of."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from services.invoicing.handlers import dunning
from services.invoicing.handlers.attempts import begin_attempt
from services.invoicing.handlers.charging import Collect
from services.invoicing.handlers.facts import invoice_changed, number_of
from services.invoicing.handlers.returning import OURSELVES
from services.invoicing.rules.dunning import (
    CUSTOMER_TAKES,
    first_reminder,
    gives_up_at,
    may_charge,
    month_of,
)
from services.invoicing.rules.payments import UNPAID, due_cents
from services.invoicing.store.dunning import (
    find_dunning,
    list_due_attempts,
    list_due_reminders,
    list_failed,
    list_untried,
    save_dunning,
)
from services.invoicing.store.invoices import find_invoice, save_invoices
from services.invoicing.store.payments import find_under_way, sum_automatic
from services.invoicing.store.profiles import lock_profile, save_profile
from services.invoicing.tables import DunningRow, InvoiceRow, PaymentRow, ProfileRow
from shared.contracts.base import Event
from shared.contracts.invoicing import PaymentReminder, ReminderKind
from shared.contracts.stripe_gateway import PaymentMethodsChanged
from shared.database import Db
from shared.steps import prepare_step

# Invoices that one round of a job acts on; the next round follows in seconds.
MOST_AT_ONCE = 50
# How soon it is looked again whether a customer who pays by hand has finished.
LOOK_AGAIN = timedelta(hours=1)


async def begin(db: Db, profile: ProfileRow, invoice: InvoiceRow) -> Sequence[Event]:
    """An invoice became open a moment ago."""
    row = DunningRow(
        organization_id=invoice.organization_id,
        invoice_id=invoice.invoice_id,
        next_attempt_at=db.now if profile.auto_billing_enabled else None,
        next_reminder_at=first_reminder(invoice.due_at, db.now) if invoice.due_at else None,
    )
    await save_dunning(db, row)
    return await _act(db, profile, invoice, row) if profile.auto_billing_enabled else ()


async def act_on_due(db: Db) -> Sequence[Event]:
    """Charge again what is due for it, or give up."""
    events: list[Event] = []
    for organization_id, invoice_id in await list_due_attempts(db, db.now, MOST_AT_ONCE):
        profile = await lock_profile(db, organization_id)
        row = await find_dunning(db, organization_id, invoice_id)
        invoice = await find_invoice(db, [organization_id], invoice_id)
        if row is None or row.next_attempt_at is None or row.next_attempt_at > db.now:
            continue
        if invoice is not None and profile.parked_reason is None:
            events.extend(await _act(db, profile, invoice, row))
    return events


async def _act(
    db: Db, profile: ProfileRow, invoice: InvoiceRow, row: DunningRow
) -> Sequence[Event]:
    """Charge the default card, if it may be; else wait, stay open, or give up."""
    if profile.parked_reason is not None:
        # It stays due, and is charged when the account is released.
        return ()
    amount_cents = due_cents(invoice)
    if not amount_cents:
        return await dunning.end(db, invoice)
    under_way = await find_under_way(db, invoice.organization_id, invoice.invoice_id)
    if under_way is not None and _is_busy(under_way, db):
        later = msgspec.structs.replace(row, next_attempt_at=db.now + LOOK_AGAIN)
        await save_dunning(db, later)
        return ()
    collected = await sum_automatic(db, invoice.organization_id, month_of(db.now))
    if may_charge(profile, row, amount_cents, collected):
        await save_dunning(db, msgspec.structs.replace(row, next_attempt_at=None))
        await _charge(db, profile, invoice, under_way)
        return ()
    if row.first_failed_at is None:
        # Not charged automatically: it stays open, to be paid by hand.
        await save_dunning(db, msgspec.structs.replace(row, next_attempt_at=None))
        return ()
    last = gives_up_at(row.first_failed_at)
    if last > db.now:
        await save_dunning(db, msgspec.structs.replace(row, next_attempt_at=last))
        return ()
    return await dunning.give_up(db, profile, row)


def _is_busy(under_way: PaymentRow, db: Db) -> bool:
    """Whether an attempt may still come to something by itself, or by a customer who is there."""
    if under_way.status == "pending":
        return True
    return not under_way.automatic and db.now - under_way.created_at < CUSTOMER_TAKES


async def _charge(
    db: Db, profile: ProfileRow, invoice: InvoiceRow, under_way: PaymentRow | None
) -> None:
    attempt = await begin_attempt(
        db,
        profile,
        invoice,
        method_id=None,
        automatic=True,
        requested_by=OURSELVES,
        instead_of=under_way,
    )
    await prepare_step(db, Collect, f"collect:{attempt.payment_id}", attempt)


async def follow_methods(fact: PaymentMethodsChanged, db: Db) -> Sequence[Event]:
    """A new card is tried at once on what the old one could not pay."""
    profile = await lock_profile(db, fact.organization_id)
    if fact.version <= profile.methods_version:
        return ()
    default = fact.default_payment_method_id
    is_new = default is not None and default != profile.default_payment_method_id
    profile = msgspec.structs.replace(
        profile,
        has_payment_method=fact.has_payment_method,
        default_payment_method_id=default,
        methods_version=fact.version,
    )
    await save_profile(db, profile)
    if not is_new:
        return ()
    # What the old card was told says nothing about this one.
    failed = await list_failed(db, fact.organization_id)
    return [
        *await _try_now(db, profile, failed),
        *await catch_up(db, profile, fact.changed_at),
    ]


async def catch_up(db: Db, profile: ProfileRow, known_at: datetime) -> Sequence[Event]:
    """What is heard only now was so at `known_at`: invoices that have become final since then were
    to be charged. Later ones follow what their customer does.
    """
    if not profile.auto_billing_enabled:
        return ()
    untried = await list_untried(db, profile.organization_id, known_at)
    return await _try_now(db, profile, untried)


async def _try_now(db: Db, profile: ProfileRow, rows: Sequence[DunningRow]) -> list[Event]:
    events: list[Event] = []
    for row in rows:
        invoice = await find_invoice(db, [row.organization_id], row.invoice_id)
        if invoice is not None:
            fresh = msgspec.structs.replace(row, last_failure_code=None, next_attempt_at=db.now)
            # Kept, for an account that is parked: it is charged when that is released.
            await save_dunning(db, fresh)
            events.extend(await _act(db, profile, invoice, fresh))
    return events


async def remind(db: Db) -> Sequence[Event]:
    """Remind of what is due soon; from its due date on, an invoice is past due. An account that is
    parked is reminded when it is released.
    """
    events: list[Event] = []
    for organization_id, invoice_id in await list_due_reminders(db, db.now, MOST_AT_ONCE):
        profile = await lock_profile(db, organization_id)
        row = await find_dunning(db, organization_id, invoice_id)
        invoice = await find_invoice(db, [organization_id], invoice_id)
        if row is None or row.next_reminder_at is None or row.next_reminder_at > db.now:
            continue
        if invoice is not None and invoice.due_at is not None and profile.parked_reason is None:
            events.extend(await _remind(db, profile, invoice, row))
    return events


async def _remind(
    db: Db, profile: ProfileRow, invoice: InvoiceRow, row: DunningRow
) -> Sequence[Event]:
    if invoice.status not in UNPAID or invoice.due_at is None:
        return await dunning.end(db, invoice)
    if invoice.due_at > db.now:
        reminded = msgspec.structs.replace(
            row, reminded="due_soon", next_reminder_at=invoice.due_at
        )
        await save_dunning(db, reminded)
        return [_reminder(db, invoice, "due_soon")]
    await save_dunning(db, msgspec.structs.replace(row, reminded="past_due", next_reminder_at=None))
    overdue = msgspec.structs.replace(
        invoice, status="past_due", version=invoice.version + 1, updated_at=db.now
    )
    await save_invoices(db, [overdue])
    return [invoice_changed(overdue, profile), _reminder(db, overdue, "past_due")]


def _reminder(db: Db, invoice: InvoiceRow, kind: ReminderKind) -> PaymentReminder:
    return PaymentReminder(
        organization_id=invoice.organization_id,
        invoice_id=invoice.invoice_id,
        invoice_number=number_of(invoice),
        kind=kind,
        amount_due_cents=due_cents(invoice),
        due_at=invoice.due_at or db.now,
        reminded_at=db.now,
    )
