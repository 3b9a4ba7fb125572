"""/v1/checkout/sessions."""

from urllib.parse import urlsplit

from services.stripe_sandbox.endpoints import get, post
from services.stripe_sandbox.errors import Body, invalid, lacking
from services.stripe_sandbox.flows import checkout
from services.stripe_sandbox.flows.catalog import amount_of, price_of
from services.stripe_sandbox.listing import PAGE, conditions, list_of, page, page_of
from services.stripe_sandbox.money import MINIMUM, check_amount, check_currency, written
from services.stripe_sandbox.objects.checkout import line_item, session
from services.stripe_sandbox.objects.common import update
from services.stripe_sandbox.objects.intents import setup_intent
from services.stripe_sandbox.parameters import (
    BOOLEAN,
    ID,
    INTEGER,
    METADATA,
    TEXT,
    Integer,
    ListOf,
    Shape,
    Text,
    choice,
    needed,
    shape,
)
from services.stripe_sandbox.resources.shapes import (
    AUTOMATIC_TAX,
    BILLING_MODE,
    CARD_OPTIONS,
    CUSTOM_FIELDS,
    METHOD_TYPES,
    PRICE_DATA,
)
from services.stripe_sandbox.resources.shapes import (
    URL as ADDRESS,
)
from services.stripe_sandbox.work import Work

URL = "/v1/checkout/sessions"
AUTO = choice("auto", "never")
TRIAL_END = shape(
    end_behavior=needed(
        shape(missing_payment_method=needed(choice("cancel", "create_invoice", "pause")))
    )
)
LINE_ITEM = shape(
    metadata=METADATA, price=ID, price_data=PRICE_DATA, quantity=Integer(least=1, most=999_999)
)
FUTURE = choice("off_session", "on_session")
PAYMENT_DATA = shape(
    description=TEXT,
    metadata=METADATA,
    receipt_email=TEXT,
    setup_future_usage=FUTURE,
    statement_descriptor=TEXT,
    statement_descriptor_suffix=TEXT,
)
SUBSCRIPTION_DATA = shape(
    billing_cycle_anchor=INTEGER,
    billing_mode=BILLING_MODE,
    description=TEXT,
    metadata=METADATA,
    proration_behavior=choice("create_prorations", "none"),
    trial_end=INTEGER,
    trial_period_days=Integer(least=1, most=730),
    trial_settings=TRIAL_END,
)
INVOICE_DATA = shape(custom_fields=CUSTOM_FIELDS, description=TEXT, footer=TEXT, metadata=METADATA)
CREATE = shape(
    allow_promotion_codes=BOOLEAN,
    allowed_payment_method_types=METHOD_TYPES,
    automatic_tax=AUTOMATIC_TAX,
    billing_address_collection=choice("auto", "required"),
    cancel_url=ADDRESS,
    client_reference_id=Text(most=200),
    currency=Text(most=3),
    customer=ID,
    customer_creation=choice("always", "if_required"),
    customer_email=TEXT,
    customer_update=shape(address=AUTO, name=AUTO, shipping=AUTO),
    expires_at=INTEGER,
    invoice_creation=shape(enabled=needed(BOOLEAN), invoice_data=INVOICE_DATA),
    line_items=ListOf(LINE_ITEM),
    locale=TEXT,
    metadata=METADATA,
    mode=needed(choice("payment", "setup", "subscription")),
    payment_intent_data=PAYMENT_DATA,
    payment_method_collection=choice("always", "if_required"),
    payment_method_options=CARD_OPTIONS,
    saved_payment_method_options=shape(
        payment_method_save=choice("disabled", "enabled"),
        allow_redisplay_filters=ListOf(choice("always", "limited", "unspecified")),
    ),
    setup_intent_data=shape(description=TEXT, metadata=METADATA),
    submit_type=choice("auto", "book", "donate", "pay", "subscribe"),
    subscription_data=SUBSCRIPTION_DATA,
    success_url=ADDRESS,
    tax_id_collection=shape(enabled=needed(BOOLEAN)),
    ui_mode=choice("hosted_page"),
)
MIN_SECONDS, MAX_SECONDS = 30 * 60, 24 * 3600
# Parameters that only one mode knows.
ONLY_IN = {
    "payment_intent_data": "payment",
    "invoice_creation": "payment",
    "setup_intent_data": "setup",
    "subscription_data": "subscription",
}


def create(work: Work, params: Body) -> Body:
    """Open a session with a page of its own."""
    _check_addresses(params)
    for name, mode in ONLY_IN.items():
        if name in params and params["mode"] != mode:
            raise invalid(f"You can not pass `{name}` in `{params['mode']}` mode.", name)
    customer = None
    if "customer" in params:
        customer = work.get("customer", params["customer"], "customer")
    now = work.now(customer)
    params["expires_at"] = _expiry(params, now)
    line_items = _line_items(work, params)
    body = session(params, line_items, now, work.settings.public_url)
    if params["mode"] == "setup":
        data = params.get("setup_intent_data", {})
        intent = setup_intent(
            {**data, "customer": params.get("customer")}, now, _session=body["id"]
        )
        work.add(intent, "setup_intent.created")
        body["setup_intent"] = intent["id"]
    work.add(body)
    work.note("checkout_session", body)
    work.plan("expire_session", body, body["expires_at"])
    return body


def _check_addresses(params: Body) -> None:
    if "success_url" not in params:
        raise lacking("success_url")
    for name in ("success_url", "cancel_url"):
        if name in params and urlsplit(params[name]).scheme not in {"http", "https"}:
            raise invalid("Not a valid URL", name, "url_invalid")


def _expiry(params: Body, now: int) -> int:
    expires_at: int = params.get("expires_at", now + MAX_SECONDS)
    if expires_at < now + MIN_SECONDS:
        raise invalid(
            "The `expires_at` timestamp must be at least 30 minutes from Checkout Session"
            " creation.",
            "expires_at",
        )
    if expires_at > now + MAX_SECONDS:
        raise invalid(
            "The `expires_at` timestamp must be less than 24 hours from Checkout Session creation.",
            "expires_at",
        )
    return expires_at


def _line_items(work: Work, params: Body) -> list[Body]:
    """The lines; they must suit the mode and come to what can be charged. Raises StripeError."""
    mode, given = params["mode"], params.get("line_items", [])
    if mode == "setup":
        if given:
            raise invalid("You can not pass `line_items` in `setup` mode.", "line_items")
        return []
    if not given:
        raise invalid(
            f"You must provide `line_items` in `{mode}` mode.", "line_items", "parameter_missing"
        )
    lines = []
    for number, each in enumerate(given):
        if "quantity" not in each:
            raise lacking(f"line_items[{number}][quantity]")
        price = price_of(work, each, f"line_items[{number}]")
        name = work.get("product", price["product"])["name"]
        lines.append(line_item(price, name, amount_of(price, each["quantity"]), each))
    _check_prices(mode, lines)
    params["currency"] = lines[0]["currency"]
    total = sum(each["amount_total"] for each in lines)
    if mode == "payment" and total < MINIMUM[params["currency"]]:
        least = written(MINIMUM[params["currency"]], params["currency"])
        raise invalid(
            "The Checkout Session's total amount due must add up to at least"
            f" {least} {params['currency']}",
            code="amount_too_small",
        )
    if mode == "payment":
        check_amount(total, params["currency"], "line_items")
    return lines


def _check_prices(mode: str, lines: list[Body]) -> None:
    recurring = [each["price"]["recurring"] is not None for each in lines]
    if mode == "payment" and any(recurring):
        raise invalid(
            "You specified `payment` mode but passed a recurring price. Either switch to"
            " `subscription` mode or use only one-time prices.",
            "mode",
        )
    if mode == "subscription" and not any(recurring):
        raise invalid(
            "You must provide at least one recurring price in `subscription` mode.", "mode"
        )
    for each in lines:
        check_currency(each["currency"])
        if each["currency"] != lines[0]["currency"]:
            raise invalid("All prices of a session must have one currency.", "line_items")


def retrieve(work: Work, _params: Body, session_id: str) -> Body:
    """A session."""
    return work.get("checkout.session", session_id)


def change(work: Work, params: Body, session_id: str) -> Body:
    """Change a session's metadata."""
    body = work.get("checkout.session", session_id)
    update(body, params, "")
    return work.save(body)


def expire(work: Work, _params: Body, session_id: str) -> Body:
    """End an open session."""
    body = work.get("checkout.session", session_id)
    if body["status"] != "open":
        raise invalid(
            'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout'
            f" Session has a status of {body['status']}."
        )
    return checkout.expire(work, body)


def list_lines(work: Work, params: Body, session_id: str) -> Body:
    """What a session sells."""
    body = work.get("checkout.session", session_id)
    return page_of(body["_line_items"], f"{URL}/{session_id}/line_items", params)


def list_all(work: Work, params: Body) -> Body:
    """Sessions, newest first."""
    where = conditions(params, "customer", "payment_intent", "status", "subscription")
    if "customer_details" in params:
        where.equals("customer_details.email", params["customer_details"]["email"])
    return page(work, "checkout.session", URL, params, where)


FILTERS = shape(
    customer=ID,
    customer_details=shape(email=needed(TEXT)),
    payment_intent=ID,
    status=choice("complete", "expired", "open"),
    subscription=ID,
)
ONE = URL + "/{session:str}"
ENDPOINTS = (
    post(URL, create, CREATE),
    get(URL, list_all, list_of(FILTERS)),
    get(ONE, retrieve),
    post(ONE, change, shape(metadata=METADATA)),
    post(ONE + "/expire", expire),
    get(ONE + "/line_items", list_lines, Shape(PAGE)),
)
