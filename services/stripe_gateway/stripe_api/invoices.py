"""Invoices that Stripe makes for subscriptions: collected now, or given back."""

import logging

from msgspec import Struct

from services.stripe_gateway.rules.objects import Invoice
from services.stripe_gateway.stripe_api.connection import Mark, StripeApi, StripeRefused, read
from services.stripe_gateway.stripe_api.payments import refund

logger = logging.getLogger(__name__)


class Payment(Struct, frozen=True):
    """What paid; null when it was no payment of Stripe's."""

    payment_intent: str | None = None


class InvoicePayment(Struct, frozen=True):
    """How much of an invoice was paid by what."""

    payment: Payment
    amount_paid: int | None = None


async def pay_invoice(api: StripeApi, mark: Mark, invoice_id: str) -> Invoice:
    """Collect an open invoice now."""

    async def make(key: str) -> Invoice:
        paid = await api.v1.invoices.pay_async(invoice_id, {}, {"idempotency_key": key})
        return read(Invoice, paid)

    return await api.once(mark, "pay_invoice", make)


async def give_back(api: StripeApi, mark: Mark, organization_id: str, invoice_id: str) -> None:
    """Refund all that an invoice was paid with, once. What went back already is left at that."""
    found = await api.send(
        lambda: api.v1.invoice_payments.list_async({"invoice": invoice_id, "status": "paid"})
    )
    for each in (read(InvoicePayment, one) for one in found.data):
        if each.payment.payment_intent is None or not each.amount_paid:
            continue
        try:
            await refund(
                api,
                mark,
                organization_id=organization_id,
                refund_id=f"invoice:{invoice_id}",
                intent_id=each.payment.payment_intent,
                amount_cents=each.amount_paid,
            )
        except StripeRefused as refused:
            told = {"invoice": invoice_id, "code": refused.code}
            logger.error("not given back", extra={"fields": told})  # noqa: TRY400
