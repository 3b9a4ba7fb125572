"""What subscription keeps: its tables, and their rows as values."""

from services.subscription.tables.rows import (
    GaugeRow,
    OrganizationRow,
    PurchaseRow,
    QuotaRow,
    SubscriptionRow,
    WorkflowRow,
)
from services.subscription.tables.schema import (
    gauges,
    lifetime_purchases,
    metadata,
    organizations,
    quotas,
    subscriptions,
    usage_events,
    workflows,
)

__all__ = [
    "GaugeRow",
    "OrganizationRow",
    "PurchaseRow",
    "QuotaRow",
    "SubscriptionRow",
    "WorkflowRow",
    "gauges",
    "lifetime_purchases",
    "metadata",
    "organizations",
    "quotas",
    "subscriptions",
    "usage_events",
    "workflows",
]
