"""The facts that customers may see as they happen, and the form in which they see them. Pure."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from services.gateway.dollars import dollars_of_cents
from services.gateway.live_invoices import live_invoice, live_payment, live_usage
from services.gateway.notices import live_notice
from services.gateway.responses import ApiResponse
from services.gateway.translations import live_costs
from shared.contracts.account import (
    AccountChanged,
    AccountStatus,
    CreditEntryKind,
    CreditsChanged,
    CreditsLow,
)
from shared.contracts.base import Event, event_subject
from shared.contracts.cost_metering import CostsRecorded
from shared.contracts.invoicing import InvoiceChanged, PaymentChanged, UsageRecorded
from shared.contracts.notices import NoticeRaised
from shared.contracts.stripe_gateway import PaymentMethodsChanged, PurchaseKind, PurchasePaid
from shared.contracts.subscription import (
    LimitReached,
    PlanChanged,
    PlanStatus,
    Resource,
    TierName,
)


class LiveAccount(ApiResponse, frozen=True, kw_only=True):
    """Data of `account_changed`; a lower `version` than one seen before is out of date."""

    organization_id: str
    version: int
    status: AccountStatus
    has_payment_method: bool
    auto_billing_enabled: bool
    changed_at: datetime


class LiveCredits(ApiResponse, frozen=True, kw_only=True):
    """Data of `credits_changed`, in dollars; `sequence` has no gap within an organization."""

    organization_id: str
    sequence: int
    kind: CreditEntryKind
    amount: float
    credit_balance: float
    credit_debt: float
    changed_at: datetime


class LivePaymentMethods(ApiResponse, frozen=True, kw_only=True):
    """Data of `payment_methods_changed`: fetch them again."""

    organization_id: str
    version: int
    has_payment_method: bool
    changed_at: datetime


class LivePurchase(ApiResponse, frozen=True, kw_only=True):
    """Data of `purchase_paid`; `amount` is in dollars."""

    organization_id: str
    session_id: str
    kind: PurchaseKind
    tier: str | None
    amount: float
    paid_at: datetime


class LivePlan(ApiResponse, frozen=True, kw_only=True):
    """Data of `plan_changed`; a lower `version` than one seen before is out of date."""

    organization_id: str
    version: int
    tier: TierName
    status: PlanStatus
    suspended: bool
    cancel_at_period_end: bool
    pending_tier: TierName | None
    changed_at: datetime


class LiveLimit(ApiResponse, frozen=True, kw_only=True):
    """Data of `limit_reached`: 80 or 100 percent of a limit are in use."""

    organization_id: str
    resource: Resource
    threshold_percent: int
    used: int
    limit: int
    reached_at: datetime


class LiveLowCredits(ApiResponse, frozen=True, kw_only=True):
    """Data of `credits_low`, in dollars."""

    organization_id: str
    credit_balance: float
    threshold: float
    noticed_at: datetime


def _account(fact: AccountChanged) -> LiveAccount:
    return LiveAccount(
        organization_id=fact.organization_id,
        version=fact.version,
        status=fact.status,
        has_payment_method=fact.has_payment_method,
        auto_billing_enabled=fact.auto_billing_enabled,
        changed_at=fact.changed_at,
    )


def _credits(fact: CreditsChanged) -> LiveCredits:
    return LiveCredits(
        organization_id=fact.organization_id,
        sequence=fact.sequence,
        kind=fact.kind,
        amount=dollars_of_cents(fact.amount_cents),
        credit_balance=dollars_of_cents(fact.balance_cents),
        credit_debt=dollars_of_cents(fact.debt_cents),
        changed_at=fact.changed_at,
    )


def _payment_methods(fact: PaymentMethodsChanged) -> LivePaymentMethods:
    return LivePaymentMethods(
        organization_id=fact.organization_id,
        version=fact.version,
        has_payment_method=fact.has_payment_method,
        changed_at=fact.changed_at,
    )


def _purchase(fact: PurchasePaid) -> LivePurchase:
    return LivePurchase(
        organization_id=fact.organization_id,
        session_id=fact.session_id,
        kind=fact.kind,
        tier=fact.tier,
        amount=dollars_of_cents(fact.amount_cents),
        paid_at=fact.paid_at,
    )


def _plan(fact: PlanChanged) -> LivePlan:
    return LivePlan(
        organization_id=fact.organization_id,
        version=fact.version,
        tier=fact.tier,
        status=fact.status,
        suspended=fact.suspended,
        cancel_at_period_end=fact.cancel_at_period_end,
        pending_tier=fact.pending_tier,
        changed_at=fact.changed_at,
    )


def _limit(fact: LimitReached) -> LiveLimit:
    return LiveLimit(
        organization_id=fact.organization_id,
        resource=fact.resource,
        threshold_percent=fact.threshold_percent,
        used=fact.used,
        limit=fact.limit,
        reached_at=fact.reached_at,
    )


def _low_credits(fact: CreditsLow) -> LiveLowCredits:
    return LiveLowCredits(
        organization_id=fact.organization_id,
        credit_balance=dollars_of_cents(fact.balance_cents),
        threshold=dollars_of_cents(fact.threshold_cents),
        noticed_at=fact.noticed_at,
    )


# No other fact leaves.
SHOWN: Mapping[type[Event], Callable[[Any], msgspec.Struct]] = {
    CostsRecorded: live_costs,
    AccountChanged: _account,
    CreditsChanged: _credits,
    PaymentMethodsChanged: _payment_methods,
    PurchasePaid: _purchase,
    PlanChanged: _plan,
    LimitReached: _limit,
    UsageRecorded: live_usage,
    InvoiceChanged: live_invoice,
    PaymentChanged: live_payment,
    CreditsLow: _low_credits,
    NoticeRaised: live_notice,
}


def live_subjects() -> dict[str, type[Event]]:
    """The subjects to hear, each with the fact that it carries."""
    return {event_subject(kind): kind for kind in SHOWN}
