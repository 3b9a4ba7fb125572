"""What subscription keeps: its tables (`schema`), and their rows as values."""

from services.subscription.tables.rows import (
    GaugeRow,
    OrganizationRow,
    PurchaseRow,
    QuotaRow,
    SubscriptionRow,
    WorkflowRow,
)

__all__ = [
    "GaugeRow",
    "OrganizationRow",
    "PurchaseRow",
    "QuotaRow",
    "SubscriptionRow",
    "WorkflowRow",
]
