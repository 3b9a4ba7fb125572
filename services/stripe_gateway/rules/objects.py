"""What we read of Stripe's objects: only the fields that we use. Integer cents, Unix seconds."""

from datetime import UTC, datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

Word = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.]{1,255}\Z")]
# The year 3000: what a database and a calendar can surely hold.
Seconds = Annotated[int, Meta(ge=0, le=32_503_680_000)]
Metadata = dict[str, str]


class Customer(Struct, frozen=True):
    """A customer; a deleted one has nothing but `deleted`."""

    id: str
    deleted: bool = False
    livemode: bool = False
    metadata: Metadata = {}
    invoice_settings: "InvoiceSettings | None" = None


class InvoiceSettings(Struct, frozen=True):
    """Where a customer's default lies."""

    default_payment_method: str | None = None


class Card(Struct, frozen=True):
    """What may be shown of a card."""

    brand: str | None = None
    last4: str | None = None
    exp_month: int | None = None
    exp_year: int | None = None


class Method(Struct, frozen=True):
    """A payment method."""

    id: str
    type: str
    created: int
    customer: str | None = None
    card: Card | None = None


class SetupIntent(Struct, frozen=True):
    """The saving of a card."""

    id: str
    client_secret: str


class Session(Struct, frozen=True):
    """A hosted page."""

    id: str
    mode: str
    status: str | None = None
    payment_status: str = "unpaid"
    url: str | None = None
    customer: str | None = None
    currency: str | None = None
    amount_total: int | None = None
    payment_intent: str | None = None
    invoice: str | None = None
    subscription: str | None = None
    metadata: Metadata | None = None


class PaymentError(Struct, frozen=True):
    """Why a payment failed."""

    code: str | None = None
    decline_code: str | None = None
    payment_method: Method | None = None


class Intent(Struct, frozen=True):
    """A payment."""

    id: str
    status: str
    amount: int
    created: int
    amount_received: int = 0
    client_secret: str | None = None
    customer: str | None = None
    payment_method: Method | None = None
    last_payment_error: PaymentError | None = None
    metadata: Metadata = {}


class Refund(Struct, frozen=True):
    """Money given back, or on its way."""

    id: str
    amount: int
    created: int
    status: str | None = None
    payment_intent: str | None = None
    metadata: Metadata | None = None


class Dispute(Struct, frozen=True):
    """A customer's bank asks for money back, or only asks."""

    id: str
    amount: int
    created: int
    status: str
    payment_intent: str | None = None


class Recurring(Struct, frozen=True):
    """How often a price is due."""

    interval: str


class Price(Struct, frozen=True):
    """A price; those of ours carry their tier."""

    id: str
    unit_amount: int | None = None
    metadata: Metadata = {}
    recurring: Recurring | None = None


class SubscriptionItem(Struct, frozen=True):
    """What is subscribed to; the period is here since 2025."""

    id: str
    price: Price
    current_period_start: int | None = None
    current_period_end: int | None = None


class SubscriptionItems(Struct, frozen=True):
    """A list of them."""

    data: list[SubscriptionItem] = []


class Subscription(Struct, frozen=True):
    """A subscription."""

    id: str
    status: str
    customer: str
    created: int
    items: SubscriptionItems
    cancel_at_period_end: bool = False
    cancel_at: int | None = None
    canceled_at: int | None = None
    trial_start: int | None = None
    trial_end: int | None = None
    latest_invoice: str | None = None
    default_payment_method: str | None = None
    metadata: Metadata = {}
    # Its content does not matter: while it is there, a change waits for its payment.
    pending_update: dict[str, Any] | None = None


class EventObject(Struct, frozen=True):
    """The object of a snapshot: whose it is, as far as it says."""

    id: Word | None = None
    object: str | None = None
    customer: Any = None


class EventData(Struct, frozen=True):
    """What a snapshot carries."""

    object: EventObject = EventObject()


class RelatedObject(Struct, frozen=True):
    """What a thin event is about."""

    id: Word
    type: Word


class IncomingEvent(Struct, frozen=True):
    """An event, snapshot (`event`) or thin (`v2.core.event`)."""

    id: Word
    object: str
    type: Word
    livemode: bool
    created: Seconds | datetime
    data: EventData | None = None
    related_object: RelatedObject | None = None

    @property
    def kind(self) -> str:
        """The type as snapshots have it."""
        return self.type.removeprefix("v1.")

    @property
    def happened_at(self) -> datetime:
        """When it happened, whichever way that is written."""
        if isinstance(self.created, int):
            return datetime.fromtimestamp(self.created, UTC)
        return self.created.astimezone(UTC)

    @property
    def object_id(self) -> str | None:
        """Which object it hints at."""
        if self.related_object is not None:
            return self.related_object.id
        return self.data.object.id if self.data else None

    @property
    def customer_id(self) -> str | None:
        """Whose object it is, when the event says so."""
        told = self.data.object if self.data else EventObject()
        if told.object == "customer":
            return told.id
        return told.customer if isinstance(told.customer, str) else None
