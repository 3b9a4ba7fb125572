"""What an organization may use now: its tier's limits, an operator's own, and the period."""

from datetime import datetime, timedelta

import msgspec

from services.subscription.rules.moves import is_suspended
from services.subscription.rules.periods import Period, calendar_month, monthly_period
from services.subscription.tables.rows import (
    OrganizationRow,
    QuotaRow,
    QuotaSource,
    SubscriptionRow,
)
from services.subscription.tiers import Catalogue
from shared.contracts.subscription import UNLIMITED, Plan

SERVING = frozenset({"active", "trialing", "past_due"})


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What this installation offers: the catalogue, the price of a workflow, the grace."""

    catalogue: Catalogue
    workflow_price_cents: int
    grace: timedelta


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """An organization as it stands at a moment; `live` is None on the free tier."""

    terms: Terms
    organization: OrganizationRow
    live: SubscriptionRow | None
    at: datetime

    @property
    def shown(self) -> SubscriptionRow:
        """The subscription that counts; the free tier as if it had a row."""
        return self.live or free_row(self.organization)

    @property
    def plan(self) -> Plan:
        """The tier whose limits and terms hold, with an operator's own limits: the free one's while
        a plan is shown that does not serve, because it is not paid yet or is paused.
        """
        if self.live is None or not self.serves:
            return self.terms.catalogue["free"]
        return with_own_limits(self.terms.catalogue[self.live.tier], self.live)

    @property
    def serves(self) -> bool:
        """Whether the plan's own quota may be used now."""
        return self.live is not None and self.live.status in SERVING

    @property
    def suspended(self) -> bool:
        """Whether nothing may run: dunning has given up, or a plan's grace is over."""
        return self.plan_suspended or self.organization.account_status == "suspended"

    @property
    def plan_suspended(self) -> bool:
        """Whether the plan's own payment has failed for too long."""
        return is_suspended(self.live, self.at, self.terms.grace)

    @property
    def month(self) -> Period:
        """The calendar month of the free workflows."""
        return calendar_month(self.at)

    @property
    def period(self) -> Period:
        """The period of what is shown."""
        return self.month if self.live is None else plan_period(self.live, self.at)

    @property
    def counted(self) -> Period:
        """The period that workflows are counted in beside the limit of `plan`."""
        return self.period if self.serves else self.month

    @property
    def counter_key(self) -> tuple[QuotaSource, str, datetime]:
        """The counter beside the limit of `plan`: of free workflows, unless another one serves."""
        if self.live is None or not self.serves:
            return "free", "", self.month.start
        return "plan", self.live.subscription_id, self.period.start

    @property
    def free_limit(self) -> int:
        """Free workflows per month: the free tier's, whatever the tier."""
        return self.terms.catalogue["free"].workflows_limit


def free_row(organization: OrganizationRow) -> SubscriptionRow:
    """What an organization without another subscription has; its id is always the same."""
    return SubscriptionRow(
        subscription_id=f"free-{organization.organization_id}",
        organization_id=organization.organization_id,
        source="free",
        live=True,
        tier="free",
        price_cents=0,
        status="active",
        began_at=organization.opened_at,
        created_at=organization.opened_at,
        updated_at=organization.opened_at,
    )


def plan_period(row: SubscriptionRow, at: datetime) -> Period:
    """The period of a plan: as Stripe tells it, else months counted from when it began.

    Until Stripe tells of the next one, the last one goes on.
    """
    start, end = row.current_period_start, row.current_period_end
    if row.source == "stripe" and start is not None and end is not None:
        return Period(start, end)
    return monthly_period(row.began_at, at)


def with_own_limits(plan: Plan, row: SubscriptionRow) -> Plan:
    """The tier with the limits that an operator gave this subscription."""
    return msgspec.structs.replace(
        plan,
        workflows_limit=_own(row.workflows_limit, plan.workflows_limit),
        agents_limit=_own(row.agents_limit, plan.agents_limit),
        storage_limit_gb=_own(row.storage_limit_gb, plan.storage_limit_gb),
    )


def _own(own: int | None, tier: int) -> int:
    return tier if own is None else own


def remaining(limit: int, quota: QuotaRow | None) -> int:
    """What nobody has used or reserved; -1 when there is no limit, never below 0."""
    if limit == UNLIMITED:
        return UNLIMITED
    taken = quota.used + quota.reserved if quota else 0
    return max(0, limit - taken)
