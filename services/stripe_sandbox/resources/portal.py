"""/v1/billing_portal."""

from services.stripe_sandbox.endpoints import get, post
from services.stripe_sandbox.errors import Body, invalid
from services.stripe_sandbox.listing import conditions, list_of, page
from services.stripe_sandbox.objects.portal import (
    change_configuration,
    configuration,
    session,
)
from services.stripe_sandbox.parameters import (
    BOOLEAN,
    ID,
    METADATA,
    TEXT,
    ListOf,
    Shape,
    choice,
    erasable,
    needed,
    shape,
)
from services.stripe_sandbox.resources.shapes import URL
from services.stripe_sandbox.work import Work

SESSIONS = "/v1/billing_portal/sessions"
CONFIGURATIONS = "/v1/billing_portal/configurations"
KIND = "billing_portal.configuration"
FEATURES = shape(
    customer_update=shape(
        allowed_updates=erasable(
            ListOf(choice("address", "email", "name", "phone", "shipping", "tax_id"))
        ),
        enabled=BOOLEAN,
    ),
    invoice_history=shape(enabled=needed(BOOLEAN)),
    payment_method_update=shape(enabled=needed(BOOLEAN)),
    subscription_cancel=shape(
        enabled=BOOLEAN,
        mode=choice("at_period_end", "immediately"),
        proration_behavior=choice("always_invoice", "create_prorations", "none"),
    ),
    subscription_update=shape(enabled=BOOLEAN),
)
UPDATE = shape(
    active=BOOLEAN,
    business_profile=shape(headline=TEXT, privacy_policy_url=TEXT, terms_of_service_url=TEXT),
    default_return_url=TEXT,
    features=FEATURES,
    metadata=METADATA,
    name=TEXT,
)
CREATE = Shape(
    {
        **{name: kind for name, kind in UPDATE.fields.items() if name != "active"},
        "features": needed(FEATURES),
    }
)
FLOW = shape(
    after_completion=shape(
        hosted_confirmation=shape(custom_message=TEXT),
        redirect=shape(return_url=needed(URL)),
        type=needed(choice("hosted_confirmation", "portal_homepage", "redirect")),
    ),
    subscription_cancel=shape(subscription=needed(ID)),
    type=needed(choice("payment_method_update", "subscription_cancel")),
)
SESSION = shape(configuration=ID, customer=needed(ID), flow_data=FLOW, locale=TEXT, return_url=URL)


def create_session(work: Work, params: Body) -> Body:
    """Let a customer into the portal."""
    customer = work.get("customer", params["customer"], "customer")
    if "configuration" in params:
        config = work.get(KIND, params["configuration"], "configuration")
    else:
        config = _default_configuration(work)
    flow = params.get("flow_data", {})
    if flow.get("type") == "subscription_cancel":
        target = work.get("subscription", flow["subscription_cancel"]["subscription"], "flow_data")
        if target["customer"] != customer["id"]:
            raise invalid("The subscription belongs to another customer.", "flow_data")
    body = session(params, config, work.now(customer), work.settings.public_url)
    work.add(body, "billing_portal.session.created")
    work.note("portal_session", body)
    return body


def _default_configuration(work: Work) -> Body:
    found = work.all(KIND, is_default=True)
    if found:
        return found[0]
    return work.add(configuration({}, work.now(), is_default=True))


def create_configuration(work: Work, params: Body) -> Body:
    """Say what customers may do."""
    is_default = not work.all(KIND, is_default=True)
    body = configuration(params, work.now(), is_default=is_default)
    return work.add(body, "billing_portal.configuration.created")


def retrieve_configuration(work: Work, _params: Body, configuration_id: str) -> Body:
    """A configuration."""
    return work.get(KIND, configuration_id)


def update_configuration(work: Work, params: Body, configuration_id: str) -> Body:
    """Change what customers may do."""
    body = work.get(KIND, configuration_id)
    change_configuration(body, params, work.now())
    return work.save(body, "billing_portal.configuration.updated")


def list_configurations(work: Work, params: Body) -> Body:
    """Configurations, newest first."""
    return page(work, KIND, CONFIGURATIONS, params, conditions(params, "active", "is_default"))


LISTED = list_of(shape(active=BOOLEAN, is_default=BOOLEAN), by_time=False)
ENDPOINTS = (
    post(SESSIONS, create_session, SESSION),
    post(CONFIGURATIONS, create_configuration, CREATE),
    get(CONFIGURATIONS, list_configurations, LISTED),
    get(CONFIGURATIONS + "/{configuration:str}", retrieve_configuration),
    post(CONFIGURATIONS + "/{configuration:str}", update_configuration, UPDATE),
)
