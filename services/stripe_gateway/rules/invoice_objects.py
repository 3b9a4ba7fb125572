"""What we read of Stripe's invoices, real ones and previews. Integer cents, Unix seconds."""

from msgspec import Struct, field

from services.stripe_gateway.rules.objects import Metadata


class SubscriptionDetails(Struct, frozen=True):
    """Which subscription an invoice is for."""

    subscription: str | None = None


class InvoiceParent(Struct, frozen=True):
    """What an invoice is for."""

    subscription_details: SubscriptionDetails | None = None


class Amount(Struct, frozen=True):
    """A part of an invoice: a discount, or a tax."""

    amount: int


class Period(Struct, frozen=True):
    """A half-open period."""

    start: int
    end: int


class InvoiceLine(Struct, frozen=True):
    """A line of an invoice."""

    amount: int
    description: str | None = None
    quantity: int | None = None
    period: Period | None = None


class InvoiceLines(Struct, frozen=True):
    """The first of them."""

    data: list[InvoiceLine] = []
    has_more: bool = False


class InvoiceMoments(Struct, frozen=True):
    """When an invoice became what it is."""

    finalized_at: int | None = None
    paid_at: int | None = None
    voided_at: int | None = None


class Invoice(Struct, frozen=True):
    """An invoice of Stripe's."""

    id: str
    created: int
    currency: str
    period_start: int
    period_end: int
    status: str | None = None
    billing_reason: str | None = None
    number: str | None = None
    description: str | None = None
    subtotal: int = 0
    total: int = 0
    amount_due: int = 0
    amount_paid: int = 0
    attempted: bool = False
    total_discount_amounts: list[Amount] | None = None
    total_taxes: list[Amount] | None = None
    lines: InvoiceLines = field(default_factory=InvoiceLines)
    due_date: int | None = None
    status_transitions: InvoiceMoments = InvoiceMoments()
    customer: str | None = None
    metadata: Metadata | None = None
    parent: InvoiceParent | None = None

    @property
    def subscription(self) -> str | None:
        """The subscription it is for."""
        details = self.parent.subscription_details if self.parent else None
        return details.subscription if details else None


class PaidBy(Struct, frozen=True):
    """With what an invoice is paid."""

    payment_intent: str | None = None


class InvoicePayment(Struct, frozen=True):
    """What ties an invoice to its payment."""

    invoice: str
    payment: PaidBy
    amount_paid: int | None = None


class LineParentDetails(Struct, frozen=True):
    """Whether a line settles a part of a period."""

    proration: bool = False


class LineParent(Struct, frozen=True):
    """Where a line comes from."""

    subscription_item_details: LineParentDetails | None = None


class PreviewLine(Struct, frozen=True):
    """A line of an invoice to be."""

    amount: int
    parent: LineParent | None = None

    @property
    def proration(self) -> bool:
        """Whether it settles a part of a period."""
        details = self.parent.subscription_item_details if self.parent else None
        return bool(details and details.proration)


class PreviewLines(Struct, frozen=True):
    """A list of them."""

    data: list[PreviewLine] = []


class Preview(Struct, frozen=True):
    """An invoice to be."""

    amount_due: int
    lines: PreviewLines = field(default_factory=PreviewLines)

    @property
    def proration(self) -> int:
        """What settles the rest of a period."""
        return sum(line.amount for line in self.lines.data if line.proration)

    @property
    def rest(self) -> int:
        """What the plan to come costs for the rest of a period, before what is unused of before."""
        return sum(line.amount for line in self.lines.data if line.proration and line.amount > 0)
