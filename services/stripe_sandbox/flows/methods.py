"""Finding, attaching and detaching payment methods."""

from services.stripe_sandbox.cards import (
    BY_NAME,
    BY_NUMBER,
    Card,
    card_of_method,
    card_of_token,
    declined,
)
from services.stripe_sandbox.errors import Body, invalid, lacking, missing
from services.stripe_sandbox.objects.payment_method import card_of, payment_method
from services.stripe_sandbox.work import Work


def usable_method(work: Work, name: str, customer: str | None, param: str) -> Body:
    """The payment method a request names; a magic one such as `pm_card_visa` is made anew.

    Raises StripeError when it is unknown or belongs to somebody else.
    """
    if (card := card_of_method(name)) is not None:
        return work.add(payment_method(card, {}, work.now()))
    method = work.get("payment_method", name, param)
    if method["customer"] not in {None, customer}:
        if customer is None:
            raise invalid(
                "The provided PaymentMethod cannot be used without its customer: it was saved to a"
                f" Customer, so provide the customer with the PaymentMethod {name}.",
                param,
            )
        raise invalid(
            f"The customer does not have a payment method with the ID {name}. The payment method"
            " must be attached to the customer.",
            param,
        )
    if method.get("_detached"):
        raise invalid(
            "The provided PaymentMethod was previously used with a PaymentIntent without Customer"
            " attachment, shared with a connected account without Customer attachment, or was"
            " detached from a Customer. It may not be used again.",
            param,
        )
    return method


def card_of_parameters(params: Body) -> Card:
    """The test card that the parameters of a new payment method describe. Raises StripeError."""
    kind = params.get("type", "card")
    if kind == "us_bank_account":
        fails = params.get("us_bank_account", {}).get("account_number") == "000222222227"
        return BY_NAME["usBankAccount_insufficientFunds" if fails else "usBankAccount_success"]
    card = params.get("card")
    if kind != "card":
        raise invalid(f"The sandbox has no payment methods of type {kind}.", "type")
    if card is None:
        raise lacking("card")
    if "token" in card:
        found = card_of_token(card["token"])
        if found is None:
            raise missing("token", card["token"], "card[token]")
        return found
    number = "".join(card.get("number", "").split())
    if number not in BY_NUMBER:
        raise invalid("Your card number is incorrect.", "card[number]", "incorrect_number", 402)
    return BY_NUMBER[number]


def attach(work: Work, method: Body, customer: Body) -> Body:
    """Save a payment method to a customer; doing it again changes nothing.

    Raises StripeError when the card refuses or is another customer's.
    """
    if method["customer"] == customer["id"]:
        return method
    if method["customer"] is not None:
        raise invalid(
            "The payment method you provided has already been attached to a customer.",
            "payment_method",
        )
    if (decline := card_of(method).refuses_setup) is not None:
        raise declined(decline, keeps_changes=False)
    method["customer"] = customer["id"]
    return work.save(method, "payment_method.attached")


def detach(work: Work, method: Body) -> Body:
    """Take a payment method from its customer for good; defaults that named it become none."""
    customer = work.find("customer", method["customer"])
    if customer is None:
        raise invalid(
            "The payment method you provided is not attached to a customer so detachment is"
            " impossible."
        )
    settings = customer["invoice_settings"]
    if settings["default_payment_method"] == method["id"]:
        settings["default_payment_method"] = None
        work.save(customer, "customer.updated")
    for subscription in work.all("subscription", customer=customer["id"]):
        if subscription["default_payment_method"] == method["id"]:
            subscription["default_payment_method"] = None
            work.save(subscription, "customer.subscription.updated")
    method["customer"] = None
    method["_detached"] = True
    # The event still says whose it was: receivers have nothing else to go by.
    work.save(method)
    work.emit("payment_method.detached", method, {"customer": customer["id"]})
    return method


def default_method(work: Work, customer: Body, *preferred: str | None) -> Body | None:
    """The payment method to charge: the first preferred one, else the customer's default."""
    for name in (*preferred, customer["invoice_settings"]["default_payment_method"]):
        method = work.find("payment_method", name)
        if method is not None and method["customer"] == customer["id"]:
            return method
    return None
