"""What the scripted account, stripe_gateway and subscription answer."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.contracts.account import (
    Account,
    AuditEntry,
    AuditTrail,
    Buyer,
    CreditBalance,
    CreditEntries,
    CreditEntry,
    GetAccount,
    GrantCredits,
    ListAudit,
    ListCreditEntries,
    TakeCredits,
    UpdateAccount,
)
from shared.contracts.base import Done, Reply, Request
from shared.contracts.stripe_gateway import (
    AttachPaymentMethod,
    Checkout,
    CheckoutState,
    CreateCheckout,
    CreatePortal,
    CreateSetupIntent,
    DetachPaymentMethod,
    GetCheckout,
    ListPaymentMethods,
    PaymentMethod,
    PaymentMethods,
    Portal,
    ReceiveWebhook,
    SetupIntent,
)
from shared.contracts.subscription import (
    CancelSubscription,
    ChangePlan,
    ChangePreview,
    CheckExecution,
    CompleteWorkflow,
    ExecutionCheck,
    GetPlans,
    GetSubscription,
    GetUsageSummary,
    LimitWarning,
    Offer,
    OfferTier,
    Plan,
    Plans,
    PreviewChange,
    ReactivateSubscription,
    ReleaseWorkflow,
    RenewReservation,
    Reservation,
    ReserveWorkflow,
    SetByoProviders,
    SetGauge,
    SetTier,
    Subscription,
    UsageSummary,
)

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MONTH_BEGINS = datetime(2026, 11, 1, tzinfo=UTC)
MONTH_ENDS = datetime(2026, 12, 1, tzinfo=UTC)

ACCOUNT = Account(
    billing_account_id="account-1",
    organization_id="acme",
    stripe_customer_id="cus_1",
    has_payment_method=True,
    status="active",
    credit_balance_cents=1999,
    credit_held_cents=1000,
    credit_debt_cents=5,
    auto_billing_enabled=True,
    auto_billing_monthly_limit_cents=10_050,
    billing_email="billing@acme.example",
    tax_exempt=False,
    buyer=Buyer(name="Acme Inc."),
    total_workflows_completed=7,
    total_amount_spent_cents=101,
    version=3,
    created_at=AT - timedelta(days=3),
    updated_at=AT,
)
CREDIT = CreditEntry(
    entry_id="entry-1",
    sequence=1,
    kind="granted",
    lot_kind="purchased",
    amount_cents=1999,
    balance_after_cents=1999,
    description="$19.99 of credits",
    reference="cs_1",
    expires_at=None,
    created_at=AT,
)
BALANCE = CreditBalance(balance_cents=2999, held_cents=0, debt_cents=0, changed_cents=1000)
AUDIT = AuditTrail(
    entries=(
        AuditEntry(
            sequence=1,
            actor="user:root",
            action="grant_credits",
            subject="grant-1",
            changes={"amount_cents": "1000"},
            at=AT,
            hash="00",
        ),
    )
)
VISA = PaymentMethod(
    payment_method_id="pm_1",
    type="card",
    card_brand="visa",
    card_last4="4242",
    exp_month=12,
    exp_year=2030,
    is_default=True,
)
MASTERCARD = PaymentMethod(
    payment_method_id="pm_2",
    type="card",
    card_brand="mastercard",
    card_last4="4444",
    exp_month=1,
    exp_year=2029,
    is_default=False,
)
METHODS = PaymentMethods(payment_methods=(VISA, MASTERCARD))
CHECKOUT = Checkout(session_id="cs_1", checkout_url="https://checkout.stripe.example/cs_1")
PRO = Plan(
    tier="pro",
    name="Pro",
    price_cents=7900,
    interval="month",
    workflows_limit=100,
    agents_limit=5,
    storage_limit_gb=50,
)
ENTERPRISE = Plan(
    tier="enterprise",
    name="Enterprise",
    price_cents=None,
    interval=None,
    workflows_limit=-1,
    agents_limit=-1,
    storage_limit_gb=-1,
    notes=("Contact us",),
)
WARNING = LimitWarning(resource="storage", used=20, limit=10, detail="20 GB are stored.")
SUBSCRIPTION = Subscription(
    subscription_id="subscription-1",
    organization_id="acme",
    billing_account_id="account-1",
    tier="pro",
    price_cents=7900,
    status="active",
    current_period_start=MONTH_BEGINS,
    current_period_end=MONTH_ENDS,
    cancel_at_period_end=False,
    canceled_at=None,
    trial_start=None,
    trial_end=None,
    pending_tier="starter",
    pending_change_at=MONTH_ENDS,
    workflows_limit=100,
    workflows_used=40,
    workflows_reserved=2,
    workflows_remaining=58,
    workflows_reset_at=MONTH_ENDS,
    agents_limit=5,
    agents_used=3,
    storage_limit_gb=50,
    storage_used_bytes=3 * 1024**3 // 2,
    is_lifetime=False,
    lifetime_purchase_date=None,
    lifetime_purchase_cents=None,
    is_byo=False,
    byo_providers_configured=None,
    suspended=False,
    grace_ends_at=None,
    warnings=(WARNING,),
    created_at=MONTH_BEGINS,
    updated_at=AT,
)
USAGE = UsageSummary(
    organization_id="acme",
    tier="pro",
    status="active",
    suspended=False,
    period_start=MONTH_BEGINS,
    period_end=MONTH_ENDS,
    workflows_limit=100,
    workflows_used=40,
    workflows_reserved=2,
    workflows_remaining=58,
    free_workflows_limit=5,
    free_workflows_used=1,
    free_workflows_reserved=1,
    free_workflows_remaining=3,
    free_workflows_reset_at=MONTH_ENDS,
    auto_billed_workflows=0,
    workflow_price_cents=1000,
    agents_limit=5,
    agents_used=3,
    storage_limit_gb=50,
    storage_used_bytes=3 * 1024**3 // 2,
)
CHECK = ExecutionCheck(
    can_execute=True, covered_by="plan", code="covered", detail="", unit_price_cents=1000
)
RESERVATION = Reservation(
    reservation_id="reservation-1",
    organization_id="acme",
    workflow_id="workflow-1",
    state="reserved",
    covered_by="credits",
    unit_price_cents=1000,
    expires_at=AT + timedelta(days=1),
)
PREVIEW = ChangePreview(
    kind="upgrade",
    from_tier="pro",
    to_tier="team",
    due_now_cents=4001,
    proration_cents=4001,
    unused_cents=-2640,
    rest_cents=6641,
    next_period_cents=19_900,
    proration_date=AT,
    takes_effect_at=AT,
    warnings=(WARNING,),
)

ANSWERS: Mapping[type[Request[Any]], Reply] = {
    GetAccount: ACCOUNT,
    UpdateAccount: ACCOUNT,
    ListCreditEntries: CreditEntries(entries=(CREDIT,)),
    GrantCredits: BALANCE,
    TakeCredits: BALANCE,
    ListAudit: AUDIT,
    ListPaymentMethods: METHODS,
    AttachPaymentMethod: METHODS,
    DetachPaymentMethod: METHODS,
    CreateSetupIntent: SetupIntent(setup_intent_id="seti_1", client_secret="seti_1_secret_x"),
    CreateCheckout: CHECKOUT,
    GetCheckout: CheckoutState(
        session_id="cs_1", kind="credits", tier=None, amount_cents=1999, status="complete"
    ),
    CreatePortal: Portal(portal_url="https://billing.stripe.example/p_1"),
    ReceiveWebhook: Done(),
    GetPlans: Plans(plans=(PRO, ENTERPRISE), workflow_price_cents=1000, free_workflows_per_month=5),
    OfferTier: Offer(tier="pro", name="Pro", price_cents=7900, interval="month"),
    GetSubscription: SUBSCRIPTION,
    CancelSubscription: SUBSCRIPTION,
    ReactivateSubscription: SUBSCRIPTION,
    PreviewChange: PREVIEW,
    ChangePlan: SUBSCRIPTION,
    SetByoProviders: SUBSCRIPTION,
    SetTier: SUBSCRIPTION,
    GetUsageSummary: USAGE,
    CheckExecution: CHECK,
    ReserveWorkflow: RESERVATION,
    RenewReservation: RESERVATION,
    CompleteWorkflow: RESERVATION,
    ReleaseWorkflow: RESERVATION,
    SetGauge: Done(),
}
