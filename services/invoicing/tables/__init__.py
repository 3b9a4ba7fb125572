"""What invoicing keeps: its tables (`schema`, `payments`), and their rows as values (`rows`)."""

from services.invoicing.tables.rows import (
    CreditNoteRow,
    DunningRow,
    InvoiceRow,
    LineRow,
    PaymentRow,
    ProfileRow,
    UsageRow,
    Use,
)

__all__ = [
    "CreditNoteRow",
    "DunningRow",
    "InvoiceRow",
    "LineRow",
    "PaymentRow",
    "ProfileRow",
    "UsageRow",
    "Use",
]
