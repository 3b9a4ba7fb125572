"""Subscriptions and their items."""

from typing import Any

from services.stripe_sandbox.errors import Body
from services.stripe_sandbox.listing import list_object
from services.stripe_sandbox.objects.catalog import plan
from services.stripe_sandbox.objects.common import merged, nulls
from services.stripe_sandbox.store import new_id

NULLS = """application application_fee_percent billing_cycle_anchor_config billing_thresholds
cancel_at canceled_at customer_account days_until_due default_payment_method default_source
description ended_at latest_invoice next_pending_invoice_item_invoice on_behalf_of pause_collection
pending_invoice_item_interval pending_setup_intent pending_update schedule transfer_data trial_end
trial_start"""
GIVEN = "days_until_due default_payment_method description"
NO_DETAILS = nulls("comment feedback reason")


def subscription(customer: Body, params: Body, now: int, **dates: Any) -> Body:
    """A subscription without items, not yet paid."""
    return {
        **nulls(NULLS),
        **{name: params[name] for name in GIVEN.split() if name in params},
        "id": new_id("sub"),
        "object": "subscription",
        "automatic_tax": {
            "disabled_reason": None,
            "enabled": params.get("automatic_tax", {}).get("enabled", False),
            "liability": None,
        },
        "billing_cycle_anchor": now,
        "billing_mode": {
            "flexible": {"proration_discounts": "included"},
            "type": params.get("billing_mode", {}).get("type", "flexible"),
            "updated_at": now,
        },
        "billing_schedules": [],
        "cancel_at_period_end": False,
        "cancellation_details": dict(NO_DETAILS),
        "collection_method": params.get("collection_method", "charge_automatically"),
        "created": now,
        "currency": params.get("currency", "usd"),
        "customer": customer["id"],
        "default_tax_rates": [],
        "discounts": [],
        "invoice_settings": {"account_tax_ids": None, "issuer": {"type": "self"}},
        "livemode": False,
        "metadata": merged({}, params.get("metadata")),
        "payment_settings": {
            **nulls("payment_method_options payment_method_types"),
            "save_default_payment_method": "off",
            **params.get("payment_settings", {}),
        },
        "start_date": now,
        "status": "incomplete",
        "test_clock": customer["test_clock"],
        "trial_settings": params.get("trial_settings")
        or {"end_behavior": {"missing_payment_method": "create_invoice"}},
        **dates,
    }


def set_items(body: Body, items: list[Body]) -> None:
    """Give a subscription its items."""
    url = f"/v1/subscription_items?subscription={body['id']}"
    body["items"] = list_object(url, items)


def item(body: Body, price: Body, quantity: int, now: int, metadata: Body | None = None) -> Body:
    """A new item of a subscription; its period is set with the subscription's."""
    return {
        "id": new_id("si"),
        "object": "subscription_item",
        "billing_thresholds": None,
        "created": now,
        "current_period_end": now,
        "current_period_start": now,
        "discounts": [],
        "metadata": merged({}, metadata),
        "plan": plan(price),
        "price": price,
        "quantity": quantity,
        "subscription": body["id"],
        "tax_rates": [],
    }


def items_of(body: Body) -> list[Body]:
    """The items of a subscription."""
    found: list[Body] = body["items"]["data"]
    return found


def period_of(body: Body) -> tuple[int, int]:
    """The current period of a subscription: [start, end) in seconds since 1970."""
    first = items_of(body)[0]
    return first["current_period_start"], first["current_period_end"]


def set_period(body: Body, start: int, end: int) -> None:
    """Begin a period."""
    for each in items_of(body):
        each["current_period_start"], each["current_period_end"] = start, end
