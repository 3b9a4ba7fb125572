"""Confirming a payment intent: authenticate, charge, decline; and what its card does later."""

from dataclasses import dataclass

from services.stripe_sandbox.cards import (
    DECLINES,
    GENERIC,
    NO_FUNDS,
    NOT_AUTHENTICATED,
    Decline,
    declined,
)
from services.stripe_sandbox.errors import Body, StripeError, error_body, unexpected_state
from services.stripe_sandbox.flows.disputes import follow_charge
from services.stripe_sandbox.flows.methods import attach
from services.stripe_sandbox.objects.charge import charge
from services.stripe_sandbox.objects.intents import card_error
from services.stripe_sandbox.objects.payment_method import card_of
from services.stripe_sandbox.work import Work

CONFIRMABLE = {"requires_payment_method", "requires_confirmation"}
# How long a bank debit takes here; with real banks it is days.
SETTLE_SECONDS = 5
AUTHENTICATION_FAILED = (
    "The provided PaymentMethod has failed authentication. You can provide payment_method_data or a"
    " new PaymentMethod to attempt to fulfill this {} again."
)


@dataclass(frozen=True, kw_only=True)
class Manner:
    """How a payment is confirmed; `return_url` is where the browser goes after 3D Secure.

    Off session nobody can authenticate, so the payment is declined, unless it `may_ask` later.
    """

    off_session: bool = False
    may_ask: bool = False
    return_url: str | None = None
    error_on_requires_action: bool = False


def confirm(work: Work, intent: Body, method: Body | None, manner: Manner) -> Body:
    """Pay an intent with a payment method.

    Raises StripeError when its status or the lack of a payment method forbids it, and a card error
    (which keeps what happened) when the bank declines.
    """
    _check_confirmable(intent, method)
    if method is None:
        raise AssertionError("checked above")
    intent["payment_method"] = method["id"]
    intent["next_action"] = None
    intent["last_payment_error"] = None
    if _must_authenticate(work, method, off_session=manner.off_session):
        if (manner.off_session and not manner.may_ask) or manner.error_on_requires_action:
            return _decline(work, intent, method, NOT_AUTHENTICATED)
        return _ask_to_authenticate(work, intent, manner)
    return charge_intent(work, intent, method)


def _check_confirmable(intent: Body, method: Body | None) -> None:
    if intent["status"] == "succeeded":
        raise unexpected_state(
            intent,
            "You cannot confirm this PaymentIntent because it has already succeeded after being"
            " previously confirmed.",
        )
    if intent["status"] not in CONFIRMABLE:
        raise unexpected_state(
            intent,
            f"You cannot confirm this PaymentIntent because it has a status of {intent['status']}."
            " Only a PaymentIntent with one of the following statuses may be confirmed:"
            " requires_confirmation, requires_payment_method.",
        )
    if method is None:
        raise unexpected_state(intent, _missing_method(intent))


def _missing_method(intent: Body) -> str:
    begin = "You cannot confirm this PaymentIntent because it's missing a payment method."
    if intent["customer"]:
        return (
            f"{begin} To confirm the PaymentIntent with {intent['customer']}, specify a payment"
            " method attached to this customer along with the customer ID."
        )
    return (
        f"{begin} You can either update the PaymentIntent with a payment method and then confirm it"
        " again, or confirm it again directly with a payment method or ConfirmationToken."
    )


def _must_authenticate(work: Work, method: Body, *, off_session: bool) -> bool:
    asks = card_of(method).authentication
    if work.take_fault("three_d_secure", method["id"], method["customer"] or "") is not None:
        return True
    if asks == "unless_set_up":
        return not (off_session and method["_set_up"])
    return asks == "always" or (asks == "on_session" and not off_session)


def _ask_to_authenticate(work: Work, intent: Body, manner: Manner) -> Body:
    intent["status"] = "requires_action"
    intent["next_action"] = next_action(work, intent, manner.return_url)
    return work.save(intent, "payment_intent.requires_action")


def next_action(work: Work, intent: Body, return_url: str | None) -> Body:
    """What a browser has to do: go to the page of the bank, and come back."""
    page = f"{work.settings.public_url}/3ds/{intent['client_secret']}"
    if return_url is None:
        sdk = {"type": "three_d_secure_redirect", "stripe_js": page}
        return {"type": "use_stripe_sdk", "use_stripe_sdk": sdk}
    target = {"return_url": return_url, "url": page}
    return {"type": "redirect_to_url", "redirect_to_url": target}


def authenticated(work: Work, intent: Body, *, passed: bool) -> Body:
    """The customer has finished 3D Secure: charge, or ask for another payment method.

    A decline is in the intent; it is not raised, as nobody waits for it.
    """
    method = work.get("payment_method", intent["payment_method"])
    intent["next_action"] = None
    if passed:
        try:
            return charge_intent(work, intent, method)
        except StripeError:
            return work.get("payment_intent", intent["id"])
    intent["status"] = "requires_payment_method"
    intent["payment_method"] = None
    intent["last_payment_error"] = card_error(
        error_body(
            "invalid_request_error",
            AUTHENTICATION_FAILED.format("PaymentIntent"),
            "payment_intent_authentication_failure",
        ),
        method,
    )
    return work.save(intent, "payment_intent.payment_failed")


def charge_intent(work: Work, intent: Body, method: Body) -> Body:
    """Take the money. Raises a card error when the bank declines."""
    card = card_of(method)
    if card.type == "us_bank_account":
        return _begin_debit(work, intent, method)
    fault = work.take_fault("decline", method["id"], method["customer"] or "")
    decline = card.refuses_charge
    if fault is not None:
        decline = DECLINES.get(fault.get("code", ""), GENERIC)
    if decline is not None:
        return _decline(work, intent, method, decline)
    made = _add_charge(work, intent, method, "succeeded")
    return _succeed(work, intent, made)


def _add_charge(
    work: Work, intent: Body, method: Body, status: str, decline: Decline | None = None
) -> Body:
    public_url = work.settings.public_url
    made = charge(intent, method, status, work.now(intent), public_url, decline)
    intent["latest_charge"] = made["id"]
    work.add(made, f"charge.{status}")
    return made


def _succeed(work: Work, intent: Body, made: Body) -> Body:
    work.note("charge", made, made["amount"])
    intent["status"] = "succeeded"
    intent["amount_received"] = intent["amount"]
    customer = work.find("customer", intent["customer"])
    method = work.get("payment_method", made["payment_method"])
    if customer and intent["setup_future_usage"] and not method["customer"]:
        attach(work, method, customer)
    if intent["setup_future_usage"] == "off_session":
        method["_set_up"] = True
        work.save(method)
    work.save(intent, "payment_intent.succeeded")
    follow_charge(work, made, card_of(method))
    return work.get("payment_intent", intent["id"])


def _decline(work: Work, intent: Body, method: Body, decline: Decline) -> Body:
    made = _add_charge(work, intent, method, "failed", decline)
    error = {**decline.as_error(), "charge": made["id"]}
    intent["status"] = "requires_payment_method"
    intent["payment_method"] = None
    intent["last_payment_error"] = card_error(error, method)
    work.save(intent, "payment_intent.payment_failed")
    raise declined(
        decline,
        keeps_changes=True,
        charge=made["id"],
        payment_intent=work.get("payment_intent", intent["id"]),
        payment_method=method,
    )


def _begin_debit(work: Work, intent: Body, method: Body) -> Body:
    """A bank debit is under way; whether it succeeds is known later."""
    _add_charge(work, intent, method, "pending")
    intent["status"] = "processing"
    work.save(intent, "payment_intent.processing")
    seconds = work.store.setting("settle_seconds", SETTLE_SECONDS)
    work.plan("settle_payment", intent, work.now(intent) + seconds)
    return intent


def settle(work: Work, intent: Body, *, succeeds: bool | None = None) -> Body:
    """A bank debit has come through or not; by default as its test account says."""
    if intent["status"] != "processing":
        return intent
    work.drop("settle_payment", intent)
    made = work.get("charge", intent["latest_charge"])
    method = work.get("payment_method", intent["payment_method"])
    decline = card_of(method).refuses_charge
    if decline is None if succeeds is None else succeeds:
        made |= {"status": "succeeded", "amount_captured": made["amount"]}
        work.save(made, "charge.succeeded")
        return _succeed(work, intent, made)
    decline = decline or NO_FUNDS
    made |= {"status": "failed", "paid": False, "captured": False}
    made |= {"failure_code": decline.code, "failure_message": decline.message}
    work.save(made, "charge.failed")
    intent["status"] = "requires_payment_method"
    intent["payment_method"] = None
    intent["last_payment_error"] = card_error({**decline.as_error(), "charge": made["id"]}, method)
    return work.save(intent, "payment_intent.payment_failed")


def cancel(work: Work, intent: Body, reason: str | None) -> Body:
    """Nothing can be paid with this intent any more. Raises StripeError when it is too late."""
    if intent["status"] in {"succeeded", "canceled", "processing"}:
        raise unexpected_state(
            intent,
            f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}."
            " Only a PaymentIntent with one of the following statuses may be canceled:"
            " requires_payment_method, requires_capture, requires_confirmation, requires_action.",
        )
    intent |= {"status": "canceled", "cancellation_reason": reason, "next_action": None}
    intent["canceled_at"] = work.now(intent)
    return work.save(intent, "payment_intent.canceled")
