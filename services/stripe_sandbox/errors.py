"""Stripe's refusals: the same types, codes, words and statuses."""

from typing import Any

Body = dict[str, Any]

CODES = "https://stripe.com/docs/error-codes"
# What Stripe calls an object in its messages, where that is not the object's own name.
NOUNS = {"payment_method": "PaymentMethod", "setup_intent": "setupintent"}


class StripeError(Exception):
    """A refusal; `keeps_changes` says that what happened until then stays, as with a decline."""

    def __init__(self, status: int, error: Body, *, keeps_changes: bool = False) -> None:
        super().__init__(error.get("message"))
        self.status = status
        self.error = error
        self.keeps_changes = keeps_changes


def error_body(kind: str, message: str, code: str | None = None, **more: Any) -> Body:
    """What stands under `error` in an answer; what is None is left out, as Stripe does."""
    body: Body = {"type": kind, "message": message, "code": code, **more}
    if code is not None:
        body["doc_url"] = f"{CODES}/{code.replace('_', '-')}"
    return {name: value for name, value in body.items() if value is not None}


def invalid(
    message: str, param: str | None = None, code: str | None = None, status: int = 400, **more: Any
) -> StripeError:
    """An `invalid_request_error`."""
    body = error_body("invalid_request_error", message, code, param=param, **more)
    return StripeError(status, body)


def missing(kind: str, object_id: str, param: str = "id") -> StripeError:
    """An object that is not there: 404 when the address names it, 400 when a parameter does."""
    message = f"No such {NOUNS.get(kind, kind)}: '{object_id}'"
    return invalid(message, param, "resource_missing", 404 if param == "id" else 400)


def lacking(param: str) -> StripeError:
    """A parameter that must be given."""
    return invalid(f"Missing required param: {param}.", param, "parameter_missing")


def unexpected_state(intent: Body, message: str) -> StripeError:
    """An intent that cannot do this in its present status; the intent is inside."""
    kind: str = intent["object"]
    code = f"{kind}_unexpected_state"
    return StripeError(400, error_body("invalid_request_error", message, code, **{kind: intent}))


def server_error() -> Body:
    """What Stripe says when something on its side went wrong."""
    return error_body("api_error", "An unknown error occurred. Please try again later.")
