"""Sessions and configurations of the billing portal, test clocks, the balance."""

from services.stripe_sandbox.errors import Body
from services.stripe_sandbox.objects.common import merged, nulls
from services.stripe_sandbox.store import new_id

FEATURES: dict[str, Body] = {
    "customer_update": {"allowed_updates": [], "enabled": False},
    "invoice_history": {"enabled": True},
    "payment_method_update": {"enabled": True, "payment_method_configuration": None},
    "subscription_cancel": {
        "cancellation_reason": {"enabled": False, "options": []},
        "enabled": True,
        "mode": "at_period_end",
        "proration_behavior": "none",
    },
    "subscription_pause": {
        "duration": {"interval_options": [], "type": "indefinite"},
        "enabled": False,
    },
    "subscription_update": {
        "billing_cycle_anchor": None,
        "default_allowed_updates": [],
        "enabled": False,
        "products": [],
        "proration_behavior": "none",
        "schedule_at_period_end": {"conditions": []},
        "trial_update_behavior": "end_trial",
    },
}
CLOCK_SECONDS = 30 * 24 * 3600


def configuration(params: Body, now: int, *, is_default: bool) -> Body:
    """What customers may do in the portal."""
    body = {
        "id": new_id("bpc"),
        "object": "billing_portal.configuration",
        "active": True,
        "application": None,
        "business_profile": nulls("headline privacy_policy_url terms_of_service_url"),
        "created": now,
        "default_return_url": None,
        "features": features({}),
        "is_default": is_default,
        "livemode": False,
        "login_page": {"enabled": False, "url": None},
        "metadata": {},
        "name": None,
        "updated": now,
    }
    change_configuration(body, params, now)
    return body


def features(given: Body) -> Body:
    """The features with what was given changed."""
    return {name: {**usual, **given.get(name, {})} for name, usual in FEATURES.items()}


def change_configuration(body: Body, params: Body, now: int) -> None:
    """Take over what was given."""
    for name in ("active", "default_return_url", "name"):
        if name in params:
            body[name] = params[name]
    body["business_profile"] |= params.get("business_profile", {})
    for name, given in params.get("features", {}).items():
        body["features"][name] |= given
    if "metadata" in params:
        body["metadata"] = merged(body["metadata"], params["metadata"])
    body["updated"] = now


def session(params: Body, config: Body, now: int, public_url: str) -> Body:
    """A customer's way into the portal."""
    session_id = new_id("bps")
    return {
        "id": session_id,
        "object": "billing_portal.session",
        "configuration": config["id"],
        "created": now,
        "customer": params["customer"],
        "customer_account": None,
        "flow": _flow(params.get("flow_data")),
        "livemode": False,
        "locale": params.get("locale"),
        "on_behalf_of": None,
        "return_url": params.get("return_url") or config["default_return_url"],
        "url": f"{public_url}/p/session/{session_id}",
    }


def _flow(given: Body | None) -> Body | None:
    if given is None:
        return None
    after = given.get("after_completion", {})
    none = nulls("subscription_cancel subscription_update subscription_update_confirm")
    return {
        **none,
        **{name: value for name, value in given.items() if name != "after_completion"},
        "after_completion": {
            **nulls("hosted_confirmation redirect"),
            "type": "portal_homepage",
            **after,
        },
    }


def test_clock(params: Body, now: int) -> Body:
    """A clock that stands until it is advanced."""
    return {
        "id": new_id("clock"),
        "object": "test_helpers.test_clock",
        "created": now,
        "deletes_after": now + CLOCK_SECONDS,
        "frozen_time": params["frozen_time"],
        "livemode": False,
        "name": params.get("name"),
        "status": "ready",
        "status_details": {},
    }


def balance(cents: int) -> Body:
    """What the account has."""
    amounts = [{"amount": cents, "currency": "usd", "source_types": {"card": cents}}]
    return {
        "object": "balance",
        "available": amounts,
        "livemode": False,
        "pending": [{"amount": 0, "currency": "usd", "source_types": {"card": 0}}],
    }
