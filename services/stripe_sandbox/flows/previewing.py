"""What the next invoice would be: of a subscription as it is, changed, or yet to begin."""

from services.stripe_sandbox.errors import Body, invalid
from services.stripe_sandbox.flows import invoicing
from services.stripe_sandbox.flows.catalog import amount_of, price_of, product_names
from services.stripe_sandbox.flows.changing import Change
from services.stripe_sandbox.flows.prorating import Line, period_lines, trial_lines
from services.stripe_sandbox.flows.subscribing import ENDED, check_items
from services.stripe_sandbox.money import check_currency
from services.stripe_sandbox.objects.invoice import invoice_item, of_subscription
from services.stripe_sandbox.objects.subscription import (
    item,
    items_of,
    period_of,
    set_items,
    subscription,
)
from services.stripe_sandbox.periods import boundary_after
from services.stripe_sandbox.store import new_id
from services.stripe_sandbox.work import Work

NONE_COMING = "No upcoming invoices for customer: {}"


def preview(work: Work, params: Body) -> Body:
    """The invoice that would come; nothing of it is kept. Raises StripeError when none would."""
    with work.store.undone():
        body = _draft(work, params)
    body["id"] = f"upcoming_{new_id('in')}"
    body["lines"]["url"] = f"/v1/invoices/{body['id']}/lines"
    for line in body["_lines"]:
        line["invoice"] = None
    return body


def _draft(work: Work, params: Body) -> Body:
    details = params.get("subscription_details", {})
    begun = None
    if "subscription" in params:
        begun = work.get("subscription", params["subscription"], "subscription")
    customer_id = begun["customer"] if begun else params.get("customer")
    if customer_id is None:
        raise invalid("You must provide a customer or a subscription.", "customer")
    customer = work.get("customer", customer_id, "customer")
    for number, each in enumerate(params.get("invoice_items", [])):
        _add_item(work, customer, each, f"invoice_items[{number}]")
    if begun:
        return _of_subscription(work, begun, customer, details)
    if "items" in details:
        return _of_new(work, customer, details)
    items = invoicing.pending_items(work, customer)
    if not items:
        raise invalid(NONE_COMING.format(customer["id"]), code="invoice_upcoming_none", status=404)
    return invoicing.draft(work, customer, "upcoming", _common(items[0]), items=items)


def _common(body: Body) -> Body:
    return {"currency": body["currency"], "auto_advance": True}


def _add_item(work: Work, customer: Body, each: Body, param: str) -> None:
    currency = check_currency(each.get("currency", "usd"))
    amount, price, quantity = each.get("amount", 0), None, each.get("quantity", 1)
    if "price" in each or "price_data" in each:
        price = price_of(work, each, param)
        amount, currency = amount_of(price, quantity), price["currency"]
    given = {**each, "currency": currency, "price": price}
    work.add(invoice_item(customer, amount, given, work.now(customer)))


def _of_subscription(work: Work, body: Body, customer: Body, details: Body) -> Body:
    """The next invoice of a subscription: at once with a change, else its renewal."""
    ending = details.get("cancel_at_period_end", body["cancel_at_period_end"])
    if body["status"] in ENDED:
        raise invalid(NONE_COMING.format(customer["id"]), code="invoice_upcoming_none", status=404)
    change = Change(work, body, details)
    behavior = details.get("proration_behavior", "create_prorations")
    prorations = change.prorations(behavior)
    params = {
        **_common(body),
        "parent": of_subscription(body),
        "collection_method": body["collection_method"],
    }
    at_once = behavior == "always_invoice" or change.begins_anew
    if at_once and (prorations or change.begins_anew):
        params["parent"]["subscription_details"]["subscription_proration_date"] = change.at
        lines = [*prorations, *change.new_period()]
    elif ending:
        raise invalid(NONE_COMING.format(customer["id"]), code="invoice_upcoming_none", status=404)
    else:
        lines = [*prorations, *_renewal(change)]
    pending = invoicing.pending_items(work, customer, body["id"])
    reason = "subscription_update" if at_once else "upcoming"
    return invoicing.draft(work, customer, reason, params, lines, pending)


def _renewal(change: Change) -> list[Line]:
    start = period_of(change.body)[1]
    items = items_of(change.body)
    recurring = items[0]["price"]["recurring"]
    end = boundary_after(change.body["billing_cycle_anchor"], recurring, start)
    return period_lines(items, change.names, (start, end))


def _of_new(work: Work, customer: Body, details: Body) -> Body:
    """The first invoice of a subscription that does not exist yet."""
    now = work.now(customer)
    body = subscription(customer, {}, now)
    items = [
        item(
            body,
            price_of(work, each, f"subscription_details[items][{number}]", recurring=True),
            each.get("quantity", 1),
            now,
        )
        for number, each in enumerate(details["items"])
    ]
    check_items(items)
    set_items(body, items)
    params = {**_common(items[0]["price"]), "parent": of_subscription(body)}
    names = product_names(work, items)
    lines = period_lines(
        items, names, (now, boundary_after(now, items[0]["price"]["recurring"], now))
    )
    if isinstance(details.get("trial_end"), int) and details["trial_end"] > now:
        lines = trial_lines(items, names, (now, details["trial_end"]))
    pending = invoicing.pending_items(work, customer)
    return invoicing.draft(work, customer, "subscription_create", params, lines, pending)
