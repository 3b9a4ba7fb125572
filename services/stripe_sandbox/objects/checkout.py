"""Checkout sessions and their line items."""

from services.stripe_sandbox.errors import Body
from services.stripe_sandbox.objects.common import merged, nulls
from services.stripe_sandbox.store import new_id

NULLS = """adaptive_pricing after_expiration allow_promotion_codes allowed_payment_method_types
billing_address_collection cancel_url client_reference_id client_secret consent consent_collection
currency_conversion customer customer_account customer_creation customer_details customer_email
invoice locale origin_context payment_intent payment_link payment_method_configuration_details
recovered_from return_url saved_payment_method_options setup_intent shipping_address_collection
shipping_cost submit_type subscription success_url"""
GIVEN = """allow_promotion_codes allowed_payment_method_types billing_address_collection cancel_url
client_reference_id consent_collection customer customer_email locale return_url
saved_payment_method_options submit_type success_url"""


def session(params: Body, line_items: list[Body], now: int, public_url: str) -> Body:
    """An open session; `_data` is what its payment, subscription, setup or invoice will get."""
    session_id = new_id("cs_test")
    total = sum(each["amount_total"] for each in line_items)
    mode, data = params["mode"], params.get("subscription_data", {})
    due = 0 if {"trial_end", "trial_period_days"} & data.keys() else total
    return {
        **nulls(NULLS),
        **{name: params[name] for name in GIVEN.split() if name in params},
        "id": session_id,
        "object": "checkout.session",
        "amount_subtotal": None if mode == "setup" else due,
        "amount_total": None if mode == "setup" else due,
        "automatic_tax": {
            **nulls("liability provider status"),
            "enabled": params.get("automatic_tax", {}).get("enabled", False),
        },
        "created": now,
        "currency": params.get("currency"),
        "custom_fields": [],
        "custom_text": nulls("after_submit shipping_address submit terms_of_service_acceptance"),
        "customer_creation": _customer_creation(params),
        "discounts": [],
        "expires_at": params["expires_at"],
        "invoice_creation": _invoice_creation(params),
        "livemode": False,
        "metadata": merged({}, params.get("metadata")),
        "mode": mode,
        "payment_method_collection": params.get(
            "payment_method_collection", None if mode == "setup" else "always"
        ),
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": ["card"],
        "payment_status": "no_payment_required" if mode == "setup" else "unpaid",
        "phone_number_collection": {"enabled": False},
        "shipping_options": [],
        "status": "open",
        "total_details": (
            None
            if mode == "setup"
            else {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0}
        ),
        "ui_mode": "hosted_page",
        "url": f"{public_url}/c/pay/{session_id}",
        "_line_items": line_items,
        "_data": {name: params[name] for name in DATA if name in params},
    }


DATA = ("payment_intent_data", "setup_intent_data", "subscription_data", "invoice_creation")


def _customer_creation(params: Body) -> str | None:
    if "customer" in params or params["mode"] == "subscription":
        return None
    choice: str = params.get("customer_creation", "if_required")
    return choice


def _invoice_creation(params: Body) -> Body | None:
    if params["mode"] != "payment":
        return None
    given = params.get("invoice_creation", {})
    data = given.get("invoice_data", {})
    none = nulls("account_tax_ids custom_fields description footer issuer rendering_options")
    return {
        "enabled": given.get("enabled", False),
        "invoice_data": {**none, **data, "metadata": data.get("metadata") or {}},
    }


def line_item(price: Body, name: str, amount: int, params: Body) -> Body:
    """A line of a session: so many of a price, in cents."""
    return {
        "id": new_id("li"),
        "object": "item",
        "amount_discount": 0,
        "amount_subtotal": amount,
        "amount_tax": 0,
        "amount_total": amount,
        "currency": price["currency"],
        "description": name,
        "metadata": merged({}, params.get("metadata")),
        "price": price,
        "quantity": params.get("quantity", 1),
    }


def customer_details(customer: Body | None, email: str | None, name: str | None) -> Body:
    """Who has paid, as the session shows it."""
    known = customer or {}
    return {
        **nulls("business_name individual_name"),
        "address": known.get("address"),
        "email": known.get("email") or email,
        "name": known.get("name") or name,
        "phone": known.get("phone"),
        "tax_exempt": known.get("tax_exempt", "none"),
        "tax_ids": [],
    }
