"""Every test card does what Stripe says of it."""

import httpx
import pytest
import stripe

from services.stripe_sandbox.cards import CARDS, Card
from tests.stripe_sandbox.examples import add_customer, pay
from tests.stripe_sandbox.running import Running

GOOD = [
    "visa", "mastercard", "visa_debit", "mastercard_debit", "mastercard_prepaid", "amex",
    "discover", "diners", "jcb", "unionpay", "threeDSecureOptional", "createDispute",
    "createDisputeProductNotReceived", "createDisputeInquiry", "createIssuerFraudRecord",
    "pendingRefund", "refundFail",
]  # fmt: skip
# Card → error code, decline code.
DECLINED = {
    "chargeDeclined": ("card_declined", "generic_decline"),
    "chargeDeclinedInsufficientFunds": ("card_declined", "insufficient_funds"),
    "chargeDeclinedLostCard": ("card_declined", "lost_card"),
    "chargeDeclinedStolenCard": ("card_declined", "stolen_card"),
    "chargeDeclinedFraudulent": ("card_declined", "fraudulent"),
    "chargeDeclinedVelocityLimitExceeded": ("card_declined", "card_velocity_exceeded"),
    "chargeDeclinedExpiredCard": ("expired_card", None),
    "chargeDeclinedIncorrectCvc": ("incorrect_cvc", None),
    "chargeDeclinedProcessingError": ("processing_error", None),
    "chargeCustomerFail": ("card_declined", "generic_decline"),
}
# Cards that ask for 3D Secure: on session, off session, and off session once they are set up.
ASKING = {
    "authenticationRequired": (True, True, True),
    "threeDSecureRequired": (True, True, True),
    "threeDSecureRequiredChargeDeclined": (True, True, True),
    "authenticationRequiredChargeDeclinedInsufficientFunds": (True, True, True),
    "authenticationRequiredOnSetup": (True, True, False),
    "authenticationRequiredSetupForOffSession": (True, False, False),
}
DEBITS = {"usBankAccount_success", "usBankAccount_insufficientFunds"}


def test_these_tables_name_every_card() -> None:
    assert {card.name for card in CARDS} == {*GOOD, *DECLINED, *ASKING, *DEBITS}


@pytest.mark.parametrize("name", GOOD)
async def test_a_good_card_pays(name: str, client: stripe.StripeClient, sandbox: Running) -> None:
    paid = await pay(client, 1999, payment_method=f"pm_card_{name}", expand=["latest_charge"])
    assert paid.status == "succeeded"
    assert paid.amount_received == 1999
    charge = paid.latest_charge
    assert isinstance(charge, stripe.Charge)
    assert charge.payment_method_details is not None
    assert charge.payment_method_details.card is not None
    assert charge.payment_method_details.card.last4 == last4(name)
    assert sandbox.ledger(payment_intent=paid.id, kind="charge")["charged"] == 1999


def last4(name: str) -> str:
    (card,) = [each for each in CARDS if each.name == name]
    return card.last4


@pytest.mark.parametrize("name", DECLINED)
async def test_a_declining_card_is_an_error_with_the_intent_inside(
    name: str, client: stripe.StripeClient, sandbox: Running
) -> None:
    code, decline_code = DECLINED[name]
    with pytest.raises(stripe.CardError) as caught:
        await pay(client, 1999, payment_method=f"pm_card_{name}")
    error = caught.value
    assert error.http_status == 402
    assert error.error is not None
    assert (error.code, error.error.decline_code) == (code, decline_code)
    assert error.error.type == "card_error"
    assert error.error.doc_url
    assert error.error.charge
    intent = error.error.payment_intent
    assert intent is not None
    assert intent.status == "requires_payment_method"
    assert intent.last_payment_error is not None
    assert intent.last_payment_error.code == code
    assert intent.last_payment_error.payment_method is not None
    assert sandbox.ledger(payment_intent=intent.id)["charged"] == 0
    charge = await client.v1.charges.retrieve_async(error.error.charge)
    assert (charge.status, charge.paid, charge.failure_code) == ("failed", False, code)


@pytest.mark.parametrize("name", [each for each in DECLINED if each != "chargeCustomerFail"])
async def test_a_declining_card_cannot_be_saved(name: str, client: stripe.StripeClient) -> None:
    customer = await add_customer(client, card="")
    with pytest.raises(stripe.CardError) as caught:
        await client.v1.payment_methods.attach_async(f"pm_card_{name}", {"customer": customer.id})
    assert caught.value.code == DECLINED[name][0]
    with pytest.raises(stripe.CardError) as caught:
        await client.v1.setup_intents.create_async(
            {"customer": customer.id, "confirm": True, "payment_method": f"pm_card_{name}"}
        )
    assert caught.value.error is not None
    assert caught.value.error.setup_intent is not None
    assert caught.value.error.setup_intent.status == "requires_payment_method"


async def test_one_card_can_be_saved_and_then_declines(client: stripe.StripeClient) -> None:
    customer = await add_customer(client, "chargeCustomerFail")
    assert customer.invoice_settings is not None
    method = customer.invoice_settings.default_payment_method
    with pytest.raises(stripe.CardError):
        await pay(client, 500, customer=customer.id, payment_method=method, off_session=True)


@pytest.mark.parametrize("name", ASKING)
async def test_cards_that_ask_do_so_as_stripe_tells(
    name: str, client: stripe.StripeClient, browser: httpx.Client
) -> None:
    on_session, off_session, when_set_up = ASKING[name]
    asked = await pay(client, 1999, payment_method=f"pm_card_{name}")
    assert (asked.status == "requires_action") == on_session
    customer = await add_customer(client, name)
    assert customer.invoice_settings is not None
    method = str(customer.invoice_settings.default_payment_method)
    assert await is_refused_off_session(client, customer.id, method) == off_session
    intent = await client.v1.setup_intents.create_async(
        {"customer": customer.id, "confirm": True, "payment_method": method}
    )
    if intent.status == "requires_action":
        browser.post(f"/3ds/{intent.client_secret}", data={"outcome": "complete"})
    assert await is_refused_off_session(client, customer.id, method) == when_set_up


async def is_refused_off_session(client: stripe.StripeClient, customer: str, method: str) -> bool:
    """Whether a charge off session is refused for want of authentication."""
    try:
        await pay(client, 700, customer=customer, payment_method=method, off_session=True)
    except stripe.CardError as error:
        return error.code == "authentication_required"
    return False


async def test_a_card_is_known_by_token_and_by_number(client: stripe.StripeClient) -> None:
    by_token = await client.v1.payment_methods.create_async(
        {"type": "card", "card": {"token": "tok_mastercard"}}
    )
    by_number = await client.v1.payment_methods.create_async(
        {
            "type": "card",
            "card": {"number": "5555 5555 5555 4444", "exp_month": 1, "exp_year": 2031},
        }
    )
    assert by_token.card is not None
    assert by_number.card is not None
    assert by_token.card.fingerprint == by_number.card.fingerprint
    with pytest.raises(stripe.CardError) as caught:
        await client.v1.payment_methods.create_async(
            {"type": "card", "card": {"number": "4242424242424241"}}
        )
    assert caught.value.code == "incorrect_number"


@pytest.mark.parametrize("card", [each for each in CARDS if each.type == "card"], ids=str)
def test_every_card_number_would_pass_a_form(card: Card) -> None:
    digits = [int(digit) for digit in reversed(card.number)]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]
    assert (sum(digits[::2]) + sum(doubled)) % 10 == 0
