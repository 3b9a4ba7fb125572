"""/v1/customers."""

from services.stripe_sandbox.endpoints import NOTHING, delete, get, post
from services.stripe_sandbox.errors import Body, missing
from services.stripe_sandbox.flows.methods import attach, usable_method
from services.stripe_sandbox.flows.subscribing import end_now
from services.stripe_sandbox.listing import SEARCH, conditions, list_of, page, search
from services.stripe_sandbox.objects.common import address, update
from services.stripe_sandbox.objects.customer import (
    customer,
    deleted,
    invoice_settings,
    shipping,
)
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
    erasable,
    shape,
)
from services.stripe_sandbox.resources.shapes import ADDRESS, CUSTOM_FIELDS, SHIPPING
from services.stripe_sandbox.work import Work

URL = "/v1/customers"
UPDATE = shape(
    address=erasable(ADDRESS),
    balance=INTEGER,
    business_name=TEXT,
    description=TEXT,
    email=Text(most=512, unset=True),
    individual_name=TEXT,
    invoice_prefix=Text(most=12),
    invoice_settings=shape(
        custom_fields=CUSTOM_FIELDS, default_payment_method=erasable(ID), footer=TEXT
    ),
    metadata=METADATA,
    name=TEXT,
    next_invoice_sequence=Integer(least=1),
    phone=TEXT,
    preferred_locales=ListOf(TEXT),
    shipping=erasable(SHIPPING),
    tax_exempt=erasable(choice("exempt", "none", "reverse")),
    validate=BOOLEAN,
)
CREATE = Shape({**UPDATE.fields, "payment_method": ID, "test_clock": ID})
FIELDS = """balance business_name description email individual_name invoice_prefix name
next_invoice_sequence phone preferred_locales"""


def create(work: Work, params: Body) -> Body:
    """Make a customer, with a card if one is given."""
    clock = None
    if "test_clock" in params:
        clock = work.get("test_helpers.test_clock", params["test_clock"], "test_clock")
    body = customer(params, clock["frozen_time"] if clock else work.now())
    work.add(body, "customer.created")
    work.note("customer", body)
    if "payment_method" in params:
        method = usable_method(work, params["payment_method"], body["id"], "payment_method")
        attach(work, method, body)
    _check_default(work, body)
    return body


def change(work: Work, params: Body, customer_id: str) -> Body:
    """Change a customer."""
    body = work.get("customer", customer_id)
    update(body, params, FIELDS)
    if "address" in params:
        body["address"] = address(params["address"])
    if "shipping" in params:
        body["shipping"] = shipping(params["shipping"])
    if "tax_exempt" in params:
        body["tax_exempt"] = params["tax_exempt"] or "none"
    if "invoice_settings" in params:
        body["invoice_settings"] = invoice_settings(
            body["invoice_settings"], params["invoice_settings"]
        )
        _check_default(work, body)
    return work.save(body, "customer.updated")


def _check_default(work: Work, body: Body) -> None:
    """The default payment method has to be attached to the customer."""
    name = body["invoice_settings"]["default_payment_method"]
    if name is None:
        return
    param = "invoice_settings[default_payment_method]"
    method = usable_method(work, name, body["id"], param)
    if method["customer"] is None and method["id"] == name:
        raise missing("payment_method", name, param)
    body["invoice_settings"]["default_payment_method"] = attach(work, method, body)["id"]
    work.save(body)


def retrieve(work: Work, _params: Body, customer_id: str) -> Body:
    """A customer; of a deleted one only that it was."""
    body = work.store.find(customer_id)
    if body is None or body["object"] != "customer":
        raise missing("customer", customer_id)
    return body


def remove(work: Work, _params: Body, customer_id: str) -> Body:
    """Delete a customer for good, and end what runs for them."""
    body = work.get("customer", customer_id)
    for subscription in work.all("subscription", customer=customer_id):
        if subscription["status"] not in {"canceled", "incomplete_expired"}:
            end_now(work, subscription)
    for method in work.all("payment_method", customer=customer_id):
        method |= {"customer": None, "_detached": True}
        work.save(method)
    work.emit("customer.deleted", body)
    return work.save(deleted(body))


def list_all(work: Work, params: Body) -> Body:
    """Customers, newest first."""
    return page(work, "customer", URL, params, conditions(params, "email", "test_clock"))


def find(work: Work, params: Body) -> Body:
    """Customers that match a query."""
    return search(work, "customer", f"{URL}/search", params)


def list_balance(work: Work, params: Body, customer_id: str) -> Body:
    """What changed a customer's balance, newest first."""
    work.get("customer", customer_id)
    where = conditions(params)
    where.equals("customer", customer_id)
    url = f"{URL}/{customer_id}/balance_transactions"
    return page(work, "customer_balance_transaction", url, params, where)


ENDPOINTS = (
    post(URL, create, CREATE),
    get(URL, list_all, list_of(shape(email=TEXT, test_clock=ID))),
    get(f"{URL}/search", find, SEARCH),
    get(URL + "/{customer:str}", retrieve, NOTHING),
    post(URL + "/{customer:str}", change, UPDATE),
    delete(URL + "/{customer:str}", remove, NOTHING),
    get(URL + "/{customer:str}/balance_transactions", list_balance, list_of()),
)
