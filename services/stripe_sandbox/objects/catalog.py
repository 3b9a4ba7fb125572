"""Products and prices."""

from decimal import Decimal

from services.stripe_sandbox.errors import Body
from services.stripe_sandbox.objects.common import merged, nulls
from services.stripe_sandbox.store import new_id

PRODUCT_NULLS = """default_price description package_dimensions shippable statement_descriptor
tax_code unit_label url"""
PRODUCT_GIVEN = "description statement_descriptor tax_code unit_label url shippable"


def product(params: Body, now: int) -> Body:
    """A new product."""
    return {
        **nulls(PRODUCT_NULLS),
        **{name: params[name] for name in PRODUCT_GIVEN.split() if name in params},
        "id": params.get("id") or new_id("prod"),
        "object": "product",
        "active": params.get("active", True),
        "created": now,
        "images": params.get("images", []),
        "livemode": False,
        "marketing_features": [],
        "metadata": merged({}, params.get("metadata")),
        "name": params["name"],
        "type": "service",
        "updated": now,
    }


def price(params: Body, product_id: str, now: int) -> Body:
    """A new price per unit; `unit_amount_decimal` is in cents and may have 12 places."""
    exact: Decimal = params.get("unit_amount_decimal", Decimal(params.get("unit_amount", 0)))
    recurring = params.get("recurring")
    return {
        **nulls("custom_unit_amount tiers_mode transform_quantity"),
        "id": new_id("price"),
        "object": "price",
        "active": params.get("active", True),
        "billing_scheme": "per_unit",
        "created": now,
        "currency": params["currency"],
        "livemode": False,
        "lookup_key": params.get("lookup_key"),
        "metadata": merged({}, params.get("metadata")),
        "nickname": params.get("nickname"),
        "product": product_id,
        "recurring": _recurring(recurring) if recurring else None,
        "tax_behavior": params.get("tax_behavior", "unspecified"),
        "type": "recurring" if recurring else "one_time",
        "unit_amount": int(exact) if exact == int(exact) else None,
        "unit_amount_decimal": f"{exact.normalize():f}",
    }


def _recurring(given: Body) -> Body:
    return {
        "interval": given["interval"],
        "interval_count": given.get("interval_count", 1),
        "meter": None,
        "trial_period_days": None,
        "usage_type": "licensed",
    }


def plan(of: Body) -> Body:
    """A recurring price in the older form that subscription items still carry."""
    return {
        **nulls("meter nickname tiers_mode transform_usage trial_period_days"),
        "id": of["id"],
        "object": "plan",
        "active": of["active"],
        "amount": of["unit_amount"],
        "amount_decimal": of["unit_amount_decimal"],
        "billing_scheme": "per_unit",
        "created": of["created"],
        "currency": of["currency"],
        "interval": of["recurring"]["interval"],
        "interval_count": of["recurring"]["interval_count"],
        "livemode": False,
        "metadata": of["metadata"],
        "product": of["product"],
        "usage_type": "licensed",
    }
