"""/v1/setup_intents."""

from services.stripe_sandbox.endpoints import get, post
from services.stripe_sandbox.errors import Body
from services.stripe_sandbox.flows import saving
from services.stripe_sandbox.flows.methods import usable_method
from services.stripe_sandbox.listing import conditions, list_of, page
from services.stripe_sandbox.objects.common import update
from services.stripe_sandbox.objects.intents import setup_intent
from services.stripe_sandbox.parameters import (
    BOOLEAN,
    ID,
    METADATA,
    TEXT,
    Shape,
    choice,
    shape,
)
from services.stripe_sandbox.resources.secrets import check_secret
from services.stripe_sandbox.resources.shapes import (
    AUTOMATIC_METHODS,
    METHOD_TYPES,
)
from services.stripe_sandbox.resources.shapes import (
    URL as ADDRESS,
)
from services.stripe_sandbox.work import Work

URL = "/v1/setup_intents"
OPTIONS = shape(card=shape(request_three_d_secure=choice("any", "automatic", "challenge")))
UPDATE = shape(
    allowed_payment_method_types=METHOD_TYPES,
    customer=ID,
    description=TEXT,
    metadata=METADATA,
    payment_method=ID,
    payment_method_options=OPTIONS,
)
CONFIRM = shape(
    payment_method=ID,
    payment_method_options=OPTIONS,
    return_url=ADDRESS,
    use_stripe_sdk=BOOLEAN,
)
CREATE = Shape(
    {
        **UPDATE.fields,
        **CONFIRM.fields,
        "automatic_payment_methods": AUTOMATIC_METHODS,
        "confirm": BOOLEAN,
        "usage": choice("off_session", "on_session"),
    }
)
REASON = choice("abandoned", "duplicate", "requested_by_customer")


def create(work: Work, params: Body) -> Body:
    """Prepare to save a card; with `confirm` do it at once."""
    customer = None
    if "customer" in params:
        customer = work.get("customer", params["customer"], "customer")
    body = setup_intent(params, work.now(customer))
    _take_method(work, body, params)
    work.add(body, "setup_intent.created")
    work.note("setup_intent", body)
    if params.get("confirm"):
        return confirm(work, params, body["id"])
    return body


def _take_method(work: Work, body: Body, params: Body) -> None:
    if "payment_method" in params:
        method = usable_method(work, params["payment_method"], body["customer"], "payment_method")
        body["payment_method"] = method["id"]
        body["status"] = "requires_confirmation"


def confirm(work: Work, params: Body, intent_id: str) -> Body:
    """Save the card."""
    body = work.get("setup_intent", intent_id)
    check_secret(work, body, params)
    if "payment_method" in params and params["payment_method"] != body["payment_method"]:
        _take_method(work, body, params)
    method = work.find("payment_method", body["payment_method"])
    return_url = None if params.get("use_stripe_sdk") else params.get("return_url")
    return saving.confirm(work, body, method, return_url)


def retrieve(work: Work, params: Body, intent_id: str) -> Body:
    """A setup intent."""
    body = work.get("setup_intent", intent_id)
    check_secret(work, body, params)
    return body


def change(work: Work, params: Body, intent_id: str) -> Body:
    """Change a setup intent."""
    body = work.get("setup_intent", intent_id)
    if "customer" in params:
        work.get("customer", params["customer"], "customer")
    update(body, params, "customer description allowed_payment_method_types")
    _take_method(work, body, params)
    return work.save(body)


def cancel(work: Work, params: Body, intent_id: str) -> Body:
    """Give up a setup intent."""
    body = work.get("setup_intent", intent_id)
    return saving.cancel(work, body, params.get("cancellation_reason"))


def list_all(work: Work, params: Body) -> Body:
    """Setup intents, newest first."""
    where = conditions(params, "customer", "payment_method")
    return page(work, "setup_intent", URL, params, where)


ONE = URL + "/{intent:str}"
ENDPOINTS = (
    post(URL, create, CREATE),
    get(URL, list_all, list_of(shape(customer=ID, payment_method=ID))),
    get(ONE, retrieve, public=True),
    post(ONE, change, UPDATE),
    post(ONE + "/confirm", confirm, CONFIRM, public=True),
    post(ONE + "/cancel", cancel, shape(cancellation_reason=REASON)),
)
