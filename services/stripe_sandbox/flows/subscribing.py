"""Beginning and ending subscriptions, and what their invoices do to them."""

from services.stripe_sandbox.errors import Body, StripeError, invalid
from services.stripe_sandbox.flows import invoicing, settling
from services.stripe_sandbox.flows.catalog import price_of, product_names
from services.stripe_sandbox.flows.prorating import (
    Line,
    part_lines,
    period_lines,
    trial_lines,
    unused_lines,
)
from services.stripe_sandbox.objects.invoice import of_subscription, subscription_of
from services.stripe_sandbox.objects.subscription import (
    item,
    items_of,
    period_of,
    set_items,
    set_period,
    subscription,
)
from services.stripe_sandbox.periods import boundary_after
from services.stripe_sandbox.work import Work

DAY_SECONDS = 24 * 3600
# A first payment, or one for a pending change, has to be made within this time.
INCOMPLETE_SECONDS = 23 * 3600
TRIAL_NOTICE_SECONDS = 3 * DAY_SECONDS
ENDED = {"canceled", "incomplete_expired"}
TASKS = (
    "renew",
    "cancel_subscription",
    "expire_incomplete",
    "expire_update",
    "notify_trial_end",
    "resume_collection",
)


def subscribe(work: Work, customer: Body, params: Body) -> Body:
    """Begin a subscription, with its first invoice.

    Raises StripeError when it cannot begin, or when its first payment fails and that was not
    allowed to be incomplete.
    """
    now = work.now(customer)
    body = subscription(customer, params, now)
    items = []
    for number, each in enumerate(params["items"]):
        price = price_of(work, each, f"items[{number}]", recurring=True)
        items.append(item(body, price, each.get("quantity", 1), now, each.get("metadata")))
    check_items(items)
    set_items(body, items)
    body["currency"] = items[0]["price"]["currency"]
    lines = _first_period(work, body, params, now)
    plan_cancellation(work, body, params)
    if body["trial_end"]:
        body["status"] = "trialing"
    elif body["collection_method"] == "send_invoice":
        body["status"] = "active"
    work.add(body, "customer.subscription.created")
    work.note("subscription", body)
    _plan_ahead(work, body)
    return _bill_first(work, body, customer, lines, params)


def check_items(items: list[Body]) -> None:
    """All items of a subscription have one currency and one interval. Raises StripeError."""
    if not items:
        raise invalid("A subscription must have at least one active item.", "items")
    intervals = {
        (each["price"]["recurring"]["interval"], each["price"]["recurring"]["interval_count"])
        for each in items
    }
    if len(intervals) > 1 or len({each["price"]["currency"] for each in items}) > 1:
        raise invalid(
            "The sandbox bills all items of a subscription in one currency and interval.", "items"
        )


def recurring_of(body: Body) -> Body:
    """The interval in which a subscription is billed."""
    recurring: Body = items_of(body)[0]["price"]["recurring"]
    return recurring


def _first_period(work: Work, body: Body, params: Body, now: int) -> list[Line]:
    """Set the first period, and say what it costs."""
    items, names = items_of(body), product_names(work, items_of(body))
    trial_end = params.get("trial_end")
    if "trial_period_days" in params:
        trial_end = now + params["trial_period_days"] * DAY_SECONDS
    if trial_end not in {None, "now"} and trial_end > now:
        body |= {"trial_start": now, "trial_end": trial_end, "billing_cycle_anchor": trial_end}
        set_period(body, now, trial_end)
        return trial_lines(items, names, (now, trial_end))
    anchor = params.get("billing_cycle_anchor", now)
    body["billing_cycle_anchor"] = anchor
    end = boundary_after(anchor, recurring_of(body), now)
    if anchor > now:
        end = anchor
    set_period(body, now, end)
    if anchor == now:
        return period_lines(items, names, (now, end))
    if params.get("proration_behavior") == "none":
        return []
    whole = boundary_after(end, recurring_of(body), end) - end
    return part_lines(items, names, (now, end), whole)


def _plan_ahead(work: Work, body: Body) -> None:
    _, end = period_of(body)
    work.plan("renew", body, end)
    if body["trial_end"]:
        soon = body["trial_end"] - TRIAL_NOTICE_SECONDS
        work.plan("notify_trial_end", body, max(soon, work.now(body)))


def _bill_first(work: Work, body: Body, customer: Body, lines: list[Line], params: Body) -> Body:
    invoice_params = {
        "auto_advance": True,
        "collection_method": body["collection_method"],
        "currency": body["currency"],
        "parent": of_subscription(body),
    }
    if body["collection_method"] == "send_invoice":
        due = work.now(body) + (body["days_until_due"] or 30) * DAY_SECONDS
        invoice_params["due_date"] = due
    pending = invoicing.pending_items(work, customer, body["id"])
    invoice = invoicing.draft(work, customer, "subscription_create", invoice_params, lines, pending)
    body["latest_invoice"] = invoice["id"]
    work.save(body)
    invoice = invoicing.finalize(work, invoice)
    if invoice["status"] == "open" and body["collection_method"] == "charge_automatically":
        work.plan("expire_incomplete", body, work.now(body) + INCOMPLETE_SECONDS)
        _collect_first(work, invoice, params)
    return work.get("subscription", body["id"])


def _collect_first(work: Work, invoice: Body, params: Body) -> None:
    behavior = params.get("payment_behavior", "allow_incomplete")
    if behavior == "default_incomplete":
        return
    try:
        off_session = params.get("off_session", False)
        invoicing.collect(work, invoice, off_session=off_session)
    except StripeError as error:
        # Without any payment method there is nothing that could be completed later.
        if behavior == "error_if_incomplete" or not error.keeps_changes:
            raise StripeError(error.status, error.error) from error


def plan_cancellation(work: Work, body: Body, params: Body) -> None:
    """Take over when a subscription is to end: at its period's end, at a time, or not at all."""
    if "cancel_at_period_end" not in params and "cancel_at" not in params:
        return
    end = period_of(body)[1]
    at = params.get("cancel_at")
    if isinstance(at, str):
        at = end
    if "cancel_at_period_end" in params:
        body["cancel_at_period_end"] = params["cancel_at_period_end"]
        at = end if params["cancel_at_period_end"] else at
    elif at is None:
        body["cancel_at_period_end"] = False
    work.drop("cancel_subscription", body)
    body["cancel_at"] = at
    reason = None if at is None else "cancellation_requested"
    body["cancellation_details"]["reason"] = reason
    body["canceled_at"] = None if at is None else work.now(body)
    if at is not None:
        work.plan("cancel_subscription", body, at)


def end_now(work: Work, body: Body, reason: str = "cancellation_requested") -> Body:
    """End a subscription at once; what is open is not collected by itself any more."""
    now = work.now(body)
    unpaid_yet = body["status"] == "incomplete"
    body |= {"status": "incomplete_expired" if unpaid_yet else "canceled", "ended_at": now}
    body |= {"canceled_at": body["canceled_at"] or now, "pending_update": None}
    body["cancellation_details"]["reason"] = reason
    for task in TASKS:
        work.drop(task, body)
    for each in work.all("invoice", customer=body["customer"], status="open"):
        if subscription_of(each) != body["id"]:
            continue
        if unpaid_yet:
            settling.void(work, each)
        else:
            each |= {"auto_advance": False, "next_payment_attempt": None}
            work.drop("collect_invoice", each)
            work.save(each, "invoice.updated")
    event = "customer.subscription.updated" if unpaid_yet else "customer.subscription.deleted"
    return work.save(body, event)


def bill_unused(work: Work, body: Body, *, invoice_now: bool) -> None:
    """Give back the unused time of a subscription that ends, on the next invoice or at once."""
    customer = work.get("customer", body["customer"])
    now, names = work.now(body), product_names(work, items_of(body))
    lines = unused_lines(items_of(body), names, now, period_of(body))
    if invoice_now:
        params = {"currency": body["currency"], "parent": of_subscription(body)}
        made = invoicing.draft(work, customer, "subscription_update", params, lines)
        invoicing.finalize(work, made)
    else:
        invoicing.add_items(work, customer, body, lines)


# What follows from a subscription's invoices.


def invoice_paid(work: Work, invoice: Body) -> None:
    """A subscription whose latest invoice is paid is active."""
    body = work.find("subscription", subscription_of(invoice))
    if body is None or body["latest_invoice"] != invoice["id"]:
        return
    settings = body["payment_settings"]
    if "_paid_with" in invoice and settings["save_default_payment_method"] == "on_subscription":
        body["default_payment_method"] = invoice["_paid_with"]
        work.save(body)
    if body["status"] in {"incomplete", "past_due", "unpaid"}:
        work.drop("expire_incomplete", body)
        body["status"] = "active"
        work.save(body, "customer.subscription.updated")


def invoice_failed(work: Work, invoice: Body) -> None:
    """A renewal that is not paid makes the subscription past due, and in the end ends it."""
    body = work.find("subscription", subscription_of(invoice))
    if body is None or body["status"] in ENDED | {"incomplete"} or "_pending_update" in invoice:
        return
    if invoice.get("_given_up"):
        _give_up(work, body)
    elif body["status"] in {"active", "trialing"}:
        body["status"] = "past_due"
        work.save(body, "customer.subscription.updated")


def _give_up(work: Work, body: Body) -> None:
    """The last retry has failed; what then is an account's setting at Stripe."""
    then = work.store.setting("after_failed_retries", "cancel")
    if then == "cancel":
        end_now(work, body, "payment_failed")
    elif then == "unpaid":
        body["status"] = "unpaid"
        work.save(body, "customer.subscription.updated")


def invoice_written_off(work: Work, invoice: Body) -> None:
    """A void or uncollectible latest invoice is no debt: what was past due is active again."""
    body = work.find("subscription", subscription_of(invoice))
    if body is None or body["latest_invoice"] != invoice["id"]:
        return
    if body["status"] in {"past_due", "unpaid"}:
        body["status"] = "active"
        work.save(body, "customer.subscription.updated")
