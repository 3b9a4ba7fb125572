"""Invoices of Stripe's own: looked at, paid, voided."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import msgspec

from services.stripe_gateway.rules.invoice_objects import (
    Invoice,
    InvoiceLine,
    InvoiceLines,
    InvoicePayment,
)
from services.stripe_gateway.rules.invoices import MOST_LINES
from services.stripe_gateway.rules.objects import Intent
from services.stripe_gateway.rules.purchases import LEAST_CENTS
from services.stripe_gateway.stripe_api.connection import Mark, StripeApi, StripeRefused, read
from services.stripe_gateway.stripe_api.payments import fetch_intent

if TYPE_CHECKING:
    from stripe.params import InvoicePayParams

logger = logging.getLogger(__name__)

# Invoices of one status of a subscription that are looked at, newest first; a period has a few.
MOST_INVOICES = 500
PAGE = 100


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


async def find_invoice_of(api: StripeApi, intent_id: str) -> str | None:
    """The invoice that a payment paid, if it paid one."""
    found = await api.send(
        lambda: api.v1.invoice_payments.list_async(
            {"payment": {"type": "payment_intent", "payment_intent": intent_id}, "limit": 1}
        )
    )
    return next((read(InvoicePayment, each).invoice for each in found.data), None)


async def list_invoices(
    api: StripeApi, subscription_id: str, status: Literal["draft", "open", "paid"]
) -> list[Invoice]:
    """A subscription's invoices of a status, newest first, each with its first 10 lines."""

    async def pages() -> list[Invoice]:
        page = await api.v1.invoices.list_async(
            {"subscription": subscription_id, "status": status, "limit": PAGE}
        )
        found: list[Invoice] = []
        async for each in page.auto_paging_iter():
            found.append(read(Invoice, each))
            if len(found) == MOST_INVOICES:
                fields = {"subscription": subscription_id, "status": status}
                logger.error("older invoices are not looked at", extra={"fields": fields})
                break
        return found

    return await api.send(pages)


async def payments_where(
    api: StripeApi, subscription_id: str, is_wanted: Callable[[Invoice], bool]
) -> dict[str, int]:
    """What those of a subscription's invoices were paid with that are wanted: cents by the
    payment's id. After an upgrade a period has two, of the whole price and of the difference.
    """
    cents: dict[str, int] = {}
    for invoice in await list_invoices(api, subscription_id, "paid"):
        if not is_wanted(invoice):
            continue
        for paid in await _list_payments(api, invoice.id):
            if paid.payment.payment_intent is not None and paid.amount_paid:
                cents[paid.payment.payment_intent] = paid.amount_paid
    return cents


async def _list_payments(api: StripeApi, invoice_id: str) -> list[InvoicePayment]:
    found = await api.send(
        lambda: api.v1.invoice_payments.list_async(
            {"invoice": invoice_id, "status": "paid", "limit": 100}
        )
    )
    return [read(InvoicePayment, each) for each in found.data]


async def void_invoice(api: StripeApi, mark: Mark, invoice_id: str) -> Invoice:
    """Make sure that an invoice is not paid any more."""

    async def make(key: str) -> Invoice:
        voided = await api.v1.invoices.void_invoice_async(invoice_id, {}, {"idempotency_key": key})
        return read(Invoice, voided)

    return await api.once(mark, "void_invoice", make)


async def withdraw_invoice(api: StripeApi, mark: Mark, invoice: Invoice) -> bool:
    """Have a draft or an open invoice of a subscription never be collected, for good where Stripe
    allows it: a subscription's draft cannot be deleted there, but finalized and then voided.
    Answers whether it is settled now, one way or the other.
    """
    own = msgspec.structs.replace(mark, local_id=f"{mark.local_id}:{invoice.id}")
    try:
        if invoice.status == "draft" and invoice.amount_due < LEAST_CENTS:
            # To finalize it would settle it, from the credit that the customer has at Stripe.
            await _stop_collecting(api, own, invoice.id)
            return True
        if invoice.status == "draft":
            invoice = await _finalize(api, own, invoice.id)
        if invoice.status == "open":
            await void_invoice(api, own, invoice.id)
    except StripeRefused as refused:
        # Its payment is under way, say. Its plan ends all the same.
        fields = {"invoice": invoice.id, "code": refused.code}
        logger.exception("an invoice is not withdrawn", extra={"fields": fields})
        return (await fetch_invoice(api, invoice.id)).status not in {"draft", "open"}
    return True


async def _finalize(api: StripeApi, mark: Mark, invoice_id: str) -> Invoice:
    async def make(key: str) -> Invoice:
        finalized = await api.v1.invoices.finalize_invoice_async(
            invoice_id, {"auto_advance": False}, {"idempotency_key": key}
        )
        return read(Invoice, finalized)

    async def find() -> Invoice | None:
        invoice = await fetch_invoice(api, invoice_id)
        return invoice if invoice.status != "draft" else None

    try:
        return await api.once(mark, "finalize_invoice", make, find)
    except StripeRefused:
        # Its hour was over, so that Stripe has done it.
        found = await find()
        if found is None:
            raise
        return found


async def _stop_collecting(api: StripeApi, mark: Mark, invoice_id: str) -> Invoice:
    async def make(key: str) -> Invoice:
        changed = await api.v1.invoices.update_async(
            invoice_id, {"auto_advance": False}, {"idempotency_key": key}
        )
        return read(Invoice, changed)

    return await api.once(mark, "stop_collecting", make)
