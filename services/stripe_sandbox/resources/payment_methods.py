"""/v1/payment_methods, and those of one customer."""

from services.stripe_sandbox.endpoints import NOTHING, get, post
from services.stripe_sandbox.errors import Body, missing
from services.stripe_sandbox.flows.methods import (
    attach,
    card_of_parameters,
    detach,
    usable_method,
)
from services.stripe_sandbox.listing import conditions, list_of, page
from services.stripe_sandbox.objects.common import billing_details, update
from services.stripe_sandbox.objects.payment_method import payment_method
from services.stripe_sandbox.parameters import (
    ID,
    METADATA,
    Integer,
    Text,
    choice,
    needed,
    shape,
)
from services.stripe_sandbox.resources.shapes import BILLING_DETAILS
from services.stripe_sandbox.work import Work

URL = "/v1/payment_methods"
REDISPLAY = choice("always", "limited", "unspecified")
KIND = choice("card", "us_bank_account", "link")
MONTH, YEAR = Integer(least=1, most=12), Integer(least=2000, most=2100)
CREATE = shape(
    type=KIND,
    allow_redisplay=REDISPLAY,
    billing_details=BILLING_DETAILS,
    card=shape(token=ID, number=Text(most=30), cvc=Text(most=4), exp_month=MONTH, exp_year=YEAR),
    metadata=METADATA,
    us_bank_account=shape(
        account_holder_type=choice("company", "individual"),
        account_number=Text(most=34),
        account_type=choice("checking", "savings"),
        routing_number=Text(most=9),
    ),
)
UPDATE = shape(
    allow_redisplay=REDISPLAY,
    billing_details=BILLING_DETAILS,
    card=shape(exp_month=MONTH, exp_year=YEAR),
    metadata=METADATA,
)
FILTERS = shape(customer=ID, type=KIND, allow_redisplay=REDISPLAY)


def create(work: Work, params: Body) -> Body:
    """Make a payment method of a test card, by token or number."""
    card = card_of_parameters(params)
    return work.add(payment_method(card, params, work.now()))


def retrieve(work: Work, _params: Body, method_id: str) -> Body:
    """A payment method."""
    return work.get("payment_method", method_id)


def change(work: Work, params: Body, method_id: str) -> Body:
    """Change what is written about a payment method."""
    body = work.get("payment_method", method_id)
    update(body, params, "allow_redisplay")
    if "billing_details" in params:
        body["billing_details"] |= billing_details(
            {**body["billing_details"], **params["billing_details"]}
        )
    if "card" in params and body["type"] == "card":
        body["card"] |= params["card"]
    return work.save(body, "payment_method.updated")


def attach_one(work: Work, params: Body, method_id: str) -> Body:
    """Save a payment method to a customer."""
    customer = work.get("customer", params["customer"], "customer")
    body = work.find("payment_method", method_id)
    if body is None:
        # A magic one such as `pm_card_visa` becomes a new payment method.
        if not method_id.startswith(("pm_card_", "pm_usBankAccount_")):
            raise missing("payment_method", method_id)
        body = usable_method(work, method_id, customer["id"], "payment_method")
    elif body.get("_detached"):
        body = usable_method(work, method_id, customer["id"], "payment_method")
    return attach(work, body, customer)


def detach_one(work: Work, _params: Body, method_id: str) -> Body:
    """Take a payment method from its customer."""
    return detach(work, work.get("payment_method", method_id))


def list_all(work: Work, params: Body) -> Body:
    """Payment methods, newest first."""
    where = conditions(params, "customer", "type", "allow_redisplay")
    return page(work, "payment_method", URL, params, where)


def list_of_customer(work: Work, params: Body, customer_id: str) -> Body:
    """A customer's payment methods, newest first."""
    work.get("customer", customer_id)
    where = conditions(params, "type", "allow_redisplay")
    where.equals("customer", customer_id)
    return page(
        work, "payment_method", f"/v1/customers/{customer_id}/payment_methods", params, where
    )


def retrieve_of_customer(work: Work, _params: Body, customer_id: str, method_id: str) -> Body:
    """A payment method, if it is this customer's."""
    body = work.get("payment_method", method_id)
    if body["customer"] != customer_id:
        raise missing("payment_method", method_id)
    return body


OF_CUSTOMER = "/v1/customers/{customer:str}/payment_methods"
ENDPOINTS = (
    post(URL, create, CREATE, public=True),
    get(URL, list_all, list_of(FILTERS, by_time=False)),
    get(URL + "/{payment_method:str}", retrieve, NOTHING),
    post(URL + "/{payment_method:str}", change, UPDATE),
    post(URL + "/{payment_method:str}/attach", attach_one, shape(customer=needed(ID))),
    post(URL + "/{payment_method:str}/detach", detach_one, NOTHING),
    get(
        OF_CUSTOMER,
        list_of_customer,
        list_of(shape(type=KIND, allow_redisplay=REDISPLAY), by_time=False),
    ),
    get(OF_CUSTOMER + "/{payment_method:str}", retrieve_of_customer, NOTHING),
)
