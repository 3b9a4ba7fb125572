"""What a customer does in the billing portal."""

from services.stripe_sandbox.cards import Card
from services.stripe_sandbox.errors import Body, StripeError
from services.stripe_sandbox.flows import methods, saving
from services.stripe_sandbox.flows.subscribing import ENDED, end_now, plan_cancellation
from services.stripe_sandbox.objects.intents import setup_intent
from services.stripe_sandbox.objects.payment_method import payment_method
from services.stripe_sandbox.work import Work


def add_card(work: Work, session: Body, card: Card, return_url: str) -> Body:
    """Save a test card and make it the default; returns the setup intent, which may have failed.

    A bank that asks for 3D Secure leaves it in `requires_action`.
    """
    customer = work.get("customer", session["customer"])
    now = work.now(customer)
    intent = setup_intent({"customer": customer["id"]}, now, _portal=session["id"])
    work.add(intent, "setup_intent.created")
    details = {"billing_details": {"email": customer["email"], "name": customer["name"]}}
    method = work.add(payment_method(card, details, now))
    try:
        return saving.confirm(work, intent, method, return_url)
    except StripeError:
        return work.get("setup_intent", intent["id"])


def card_saved(work: Work, intent: Body) -> None:
    """A card that was saved in the portal becomes the default."""
    if "_portal" in intent:
        set_default(work, intent["customer"], intent["payment_method"])


def set_default(work: Work, customer_id: str, method_id: str) -> None:
    """Charge this payment method from now on, also for subscriptions that had one of their own."""
    customer = work.get("customer", customer_id)
    method = work.find("payment_method", method_id)
    if method is None or method["customer"] != customer_id:
        return
    customer["invoice_settings"]["default_payment_method"] = method_id
    work.save(customer, "customer.updated")
    for subscription in work.all("subscription", customer=customer_id):
        if subscription["default_payment_method"] and subscription["status"] not in ENDED:
            subscription["default_payment_method"] = method_id
            work.save(subscription, "customer.subscription.updated")


def remove_card(work: Work, customer_id: str, method_id: str) -> None:
    """Forget a card."""
    method = work.find("payment_method", method_id)
    if method is not None and method["customer"] == customer_id:
        methods.detach(work, method)


def cancel(work: Work, customer_id: str, subscription_id: str, *, at_once: bool) -> None:
    """Cancel a subscription as the configuration says: at the end of its period, or at once."""
    body = work.find("subscription", subscription_id)
    if body is None or body["customer"] != customer_id or body["status"] in ENDED:
        return
    if at_once:
        end_now(work, body)
        return
    plan_cancellation(work, body, {"cancel_at_period_end": True})
    work.save(body, "customer.subscription.updated")


def resume(work: Work, customer_id: str, subscription_id: str) -> None:
    """Not to be canceled after all."""
    body = work.find("subscription", subscription_id)
    if body is None or body["customer"] != customer_id or body["status"] in ENDED:
        return
    plan_cancellation(work, body, {"cancel_at_period_end": False})
    work.save(body, "customer.subscription.updated")
