"""What invoicing is told by its environment."""

from datetime import timedelta
from typing import Annotated

from msgspec import Meta

from shared.settings import ServiceSettings


class InvoicingSettings(ServiceSettings, frozen=True, kw_only=True):
    """`invoice_due_days`: how long an invoice may stand open before it is past due."""

    invoice_due_days: Annotated[int, Meta(ge=0, le=90)] = 7

    @property
    def due_after(self) -> timedelta:
        """How long after it is issued an invoice is due."""
        return timedelta(days=self.invoice_due_days)
