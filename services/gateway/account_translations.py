"""Contracts of account and stripe_gateway become responses; cents turn into dollars. Pure."""

import msgspec

from services.gateway.account_responses import (
    BillingAccountResponse,
    BuyerResponse,
    CheckoutStateResponse,
    CreditBalanceResponse,
    CreditEntryResponse,
    PaymentMethodResponse,
)
from services.gateway.dollars import dollars_of_cents
from services.gateway.free_workflows import FreeWorkflows
from shared.contracts.account import Account, CreditBalance, CreditEntry
from shared.contracts.stripe_gateway import CheckoutState, PaymentMethod


def billing_account(account: Account, free: FreeWorkflows) -> BillingAccountResponse:
    """An account with the free workflows that its subscription counts."""
    limit = account.auto_billing_monthly_limit_cents
    return BillingAccountResponse(
        id=account.billing_account_id,
        organization_id=account.organization_id,
        stripe_customer_id=account.stripe_customer_id,
        has_payment_method=account.has_payment_method,
        status=account.status,
        free_workflows_remaining=free.remaining,
        free_workflows_reset_at=free.reset_at,
        credit_balance=dollars_of_cents(account.credit_balance_cents),
        auto_billing_enabled=account.auto_billing_enabled,
        billing_email=account.billing_email,
        tax_exempt=account.tax_exempt,
        total_workflows_completed=account.total_workflows_completed,
        total_amount_spent=dollars_of_cents(account.total_amount_spent_cents),
        created_at=account.created_at,
        updated_at=account.updated_at,
        auto_billing_monthly_limit=None if limit is None else dollars_of_cents(limit),
        credit_held=dollars_of_cents(account.credit_held_cents),
        credit_debt=dollars_of_cents(account.credit_debt_cents),
        buyer=msgspec.convert(msgspec.to_builtins(account.buyer), BuyerResponse),
    )


def credit_entry(entry: CreditEntry) -> CreditEntryResponse:
    """A line of the ledger."""
    return CreditEntryResponse(
        id=entry.entry_id,
        sequence=entry.sequence,
        kind=entry.kind,
        lot_kind=entry.lot_kind,
        amount=dollars_of_cents(entry.amount_cents),
        balance_after=dollars_of_cents(entry.balance_after_cents),
        debt_after=dollars_of_cents(entry.debt_after_cents),
        description=entry.description,
        reference=entry.reference,
        expires_at=entry.expires_at,
        created_at=entry.created_at,
    )


def credit_balance(balance: CreditBalance) -> CreditBalanceResponse:
    """Credits after an operator's change."""
    return CreditBalanceResponse(
        balance=dollars_of_cents(balance.balance_cents),
        held=dollars_of_cents(balance.held_cents),
        debt=dollars_of_cents(balance.debt_cents),
        changed=dollars_of_cents(balance.changed_cents),
    )


def payment_method(method: PaymentMethod) -> PaymentMethodResponse:
    """A saved card or other method."""
    return PaymentMethodResponse(
        id=method.payment_method_id,
        type=method.type,
        card_brand=method.card_brand,
        card_last4=method.card_last4,
        is_default=method.is_default,
        exp_month=method.exp_month,
        exp_year=method.exp_year,
    )


def checkout_state(state: CheckoutState) -> CheckoutStateResponse:
    """How a purchase stands."""
    return CheckoutStateResponse(
        session_id=state.session_id,
        kind=state.kind,
        tier=state.tier,
        amount=dollars_of_cents(state.amount_cents),
        status=state.status,
    )
