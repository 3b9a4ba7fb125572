"""Payment intents and setup intents."""

from services.stripe_sandbox.errors import Body
from services.stripe_sandbox.objects.common import merged, nulls
from services.stripe_sandbox.store import new_id

PAYMENT_NULLS = """application application_fee_amount canceled_at cancellation_reason customer
customer_account description last_payment_error latest_charge next_action on_behalf_of
payment_method payment_method_configuration_details processing receipt_email review
setup_future_usage shipping source statement_descriptor statement_descriptor_suffix transfer_data
transfer_group excluded_payment_method_types"""
PAYMENT_GIVEN = """customer description payment_method receipt_email setup_future_usage shipping
statement_descriptor statement_descriptor_suffix"""

SETUP_NULLS = """application cancellation_reason customer customer_account description
excluded_payment_method_types flow_directions last_setup_error latest_attempt mandate next_action
on_behalf_of payment_method payment_method_configuration_details single_use_mandate"""
SETUP_GIVEN = "customer description payment_method"

AUTOMATIC = {"allow_redirects": "always", "enabled": True}


def payment_intent(params: Body, now: int, **ours: object) -> Body:
    """A new payment intent of `amount` cents; `ours` are the sandbox's own fields."""
    intent_id = new_id("pi")
    return {
        **nulls(PAYMENT_NULLS),
        **{name: params[name] for name in PAYMENT_GIVEN.split() if name in params},
        "id": intent_id,
        "object": "payment_intent",
        "allowed_payment_method_types": params.get("allowed_payment_method_types"),
        "amount": params["amount"],
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "automatic_payment_methods": _automatic(params),
        "capture_method": params.get("capture_method", "automatic_async"),
        "client_secret": f"{intent_id}_{new_id('secret')}",
        "confirmation_method": params.get("confirmation_method", "automatic"),
        "created": now,
        "currency": params["currency"],
        "livemode": False,
        "metadata": merged({}, params.get("metadata")),
        "payment_method_options": _options(params),
        "payment_method_types": params.get("allowed_payment_method_types") or ["card"],
        "status": "requires_payment_method",
        **ours,
    }


def setup_intent(params: Body, now: int, **ours: object) -> Body:
    """A new setup intent."""
    intent_id = new_id("seti")
    return {
        **nulls(SETUP_NULLS),
        **{name: params[name] for name in SETUP_GIVEN.split() if name in params},
        "id": intent_id,
        "object": "setup_intent",
        "allowed_payment_method_types": params.get("allowed_payment_method_types"),
        "automatic_payment_methods": _automatic(params),
        "client_secret": f"{intent_id}_{new_id('secret')}",
        "created": now,
        "livemode": False,
        "metadata": merged({}, params.get("metadata")),
        "payment_method_options": _options(params),
        "payment_method_types": params.get("allowed_payment_method_types") or ["card"],
        "status": "requires_payment_method",
        "usage": params.get("usage", "off_session"),
        **ours,
    }


def _automatic(params: Body) -> Body | None:
    if params.get("allowed_payment_method_types"):
        return None
    return {**AUTOMATIC, **params.get("automatic_payment_methods", {})}


def _options(params: Body) -> Body:
    card = {
        **nulls("mandate_options network"),
        "request_three_d_secure": "automatic",
        **params.get("payment_method_options", {}).get("card", {}),
    }
    return {"card": card}


def card_error(error: Body, method: Body | None) -> Body:
    """An error as an intent remembers it, with the payment method that it is about."""
    return {**error, "payment_method": method} if method else dict(error)
