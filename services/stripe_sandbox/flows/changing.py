"""Changing a subscription: its items with proration, its dates, and changes that wait for money."""

from copy import deepcopy

from services.stripe_sandbox.errors import Body, StripeError, invalid, missing
from services.stripe_sandbox.flows import invoicing, settling
from services.stripe_sandbox.flows.catalog import price_of, product_names
from services.stripe_sandbox.flows.prorating import (
    Line,
    change_lines,
    period_lines,
    unused_lines,
)
from services.stripe_sandbox.flows.subscribing import (
    INCOMPLETE_SECONDS,
    check_items,
    recurring_of,
)
from services.stripe_sandbox.objects.catalog import plan
from services.stripe_sandbox.objects.common import merged
from services.stripe_sandbox.objects.invoice import of_subscription, subscription_of
from services.stripe_sandbox.objects.subscription import (
    item,
    items_of,
    period_of,
    set_items,
    set_period,
)
from services.stripe_sandbox.periods import boundary_after
from services.stripe_sandbox.work import Work


class Change:
    """What a change makes of a subscription, and what it costs; nothing is saved yet."""

    def __init__(self, work: Work, body: Body, params: Body) -> None:
        self.before = body
        self.body = deepcopy(body)
        now = work.now(body)
        self.at = params.get("proration_date", now)
        set_items(self.body, _changed_items(work, self.body, params.get("items", []), now))
        check_items(items_of(self.body))
        self.names = product_names(work, items_of(body) + items_of(self.body))
        self.begins_anew = self._begins_anew(params)
        period = period_of(body)
        if not period[0] <= self.at <= period[1]:
            raise invalid(
                "The proration_date must be within the current billing period.", "proration_date"
            )
        if self.begins_anew:
            self._begin_anew(now)
        elif items_of(self.body):
            set_period(self.body, *period)

    def _begins_anew(self, params: Body) -> bool:
        """Whether the billing period starts over: asked for, another interval, or no trial now."""
        return (
            params.get("billing_cycle_anchor", {}).get("type") == "now"
            or recurring_of(self.before) != recurring_of(self.body)
            or (params.get("trial_end") == "now" and self.before["status"] == "trialing")
        )

    def _begin_anew(self, now: int) -> None:
        self.body["billing_cycle_anchor"] = now
        if self.before["status"] == "trialing":
            self.body |= {"trial_end": now, "status": "active"}
        set_period(self.body, now, boundary_after(now, recurring_of(self.body), now))

    def prorations(self, behavior: str) -> list[Line]:
        """What is given back and charged for the rest of the period."""
        if behavior == "none" or self.before["status"] == "trialing":
            return []
        period = period_of(self.before)
        if self.begins_anew:
            return unused_lines(items_of(self.before), self.names, self.at, period)
        before, after = items_of(self.before), items_of(self.body)
        return change_lines(before, after, self.names, self.at, period)

    def new_period(self) -> list[Line]:
        """The lines of the period that starts over."""
        if not self.begins_anew:
            return []
        return period_lines(items_of(self.body), self.names, period_of(self.body))


def _changed_items(work: Work, body: Body, given: list[Body], now: int) -> list[Body]:
    items = {each["id"]: each for each in items_of(body)}
    for number, params in enumerate(given):
        param = f"items[{number}]"
        if "id" not in params:
            price = price_of(work, params, param, recurring=True)
            made = item(body, price, params.get("quantity", 1), now, params.get("metadata"))
            items[made["id"]] = made
        elif params["id"] not in items:
            raise missing("subscription_item", params["id"], f"{param}[id]")
        elif params.get("deleted"):
            del items[params["id"]]
        else:
            _change_item(work, items[params["id"]], params, param)
    return list(items.values())


def _change_item(work: Work, changed: Body, params: Body, param: str) -> None:
    if "price" in params or "price_data" in params:
        price = price_of(work, params, param, recurring=True)
        changed |= {"price": price, "plan": plan(price)}
    if "quantity" in params:
        changed["quantity"] = params["quantity"]
    if "metadata" in params:
        changed["metadata"] = merged(changed["metadata"], params["metadata"])


def change_items(work: Work, body: Body, params: Body) -> Body:
    """Change what is subscribed, bill it as asked, and save.

    Raises StripeError when the payment fails and the change was only wanted with it.
    """
    change = Change(work, body, params)
    behavior = params.get("proration_behavior", "create_prorations")
    prorations = change.prorations(behavior)
    customer = work.get("customer", body["customer"])
    if behavior != "always_invoice" and not change.begins_anew:
        invoicing.add_items(work, customer, body, prorations)
        return apply_change(work, change.body)
    lines = [*prorations, *change.new_period()]
    if not lines:
        return apply_change(work, change.body)
    if params.get("payment_behavior") == "pending_if_incomplete":
        return _change_once_paid(work, change, customer, lines)
    changed = apply_change(work, change.body)
    invoice = _bill(work, changed, customer, lines)
    _collect(work, invoice, params)
    return work.get("subscription", body["id"])


def apply_change(work: Work, body: Body) -> Body:
    """Save a subscription as it was changed, and when it renews."""
    work.plan("renew", body, period_of(body)[1])
    if body["cancel_at_period_end"]:
        body["cancel_at"] = period_of(body)[1]
        work.plan("cancel_subscription", body, body["cancel_at"])
    return work.save(body, "customer.subscription.updated")


def _bill(work: Work, body: Body, customer: Body, lines: list[Line], **ours: object) -> Body:
    params = {
        "auto_advance": True,
        "collection_method": body["collection_method"],
        "currency": body["currency"],
        "parent": of_subscription(body),
    }
    pending = invoicing.pending_items(work, customer, body["id"])
    invoice = invoicing.draft(work, customer, "subscription_update", params, lines, pending)
    invoice |= ours
    current = work.get("subscription", body["id"])
    current["latest_invoice"] = invoice["id"]
    work.save(current)
    return invoicing.finalize(work, invoice)


def _collect(work: Work, invoice: Body, params: Body) -> None:
    behavior = params.get("payment_behavior", "allow_incomplete")
    if invoice["status"] != "open" or behavior == "default_incomplete":
        return
    try:
        invoicing.collect(work, invoice, off_session=params.get("off_session", False))
    except StripeError as error:
        if behavior == "error_if_incomplete":
            raise StripeError(error.status, error.error) from error
        if not error.keeps_changes:
            settling.failed(work, invoice)


def _change_once_paid(work: Work, change: Change, customer: Body, lines: list[Line]) -> Body:
    """Bill first; the subscription changes when that is paid, or never."""
    body = work.get("subscription", change.body["id"])
    expires_at = work.now(body) + INCOMPLETE_SECONDS
    body["pending_update"] = {
        "billing_cycle_anchor": None,
        "expires_at": expires_at,
        "subscription_items": items_of(change.body),
        "trial_end": None,
        "trial_from_plan": None,
    }
    body["_pending"] = {**change.body, "pending_update": None}
    work.save(body)
    work.plan("expire_update", body, expires_at)
    invoice = _bill(work, body, customer, lines, _pending_update=body["id"])
    if invoice["status"] == "open":
        try:
            invoicing.collect(work, invoice, off_session=False)
        except StripeError as error:
            if not error.keeps_changes:
                raise
        waiting = work.get("subscription", body["id"])
        if waiting["pending_update"]:
            work.save(waiting, "customer.subscription.updated")
    return work.get("subscription", body["id"])


def pending_update_paid(work: Work, invoice: Body) -> None:
    """The invoice of a waiting change is paid: the subscription changes."""
    body = work.find("subscription", invoice.get("_pending_update"))
    if body is None or not body["pending_update"]:
        return
    work.drop("expire_update", body)
    pending = body.pop("_pending")
    changed = {**pending, "latest_invoice": body["latest_invoice"], "status": body["status"]}
    apply_change(work, changed)
    work.emit("customer.subscription.pending_update_applied", changed)


def pending_update_voided(work: Work, invoice: Body) -> None:
    """The invoice of a waiting change is void: it is off."""
    body = work.find("subscription", invoice.get("_pending_update"))
    if body is not None and body["pending_update"]:
        _give_up_update(work, body)


def _give_up_update(work: Work, body: Body) -> None:
    work.drop("expire_update", body)
    body["pending_update"] = None
    body.pop("_pending", None)
    work.save(body, "customer.subscription.pending_update_expired")


def expire_update(work: Work, body: Body) -> None:
    """A waiting change was not paid in time: it is off, and its invoice void."""
    _give_up_update(work, body)
    for invoice in work.all("invoice", customer=body["customer"], status="open"):
        if subscription_of(invoice) == body["id"] and "_pending_update" in invoice:
            settling.void(work, invoice)
