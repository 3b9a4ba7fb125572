"""After every change: which subscription counts, what it ends at Stripe, and the fact of it."""

import msgspec

from services.subscription.handlers.at_stripe import call_off_end, end_at_stripe
from services.subscription.handlers.means import Means
from services.subscription.rules.entitlements import Standing
from services.subscription.rules.moves import (
    choose_live,
    is_paid_back,
    paid_back_from,
    rows_replaced,
)
from services.subscription.store.organizations import set_organization
from services.subscription.store.subscriptions import list_subscriptions, set_live
from services.subscription.tables import OrganizationRow
from shared.contracts.base import Event
from shared.contracts.subscription import PlanChanged
from shared.database import Db


async def settle(means: Means, db: Db, organization: OrganizationRow) -> list[Event]:
    """Let the right one of an organization's subscriptions count, and tell how it stands.

    What it replaces is ended at Stripe, so that nobody pays twice, and paid back where nothing was
    had for the money.
    """
    organization_id = organization.organization_id
    rows = await list_subscriptions(db, organization_id)
    live = choose_live(rows)
    await set_live(db, organization_id, live.subscription_id if live else None)
    if live is not None:
        if live.source == "stripe" and not live.live:
            await call_off_end(db, live)
        for row in rows_replaced(live, rows):
            refund, since = is_paid_back(live, row), paid_back_from(live, row)
            await end_at_stripe(db, row, live, refund=refund, refund_from=since)
    changed = msgspec.structs.replace(organization, plan_version=organization.plan_version + 1)
    await set_organization(db, organization_id, plan_version=changed.plan_version)
    return [plan_fact(Standing(terms=means.terms, organization=changed, live=live, at=db.now))]


def plan_fact(standing: Standing) -> PlanChanged:
    """How a plan stands, as others are told."""
    shown, period = standing.shown, standing.period
    return PlanChanged(
        organization_id=standing.organization.organization_id,
        version=standing.organization.plan_version,
        subscription_id=shown.subscription_id,
        tier=shown.tier,
        status=shown.status,
        is_paid=shown.source != "free" and shown.status != "incomplete",
        suspended=standing.plan_suspended,
        current_period_start=period.start,
        current_period_end=None if shown.source == "lifetime" else period.end,
        cancel_at_period_end=shown.cancel_at_period_end,
        pending_tier=shown.pending_tier,
        pending_change_at=shown.pending_change_at,
        changed_at=standing.at,
        llm_markup_basis_points=standing.plan.llm_markup_basis_points,
    )
