"""Stripe's test cards (docs.stripe.com/testing): what each one is, and how it behaves."""

from dataclasses import KW_ONLY, dataclass
from typing import Literal

from services.stripe_sandbox.errors import Body, StripeError, error_body

Authentication = Literal["never", "always", "unless_set_up", "on_session"]


@dataclass(frozen=True)
class Decline:
    """Why a bank says no; `decline_code` and `advice` are None where Stripe sends none."""

    code: str
    decline_code: str | None
    message: str
    advice: str | None = "try_again_later"

    def as_error(self) -> Body:
        """The fields that an error and a failed charge share."""
        return error_body(
            "card_error",
            self.message,
            self.code,
            decline_code=self.decline_code,
            advice_code=self.advice,
        )


DECLINED = "Your card was declined."
GENERIC = Decline("card_declined", "generic_decline", DECLINED)
NO_FUNDS = Decline("card_declined", "insufficient_funds", "Your card has insufficient funds.")
LOST = Decline("card_declined", "lost_card", DECLINED, "do_not_try_again")
STOLEN = Decline("card_declined", "stolen_card", DECLINED, "do_not_try_again")
FRAUDULENT = Decline("card_declined", "fraudulent", DECLINED, "do_not_try_again")
EXPIRED = Decline("expired_card", None, "Your card has expired.", "confirm_card_data")
WRONG_CVC = Decline(
    "incorrect_cvc", None, "Your card's security code is incorrect.", "confirm_card_data"
)
PROCESSING = Decline(
    "processing_error",
    None,
    "An error occurred while processing your card. Try again in a little bit.",
)
TOO_OFTEN = Decline(
    "card_declined",
    "card_velocity_exceeded",
    "Your card was declined for making repeated attempts too frequently or exceeding its amount"
    " limit.",
)
NOT_AUTHENTICATED = Decline(
    "authentication_required",
    "authentication_required",
    "Your card was declined. This transaction requires authentication.",
    None,
)
DECLINES = {
    each.decline_code or each.code: each
    for each in (
        GENERIC, NO_FUNDS, LOST, STOLEN, FRAUDULENT, EXPIRED, WRONG_CVC, PROCESSING, TOO_OFTEN,
        NOT_AUTHENTICATED,
    )
}  # fmt: skip


@dataclass(frozen=True)
class Card:
    """A test card, or a test bank account (`type` us_bank_account), whose payments take time."""

    name: str
    number: str
    _: KW_ONLY
    label: str = ""
    brand: str = "visa"
    funding: str = "credit"
    type: Literal["card", "us_bank_account"] = "card"
    authentication: Authentication = "never"
    # Said when it is attached or set up, and when it is charged.
    refuses_setup: Decline | None = None
    refuses_charge: Decline | None = None
    dispute: Literal["fraudulent", "product_not_received", "inquiry"] | None = None
    refund: Literal["pending", "fails"] | None = None
    fraud_warning: bool = False

    @property
    def last4(self) -> str:
        """The last four digits."""
        return self.number[-4:]


def _refused(name: str, number: str, decline: Decline, label: str = "") -> Card:
    """A card that can be neither attached nor charged."""
    return Card(name, number, label=label, refuses_setup=decline, refuses_charge=decline)


CARDS = (
    Card("visa", "4242424242424242", label="Visa: succeeds"),
    Card(
        "mastercard",
        "5555555555554444",
        brand="mastercard",
        label="Mastercard: succeeds",
    ),
    Card("visa_debit", "4000056655665556", funding="debit", label="Visa debit: succeeds"),
    Card("mastercard_debit", "5200828282828210", brand="mastercard", funding="debit"),
    Card("mastercard_prepaid", "5105105105105100", brand="mastercard", funding="prepaid"),
    Card("amex", "378282246310005", brand="amex"),
    Card("discover", "6011111111111117", brand="discover"),
    Card("diners", "3056930009020004", brand="diners"),
    Card("jcb", "3566002020360505", brand="jcb"),
    Card("unionpay", "6200000000000005", brand="unionpay"),
    _refused("chargeDeclined", "4000000000000002", GENERIC, "Declined"),
    _refused("chargeDeclinedInsufficientFunds", "4000000000009995", NO_FUNDS, "Declined: no funds"),
    _refused("chargeDeclinedExpiredCard", "4000000000000069", EXPIRED, "Declined: expired"),
    _refused("chargeDeclinedLostCard", "4000000000009987", LOST),
    _refused("chargeDeclinedStolenCard", "4000000000009979", STOLEN),
    _refused("chargeDeclinedFraudulent", "4100000000000019", FRAUDULENT),
    _refused("chargeDeclinedIncorrectCvc", "4000000000000127", WRONG_CVC),
    _refused("chargeDeclinedProcessingError", "4000000000000119", PROCESSING),
    _refused("chargeDeclinedVelocityLimitExceeded", "4000000000006975", TOO_OFTEN),
    Card(
        "chargeCustomerFail",
        "4000000000000341",
        refuses_charge=GENERIC,
        label="Can be saved, declines when charged",
    ),
    Card(
        "authenticationRequired",
        "4000002760003184",
        authentication="always",
        label="3D Secure: always asks",
    ),
    Card(
        "authenticationRequiredOnSetup",
        "4000002500003155",
        authentication="unless_set_up",
        label="3D Secure: asks once, then can be charged",
    ),
    Card(
        "authenticationRequiredSetupForOffSession",
        "4000003800000446",
        authentication="on_session",
    ),
    Card(
        "authenticationRequiredChargeDeclinedInsufficientFunds",
        "4000008260003178",
        authentication="always",
        refuses_charge=NO_FUNDS,
        label="3D Secure, then declined",
    ),
    Card("threeDSecureRequired", "4000000000003220", authentication="always"),
    Card(
        "threeDSecureRequiredChargeDeclined",
        "4000008400001629",
        authentication="always",
        refuses_charge=GENERIC,
    ),
    Card("threeDSecureOptional", "4000000000003055"),
    Card(
        "createDispute",
        "4000000000000259",
        dispute="fraudulent",
        label="Succeeds, then is disputed as fraud",
    ),
    Card(
        "createDisputeProductNotReceived",
        "4000000000002685",
        dispute="product_not_received",
    ),
    Card(
        "createDisputeInquiry",
        "4000000000001976",
        dispute="inquiry",
        label="Succeeds, then the bank inquires",
    ),
    Card("createIssuerFraudRecord", "4000000000005423", fraud_warning=True),
    Card("pendingRefund", "4000000000007726", refund="pending"),
    Card("refundFail", "4000000000005126", refund="fails"),
    Card(
        "usBankAccount_success",
        "000123456789",
        type="us_bank_account",
        label="Bank debit: succeeds later",
    ),
    Card(
        "usBankAccount_insufficientFunds",
        "000222222227",
        type="us_bank_account",
        refuses_charge=NO_FUNDS,
        label="Bank debit: fails later",
    ),
)

BY_NAME = {card.name: card for card in CARDS}
BY_NUMBER = {card.number: card for card in CARDS}
# The cards that pages offer.
OFFERED = tuple(card for card in CARDS if card.label)


def card_of_method(name: str) -> Card | None:
    """The card behind a magic payment method such as `pm_card_visa`, or None.

    Declining cards are known with and without their brand: `pm_card_visa_chargeDeclined` too.
    """
    if name.startswith("pm_usBankAccount"):
        return BY_NAME.get(name.removeprefix("pm_"))
    if not name.startswith("pm_card_"):
        return None
    card = name.removeprefix("pm_card_")
    return BY_NAME.get(card) or BY_NAME.get(card.removeprefix("visa_"))


def card_of_token(name: str) -> Card | None:
    """The card behind a magic token such as `tok_visa`, or None."""
    return BY_NAME.get(name.removeprefix("tok_")) if name.startswith("tok_") else None


def declined(decline: Decline, *, keeps_changes: bool, **objects: object) -> StripeError:
    """A `card_error`, with the objects that it happened to inside."""
    return StripeError(402, {**decline.as_error(), **objects}, keeps_changes=keeps_changes)
