"""Invoices with their lines and payments, invoice items, credit notes."""

from typing import Any

from services.stripe_sandbox.errors import Body
from services.stripe_sandbox.listing import page_of
from services.stripe_sandbox.objects.common import merged, nulls
from services.stripe_sandbox.store import new_id

INVOICE_NULLS = """account_tax_ids application automatically_finalizes_at custom_fields
customer_account customer_shipping default_payment_method default_source description due_date
effective_at ending_balance footer from_invoice hosted_invoice_url invoice_pdf
last_finalization_error latest_revision next_payment_attempt number on_behalf_of receipt_number
rendering shipping_cost shipping_details statement_descriptor threshold_reason
webhooks_delivered_at"""
GIVEN = "custom_fields default_payment_method description due_date footer statement_descriptor"


def invoice(customer: Body, now: int, reason: str, params: Body, **ours: Any) -> Body:
    """A draft without lines."""
    invoice_id = new_id("in")
    return {
        **nulls(INVOICE_NULLS),
        **{name: params[name] for name in GIVEN.split() if name in params},
        **_money(customer),
        **_whose(customer),
        "id": invoice_id,
        "object": "invoice",
        "account_country": "US",
        "account_name": "Sandbox",
        "attempt_count": 0,
        "attempted": False,
        "auto_advance": params.get("auto_advance", False),
        "automatic_tax": {
            **nulls("disabled_reason liability provider status"),
            "enabled": params.get("automatic_tax", {}).get("enabled", False),
        },
        "billing_reason": reason,
        "collection_method": params.get("collection_method", "charge_automatically"),
        "created": now,
        "currency": params.get("currency", "usd"),
        "default_tax_rates": [],
        "discounts": [],
        "issuer": {"type": "self"},
        "livemode": False,
        "metadata": merged({}, params.get("metadata")),
        "parent": params.get("parent"),
        "payment_settings": nulls("default_mandate payment_method_options payment_method_types"),
        "period_end": now,
        "period_start": now,
        "status": "draft",
        "status_transitions": nulls("finalized_at marked_uncollectible_at paid_at voided_at"),
        "test_clock": customer["test_clock"],
        "_lines": [],
        **ours,
    }


def _money(customer: Body) -> Body:
    return {
        "amount_due": 0,
        "amount_overpaid": 0,
        "amount_paid": 0,
        "amount_remaining": 0,
        "amount_shipping": 0,
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "starting_balance": customer["balance"],
        "subtotal": 0,
        "subtotal_excluding_tax": 0,
        "total": 0,
        "total_discount_amounts": [],
        "total_excluding_tax": 0,
        "total_pretax_credit_amounts": [],
        "total_taxes": [],
    }


def _whose(customer: Body) -> Body:
    return {
        "customer": customer["id"],
        "customer_address": customer["address"],
        "customer_email": customer["email"],
        "customer_name": customer["name"],
        "customer_phone": customer["phone"],
        "customer_tax_exempt": customer["tax_exempt"],
        "customer_tax_ids": [],
    }


def total_up(body: Body) -> None:
    """Have the sums of a draft follow its lines; what is due counts the customer's balance in."""
    total = sum(line["amount"] for line in body["_lines"])
    for name in ("subtotal", "subtotal_excluding_tax", "total", "total_excluding_tax"):
        body[name] = total
    body["amount_due"] = body["amount_remaining"] = max(total + body["starting_balance"], 0)
    body["lines"] = page_of(body["_lines"], f"/v1/invoices/{body['id']}/lines", {})


def of_subscription(subscription: Body) -> Body:
    """What makes an invoice one of a subscription."""
    details = {
        "metadata": subscription["metadata"],
        "subscription": subscription["id"],
        "subscription_proration_date": None,
    }
    return {"quote_details": None, "subscription_details": details, "type": "subscription_details"}


def subscription_of(body: Body) -> str | None:
    """The id of the subscription that an invoice belongs to."""
    details = (body["parent"] or {}).get("subscription_details") or {}
    return details.get("subscription")


def line(
    invoice_id: str,
    amount: int,
    description: str | None,
    *,
    price: Body | None,
    quantity: int,
    period: tuple[int, int],
    parent: Body,
    currency: str,
    metadata: Body | None = None,
) -> Body:
    """A line of some cents; the period is half-open, in seconds since 1970."""
    return {
        "id": new_id("il"),
        "object": "line_item",
        "amount": amount,
        "currency": currency,
        "description": description,
        "discount_amounts": [],
        "discountable": False,
        "discounts": [],
        "invoice": invoice_id,
        "livemode": False,
        "metadata": metadata or {},
        "parent": parent,
        "period": {"end": period[1], "start": period[0]},
        "pretax_credit_amounts": [],
        "pricing": _pricing(price) if price else None,
        "quantity": quantity,
        "quantity_decimal": str(quantity),
        "subscription": (parent[parent["type"]] or {}).get("subscription"),
        "subtotal": amount,
        "taxes": [],
    }


def _pricing(price: Body) -> Body:
    return {
        "price_details": {"price": price["id"], "product": price["product"]},
        "type": "price_details",
        "unit_amount_decimal": price["unit_amount_decimal"],
    }


def from_item(item: Body) -> Body:
    """The parent of a line that an invoice item became."""
    subscription = (item["parent"] or {}).get("subscription_details") or {}
    details = {
        "invoice_item": item["id"],
        "proration": item["proration"],
        "proration_details": {"credited_items": None},
        "subscription": subscription.get("subscription"),
    }
    return {
        "invoice_item_details": details,
        "subscription_item_details": None,
        "type": "invoice_item_details",
    }


def from_subscription_item(item: Body, *, proration: bool) -> Body:
    """The parent of a line for a subscription item."""
    details = {
        "invoice_item": None,
        "proration": proration,
        "proration_details": {"credited_items": None},
        "subscription": item["subscription"],
        "subscription_item": item["id"],
    }
    return {
        "invoice_item_details": None,
        "subscription_item_details": details,
        "type": "subscription_item_details",
    }


def invoice_item(customer: Body, amount: int, params: Body, now: int) -> Body:
    """Something to be invoiced: on `invoice`, or else on the next one."""
    period = params.get("period", {"start": now, "end": now})
    subscription = params.get("subscription")
    parent = None
    if subscription:
        details = {
            "subscription": subscription,
            "subscription_item": params.get("subscription_item"),
        }
        parent = {"subscription_details": details, "type": "subscription_details"}
    price, quantity = params.get("price"), params.get("quantity", 1)
    return {
        "id": new_id("ii"),
        "object": "invoiceitem",
        "amount": amount,
        "currency": params["currency"],
        "customer": customer["id"],
        "customer_account": None,
        "date": now,
        "description": params.get("description"),
        "discountable": params.get("discountable", amount >= 0),
        "discounts": [],
        "invoice": params.get("invoice"),
        "livemode": False,
        "metadata": merged({}, params.get("metadata")),
        "net_amount": amount,
        "parent": parent,
        "period": {"end": period["end"], "start": period["start"]},
        "pricing": _pricing(price) if price else None,
        "proration": params.get("proration", False),
        "proration_details": None,
        "quantity": quantity,
        "quantity_decimal": str(quantity),
        "tax_rates": [],
        "test_clock": customer["test_clock"],
    }


def invoice_payment(body: Body, intent_id: str, now: int) -> Body:
    """What ties an invoice to the payment intent that pays it."""
    return {
        "id": new_id("inpay"),
        "object": "invoice_payment",
        "amount_paid": None,
        "amount_requested": body["amount_due"],
        "created": now,
        "currency": body["currency"],
        "invoice": body["id"],
        "is_default": True,
        "livemode": False,
        "payment": {"payment_intent": intent_id, "type": "payment_intent"},
        "status": "open",
        "status_transitions": {"canceled_at": None, "paid_at": None},
        "_customer": body["customer"],
    }
