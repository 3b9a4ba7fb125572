"""What facts of others say about how an organization is billed."""

from collections.abc import Sequence

import msgspec

from services.invoicing.handlers.autobilling import catch_up
from services.invoicing.store.profiles import lock_profile, save_profile
from shared.contracts.account import AccountChanged, AccountOpened
from shared.contracts.base import Event
from shared.database import Db


async def meet_account(fact: AccountOpened, db: Db) -> Sequence[Event]:
    """An organization can be billed from now on."""
    profile = await lock_profile(db, fact.organization_id)
    known = msgspec.structs.replace(profile, billing_account_id=fact.billing_account_id)
    await save_profile(db, known)
    return ()


async def follow_account(fact: AccountChanged, db: Db) -> Sequence[Event]:
    """Settings and buyer as they stand; what comes late is out of date."""
    profile = await lock_profile(db, fact.organization_id)
    if fact.version <= profile.account_version:
        return ()
    changed = msgspec.structs.replace(
        profile,
        billing_account_id=fact.billing_account_id,
        account_version=fact.version,
        account_status=fact.status,
        has_payment_method=fact.has_payment_method,
        auto_billing_enabled=fact.auto_billing_enabled,
        auto_billing_monthly_limit_cents=fact.auto_billing_monthly_limit_cents,
        tax_exempt=fact.tax_exempt,
        buyer=msgspec.to_builtins(fact.buyer),
        billing_email=fact.billing_email,
    )
    await save_profile(db, changed)
    begins = changed.auto_billing_enabled and not profile.auto_billing_enabled
    return await catch_up(db, changed, fact.changed_at) if begins else ()
