"""Which invoices may be collected, and how an attempt moves by what is told of its charge."""

from datetime import datetime

import msgspec

from services.invoicing.tables.rows import InvoiceRow, PaymentRow, ProfileRow
from shared.contracts.base import Refusal
from shared.contracts.invoicing import InvoiceStatus
from shared.contracts.stripe_gateway import Charge, ChargeStatus

UNPAID: frozenset[InvoiceStatus] = frozenset({"open", "past_due"})
UNDER_WAY: frozenset[ChargeStatus] = frozenset({"pending", "requires_action"})
COLLECTED: frozenset[ChargeStatus] = frozenset({"succeeded", "refunded", "partially_refunded"})

NO_INVOICE = Refusal(
    code="invoice_not_found", detail="There is no such invoice in this organization.", status=404
)
IS_DRAFT = Refusal(
    code="invoice_draft", detail="This invoice is still a draft, so it cannot be paid yet."
)
IS_VOID = Refusal(code="invoice_void", detail="This invoice was voided: nothing is owed for it.")
IS_PAID = Refusal(code="invoice_paid", detail="This invoice is paid already.")
NOTHING_DUE = Refusal(code="nothing_due", detail="Nothing is due for this invoice.")
PARKED = Refusal(
    code="account_parked",
    detail="This account's numbers are being checked, so nothing is charged for the moment.",
)
_NOT_PAYABLE = {"draft": IS_DRAFT, "void": IS_VOID, "paid": IS_PAID}


def due_cents(invoice: InvoiceRow) -> int:
    """What is still to be collected of an invoice; credit notes have lessened it."""
    if invoice.status not in UNPAID:
        return 0
    return max(0, invoice.amount_due_cents - invoice.amount_paid_cents - invoice.credited_cents)


def refuse_to_pay(profile: ProfileRow, invoice: InvoiceRow) -> Refusal | None:
    """Why an invoice cannot be paid; None when it can."""
    if invoice.status in _NOT_PAYABLE:
        return _NOT_PAYABLE[invoice.status]
    if not due_cents(invoice):
        return NOTHING_DUE
    return PARKED if profile.parked_reason is not None else None


def is_same_attempt(payment: PaymentRow, wanted_method_id: str | None) -> bool:
    """Whether a customer who comes again goes on with what waits for the bank's question. What was
    begun without the customer cannot be finished by one.
    """
    if payment.automatic:
        return False
    return wanted_method_id in {None, payment.payment_method_id}


def stands_like(
    payment: PaymentRow, charge: Charge, version: int | None, at: datetime
) -> PaymentRow:
    """An attempt after a word about its charge: a fact with its version, or an answer without.

    Money that was collected stays so: whatever else comes later is out of date, except, as a
    fact, what was given back of it or is disputed.
    """
    if version is not None and version <= payment.charge_version:
        return payment
    status = _status_after(payment.status, charge.status, is_fact=version is not None)
    known = {"charge_version": version} if version is not None else {}
    if status != charge.status:
        return msgspec.structs.replace(payment, **known)
    failed = status in {"failed", "requires_action"}
    return msgspec.structs.replace(
        payment,
        **known,
        status=status,
        stripe_payment_intent_id=charge.stripe_payment_intent_id
        or payment.stripe_payment_intent_id,
        payment_method_type=charge.payment_method_type or payment.payment_method_type,
        payment_method_brand=charge.payment_method_brand or payment.payment_method_brand,
        payment_method_last4=charge.payment_method_last4 or payment.payment_method_last4,
        failure_code=charge.failure_code if failed else None,
        failure_message=charge.failure_message if failed else None,
        **_gone_again(payment, charge, status, is_fact=version is not None),
        succeeded_at=(payment.succeeded_at or charge.succeeded_at or at)
        if status in COLLECTED
        else None,
    )


def _gone_again(
    payment: PaymentRow, charge: Charge, status: ChargeStatus, *, is_fact: bool
) -> dict[str, int]:
    """What of it was given back or is disputed, where that is told; only facts are in order."""
    if status not in COLLECTED:
        return {"refunded_cents": 0, "disputed_cents": 0}
    if payment.status in COLLECTED and not is_fact:
        return {}
    return {"refunded_cents": charge.refunded_cents, "disputed_cents": charge.disputed_cents}


def _status_after(before: ChargeStatus, told: ChargeStatus, *, is_fact: bool) -> ChargeStatus:
    if told in COLLECTED:
        # Only facts are in order, so only they may say that a refund came or failed.
        return before if before in COLLECTED and not is_fact else told
    if before in COLLECTED or before == "failed":
        return before
    return told
