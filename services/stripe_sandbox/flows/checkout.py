"""What a person does on the hosted checkout page, and what follows from it."""

from services.stripe_sandbox.cards import Card
from services.stripe_sandbox.errors import Body, StripeError, invalid
from services.stripe_sandbox.flows import invoicing, paying, saving
from services.stripe_sandbox.flows.methods import attach
from services.stripe_sandbox.flows.paying import Manner
from services.stripe_sandbox.flows.subscribing import end_now, subscribe
from services.stripe_sandbox.objects.checkout import customer_details
from services.stripe_sandbox.objects.customer import customer
from services.stripe_sandbox.objects.intents import payment_intent
from services.stripe_sandbox.objects.invoice import invoice_item
from services.stripe_sandbox.objects.payment_method import payment_method
from services.stripe_sandbox.work import Work


def submit(work: Work, session: Body, card: Card, email: str | None, name: str | None) -> Body:
    """Pay, subscribe or save with a test card. A refusal is shown, in `_error`, and not raised.

    Raises StripeError when the session is not open any more.
    """
    if session["status"] != "open":
        raise invalid(f"This Checkout Session is {session['status']}.")
    session |= {"_email": email, "_name": name, "_error": None}
    payer = _customer_of(work, session)
    details = {"billing_details": {"email": email, "name": name}}
    method = work.add(payment_method(card, details, work.now(payer)))
    work.save(session)
    try:
        return {"payment": _pay, "setup": _set_up, "subscription": _subscribe}[session["mode"]](
            work, session, payer, method
        )
    except StripeError as error:
        session = work.get("checkout.session", session["id"])
        session["_error"] = error.error["message"]
        return work.save(session)


def _customer_of(work: Work, session: Body) -> Body | None:
    """The session's customer; a new one where the session needs one."""
    if session["customer"]:
        return work.get("customer", session["customer"])
    data = session["_data"].get("payment_intent_data", {})
    needed = (
        session["mode"] != "payment"
        or session["customer_creation"] == "always"
        or session["invoice_creation"]["enabled"]
        or "setup_future_usage" in data
    )
    if not needed:
        return None
    params = {"email": session["customer_email"] or session["_email"], "name": session["_name"]}
    made = work.add(customer(params, work.now()), "customer.created")
    work.note("customer", made)
    session["customer"] = made["id"]
    return made


def _page(work: Work, session: Body) -> str:
    return f"{work.settings.public_url}/c/pay/{session['id']}"


def _pay(work: Work, session: Body, payer: Body | None, method: Body) -> Body:
    intent = work.find("payment_intent", session["payment_intent"])
    if intent is None:
        params = {
            **session["_data"].get("payment_intent_data", {}),
            "amount": session["amount_total"],
            "currency": session["currency"],
            "customer": payer["id"] if payer else None,
        }
        intent = payment_intent(params, work.now(payer), _session=session["id"])
        work.add(intent, "payment_intent.created")
        session["payment_intent"] = intent["id"]
        work.save(session)
    elif intent["status"] == "requires_action":
        intent["status"] = "requires_payment_method"
    paying.confirm(work, intent, method, Manner(return_url=_page(work, session)))
    return work.get("checkout.session", session["id"])


def _set_up(work: Work, session: Body, payer: Body | None, method: Body) -> Body:
    intent = work.get("setup_intent", session["setup_intent"])
    intent["customer"] = payer["id"] if payer else None
    if intent["status"] == "requires_action":
        intent["status"] = "requires_payment_method"
    saving.confirm(work, intent, method, _page(work, session))
    return work.get("checkout.session", session["id"])


def _subscribe(work: Work, session: Body, payer: Body | None, method: Body) -> Body:
    if payer is None:
        raise invalid("A subscription needs a customer.")
    if earlier := work.find("subscription", session.get("_subscription")):
        end_now(work, earlier)
    with work.attempt():
        attach(work, method, payer)
        _add_one_time_items(work, session, payer)
        begun = subscribe(work, payer, _subscription_params(session, method))
        session |= {"_subscription": begun["id"], "_invoice": begun["latest_invoice"]}
        work.save(session)
        invoice = work.get("invoice", begun["latest_invoice"])
        if invoice["status"] == "paid":
            return _complete(work, session, "no_payment_required")
        intent = work.get("payment_intent", invoice["_payment_intent"])
        intent["_session"] = session["id"]
        paying.confirm(work, intent, method, Manner(return_url=_page(work, session)))
    return work.get("checkout.session", session["id"])


def _subscription_params(session: Body, method: Body) -> Body:
    items = [
        {"price": each["price"]["id"], "quantity": each["quantity"]}
        for each in session["_line_items"]
        if each["price"]["recurring"]
    ]
    return {
        **session["_data"].get("subscription_data", {}),
        "items": items,
        "default_payment_method": method["id"],
        "payment_behavior": "default_incomplete",
    }


def _add_one_time_items(work: Work, session: Body, payer: Body) -> None:
    for each in session["_line_items"]:
        if not each["price"]["recurring"]:
            _add_item(work, each, payer)


def _add_item(work: Work, each: Body, payer: Body) -> Body:
    params = {
        "currency": each["currency"],
        "description": each["description"],
        "metadata": each["metadata"],
        "price": each["price"],
        "quantity": each["quantity"],
    }
    item = invoice_item(payer, each["amount_total"], params, work.now(payer))
    return work.add(item, "invoiceitem.created")


def _complete(work: Work, session: Body, payment_status: str) -> Body:
    """The person has done what there was to do."""
    payer = work.find("customer", session["customer"])
    email = session["customer_email"] or session.get("_email")
    session |= {
        "status": "complete",
        "payment_status": payment_status,
        "url": None,
        "customer_details": customer_details(payer, email, session.get("_name")),
        "subscription": session.get("_subscription"),
        "invoice": session["invoice"] or session.get("_invoice"),
    }
    work.drop("expire_session", session)
    return work.save(session, "checkout.session.completed")


def _add_invoice(work: Work, session: Body, intent: Body) -> None:
    """What was bought gets an invoice, when the session is to make one."""
    payer = work.find("customer", session["customer"])
    creation = session["invoice_creation"]
    if payer is None or not creation or not creation["enabled"]:
        return
    items = [_add_item(work, each, payer) for each in session["_line_items"]]
    params = {
        name: creation["invoice_data"][name]
        for name in ("custom_fields", "description", "footer", "metadata")
    }
    params["currency"] = session["currency"]
    session["invoice"] = invoicing.add_receipt(work, payer, params, items, intent)["id"]


def expire(work: Work, session: Body) -> Body:
    """A session that was not completed ends, and what it had begun with it."""
    if session["status"] != "open":
        return session
    intent = work.find("payment_intent", session["payment_intent"])
    if intent and intent["status"] in {*paying.CONFIRMABLE, "requires_action"}:
        paying.cancel(work, intent, "abandoned")
    if begun := work.find("subscription", session.get("_subscription")):
        end_now(work, begun)
    work.drop("expire_session", session)
    session |= {"status": "expired", "url": None}
    return work.save(session, "checkout.session.expired")


# What follows from an intent that a session has.


def _session_of(work: Work, intent: Body) -> Body | None:
    return work.find("checkout.session", intent.get("_session"))


def intent_succeeded(work: Work, intent: Body) -> None:
    """The payment is there: at once, or later by bank debit."""
    session = _session_of(work, intent)
    if session is None or session["status"] == "expired" or session["payment_status"] == "paid":
        return
    _add_invoice(work, session, intent)
    if session["status"] == "open":
        _complete(work, session, "paid")
    else:
        session["payment_status"] = "paid"
        work.save(session, "checkout.session.async_payment_succeeded")


def intent_processing(work: Work, intent: Body) -> None:
    """A bank debit is under way: the session is complete, and not paid yet."""
    session = _session_of(work, intent)
    if session is not None and session["status"] == "open":
        _complete(work, session, "unpaid")


def intent_failed(work: Work, intent: Body) -> None:
    """A decline is shown on the page; a bank debit that fails later is told."""
    session = _session_of(work, intent)
    if session is None:
        return
    if session["status"] == "complete" and session["payment_status"] == "unpaid":
        work.emit("checkout.session.async_payment_failed", session)
    elif session["status"] == "open":
        session["_error"] = intent["last_payment_error"]["message"]
        work.save(session)


def setup_succeeded(work: Work, intent: Body) -> None:
    """The card is saved."""
    session = _session_of(work, intent)
    if session is not None and session["status"] == "open":
        _complete(work, session, "no_payment_required")


def setup_failed(work: Work, intent: Body) -> None:
    """The card was refused."""
    session = _session_of(work, intent)
    if session is not None and session["status"] == "open":
        session["_error"] = intent["last_setup_error"]["message"]
        work.save(session)
