"""Pausing and resuming subscriptions, and moving the ends of their trials."""

from services.stripe_sandbox.errors import Body, invalid
from services.stripe_sandbox.flows import invoicing
from services.stripe_sandbox.flows.catalog import product_names
from services.stripe_sandbox.flows.prorating import period_lines
from services.stripe_sandbox.flows.subscribing import ENDED, recurring_of
from services.stripe_sandbox.objects.invoice import of_subscription
from services.stripe_sandbox.objects.subscription import items_of, period_of, set_period
from services.stripe_sandbox.periods import boundary_after
from services.stripe_sandbox.work import Work


def set_collection(work: Work, body: Body, given: Body | None) -> None:
    """Go on invoicing without collecting, until `resumes_at` or for good; None ends that."""
    body["pause_collection"] = None if given is None else {"resumes_at": None, **given}
    work.drop("resume_collection", body)
    if given and "resumes_at" in given:
        work.plan("resume_collection", body, given["resumes_at"])


def resume_collection(work: Work, body: Body) -> None:
    """The time for which collection was paused is over."""
    body["pause_collection"] = None
    work.save(body, "customer.subscription.updated")


def set_trial_end(work: Work, body: Body, trial_end: int) -> None:
    """Move the end of a trial; the period ends with it. Raises StripeError."""
    now = work.now(body)
    if trial_end <= now or body["status"] not in {"trialing", "active"}:
        raise invalid("The trial must end in the future, on a running subscription.", "trial_end")
    body |= {"trial_end": trial_end, "status": "trialing", "billing_cycle_anchor": trial_end}
    body["trial_start"] = body["trial_start"] or now
    set_period(body, period_of(body)[0], trial_end)
    work.plan("renew", body, trial_end)


def pause(work: Work, body: Body) -> Body:
    """Stop a subscription: no service, no invoices. Raises StripeError when it does not run."""
    if body["status"] in ENDED | {"paused", "incomplete"}:
        raise invalid(f"A subscription with a status of {body['status']} cannot be paused.")
    body["status"] = "paused"
    work.drop("renew", body)
    return work.save(body, "customer.subscription.paused")


def resume(work: Work, body: Body, params: Body) -> Body:
    """Go on with a paused subscription, in a new period unless the old one still runs.

    Raises StripeError when it is not paused.
    """
    if body["status"] != "paused":
        raise invalid("Only subscriptions with a status of `paused` can be resumed.")
    now = work.now(body)
    unchanged = params.get("billing_cycle_anchor", {}).get("type") == "unchanged"
    body["status"] = "active"
    if unchanged and now < period_of(body)[1]:
        work.plan("renew", body, period_of(body)[1])
        return work.save(body, "customer.subscription.resumed")
    _begin_period(work, body, now)
    return work.get("subscription", body["id"])


def _begin_period(work: Work, body: Body, now: int) -> None:
    customer = work.get("customer", body["customer"])
    body["billing_cycle_anchor"] = now
    end = boundary_after(now, recurring_of(body), now)
    set_period(body, now, end)
    work.plan("renew", body, end)
    lines = period_lines(items_of(body), product_names(work, items_of(body)), (now, end))
    invoice_params = {
        "auto_advance": True,
        "collection_method": body["collection_method"],
        "currency": body["currency"],
        "parent": of_subscription(body),
    }
    invoice = invoicing.draft(work, customer, "subscription_cycle", invoice_params, lines)
    body["latest_invoice"] = invoice["id"]
    work.save(body, "customer.subscription.resumed")
    invoicing.collect_quietly(work, invoicing.finalize(work, invoice))
