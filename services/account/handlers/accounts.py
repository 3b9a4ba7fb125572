"""Accounts: opened by whoever asks first, changed by their owners and by what Stripe tells."""

from collections.abc import Sequence
from typing import Any

from services.account.handlers import audit
from services.account.rules import accounts as rules
from services.account.rules.audit import START
from services.account.store import accounts
from services.account.store.accounts import LockedAccount
from services.account.store.audit import add_entry
from shared.clock import new_id
from shared.contracts.account import (
    Account,
    AccountChanged,
    AccountOpened,
    GetAccount,
    UpdateAccount,
)
from shared.contracts.base import Event
from shared.contracts.invoicing import AccountReinstated, AccountSuspended
from shared.contracts.stripe_gateway import CustomerLinked, MoneyMoved, PaymentMethodsChanged
from shared.contracts.subscription import PlanChanged, PlanSetByHand, WorkflowCharged
from shared.database import Db


async def find_account(request: GetAccount, db: Db) -> Account | None:
    """The account if there is one: a plain read."""
    return await accounts.find_account(db, request.organization_id)


async def get_account(request: GetAccount, db: Db) -> tuple[Account, Sequence[Event]]:
    """The account, opened now if nobody asked before."""
    opened = await open_account(db, request.organization_id)
    locked = await accounts.lock_account(db, request.organization_id)
    return locked.account, opened


async def open_account(db: Db, organization_id: str) -> list[Event]:
    """Make sure that an organization has an account; the one who opened it tells so."""
    opening = audit.after(
        START, db, organization_id, audit.OURSELVES, "account_opened", "account", {}
    )
    billing_account_id = new_id()
    if not await accounts.add_account(db, billing_account_id, "pending", opening):
        return []
    await add_entry(db, opening)
    return [
        AccountOpened(
            organization_id=organization_id,
            billing_account_id=billing_account_id,
            opened_at=db.now,
        )
    ]


async def update_account(request: UpdateAccount, db: Db) -> tuple[Account, Sequence[Event]]:
    """Change settings; what is the same already is not news."""
    opened = await open_account(db, request.organization_id)
    locked = await accounts.lock_account(db, request.organization_id)
    changes = rules.changed_settings(locked.account, request)
    if not changes:
        return locked.account, opened
    account, changed = await _change(db, locked, changes, request.requested_by, "settings_changed")
    return account, [*opened, changed]


async def set_payment_methods(event: PaymentMethodsChanged, db: Db) -> Sequence[Event]:
    """Know whether there is a payment method; the first one makes the account active."""
    events = await open_account(db, event.organization_id)
    locked = await accounts.lock_account(db, event.organization_id)
    account = locked.account
    changes: dict[str, Any] = {}
    if event.has_payment_method:
        # Also when this is old news: that there was a method once does not depend on the order.
        status = rules.status_after(account.status, "payment_method")
        changes = {"status": status} if status != account.status else {}
    if event.version > locked.payment_methods_version:
        await _keep_version(db, account, "payment_methods_version", event.version)
        if event.has_payment_method != account.has_payment_method:
            changes["has_payment_method"] = event.has_payment_method
    if changes:
        action = "payment_methods_changed"
        _, changed = await _change(db, locked, changes, audit.STRIPE_GATEWAY, action)
        events.append(changed)
    return events


async def link_customer(event: CustomerLinked, db: Db) -> Sequence[Event]:
    """Know the customer at Stripe; the account's own settings do not change by it."""
    events = await open_account(db, event.organization_id)
    locked = await accounts.lock_account(db, event.organization_id)
    account = locked.account
    if event.version <= locked.customer_version:
        return events
    await _keep_version(db, account, "customer_version", event.version)
    if event.stripe_customer_id != account.stripe_customer_id:
        changes = {"stripe_customer_id": event.stripe_customer_id}
        await accounts.set_account(db, event.organization_id, changes, new_version=False)
        told = rules.told_changes(account, changes)
        actor = audit.STRIPE_GATEWAY
        await audit.note(db, event.organization_id, actor, "customer_linked", "account", told)
    return events


async def count_money(event: MoneyMoved, db: Db) -> Sequence[Event]:
    """Add what was collected or returned to what the account has spent, once."""
    events = await open_account(db, event.organization_id)
    await accounts.lock_account(db, event.organization_id)
    await accounts.add_movement(db, event)
    return events


async def count_workflow(event: WorkflowCharged, db: Db) -> Sequence[Event]:
    """Count a workflow that completed; each is told of once, free ones too."""
    events = await open_account(db, event.organization_id)
    await accounts.add_workflow(db, event.organization_id)
    return events


async def follow_plan(event: PlanChanged, db: Db) -> Sequence[Event]:
    """The first paid tier makes the account active, with a saved card or without one."""
    events = await open_account(db, event.organization_id)
    if not event.is_paid:
        return events
    # Also when this is old news: that there was a paid tier once does not depend on the order.
    locked = await accounts.lock_account(db, event.organization_id)
    status = rules.status_after(locked.account.status, "paid_tier")
    if status != locked.account.status:
        changes = {"status": status}
        _, changed = await _change(db, locked, changes, audit.SUBSCRIPTION, "plan_paid")
        events.append(changed)
    return events


async def note_plan(event: PlanSetByHand, db: Db) -> Sequence[Event]:
    """Keep who set a plan by hand."""
    events = await open_account(db, event.organization_id)
    await accounts.lock_account(db, event.organization_id)
    await audit.note(
        db, event.organization_id, event.requested_by, event.action, "plan", event.changes
    )
    return events


async def suspend(event: AccountSuspended, db: Db) -> Sequence[Event]:
    """Dunning is exhausted: nothing runs any more."""
    return await _follow_dunning(event.organization_id, event.version, "dunning_exhausted", db)


async def reinstate(event: AccountReinstated, db: Db) -> Sequence[Event]:
    """Nothing overdue is left: it goes on."""
    return await _follow_dunning(event.organization_id, event.version, "debts_paid", db)


async def _follow_dunning(
    organization_id: str, version: int, cause: rules.Cause, db: Db
) -> Sequence[Event]:
    events = await open_account(db, organization_id)
    locked = await accounts.lock_account(db, organization_id)
    account = locked.account
    if version <= locked.dunning_version:
        return events
    await _keep_version(db, account, "dunning_version", version)
    status = rules.status_after(account.status, cause)
    if status != account.status:
        _, changed = await _change(db, locked, {"status": status}, audit.INVOICING, cause)
        events.append(changed)
    return events


async def _keep_version(db: Db, account: Account, name: str, version: int) -> None:
    changes = {name: version}
    await accounts.set_account(db, account.organization_id, changes, new_version=False)


async def _change(
    db: Db, locked: LockedAccount, changes: dict[str, Any], actor: str, action: str
) -> tuple[Account, AccountChanged]:
    """Write changes down, with who made them, under the next version."""
    organization_id = locked.account.organization_id
    await accounts.set_account(db, organization_id, changes, new_version=True)
    told = rules.told_changes(locked.account, changes)
    await audit.note(db, organization_id, actor, action, "account", told)
    account = (await accounts.lock_account(db, organization_id)).account
    changed = AccountChanged(
        organization_id=organization_id,
        billing_account_id=account.billing_account_id,
        version=account.version,
        status=account.status,
        has_payment_method=account.has_payment_method,
        auto_billing_enabled=account.auto_billing_enabled,
        auto_billing_monthly_limit_cents=account.auto_billing_monthly_limit_cents,
        billing_email=account.billing_email,
        tax_exempt=account.tax_exempt,
        buyer=account.buyer,
        changed_at=db.now,
    )
    return account, changed
