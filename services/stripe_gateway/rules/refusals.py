"""Stripe's "no" in words for customers: never Stripe's own text."""

from shared.contracts.base import Refusal

DECLINED = "The card was declined. Please use another payment method or ask your bank."
CONFIRM = "The bank asks you to confirm this payment."
DECLINES = {
    "insufficient_funds": "The card has insufficient funds.",
    "expired_card": "The card has expired.",
    "incorrect_cvc": "The card's security code is incorrect.",
    "lost_card": DECLINED,
    "stolen_card": DECLINED,
    "processing_error": "The bank could not process the card just now. Please try again later.",
    "authentication_required": CONFIRM,
    "requires_action": CONFIRM,
}

NO_CUSTOMER = Refusal(
    code="customer_pending",
    detail="Your billing account is still being set up. Please try again in a moment.",
)
REPLACED = Refusal(
    code="customer_replaced",
    detail="Your billing account is being set up again. Please try again in a moment.",
)
NO_METHOD = Refusal(
    code="payment_method_not_found", detail="There is no such payment method.", status=404
)
LAST_METHOD = Refusal(
    code="last_payment_method",
    detail="The last payment method is needed while a paid plan runs. Add another one first.",
)
BAD_REDIRECT = Refusal(
    code="redirect_not_allowed",
    detail="The page to return to is not one of this site's pages.",
    status=422,
)
NO_CHECKOUT = Refusal(code="checkout_not_found", detail="There is no such checkout.", status=404)
NO_PAYMENT = Refusal(code="payment_not_found", detail="There is no such payment.", status=404)
NO_INVOICE = Refusal(code="invoice_not_found", detail="There is no such invoice.", status=404)
NO_SUBSCRIPTION = Refusal(
    code="subscription_not_found", detail="No paid subscription is running.", status=404
)
ENDED = Refusal(
    code="subscription_ended", detail="This subscription has ended; subscribe again to go on."
)
PLAN_MISSING = Refusal(
    code="plan_missing", detail="Choose a plan and its price to change to.", status=422
)
UPGRADE_UNPAID = Refusal(
    code="payment_failed",
    detail="The payment for the new plan did not succeed, so nothing was changed.",
    status=402,
)
NOTHING_LEFT = Refusal(
    code="refund_too_large", detail="Less than this is left to be refunded.", status=422
)
IN_FLIGHT = Refusal(
    code="charge_in_flight", detail="This payment is still being worked on; ask again shortly."
)
OTHER_AMOUNT = Refusal(
    code="charge_known", detail="A payment of this name and another amount was asked for before."
)
BUSY = Refusal(
    code="stripe_busy",
    detail="Payments are slow right now. Please try again in a moment.",
    status=429,
)


def failure_message(code: str) -> str:
    """Why a payment failed, as a sentence for the customer."""
    return DECLINES.get(code, DECLINED)


def refusal_for(code: str, *, declined: bool) -> Refusal:
    """A definite "no" of Stripe's, for the customer."""
    if declined:
        return Refusal(code="card_declined", detail=failure_message(code), status=402)
    return Refusal(
        code="refused_by_stripe",
        detail="The payment service refused this, and nothing was changed.",
    )
