"""/v1/payment_intents."""

from services.stripe_sandbox.endpoints import get, post
from services.stripe_sandbox.errors import Body, unexpected_state
from services.stripe_sandbox.flows import paying
from services.stripe_sandbox.flows.methods import usable_method
from services.stripe_sandbox.flows.paying import Manner
from services.stripe_sandbox.listing import SEARCH, conditions, list_of, page, search
from services.stripe_sandbox.money import check_amount, check_currency
from services.stripe_sandbox.objects.common import update
from services.stripe_sandbox.objects.customer import shipping
from services.stripe_sandbox.objects.intents import payment_intent
from services.stripe_sandbox.parameters import (
    BOOLEAN,
    COUNT,
    ID,
    METADATA,
    TEXT,
    Either,
    Shape,
    Text,
    choice,
    erasable,
    needed,
    shape,
)
from services.stripe_sandbox.resources.secrets import check_secret
from services.stripe_sandbox.resources.shapes import (
    AUTOMATIC_METHODS,
    CARD_OPTIONS,
    METHOD_TYPES,
    SHIPPING,
)
from services.stripe_sandbox.resources.shapes import (
    URL as ADDRESS,
)
from services.stripe_sandbox.work import Work

URL = "/v1/payment_intents"
FUTURE = choice("off_session", "on_session")
UPDATE = shape(
    allowed_payment_method_types=METHOD_TYPES,
    amount=COUNT,
    currency=Text(most=3),
    customer=ID,
    description=TEXT,
    metadata=METADATA,
    payment_method=ID,
    payment_method_options=CARD_OPTIONS,
    receipt_email=TEXT,
    setup_future_usage=erasable(FUTURE),
    shipping=erasable(SHIPPING),
    statement_descriptor=TEXT,
    statement_descriptor_suffix=TEXT,
)
CONFIRM = shape(
    allowed_payment_method_types=METHOD_TYPES,
    error_on_requires_action=BOOLEAN,
    off_session=Either((BOOLEAN, choice("one_off", "recurring"))),
    payment_method=ID,
    payment_method_options=CARD_OPTIONS,
    receipt_email=TEXT,
    return_url=ADDRESS,
    setup_future_usage=erasable(FUTURE),
    shipping=erasable(SHIPPING),
    use_stripe_sdk=BOOLEAN,
)
CREATE = Shape(
    {
        **UPDATE.fields,
        **CONFIRM.fields,
        "amount": needed(COUNT),
        "automatic_payment_methods": AUTOMATIC_METHODS,
        "capture_method": choice("automatic", "automatic_async"),
        "confirm": BOOLEAN,
        "confirmation_method": choice("automatic", "manual"),
        "currency": needed(Text(most=3)),
    }
)
REASON = choice("abandoned", "duplicate", "fraudulent", "requested_by_customer")
CHANGEABLE = {"requires_payment_method", "requires_confirmation", "requires_action"}
FIELDS = """amount customer description receipt_email setup_future_usage statement_descriptor
statement_descriptor_suffix allowed_payment_method_types"""


def create(work: Work, params: Body) -> Body:
    """Prepare a payment; with `confirm` make it at once."""
    params["currency"] = check_currency(params["currency"])
    check_amount(params["amount"], params["currency"])
    customer = None
    if "customer" in params:
        customer = work.get("customer", params["customer"], "customer")
    body = payment_intent(params, work.now(customer))
    body["shipping"] = shipping(params.get("shipping"))
    _take_method(work, body, params)
    work.add(body, "payment_intent.created")
    work.note("payment_intent", body)
    if params.get("confirm"):
        return confirm(work, params, body["id"])
    return body


def _take_method(work: Work, body: Body, params: Body) -> None:
    if "payment_method" in params:
        method = usable_method(work, params["payment_method"], body["customer"], "payment_method")
        body["payment_method"] = method["id"]
        if body["status"] == "requires_payment_method":
            body["status"] = "requires_confirmation"


def confirm(work: Work, params: Body, intent_id: str) -> Body:
    """Pay."""
    body = work.get("payment_intent", intent_id)
    check_secret(work, body, params)
    if "payment_method" in params and not params.get("confirm"):
        _take_method(work, body, params)
    update(body, {**params, "metadata": body["metadata"]}, "receipt_email setup_future_usage")
    method = work.find("payment_method", body["payment_method"])
    manner = Manner(
        off_session=bool(params.get("off_session")),
        return_url=None if params.get("use_stripe_sdk") else params.get("return_url"),
        error_on_requires_action=bool(params.get("error_on_requires_action")),
    )
    return paying.confirm(work, body, method, manner)


def retrieve(work: Work, params: Body, intent_id: str) -> Body:
    """A payment intent."""
    body = work.get("payment_intent", intent_id)
    check_secret(work, body, params)
    return body


def change(work: Work, params: Body, intent_id: str) -> Body:
    """Change a payment that is not made yet."""
    body = work.get("payment_intent", intent_id)
    if body["status"] not in CHANGEABLE and params.keys() - {"metadata", "description", "expand"}:
        raise unexpected_state(
            body,
            "This PaymentIntent's parameters could not be updated because it has a status of"
            f" {body['status']}.",
        )
    if "amount" in params:
        check_amount(params["amount"], body["currency"])
    if "customer" in params:
        work.get("customer", params["customer"], "customer")
    update(body, params, FIELDS)
    _take_method(work, body, params)
    return work.save(body)


def cancel(work: Work, params: Body, intent_id: str) -> Body:
    """Give up a payment."""
    body = work.get("payment_intent", intent_id)
    return paying.cancel(work, body, params.get("cancellation_reason"))


def list_all(work: Work, params: Body) -> Body:
    """Payment intents, newest first."""
    return page(work, "payment_intent", URL, params, conditions(params, "customer"))


def find(work: Work, params: Body) -> Body:
    """Payment intents that match a query."""
    return search(work, "payment_intent", f"{URL}/search", params)


ONE = URL + "/{intent:str}"
ENDPOINTS = (
    post(URL, create, CREATE),
    get(URL, list_all, list_of(shape(customer=ID))),
    get(f"{URL}/search", find, SEARCH),
    get(ONE, retrieve, public=True),
    post(ONE, change, UPDATE),
    post(ONE + "/confirm", confirm, CONFIRM, public=True),
    post(ONE + "/cancel", cancel, shape(cancellation_reason=REASON)),
)
