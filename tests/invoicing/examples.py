"""Facts of others as invoicing hears them, for one organization."""

from datetime import UTC, datetime, timedelta
from typing import Any

from shared.contracts.cost_metering import CostsRecorded
from shared.contracts.stripe_gateway import PaymentMethodsChanged, PurchasePaid, PurchaseReversed
from shared.contracts.subscription import PlanChanged, StorageMeasured, WorkflowCharged


def workflow(name: str, run: str, at: datetime, **changes: Any) -> WorkflowCharged:
    """A workflow of $10.00 that nothing covers, known as soon as it completed."""
    values: dict[str, Any] = {
        "ticket_id": None,
        "covered_by": "none",
        "unit_price_cents": 1000,
        "hold_id": None,
        "charged_at": at,
        **changes,
    }
    return WorkflowCharged(
        organization_id=name,
        workflow_id=run,
        reservation_id=run,
        tier="pro",
        period_start=None,
        completed_at=at,
        **values,
    )


def costs(name: str, sequence: int, picousd: int, at: datetime, **changes: Any) -> CostsRecorded:
    """LLM calls with keys of the platform's."""
    values: dict[str, Any] = {"billable_cost_picousd": picousd, "records": 3, **changes}
    return CostsRecorded(
        organization_id=name,
        sequence=sequence,
        cost_picousd=picousd,
        tokens=1000,
        total_cost_picousd=picousd,
        total_billable_cost_picousd=picousd,
        total_tokens=1000,
        total_records=3,
        unpriced_records=0,
        recorded_at=at,
        **values,
    )


def storage(name: str, month: datetime, gb: int, cents: int, told_at: datetime) -> StorageMeasured:
    """So many GB beyond the plan in a month."""
    end = (month + timedelta(days=31)).replace(day=1)
    return StorageMeasured(
        organization_id=name,
        month_start=month,
        month_end=end,
        tier="pro",
        used_bytes=(50 + gb) * 1024**3,
        limit_gb=50,
        overage_gb=gb,
        overage_cents_per_gb=cents,
        told_at=told_at,
    )


def plan(name: str, version: int, markup: int | None, at: datetime) -> PlanChanged:
    """The pro plan; LLM costs are passed on with a markup, or not at all."""
    return PlanChanged(
        organization_id=name,
        version=version,
        subscription_id="sub-1",
        tier="pro",
        status="active",
        is_paid=True,
        suspended=False,
        current_period_start=None,
        current_period_end=None,
        cancel_at_period_end=False,
        pending_tier=None,
        pending_change_at=None,
        changed_at=at,
        llm_markup_basis_points=markup,
    )


def purchase(name: str, session: str, cents: int, at: datetime) -> PurchasePaid:
    """Credits that were bought."""
    return PurchasePaid(
        organization_id=name,
        session_id=session,
        kind="credits",
        tier=None,
        amount_cents=cents,
        payment_intent_id=None,
        stripe_invoice_id=None,
        paid_at=at,
    )


def reversal(
    name: str, session: str, version: int, cents: int, of_cents: int, at: datetime
) -> PurchaseReversed:
    """So much of a purchase is disputed away now."""
    return PurchaseReversed(
        organization_id=name,
        session_id=session,
        kind="credits",
        amount_cents=of_cents,
        reversed_cents=cents,
        version=version,
        reason="dispute",
        reversed_at=at,
    )


def card(name: str, version: int, method_id: str, at: datetime) -> PaymentMethodsChanged:
    """A default card."""
    return PaymentMethodsChanged(
        organization_id=name,
        version=version,
        has_payment_method=True,
        default_payment_method_id=method_id,
        changed_at=at,
    )


def month(year: int, number: int) -> datetime:
    """When a month begins."""
    return datetime(year, number, 1, tzinfo=UTC)
