"""What invoicing is told by its environment."""

from datetime import timedelta
from typing import Annotated, Any

from msgspec import Meta

from shared.settings import ServiceSettings

Line = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f]*\Z", max_length=500)]


class InvoicingSettings(ServiceSettings, frozen=True, kw_only=True):
    """`invoice_due_days`: how long an invoice may stand open before it is past due. Who sells is
    printed on each; `seller_address` has its lines divided by `;`.
    """

    invoice_due_days: Annotated[int, Meta(ge=0, le=90)] = 7
    seller_name: Line = "OmoiOS"
    seller_address: Line = ""
    seller_tax_id: Line = ""
    seller_email: Line = ""

    @property
    def due_after(self) -> timedelta:
        """How long after it is issued an invoice is due."""
        return timedelta(days=self.invoice_due_days)

    @property
    def seller(self) -> dict[str, Any]:
        """Who sells, as it is kept on each invoice."""
        lines = (line.strip() for line in self.seller_address.split(";"))
        return {
            "name": self.seller_name,
            "address": [line for line in lines if line],
            "tax_id": self.seller_tax_id or None,
            "email": self.seller_email or None,
        }
