"""What clients get of accounts, credits, payment methods and hosted pages."""

from datetime import datetime
from typing import Literal

from services.gateway.responses import ApiResponse
from shared.contracts.account import AccountStatus, CreditEntryKind, LotKind
from shared.contracts.stripe_gateway import PurchaseKind, PurchaseStatus


class StatusResponse(ApiResponse, frozen=True, kw_only=True):
    """It happened."""

    status: Literal["success"] = "success"
    message: str


class AddressResponse(ApiResponse, frozen=True, kw_only=True):
    """A postal address; `country` is ISO 3166-1 alpha-2."""

    line1: str
    line2: str | None
    city: str | None
    state: str | None
    postal_code: str | None
    country: str


class BuyerResponse(ApiResponse, frozen=True, kw_only=True):
    """Who invoices are made out to."""

    name: str | None
    address: AddressResponse | None
    tax_id: str | None


class BillingAccountResponse(ApiResponse, frozen=True, kw_only=True):
    """A billing account. `credit_balance` is what may be spent: `credit_held` is set aside.

    `credit_debt` was spent before a refund or a dispute took it back. `total_amount_spent` is
    money collected minus refunds.
    """

    id: str
    organization_id: str
    stripe_customer_id: str | None
    has_payment_method: bool
    status: AccountStatus
    free_workflows_remaining: int
    free_workflows_reset_at: datetime | None
    credit_balance: float
    auto_billing_enabled: bool
    billing_email: str | None
    tax_exempt: bool
    total_workflows_completed: int
    total_amount_spent: float
    created_at: datetime | None
    updated_at: datetime | None
    auto_billing_monthly_limit: float | None
    credit_held: float
    credit_debt: float
    buyer: BuyerResponse


class CreditEntryResponse(ApiResponse, frozen=True, kw_only=True):
    """One line of the ledger; `amount` is signed, from the customer's point of view."""

    id: str
    sequence: int
    kind: CreditEntryKind
    lot_kind: LotKind | None
    amount: float
    balance_after: float
    debt_after: float
    description: str
    reference: str
    expires_at: datetime | None
    created_at: datetime


class CreditBalanceResponse(ApiResponse, frozen=True, kw_only=True):
    """Credits after a change; `changed` is 0 when it was known already."""

    balance: float
    held: float
    debt: float
    changed: float


class PaymentMethodResponse(ApiResponse, frozen=True, kw_only=True):
    """A saved payment method."""

    id: str
    type: str
    card_brand: str | None
    card_last4: str | None
    is_default: bool
    exp_month: int | None
    exp_year: int | None


class SetupIntentResponse(ApiResponse, frozen=True, kw_only=True):
    """What Payment Element saves a card with; the secret is this customer's."""

    setup_intent_id: str
    client_secret: str


class CheckoutResponse(ApiResponse, frozen=True, kw_only=True):
    """A hosted page to send the browser to."""

    checkout_url: str
    session_id: str


class CheckoutStateResponse(ApiResponse, frozen=True, kw_only=True):
    """How a checkout stands, from our own books; `amount` is in dollars."""

    session_id: str
    kind: PurchaseKind
    tier: str | None
    amount: float
    status: PurchaseStatus


class PortalResponse(ApiResponse, frozen=True, kw_only=True):
    """Stripe's page for cards, invoices and cancelling."""

    portal_url: str


class WebhookResponse(ApiResponse, frozen=True, kw_only=True):
    """The event is kept; the work comes later."""

    status: Literal["received"] = "received"
