"""What stripe_gateway says and answers: everything of Stripe, in our own words. Integer cents."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from shared.contracts.base import Contract, Done, Event, Organization, Reply, Request, Text

PurchaseKind = Literal["credits", "lifetime", "subscription", "setup"]
PurchaseStatus = Literal["open", "processing", "complete", "expired", "failed"]
ChargeStatus = Literal[
    "pending", "succeeded", "failed", "requires_action", "refunded", "partially_refunded"
]
DisputeStage = Literal["inquiry", "withdrawn", "reinstated", "closed"]
SubscriptionStatus = Literal[
    "active", "trialing", "past_due", "unpaid", "canceled", "paused", "incomplete"
]

StripeInvoiceStatus = Literal["open", "paid", "void", "uncollectible"]

StripeId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_]{1,255}\Z")]
Url = Annotated[str, Meta(pattern=r"^https?://[^\s\x00-\x1f\x7f]+\Z", max_length=2000)]
# Stripe lets a trial last two years at most.
TrialDays = Annotated[int, Meta(ge=0, le=730)]
ChargeCents = Annotated[int, Meta(ge=50, le=99_999_999)]


class CustomerLinked(Event, frozen=True, kw_only=True):
    """The organization has a customer at Stripe, or (null) lost it."""

    stripe_customer_id: str | None
    version: int
    linked_at: datetime


class PaymentMethod(Contract, frozen=True, kw_only=True):
    """A payment method of a customer."""

    payment_method_id: str
    type: str
    card_brand: str | None
    card_last4: str | None
    exp_month: int | None
    exp_year: int | None
    is_default: bool


class PaymentMethods(Reply, frozen=True, kw_only=True):
    """All of a customer's, the default first, then newest first."""

    payment_methods: tuple[PaymentMethod, ...]


class PaymentMethodsChanged(Event, frozen=True, kw_only=True):
    """The methods stand like this; a lower `version` is out of date."""

    version: int
    has_payment_method: bool
    default_payment_method_id: str | None
    changed_at: datetime
    # Null also of a default that is not a card.
    default_card: PaymentMethod | None = None


class ListPaymentMethods(Request[PaymentMethods], frozen=True, kw_only=True):
    """From our own rows; never asks Stripe."""

    organization_id: Organization


class AttachPaymentMethod(Request[PaymentMethods], frozen=True, kw_only=True):
    """Attach, or make default what is attached; another customer's is refused (404)."""

    organization_id: Organization
    payment_method_id: StripeId
    set_as_default: bool = True
    requested_by: Text


class DetachPaymentMethod(Request[PaymentMethods], frozen=True, kw_only=True):
    """Detach; without the default the newest left becomes it. The last is kept while a paid plan
    runs (409); another customer's is refused (404).
    """

    organization_id: Organization
    payment_method_id: StripeId
    requested_by: Text


class SetupIntent(Reply, frozen=True, kw_only=True):
    """What the browser needs to save a card; a secret of one customer, never logged."""

    setup_intent_id: str
    client_secret: str


class CreateSetupIntent(Request[SetupIntent], frozen=True, kw_only=True):
    """Begin to save a card with Payment Element."""

    organization_id: Organization
    requested_by: Text


class Checkout(Reply, frozen=True, kw_only=True):
    """A hosted page at Stripe on which something is bought or set up."""

    session_id: str
    checkout_url: str
    status: PurchaseStatus = "open"


class CreateCheckout(Request[Checkout], frozen=True, kw_only=True):
    """Open a hosted page. `amount_cents` is the price of one (a month for a subscription, which
    begins with `trial_days` for nothing).
    """

    organization_id: Organization
    kind: PurchaseKind
    amount_cents: Annotated[int, Meta(ge=0, le=99_999_999)] = 0
    tier: Text | None = None
    trial_days: TrialDays = 0
    description: Text
    success_url: Url
    cancel_url: Url
    requested_by: Text


class CheckoutState(Reply, frozen=True, kw_only=True):
    """What the success page asks: from our own rows, never from the address it came with."""

    session_id: str
    kind: PurchaseKind
    tier: str | None
    amount_cents: int
    status: PurchaseStatus


class GetCheckout(Request[CheckoutState], frozen=True, kw_only=True):
    """How a checkout stands."""

    organization_id: Organization
    session_id: StripeId


class Portal(Reply, frozen=True, kw_only=True):
    """Stripe's page for cards, invoices and cancelling."""

    portal_url: str


class CreatePortal(Request[Portal], frozen=True, kw_only=True):
    """Open the customer portal."""

    organization_id: Organization
    return_url: Url
    requested_by: Text


# Stripe sends whole objects, with every line of an invoice in it; as text in JSON it is a third
# longer, and must fit in one message of the bus.
MAX_WEBHOOK_BYTES = 512 * 1024


class ReceiveWebhook(Request[Done], frozen=True, kw_only=True):
    """Verify, keep and answer; the work comes later. A bad signature or body is refused (400)."""

    body: bytes
    signature: Annotated[str, Meta(max_length=4096)]


class PurchasePaid(Event, frozen=True, kw_only=True):
    """A checkout was paid, once per session: credits are granted and lifetimes begin by it."""

    session_id: str
    kind: PurchaseKind
    tier: str | None
    amount_cents: int
    payment_intent_id: str | None
    stripe_invoice_id: str | None
    stripe_subscription_id: str | None = None
    paid_at: datetime


class MoneyMoved(Event, frozen=True, kw_only=True):
    """Money collected (positive) or returned (negative), once per `movement_id`.

    `purpose` says what for, `reference` which session, invoice or charge of ours; what an invoice
    of Stripe's own was paid with is a `subscription`'s.
    """

    movement_id: str
    amount_cents: int
    purpose: Literal["credits", "lifetime", "subscription", "invoice", "refund", "dispute"]
    reference: str
    moved_at: datetime


class PurchaseReversed(Event, frozen=True, kw_only=True):
    """Of a purchase `reversed_cents` in all are refunded or disputed away now; may fall again."""

    session_id: str
    kind: PurchaseKind
    amount_cents: int
    reversed_cents: int
    version: int
    reason: Literal["refund", "dispute", "reinstated"]
    reversed_at: datetime


class Charge(Reply, frozen=True, kw_only=True):
    """One attempt to collect. `client_secret` only with `requires_action`. `disputed_cents` is what
    the customer's bank holds back or has taken: no inquiry, and nothing once a dispute is won.
    """

    charge_id: str
    stripe_payment_intent_id: str | None
    amount_cents: int
    status: ChargeStatus
    payment_method_type: str | None = None
    payment_method_brand: str | None = None
    payment_method_last4: str | None = None
    failure_code: str | None = None
    failure_message: str | None = None
    refunded_cents: int = 0
    client_secret: str | None = None
    created_at: datetime
    succeeded_at: datetime | None = None
    disputed_cents: int = 0


class CollectPayment(Request[Charge], frozen=True, kw_only=True):
    """Charge a customer, at most once per `charge_id`, off-session unless the customer is there."""

    organization_id: Organization
    charge_id: Text
    amount_cents: ChargeCents
    description: Text
    payment_method_id: StripeId | None = None
    off_session: bool = True
    requested_by: Text


class CancelPayment(Request[Charge], frozen=True, kw_only=True):
    """End an attempt that has not succeeded, so that it never will, before another one is made.
    The answer says how it stands: it may have succeeded a moment ago. With its amount, an attempt
    that is still on its way here is ended before it comes.
    """

    organization_id: Organization
    charge_id: Text
    amount_cents: ChargeCents | None = None
    requested_by: Text


class PayStripeInvoice(Request[Charge], frozen=True, kw_only=True):
    """Collect an open invoice of Stripe's own at Stripe, at most once, with the customer there.
    The answer is shaped like a charge of ours; the same `charge_id` again answers how it stands.
    """

    organization_id: Organization
    charge_id: Text
    stripe_invoice_id: StripeId
    payment_method_id: StripeId | None = None
    requested_by: Text


class RefundPayment(Request[Charge], frozen=True, kw_only=True):
    """Give back a charge or a purchase, in whole or in part, once per `refund_id`."""

    organization_id: Organization
    refund_id: Text
    charge_id: Text | None = None
    session_id: StripeId | None = None
    amount_cents: Annotated[int, Meta(ge=1, le=99_999_999)] | None = None
    requested_by: Text


class RefundFailed(Event, frozen=True, kw_only=True):
    """A refund of ours that the bank did not take, maybe days after it was made: its money is still
    here.
    """

    refund_id: str
    amount_cents: int
    failed_at: datetime


class ChargeChanged(Event, frozen=True, kw_only=True):
    """An attempt stands like this; a lower `version` is out of date."""

    version: int
    charge: Charge
    changed_at: datetime


class StripeInvoiceLine(Contract, frozen=True, kw_only=True):
    """A line of an invoice of Stripe's; the period is half-open."""

    description: str
    quantity: int
    total_cents: int
    period_start: datetime | None = None
    period_end: datetime | None = None


class StripeInvoice(Contract, frozen=True, kw_only=True):
    """A finalized invoice of Stripe's: of a subscription, or the receipt of a purchase. At most
    100 lines are told; `lines_left_out` says that there are more. `attempted` is whether
    collecting it was tried. What is due may differ from the total by a balance kept at Stripe.
    What was refunded is of the payments that paid it, or on its way back; what is disputed is what
    banks hold back or have taken of them.
    """

    stripe_invoice_id: str
    number: str | None
    status: StripeInvoiceStatus
    description: str | None
    currency: str
    subtotal_cents: int
    discount_cents: int
    tax_cents: int
    total_cents: int
    amount_due_cents: int
    amount_paid_cents: int
    attempted: bool
    lines: tuple[StripeInvoiceLine, ...]
    lines_left_out: bool = False
    period_start: datetime
    period_end: datetime
    due_at: datetime | None
    finalized_at: datetime | None
    paid_at: datetime | None
    voided_at: datetime | None
    created_at: datetime
    amount_refunded_cents: int = 0
    amount_disputed_cents: int = 0


class StripeInvoiceChanged(Event, frozen=True, kw_only=True):
    """A finalized invoice stands like this at Stripe; a lower `version` is out of date."""

    version: int
    invoice: StripeInvoice
    changed_at: datetime


class DisputeChanged(Event, frozen=True, kw_only=True):
    """A dispute stands like this; an inquiry moves no money."""

    dispute_id: str
    version: int
    stage: DisputeStage
    amount_cents: int
    session_id: str | None
    charge_id: str | None
    changed_at: datetime


class StripeSubscription(Reply, frozen=True, kw_only=True):
    """A subscription as Stripe has it; `status_at_stripe` is Stripe's own word. Until
    `pending_change_at` the customer has `tier`, which is paid, and from then on `pending_tier`.
    """

    stripe_subscription_id: str
    tier: str | None
    price_cents: int | None
    status: SubscriptionStatus
    status_at_stripe: str
    current_period_start: datetime | None
    current_period_end: datetime | None
    cancel_at_period_end: bool
    canceled_at: datetime | None
    trial_start: datetime | None
    trial_end: datetime | None
    pending_tier: str | None = None
    pending_change_at: datetime | None = None


class SubscriptionChanged(Event, frozen=True, kw_only=True):
    """A subscription stands like this at Stripe; a lower `version` is out of date."""

    version: int
    subscription: StripeSubscription
    renewal_paid: bool = False
    changed_at: datetime


class PlanChangePreview(Reply, frozen=True, kw_only=True):
    """To be charged now and each period after; `proration_date` makes the charge the same.

    Less than 50 cents are not charged now: the proration then comes with the next invoice. It is
    what is given back for unused time (never above 0) and what the rest of the period costs.
    """

    due_now_cents: int
    proration_cents: int
    unused_cents: int = 0
    rest_cents: int = 0
    next_period_cents: int
    proration_date: datetime


class PreviewPlanChange(Request[PlanChangePreview], frozen=True, kw_only=True):
    """What a change of plan would cost now."""

    organization_id: Organization
    tier: Text
    price_cents: ChargeCents
    proration_date: datetime


class ChangeStripeSubscription(Request[StripeSubscription], frozen=True, kw_only=True):
    """Tell Stripe first: another plan now (charged before it takes effect) or at period end,
    cancel now or at period end, or resume (drops a pending cancellation, and a pending downgrade
    unless it `keeps_downgrade`).
    `refund`, with `cancel_now`, gives back what the running period was paid with, and
    `refund_from` what every period was paid with that begins then or later. Without
    `stripe_subscription_id` it is the one that runs. What `may_be_called_off` is given up when
    Stripe is out, with `stripe_busy`, and not made once it is back: who still wants it asks again.
    """

    organization_id: Organization
    stripe_subscription_id: StripeId | None = None
    action: Literal["upgrade", "downgrade", "cancel", "cancel_now", "resume"]
    tier: Text | None = None
    price_cents: ChargeCents | None = None
    proration_date: datetime | None = None
    refund: bool = False
    refund_from: datetime | None = None
    keeps_downgrade: bool = False
    may_be_called_off: bool = False
    requested_by: Text


class PaymentTotals(Reply, frozen=True, kw_only=True):
    """What the auditor compares of one organization's money, in one snapshot.

    `sequence` counts movements. `collected_cents` is what charges of ours came to, refunded or
    not; `bought_cents` what pages sold at once, `credits_*` what of it was credits.
    """

    sequence: int
    movements: int
    movements_cents: int
    charge_movements_cents: int
    collected: int
    collected_cents: int
    purchase_movements_cents: int
    bought_cents: int
    credits_cents: int
    credits_reversed_cents: int
    refund_movements_cents: int
    refunds_cents: int
    dead_letters: int
    untold: int


class GetPaymentTotals(Request[PaymentTotals], frozen=True, kw_only=True):
    """Control totals of one organization's money at Stripe, from our own rows."""

    organization_id: Organization
