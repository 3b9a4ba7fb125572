"""Invoices of Stripe's own: looked at, paid, given back, voided."""

import logging
from typing import TYPE_CHECKING

import msgspec

from services.stripe_gateway.rules.invoice_objects import (
    Invoice,
    InvoiceLine,
    InvoiceLines,
    InvoicePayment,
)
from services.stripe_gateway.rules.invoices import MOST_LINES
from services.stripe_gateway.rules.objects import Intent
from services.stripe_gateway.stripe_api.connection import Mark, StripeApi, StripeRefused, read
from services.stripe_gateway.stripe_api.payments import fetch_intent, refund

if TYPE_CHECKING:
    from stripe.params import InvoicePayParams

logger = logging.getLogger(__name__)


async def fetch_invoice(api: StripeApi, invoice_id: str) -> Invoice:
    """An invoice as it stands, with its first 100 lines."""
    invoice = read(Invoice, await api.send(lambda: api.v1.invoices.retrieve_async(invoice_id)))
    if not invoice.lines.has_more:
        return invoice
    found = await api.send(
        lambda: api.v1.invoices.line_items.list_async(invoice_id, {"limit": MOST_LINES})
    )
    lines = InvoiceLines([read(InvoiceLine, each) for each in found.data], found.has_more)
    return msgspec.structs.replace(invoice, lines=lines)


async def pay_invoice(
    api: StripeApi, mark: Mark, invoice_id: str, method_id: str | None, *, off_session: bool
) -> None:
    """Collect an open invoice once, by default with the card that Stripe would take. Raises
    StripeRefused, with the payment's id when it was declined or has to be confirmed.
    """
    params: InvoicePayParams = {"off_session": off_session}
    if method_id is not None:
        params["payment_method"] = method_id

    async def make(key: str) -> Invoice:
        paid = await api.v1.invoices.pay_async(invoice_id, params, {"idempotency_key": key})
        return read(Invoice, paid)

    async def find() -> Invoice | None:
        invoice = await fetch_invoice(api, invoice_id)
        return invoice if invoice.status == "paid" else None

    await api.once(mark, "pay_invoice", make, find)


async def find_payment(api: StripeApi, invoice_id: str) -> Intent | None:
    """The payment with which an invoice is paid, or is to be."""
    found = await api.send(
        lambda: api.v1.invoice_payments.list_async({"invoice": invoice_id, "limit": 10})
    )
    for each in found.data:
        intent_id = read(InvoicePayment, each).payment.payment_intent
        if intent_id is not None:
            return await fetch_intent(api, intent_id)
    return None


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


async def void_invoice(api: StripeApi, mark: Mark, invoice_id: str) -> Invoice:
    """Make sure that an invoice is not paid any more."""

    async def make(key: str) -> Invoice:
        voided = await api.v1.invoices.void_invoice_async(invoice_id, {}, {"idempotency_key": key})
        return read(Invoice, voided)

    return await api.once(mark, "void_invoice", make)
