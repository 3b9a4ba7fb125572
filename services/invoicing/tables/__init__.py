"""What invoicing keeps: its tables (all in `database`), and their rows as values (`rows`)."""

from services.invoicing.tables.rows import (
    CreditNoteRow,
    DunningRow,
    InvoiceRow,
    LineRow,
    LlmCostRow,
    PaymentRow,
    PlanTerms,
    ProfileRow,
    UsageRow,
    Use,
)

__all__ = [
    "CreditNoteRow",
    "DunningRow",
    "InvoiceRow",
    "LineRow",
    "LlmCostRow",
    "PaymentRow",
    "PlanTerms",
    "ProfileRow",
    "UsageRow",
    "Use",
]
