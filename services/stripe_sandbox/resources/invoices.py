"""/v1/invoices."""

from services.stripe_sandbox.endpoints import delete, get, post
from services.stripe_sandbox.errors import Body, invalid, missing
from services.stripe_sandbox.flows import invoicing, settling
from services.stripe_sandbox.flows.methods import usable_method
from services.stripe_sandbox.flows.previewing import preview
from services.stripe_sandbox.listing import (
    PAGE,
    RANGE,
    SEARCH,
    conditions,
    list_of,
    page,
    page_of,
    search,
)
from services.stripe_sandbox.money import check_currency
from services.stripe_sandbox.objects.common import update
from services.stripe_sandbox.objects.customer import deleted
from services.stripe_sandbox.objects.invoice import of_subscription
from services.stripe_sandbox.parameters import (
    BOOLEAN,
    COUNT,
    ID,
    INTEGER,
    METADATA,
    TEXT,
    Either,
    ListOf,
    Shape,
    Text,
    choice,
    needed,
    shape,
)
from services.stripe_sandbox.resources.shapes import (
    AUTOMATIC_TAX,
    CUSTOM_FIELDS,
    PERIOD,
    PRICE_DATA,
    without,
)
from services.stripe_sandbox.resources.subscriptions import CANCEL_AT, ITEM, PRORATION
from services.stripe_sandbox.work import Work

URL = "/v1/invoices"
METHOD = choice("charge_automatically", "send_invoice")
DAY_SECONDS = 24 * 3600
UPDATE = shape(
    auto_advance=BOOLEAN,
    automatic_tax=AUTOMATIC_TAX,
    collection_method=METHOD,
    custom_fields=CUSTOM_FIELDS,
    days_until_due=COUNT,
    default_payment_method=ID,
    description=TEXT,
    due_date=INTEGER,
    footer=TEXT,
    metadata=METADATA,
    statement_descriptor=TEXT,
)
CREATE = Shape(
    {
        **UPDATE.fields,
        "currency": Text(most=3),
        "customer": needed(ID),
        "pending_invoice_items_behavior": choice("exclude", "include"),
        "subscription": ID,
    }
)
PAY = shape(off_session=BOOLEAN, paid_out_of_band=BOOLEAN, payment_method=ID, forgive=BOOLEAN)
PREVIEW_ITEM = shape(
    amount=INTEGER,
    currency=Text(most=3),
    description=TEXT,
    discountable=BOOLEAN,
    metadata=METADATA,
    period=PERIOD,
    price=ID,
    price_data=without(PRICE_DATA, "product_data", "recurring"),
    quantity=COUNT,
)
PREVIEW = shape(
    automatic_tax=AUTOMATIC_TAX,
    currency=Text(most=3),
    customer=ID,
    invoice_items=ListOf(PREVIEW_ITEM, 250),
    preview_mode=choice("next", "recurring"),
    subscription=ID,
    subscription_details=shape(
        billing_cycle_anchor=shape(type=needed(choice("now", "unchanged"))),
        cancel_at=CANCEL_AT,
        cancel_at_period_end=BOOLEAN,
        items=ListOf(ITEM, 20),
        proration_behavior=PRORATION,
        proration_date=INTEGER,
        trial_end=Either((INTEGER, choice("now"))),
    ),
)
FIELDS = """auto_advance collection_method custom_fields default_payment_method description due_date
footer statement_descriptor"""
# What may still change when an invoice is no draft any more.
ALWAYS = {"metadata", "auto_advance", "default_payment_method", "expand"}


def create(work: Work, params: Body) -> Body:
    """Make a draft."""
    customer = work.get("customer", params["customer"], "customer")
    given = {**params, "currency": check_currency(params.get("currency", "usd"))}
    _set_due_date(work, customer, given)
    subscription = None
    if "subscription" in params:
        subscription = work.get("subscription", params["subscription"], "subscription")
        given["parent"] = of_subscription(subscription)
    items = []
    if params.get("pending_invoice_items_behavior") == "include" or subscription:
        items = invoicing.pending_items(work, customer, params.get("subscription"))
    return invoicing.draft(work, customer, "manual", given, items=items)


def _set_due_date(work: Work, whose: Body, params: Body) -> None:
    if "days_until_due" in params:
        params["due_date"] = work.now(whose) + params["days_until_due"] * DAY_SECONDS


def retrieve(work: Work, _params: Body, invoice_id: str) -> Body:
    """An invoice."""
    return work.get("invoice", invoice_id)


def change(work: Work, params: Body, invoice_id: str) -> Body:
    """Change a draft; of a finalized invoice only what is no part of its text."""
    body = work.get("invoice", invoice_id)
    if body["status"] != "draft" and params.keys() - ALWAYS:
        raise invalid(
            "Finalized invoices can't be updated in this way.", code="invoice_not_editable"
        )
    _set_due_date(work, body, params)
    update(body, params, FIELDS)
    return work.save(body, "invoice.updated")


def remove(work: Work, _params: Body, invoice_id: str) -> Body:
    """Delete a draft; its items wait for the next invoice again."""
    body = work.get("invoice", invoice_id)
    if body["status"] != "draft":
        raise invalid("You can only delete draft invoices.", code="invoice_not_editable")
    for item in work.all("invoiceitem", invoice=invoice_id):
        item["invoice"] = None
        work.save(item)
    work.drop("finalize_invoice", body)
    work.emit("invoice.deleted", body)
    return work.save(deleted(body))


def finalize(work: Work, params: Body, invoice_id: str) -> Body:
    """Number an invoice and have it wait for payment."""
    body = work.get("invoice", invoice_id)
    return invoicing.finalize(work, body, auto_advance=params.get("auto_advance"))


def pay(work: Work, params: Body, invoice_id: str) -> Body:
    """Collect an invoice now."""
    body = work.get("invoice", invoice_id)
    if params.get("paid_out_of_band"):
        if body["status"] == "draft":
            body = invoicing.finalize(work, body)
        if body["status"] != "open":
            raise invalid("Invoice is already paid")
        return settling.mark_paid(work, body, None, out_of_band=True)
    method = None
    if "payment_method" in params:
        name = params["payment_method"]
        method = usable_method(work, name, body["customer"], "payment_method")
    return invoicing.pay(work, body, method, off_session=params.get("off_session", True))


def void(work: Work, _params: Body, invoice_id: str) -> Body:
    """Take a finalized invoice back."""
    return settling.void(work, work.get("invoice", invoice_id))


def mark_uncollectible(work: Work, _params: Body, invoice_id: str) -> Body:
    """Give up on an open invoice."""
    return settling.mark_uncollectible(work, work.get("invoice", invoice_id))


def send(work: Work, _params: Body, invoice_id: str) -> Body:
    """Pretend to mail an invoice."""
    body = work.get("invoice", invoice_id)
    if body["status"] == "draft":
        body = invoicing.finalize(work, body)
    work.emit("invoice.sent", body)
    return body


def create_preview(work: Work, params: Body) -> Body:
    """What the next invoice would be."""
    return preview(work, params)


def list_all(work: Work, params: Body) -> Body:
    """Invoices, newest first."""
    where = conditions(params, "customer", "status", "collection_method", "due_date")
    if "subscription" in params:
        where.equals("parent.subscription_details.subscription", params["subscription"])
    return page(work, "invoice", URL, params, where)


def find(work: Work, params: Body) -> Body:
    """Invoices that match a query."""
    return search(work, "invoice", f"{URL}/search", params)


def list_lines(work: Work, params: Body, invoice_id: str) -> Body:
    """The lines of an invoice."""
    body = work.store.find(invoice_id)
    if body is None or body["object"] != "invoice":
        raise missing("invoice", invoice_id)
    return page_of(body["_lines"], f"{URL}/{invoice_id}/lines", params)


FILTERS = shape(
    collection_method=METHOD,
    customer=ID,
    due_date=RANGE,
    status=choice("draft", "open", "paid", "uncollectible", "void"),
    subscription=ID,
)
ONE = URL + "/{invoice:str}"
ENDPOINTS = (
    post(URL, create, CREATE),
    get(URL, list_all, list_of(FILTERS)),
    get(f"{URL}/search", find, SEARCH),
    post(f"{URL}/create_preview", create_preview, PREVIEW),
    get(ONE, retrieve),
    post(ONE, change, UPDATE),
    delete(ONE, remove),
    post(ONE + "/finalize", finalize, shape(auto_advance=BOOLEAN)),
    post(ONE + "/pay", pay, PAY),
    post(ONE + "/void", void),
    post(ONE + "/mark_uncollectible", mark_uncollectible),
    post(ONE + "/send", send),
    get(ONE + "/lines", list_lines, Shape(PAGE)),
)
