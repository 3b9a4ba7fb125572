"""Confirming a setup intent: authenticate, save the card to its customer, or refuse."""

from services.stripe_sandbox.cards import declined
from services.stripe_sandbox.errors import Body, StripeError, error_body, unexpected_state
from services.stripe_sandbox.flows.methods import attach
from services.stripe_sandbox.flows.paying import AUTHENTICATION_FAILED, CONFIRMABLE, next_action
from services.stripe_sandbox.objects.intents import card_error
from services.stripe_sandbox.objects.payment_method import card_of
from services.stripe_sandbox.work import Work


def confirm(work: Work, intent: Body, method: Body | None, return_url: str | None) -> Body:
    """Save a payment method for later.

    Raises StripeError as `paying.confirm` does.
    """
    if intent["status"] not in CONFIRMABLE:
        raise unexpected_state(
            intent,
            f"You cannot confirm this SetupIntent because it has a status of {intent['status']}.",
        )
    if method is None:
        raise unexpected_state(
            intent,
            "You cannot confirm this SetupIntent because it's missing a payment method. Update the"
            " SetupIntent with a payment method and then confirm it again.",
        )
    intent["payment_method"] = method["id"]
    intent["next_action"] = None
    intent["last_setup_error"] = None
    forced = work.take_fault("three_d_secure", method["id"], intent["customer"] or "") is not None
    if forced or card_of(method).authentication in {"always", "unless_set_up"}:
        intent["status"] = "requires_action"
        intent["next_action"] = next_action(work, intent, return_url)
        return work.save(intent, "setup_intent.requires_action")
    return _save_card(work, intent, method)


def authenticated(work: Work, intent: Body, *, passed: bool) -> Body:
    """The customer has finished 3D Secure; a refusal is in the intent, it is not raised."""
    method = work.get("payment_method", intent["payment_method"])
    intent["next_action"] = None
    if passed:
        try:
            return _save_card(work, intent, method)
        except StripeError:
            return work.get("setup_intent", intent["id"])
    error = error_body(
        "invalid_request_error",
        AUTHENTICATION_FAILED.format("SetupIntent"),
        "setup_intent_authentication_failure",
    )
    return _fail(work, intent, method, error)


def _save_card(work: Work, intent: Body, method: Body) -> Body:
    if (decline := card_of(method).refuses_setup) is not None:
        body = _fail(work, intent, method, decline.as_error())
        raise declined(decline, keeps_changes=True, setup_intent=body, payment_method=method)
    customer = work.find("customer", intent["customer"])
    if customer:
        attach(work, method, customer)
    method["_set_up"] = True
    work.save(method)
    intent["status"] = "succeeded"
    return work.save(intent, "setup_intent.succeeded")


def _fail(work: Work, intent: Body, method: Body, error: Body) -> Body:
    intent["status"] = "requires_payment_method"
    intent["payment_method"] = None
    intent["last_setup_error"] = card_error(error, method)
    return work.save(intent, "setup_intent.setup_failed")


def cancel(work: Work, intent: Body, reason: str | None) -> Body:
    """Nothing can be saved with this intent any more. Raises StripeError when it is too late."""
    if intent["status"] in {"succeeded", "canceled"}:
        raise unexpected_state(
            intent,
            f"You cannot cancel this SetupIntent because it has a status of {intent['status']}.",
        )
    intent |= {"status": "canceled", "cancellation_reason": reason, "next_action": None}
    return work.save(intent, "setup_intent.canceled")
