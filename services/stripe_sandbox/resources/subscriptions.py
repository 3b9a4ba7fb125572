"""/v1/subscriptions and /v1/subscription_items."""

from services.stripe_sandbox.endpoints import delete, get, post
from services.stripe_sandbox.errors import Body, invalid, lacking
from services.stripe_sandbox.flows import pausing, subscribing
from services.stripe_sandbox.flows.changing import change_items
from services.stripe_sandbox.flows.methods import usable_method
from services.stripe_sandbox.flows.subscribing import ENDED, plan_cancellation
from services.stripe_sandbox.listing import PAGE, RANGE, SEARCH, conditions, list_of, page, page_of
from services.stripe_sandbox.listing import search as search_objects
from services.stripe_sandbox.objects.common import update
from services.stripe_sandbox.objects.subscription import items_of
from services.stripe_sandbox.parameters import (
    BOOLEAN,
    COUNT,
    ID,
    INTEGER,
    METADATA,
    TEXT,
    Either,
    Integer,
    ListOf,
    Shape,
    choice,
    erasable,
    needed,
    shape,
)
from services.stripe_sandbox.resources.checkout_sessions import TRIAL_END
from services.stripe_sandbox.resources.shapes import (
    AUTOMATIC_TAX,
    BILLING_MODE,
    CANCELLATION_DETAILS,
    PRICE_DATA,
    without,
)
from services.stripe_sandbox.work import Work

URL = "/v1/subscriptions"
ITEMS = "/v1/subscription_items"
BEHAVIOR = choice(
    "allow_incomplete", "default_incomplete", "error_if_incomplete", "pending_if_incomplete"
)
PRORATION = choice("always_invoice", "create_prorations", "none")
NEW_ITEM = shape(
    metadata=METADATA,
    price=ID,
    price_data=without(PRICE_DATA, "product_data"),
    quantity=COUNT,
)
ITEM = Shape({**NEW_ITEM.fields, "id": ID, "deleted": BOOLEAN})
CANCEL_AT = Either((INTEGER, choice("max_period_end", "min_period_end")), unset=True)
COMMON = {
    "automatic_tax": AUTOMATIC_TAX,
    "cancel_at": CANCEL_AT,
    "cancel_at_period_end": BOOLEAN,
    "collection_method": choice("charge_automatically", "send_invoice"),
    "days_until_due": Integer(least=0, most=730),
    "default_payment_method": ID,
    "description": TEXT,
    "metadata": METADATA,
    "off_session": BOOLEAN,
    "payment_behavior": BEHAVIOR,
    "payment_settings": shape(save_default_payment_method=choice("off", "on_subscription")),
    "proration_behavior": PRORATION,
    "trial_end": Either((INTEGER, choice("now"))),
    "trial_settings": TRIAL_END,
}
CREATE = Shape(
    {
        **COMMON,
        "billing_cycle_anchor": INTEGER,
        "billing_mode": BILLING_MODE,
        "currency": TEXT,
        "customer": needed(ID),
        "items": needed(ListOf(NEW_ITEM, 20)),
        "trial_period_days": Integer(least=0, most=730),
    }
)
UPDATE = Shape(
    {
        **COMMON,
        "billing_cycle_anchor": shape(type=needed(choice("now", "unchanged"))),
        "cancellation_details": CANCELLATION_DETAILS,
        "items": ListOf(ITEM, 20),
        "pause_collection": erasable(
            shape(
                behavior=needed(choice("keep_as_draft", "mark_uncollectible", "void")),
                resumes_at=INTEGER,
            )
        ),
        "proration_date": INTEGER,
    }
)
CANCEL = shape(cancellation_details=CANCELLATION_DETAILS, invoice_now=BOOLEAN, prorate=BOOLEAN)
RESUME = shape(
    billing_cycle_anchor=shape(type=needed(choice("now", "unchanged"))),
    proration_behavior=PRORATION,
)
STATUSES = (
    "active",
    "canceled",
    "incomplete",
    "incomplete_expired",
    "past_due",
    "paused",
    "trialing",
    "unpaid",
)
FILTERS = shape(
    collection_method=choice("charge_automatically", "send_invoice"),
    current_period_end=RANGE,
    current_period_start=RANGE,
    customer=ID,
    price=ID,
    status=choice("all", "ended", *STATUSES),
    test_clock=ID,
)
FIELDS = "collection_method days_until_due default_payment_method description trial_settings"


def create(work: Work, params: Body) -> Body:
    """Begin a subscription."""
    customer = work.get("customer", params["customer"], "customer")
    _check_method(work, customer["id"], params)
    if params.get("collection_method") == "send_invoice" and "days_until_due" not in params:
        raise lacking("days_until_due")
    return subscribing.subscribe(work, customer, params)


def _check_method(work: Work, customer_id: str, params: Body) -> None:
    if "default_payment_method" in params:
        name, param = params["default_payment_method"], "default_payment_method"
        method = usable_method(work, name, customer_id, param)
        if method["customer"] != customer_id:
            raise invalid(
                f"The customer does not have a payment method with the ID {name}. The payment"
                " method must be attached to the customer.",
                param,
            )


def retrieve(work: Work, _params: Body, subscription_id: str) -> Body:
    """A subscription."""
    return work.get("subscription", subscription_id)


def change(work: Work, params: Body, subscription_id: str) -> Body:
    """Change a subscription: what it says, when it ends, and what is subscribed."""
    body = work.get("subscription", subscription_id)
    if body["status"] in ENDED:
        allowed = {"metadata", "cancellation_details", "expand"}
        if params.keys() - allowed:
            raise invalid(
                "A canceled subscription can only update its cancellation_details and metadata.",
                code="invalid_canceled_subscription_fields",
            )
    _check_method(work, body["customer"], params)
    update(body, params, FIELDS)
    body["payment_settings"] |= params.get("payment_settings", {})
    body["cancellation_details"] |= params.get("cancellation_details", {})
    if "pause_collection" in params:
        pausing.set_collection(work, body, params["pause_collection"])
    plan_cancellation(work, body, params)
    if isinstance(params.get("trial_end"), int):
        pausing.set_trial_end(work, body, params["trial_end"])
    if params.keys() & {"items", "billing_cycle_anchor"} or params.get("trial_end") == "now":
        work.save(body)
        return change_items(work, body, params)
    return work.save(body, "customer.subscription.updated")


def cancel(work: Work, params: Body, subscription_id: str) -> Body:
    """End a subscription now."""
    body = work.get("subscription", subscription_id)
    if body["status"] in ENDED:
        raise invalid(f"No such subscription: '{subscription_id}'", "id", "resource_missing", 404)
    body["cancellation_details"] |= params.get("cancellation_details", {})
    if params.get("prorate"):
        subscribing.bill_unused(work, body, invoice_now=params.get("invoice_now", False))
    return subscribing.end_now(work, body)


def pause(work: Work, _params: Body, subscription_id: str) -> Body:
    """Stop a subscription until it is resumed."""
    return pausing.pause(work, work.get("subscription", subscription_id))


def resume(work: Work, params: Body, subscription_id: str) -> Body:
    """Go on with a paused subscription."""
    return pausing.resume(work, work.get("subscription", subscription_id), params)


def list_all(work: Work, params: Body) -> Body:
    """Subscriptions, newest first; canceled ones only when they are asked for."""
    where = conditions(params, "customer", "collection_method", "test_clock")
    status = params.get("status")
    if status is None:
        where.add("json_extract(body, '$.status') != 'canceled'")
    elif status == "ended":
        where.add("json_extract(body, '$.status') IN ('canceled', 'incomplete_expired')")
    elif status != "all":
        where.equals("status", status)
    for name in ("current_period_end", "current_period_start"):
        if name in params:
            where.equals(f"items.data[0].{name}", params[name])
    if "price" in params:
        where.add("body LIKE ?", f'%"{params["price"]}"%')
    return page(work, "subscription", URL, params, where)


def find(work: Work, params: Body) -> Body:
    """Subscriptions that match a query."""
    return search_objects(work, "subscription", f"{URL}/search", params)


def list_items(work: Work, params: Body) -> Body:
    """The items of a subscription."""
    body = work.get("subscription", params["subscription"], "subscription")
    return page_of(items_of(body), f"{ITEMS}?subscription={body['id']}", params)


ONE = URL + "/{subscription_exposed_id:str}"
ENDPOINTS = (
    post(URL, create, CREATE),
    get(URL, list_all, list_of(FILTERS)),
    get(f"{URL}/search", find, SEARCH),
    get(ONE, retrieve),
    post(ONE, change, UPDATE),
    delete(ONE, cancel, CANCEL),
    post(ONE + "/pause", pause, shape(type=choice("subscription"))),
    post(ONE + "/resume", resume, RESUME),
    get(ITEMS, list_items, Shape({**PAGE, "subscription": needed(ID)})),
)
