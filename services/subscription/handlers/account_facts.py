"""What account tells of an organization, kept so that the hot path asks nobody."""

from collections.abc import Sequence

from services.subscription.store.organizations import lock_organization, set_organization
from shared.contracts.account import AccountChanged, AccountOpened
from shared.contracts.base import Event
from shared.database import Db


async def meet_organization(event: AccountOpened, db: Db) -> Sequence[Event]:
    """Know the organization by its account's id."""
    await lock_organization(db, event.organization_id)
    await set_organization(
        db,
        event.organization_id,
        billing_account_id=event.billing_account_id,
        opened_at=event.opened_at,
    )
    return ()


async def follow_account(event: AccountChanged, db: Db) -> Sequence[Event]:
    """Keep what decides whether workflows may run and auto-billing may pay."""
    known = await lock_organization(db, event.organization_id)
    if event.version > known.account_version:
        await set_organization(
            db,
            event.organization_id,
            billing_account_id=event.billing_account_id,
            account_version=event.version,
            account_status=event.status,
            has_payment_method=event.has_payment_method,
            auto_billing_enabled=event.auto_billing_enabled,
            auto_billing_monthly_limit_cents=event.auto_billing_monthly_limit_cents,
        )
    return ()
