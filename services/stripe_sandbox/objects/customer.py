"""Customers."""

from services.stripe_sandbox.errors import Body
from services.stripe_sandbox.objects.common import address, merged, nulls
from services.stripe_sandbox.store import new_id

NULLS = (
    "business_name currency default_source description discount email individual_name name phone"
)


def customer(params: Body, now: int) -> Body:
    """A new customer."""
    customer_id = new_id("cus")
    return {
        **nulls(NULLS),
        **{name: params[name] for name in NULLS.split() if name in params},
        "id": customer_id,
        "object": "customer",
        "address": address(params.get("address")),
        "balance": params.get("balance", 0),
        "created": now,
        "delinquent": False,
        "invoice_prefix": params.get("invoice_prefix") or customer_id[4:12].upper(),
        "invoice_settings": invoice_settings({}, params.get("invoice_settings")),
        "livemode": False,
        "metadata": merged({}, params.get("metadata")),
        "next_invoice_sequence": params.get("next_invoice_sequence", 1),
        "preferred_locales": params.get("preferred_locales", []),
        "shipping": shipping(params.get("shipping")),
        "tax_exempt": params.get("tax_exempt") or "none",
        "test_clock": params.get("test_clock"),
    }


def invoice_settings(old: Body, given: Body | None) -> Body:
    """How a customer is invoiced, with what was given changed."""
    none = nulls("custom_fields default_payment_method footer rendering_options")
    return {**none, **old, **(given or {})}


def shipping(given: Body | None) -> Body | None:
    """Where to send things."""
    if given is None:
        return None
    none = nulls("carrier name phone tracking_number")
    return {**none, **given, "address": address(given.get("address"))}


def deleted(body: Body) -> Body:
    """What is left of a deleted object."""
    return {"id": body["id"], "object": body["object"], "deleted": True}


def balance_transaction(
    customer_body: Body, amount: int, kind: str, currency: str, now: int, **about: object
) -> Body:
    """A change of what a customer owes (+) or has to their credit (−), in cents."""
    return {
        **nulls("checkout_session credit_note customer_account description invoice"),
        "id": new_id("cbtxn"),
        "object": "customer_balance_transaction",
        "amount": amount,
        "created": now,
        "currency": currency,
        "customer": customer_body["id"],
        "ending_balance": customer_body["balance"],
        "livemode": False,
        "metadata": {},
        "type": kind,
        **about,
    }
