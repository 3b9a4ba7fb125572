"""What time does: renewals, ends of trials, retries, expiries, bank debits that arrive."""

from collections.abc import Callable, Mapping

from services.stripe_sandbox.errors import Body
from services.stripe_sandbox.flows import checkout, invoicing, paying, settling
from services.stripe_sandbox.flows.catalog import product_names
from services.stripe_sandbox.flows.changing import expire_update
from services.stripe_sandbox.flows.disputes import settle_refund
from services.stripe_sandbox.flows.methods import default_method
from services.stripe_sandbox.flows.pausing import resume_collection
from services.stripe_sandbox.flows.prorating import period_lines
from services.stripe_sandbox.flows.subscribing import ENDED, end_now, recurring_of
from services.stripe_sandbox.objects.invoice import of_subscription, subscription_of
from services.stripe_sandbox.objects.subscription import items_of, period_of, set_period
from services.stripe_sandbox.periods import boundary_after
from services.stripe_sandbox.work import Work

# How many things may happen in one step of a test clock before somebody made a mistake.
MAX_STEPS = 10_000


def renew(work: Work, body: Body) -> None:
    """A period is over: begin the next one and bill it, or end."""
    if body["status"] in ENDED | {"paused"}:
        return
    if body["cancel_at"] is not None and body["cancel_at"] <= period_of(body)[1]:
        end_now(work, body)
        return
    if body["status"] == "trialing" and not _survives_trial(work, body):
        return
    _, start = period_of(body)
    end = boundary_after(body["billing_cycle_anchor"], recurring_of(body), start)
    set_period(body, start, end)
    if body["status"] == "trialing":
        body["status"] = "active"
    _bill_period(work, body, (start, end))
    work.save(body, "customer.subscription.updated")
    work.plan("renew", body, end)


def _survives_trial(work: Work, body: Body) -> bool:
    """A trial that ends without a card cancels or pauses, if that was asked for."""
    customer = work.get("customer", body["customer"])
    then = body["trial_settings"]["end_behavior"]["missing_payment_method"]
    if then == "create_invoice" or default_method(work, customer, body["default_payment_method"]):
        return True
    if then == "cancel":
        end_now(work, body, "payment_failed")
    else:
        body["status"] = "paused"
        work.save(body, "customer.subscription.paused")
    return False


def _bill_period(work: Work, body: Body, period: tuple[int, int]) -> None:
    customer = work.get("customer", body["customer"])
    lines = period_lines(items_of(body), product_names(work, items_of(body)), period)
    pending = invoicing.pending_items(work, customer, body["id"])
    # An unpaid or paused subscription goes on making drafts, which nobody collects.
    collects = body["status"] != "unpaid" and not body["pause_collection"]
    params = {
        "auto_advance": collects,
        "collection_method": body["collection_method"],
        "currency": body["currency"],
        "parent": of_subscription(body),
    }
    invoice = invoicing.draft(work, customer, "subscription_cycle", params, lines, pending)
    body["latest_invoice"] = invoice["id"]
    if collects:
        due = work.now(body) + invoicing.DRAFT_SECONDS
        invoice["automatically_finalizes_at"] = due
        work.save(invoice)
        work.plan("finalize_invoice", invoice, due)
    elif body["pause_collection"] and body["pause_collection"]["behavior"] != "keep_as_draft":
        _write_off(work, invoice, body["pause_collection"]["behavior"])


def _write_off(work: Work, invoice: Body, behavior: str) -> None:
    opened = invoicing.finalize(work, invoice)
    if opened["status"] != "open":
        return
    if behavior == "void":
        settling.void(work, opened)
    else:
        settling.mark_uncollectible(work, opened)


def finalize_invoice(work: Work, body: Body) -> None:
    """A draft of Stripe's own has waited its hour, unless it was told to wait on."""
    if body["status"] == "draft" and body["auto_advance"]:
        collect_invoice(work, invoicing.finalize(work, body))


def collect_invoice(work: Work, body: Body) -> None:
    """Charge what is open, for the first time or again."""
    if body["status"] == "open" and body["collection_method"] == "charge_automatically":
        invoicing.collect_quietly(work, body)


def overdue_invoice(work: Work, body: Body) -> None:
    """An invoice that was sent is not paid on its day."""
    if body["status"] == "open":
        work.emit("invoice.overdue", body)
        subscription = work.find("subscription", subscription_of(body))
        if subscription and subscription["status"] == "active":
            subscription["status"] = "past_due"
            work.save(subscription, "customer.subscription.updated")


def cancel_subscription(work: Work, body: Body) -> None:
    """The day that was set for the end has come."""
    if body["status"] not in ENDED:
        end_now(work, body)


def expire_incomplete(work: Work, body: Body) -> None:
    """A first payment was not made in time."""
    if body["status"] == "incomplete":
        end_now(work, body)


def notify_trial_end(work: Work, body: Body) -> None:
    """A trial ends in three days."""
    if body["status"] == "trialing":
        work.emit("customer.subscription.trial_will_end", body)


TASKS: Mapping[str, Callable[[Work, Body], object]] = {
    "cancel_subscription": cancel_subscription,
    "collect_invoice": collect_invoice,
    "expire_incomplete": expire_incomplete,
    "expire_session": checkout.expire,
    "expire_update": expire_update,
    "finalize_invoice": finalize_invoice,
    "notify_trial_end": notify_trial_end,
    "overdue_invoice": overdue_invoice,
    "renew": renew,
    "resume_collection": resume_collection,
    "settle_payment": paying.settle,
    "settle_refund": settle_refund,
}


def do_next(work: Work, clock: str, until: int) -> bool:
    """Do the first thing that is due on a clock, at its own time; False when there is none."""
    row = work.store.one(
        "SELECT * FROM agenda WHERE clock = ? AND due <= ? ORDER BY due, seq LIMIT 1", clock, until
    )
    if row is None:
        return False
    work.store.run("DELETE FROM agenda WHERE seq = ?", row["seq"])
    if clock:
        _set_clock(work, clock, row["due"])
    body = work.store.find(row["subject"])
    if body is not None and not body.get("deleted"):
        TASKS[row["task"]](work, body)
    return True


def advance(work: Work, clock: Body, to: int) -> Body:
    """Move a test clock, with everything that happens on the way."""
    steps = 0
    while do_next(work, clock["id"], to):
        steps += 1
        if steps > MAX_STEPS:
            raise RuntimeError("a test clock has more to do than can be meant")
    _set_clock(work, clock["id"], to)
    return work.get("test_helpers.test_clock", clock["id"])


def _set_clock(work: Work, clock_id: str, to: int) -> None:
    clock = work.get("test_helpers.test_clock", clock_id)
    clock["frozen_time"] = max(clock["frozen_time"], to)
    work.save(clock)
