"""Invoices on their way to be paid: drafts, pending items, numbers, collecting."""

from collections.abc import Iterable

from services.stripe_sandbox.errors import Body, StripeError, error_body, invalid
from services.stripe_sandbox.flows import paying
from services.stripe_sandbox.flows.methods import default_method
from services.stripe_sandbox.flows.paying import Manner
from services.stripe_sandbox.flows.prorating import Line
from services.stripe_sandbox.flows.settling import failed, mark_paid
from services.stripe_sandbox.money import MINIMUM
from services.stripe_sandbox.objects.customer import balance_transaction
from services.stripe_sandbox.objects.intents import payment_intent
from services.stripe_sandbox.objects.invoice import (
    from_item,
    from_subscription_item,
    invoice,
    invoice_item,
    invoice_payment,
    line,
    subscription_of,
    total_up,
)
from services.stripe_sandbox.work import Work

# A draft of Stripe's own making can still be changed for an hour.
DRAFT_SECONDS = 3600
NO_METHOD = (
    "This customer has no attached payment source or default payment method. Please consider adding"
    " a default payment method. For more information, visit"
    " https://stripe.com/docs/billing/payment-methods#set-default-payment-method-on-the-customer-object."
)
NEEDS_ACTION = (
    "This payment requires additional user action before it can be completed successfully. Payment"
    " can be completed using the PaymentIntent associated with the invoice."
)


def draft(
    work: Work,
    customer: Body,
    reason: str,
    params: Body,
    lines: Iterable[Line] = (),
    items: Iterable[Body] = (),
) -> Body:
    """A draft with lines for subscription items and for pending invoice items."""
    body = invoice(customer, work.now(customer), reason, params)
    for each in lines:
        body["_lines"].append(_subscription_line(body, each))
    for item in items:
        body["_lines"].append(item_line(body, item))
        item["invoice"] = body["id"]
        work.save(item)
    periods = [each.period for each in lines if not each.proration]
    if periods:
        body["period_start"], body["period_end"] = periods[0]
    total_up(body)
    work.add(body, "invoice.created")
    work.note("invoice", body)
    return body


def _subscription_line(body: Body, each: Line) -> Body:
    return line(
        body["id"],
        each.amount,
        each.description,
        price=each.item["price"],
        quantity=each.item["quantity"],
        period=each.period,
        parent=from_subscription_item(each.item, proration=each.proration),
        currency=body["currency"],
        metadata=each.item["metadata"],
    )


def item_line(body: Body, item: Body) -> Body:
    """The line that an invoice item becomes."""
    made = line(
        body["id"],
        item["amount"],
        item["description"],
        price=None,
        quantity=item["quantity"],
        period=(item["period"]["start"], item["period"]["end"]),
        parent=from_item(item),
        currency=body["currency"],
        metadata=item["metadata"],
    )
    made["pricing"] = item["pricing"]
    return made


def pending_items(work: Work, customer: Body, subscription: str | None = None) -> list[Body]:
    """What waits for the customer's next invoice; that of another subscription waits on."""
    found = []
    for item in work.all("invoiceitem", customer=customer["id"], invoice=None):
        details = (item["parent"] or {}).get("subscription_details") or {}
        if details.get("subscription") in {None, subscription}:
            found.append(item)
    return found


def finalize(work: Work, body: Body, *, auto_advance: bool | None = None) -> Body:
    """Number an invoice and have it wait for payment; nothing due is paid at once."""
    if body["status"] != "draft":
        raise invalid(
            "This invoice is already finalized, you can't re-finalize a non-draft invoice."
        )
    work.drop("finalize_invoice", body)
    now = work.now(body)
    customer = work.get("customer", body["customer"], "customer")
    _apply_balance(work, body, customer, now)
    _open(work, body, customer, now)
    if auto_advance is not None:
        body["auto_advance"] = auto_advance
    if body["amount_due"]:
        _prepare_payment(work, body, customer, now)
    work.save(body, "invoice.finalized")
    if not body["amount_due"]:
        return mark_paid(work, body, None)
    if body["due_date"]:
        work.plan("overdue_invoice", body, body["due_date"])
    return body


def _open(work: Work, body: Body, customer: Body, now: int) -> None:
    number = customer["next_invoice_sequence"]
    customer["next_invoice_sequence"] += 1
    work.save(customer)
    page = f"{work.settings.public_url}/invoices/{body['id']}"
    body |= {
        "status": "open",
        "number": f"{customer['invoice_prefix']}-{number:04}",
        "effective_at": now,
        "hosted_invoice_url": page,
        "invoice_pdf": f"{page}/pdf",
        "automatically_finalizes_at": None,
    }
    body["status_transitions"]["finalized_at"] = now


def add_receipt(work: Work, customer: Body, params: Body, items: list[Body], intent: Body) -> Body:
    """An invoice for what is paid already, as Checkout makes after a payment."""
    body = draft(work, customer, "manual", params, items=items)
    # The payment has taken the whole price, whatever the customer's balance was.
    body |= {"starting_balance": 0, "ending_balance": 0}
    total_up(body)
    _open(work, body, customer, work.now(body))
    body["_payment_intent"] = intent["id"]
    work.add(invoice_payment(body, intent["id"], work.now(body)))
    work.save(body, "invoice.finalized")
    return mark_paid(work, body, intent)


def _apply_balance(work: Work, body: Body, customer: Body, now: int) -> None:
    """Credits and debts of the customer come in; too little to be charged waits as a debt."""
    before = customer["balance"]
    raw = body["total"] + before
    due, after = max(raw, 0), min(raw, 0)
    kind = "applied_to_invoice"
    if 0 < due < MINIMUM[body["currency"]]:
        due, after, kind = 0, due, "invoice_too_small"
    body |= {"starting_balance": before, "ending_balance": after}
    body["amount_due"] = body["amount_remaining"] = due
    if after != before:
        customer["balance"] = after
        work.save(customer, "customer.updated")
        change = after - before
        work.add(
            balance_transaction(customer, change, kind, body["currency"], now, invoice=body["id"])
        )


def _prepare_payment(work: Work, body: Body, customer: Body, now: int) -> None:
    params = {
        "amount": body["amount_due"],
        "currency": body["currency"],
        "customer": customer["id"],
        "description": _description(body),
    }
    if subscription_of(body):
        params["setup_future_usage"] = "off_session"
    intent = payment_intent(params, now, _invoice=body["id"])
    work.add(intent, "payment_intent.created")
    body["_payment_intent"] = intent["id"]
    work.add(invoice_payment(body, intent["id"], now))


def _description(body: Body) -> str:
    return {
        "subscription_create": "Subscription creation",
        "subscription_update": "Subscription update",
    }.get(body["billing_reason"], f"Payment for Invoice {body['number']}")


def collect(
    work: Work, body: Body, method: Body | None = None, *, off_session: bool = True
) -> Body:
    """Charge an open invoice to a payment method, by default the customer's.

    Raises StripeError: invalid when there is none, a card error (which keeps what happened) when
    it is declined or when the customer has to authenticate.
    """
    customer = work.get("customer", body["customer"], "customer")
    subscription = work.find("subscription", subscription_of(body))
    if method is None:
        method = default_method(
            work,
            customer,
            body["default_payment_method"],
            (subscription or {}).get("default_payment_method"),
        )
    if method is None:
        raise invalid(NO_METHOD, code="resource_missing")
    intent = work.get("payment_intent", body["_payment_intent"])
    if intent["status"] == "requires_action":
        intent["status"] = "requires_payment_method"
    manner = Manner(off_session=off_session, may_ask=True)
    intent = paying.confirm(work, intent, method, manner)
    if intent["status"] == "requires_action":
        error = error_body("card_error", NEEDS_ACTION, "invoice_payment_intent_requires_action")
        error["payment_intent"] = intent
        raise StripeError(402, error, keeps_changes=True)
    return work.get("invoice", body["id"])


def pay(work: Work, body: Body, method: Body | None, *, off_session: bool) -> Body:
    """Pay an invoice because somebody asked. Raises StripeError when it cannot be paid."""
    if body["status"] == "draft":
        body = finalize(work, body)
    if body["status"] == "paid":
        raise invalid("Invoice is already paid")
    if body["status"] not in {"open", "uncollectible"}:
        raise invalid(f"You can't pay an invoice with a status of {body['status']}.")
    return collect(work, body, method, off_session=off_session)


def collect_quietly(work: Work, body: Body) -> None:
    """Try to collect; a failure shows in the invoice, and who asked is not told."""
    if body["status"] != "open":
        return
    try:
        collect(work, body)
    except StripeError as error:
        if not error.keeps_changes:
            failed(work, work.get("invoice", body["id"]))


def add_items(work: Work, customer: Body, subscription: Body, lines: Iterable[Line]) -> None:
    """Have prorations wait for the subscription's next invoice."""
    for each in lines:
        params = {
            "currency": subscription["currency"],
            "description": each.description,
            "metadata": each.item["metadata"],
            "period": {"start": each.period[0], "end": each.period[1]},
            "price": each.item["price"],
            "proration": True,
            "quantity": each.item["quantity"],
            "subscription": subscription["id"],
            "subscription_item": each.item["id"],
        }
        item = invoice_item(customer, each.amount, params, work.now(customer))
        work.add(item, "invoiceitem.created")
