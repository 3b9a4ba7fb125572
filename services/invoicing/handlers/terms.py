"""How organizations are billed beyond their plans: what operators see and set."""

import logging
from typing import Any

import msgspec

from services.invoicing.rules.profiles import account_code, first_close
from services.invoicing.store.profiles import find_profile, lock_profile, save_profile
from services.invoicing.tables import ProfileRow
from shared.contracts.invoicing import BillingTerms, GetBillingTerms, SetBillingTerms
from shared.database import Db

logger = logging.getLogger(__name__)


async def get_terms(request: GetBillingTerms, db: Db) -> BillingTerms:
    """The terms; those of whom nobody has heard yet are nobody's in particular."""
    profile = await find_profile(db, request.organization_id)
    return _terms(
        profile
        or ProfileRow(
            organization_id=request.organization_id,
            account_code=account_code(request.organization_id),
            next_close_at=first_close(db.now),
            opened_at=db.now,
        )
    )


async def set_terms(request: SetBillingTerms, db: Db) -> BillingTerms:
    """Set discount, tax or both for invoices to come; a discount without an end has none."""
    changes: dict[str, Any] = {}
    if request.discount_basis_points is not None:
        changes["discount_basis_points"] = request.discount_basis_points
        changes["discount_until"] = request.discount_until
    if request.tax_basis_points is not None:
        changes["tax_basis_points"] = request.tax_basis_points
        changes["tax_name"] = request.tax_name
    profile = msgspec.structs.replace(await lock_profile(db, request.organization_id), **changes)
    await save_profile(db, profile)
    told = {
        "organization_id": request.organization_id,
        "requested_by": request.requested_by,
        "changes": changes,
    }
    logger.info("billing terms set", extra={"fields": told})
    return _terms(profile)


def _terms(profile: ProfileRow) -> BillingTerms:
    return BillingTerms(
        organization_id=profile.organization_id,
        discount_basis_points=profile.discount_basis_points,
        discount_until=profile.discount_until,
        tax_basis_points=profile.tax_basis_points,
        tax_name=profile.tax_name,
        tax_exempt=profile.tax_exempt,
        parked_reason=profile.parked_reason,
        suspended=profile.suspended,
    )
