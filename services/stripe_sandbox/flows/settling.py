"""How invoices end: paid, void, uncollectible; and what a payment intent does to its invoice."""

from services.stripe_sandbox.errors import Body, invalid
from services.stripe_sandbox.flows import paying
from services.stripe_sandbox.objects.customer import balance_transaction
from services.stripe_sandbox.work import Work

# When a payment that failed is tried again, counted from the last attempt.
RETRY_DAYS = (3, 5, 7)
DAY_SECONDS = 24 * 3600


def mark_paid(work: Work, body: Body, intent: Body | None, *, out_of_band: bool = False) -> Body:
    """An invoice is settled: by an intent, out of band, or because nothing is due."""
    now = work.now(body)
    body |= {"status": "paid", "attempted": True, "amount_remaining": 0}
    body |= {"next_payment_attempt": None, "auto_advance": False}
    body["amount_paid"] = 0 if out_of_band else body["amount_due"]
    body["status_transitions"]["paid_at"] = now
    work.drop("collect_invoice", body)
    work.drop("overdue_invoice", body)
    if intent is not None:
        body["attempt_count"] += 1
        body["_paid_with"] = intent["payment_method"]
        for payment in work.all("invoice_payment", invoice=body["id"], status="open"):
            payment |= {"status": "paid", "amount_paid": body["amount_paid"]}
            payment["status_transitions"]["paid_at"] = now
            work.save(payment, "invoice_payment.paid")
    elif "_payment_intent" in body:
        _cancel_payment(work, body, "abandoned")
    work.save(body, "invoice.paid")
    work.emit("invoice.payment_succeeded", body)
    return work.get("invoice", body["id"])


def _cancel_payment(work: Work, body: Body, reason: str) -> None:
    intent = work.get("payment_intent", body["_payment_intent"])
    if intent["status"] not in {"succeeded", "canceled", "processing"}:
        paying.cancel(work, intent, reason)
    for payment in work.all("invoice_payment", invoice=body["id"], status="open"):
        payment["status"] = "canceled"
        payment["status_transitions"]["canceled_at"] = work.now(body)
        work.save(payment)


def failed(work: Work, body: Body) -> None:
    """An attempt to collect has failed; a subscription's renewal is tried again later."""
    body |= {"attempted": True, "attempt_count": body["attempt_count"] + 1}
    body["next_payment_attempt"] = None
    retries = body["attempt_count"] - 1
    if body["auto_advance"] and body["billing_reason"] != "subscription_create":
        if retries < len(RETRY_DAYS):
            due = work.now(body) + RETRY_DAYS[retries] * DAY_SECONDS
            body["next_payment_attempt"] = due
            work.plan("collect_invoice", body, due)
        else:
            body["_given_up"] = True
    work.save(body, "invoice.payment_failed")


def void(work: Work, body: Body) -> Body:
    """An invoice that was finalized is taken back. Raises StripeError when it is settled."""
    if body["status"] not in {"open", "uncollectible"}:
        raise invalid(f"You can only void open invoices; this one is {body['status']}.")
    _unapply_balance(work, body)
    return _end(work, body, "void", "voided_at", "void_invoice", "invoice.voided")


def _unapply_balance(work: Work, body: Body) -> None:
    """What the customer's balance has paid of an invoice that is taken back is theirs again."""
    change = body["starting_balance"] - body["ending_balance"]
    if change:
        customer = work.get("customer", body["customer"], "customer")
        customer["balance"] += change
        work.save(customer, "customer.updated")
        kind, currency, now = "unapplied_from_invoice", body["currency"], work.now(body)
        work.add(balance_transaction(customer, change, kind, currency, now, invoice=body["id"]))


def mark_uncollectible(work: Work, body: Body) -> Body:
    """An invoice will probably never be paid. Raises StripeError when it is not open."""
    if body["status"] != "open":
        raise invalid(f"You can only mark open invoices; this one is {body['status']}.")
    at, event = "marked_uncollectible_at", "invoice.marked_uncollectible"
    return _end(work, body, "uncollectible", at, None, event)


def _end(work: Work, body: Body, status: str, moment: str, cancels: str | None, event: str) -> Body:
    if cancels and "_payment_intent" in body:
        _cancel_payment(work, body, cancels)
    body |= {"status": status, "auto_advance": False, "next_payment_attempt": None}
    body["status_transitions"][moment] = work.now(body)
    work.drop("collect_invoice", body)
    work.drop("overdue_invoice", body)
    work.save(body, event)
    return work.get("invoice", body["id"])


# What follows from a payment intent that an invoice has.


def intent_succeeded(work: Work, intent: Body) -> None:
    """The money is there: the invoice is paid."""
    body = work.find("invoice", intent.get("_invoice"))
    if body is not None and body["status"] in {"open", "uncollectible"}:
        mark_paid(work, body, intent)


def intent_failed(work: Work, intent: Body) -> None:
    """A payment was declined."""
    body = work.find("invoice", intent.get("_invoice"))
    if body is not None and body["status"] == "open":
        failed(work, body)


def intent_requires_action(work: Work, intent: Body) -> None:
    """The customer has to authenticate the payment."""
    body = work.find("invoice", intent.get("_invoice"))
    if body is not None and body["status"] == "open":
        work.emit("invoice.payment_action_required", body)
        failed(work, body)
