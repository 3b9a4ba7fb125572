"""/v1/charges, /v1/refunds, /v1/disputes and early fraud warnings."""

from services.stripe_sandbox.endpoints import get, post
from services.stripe_sandbox.errors import Body, invalid, lacking
from services.stripe_sandbox.flows import disputes
from services.stripe_sandbox.listing import SEARCH, conditions, list_of, page, search
from services.stripe_sandbox.objects.charge import EVIDENCE
from services.stripe_sandbox.objects.common import update
from services.stripe_sandbox.parameters import (
    BOOLEAN,
    ID,
    METADATA,
    TEXT,
    Integer,
    Shape,
    choice,
    shape,
)
from services.stripe_sandbox.work import Work

CHARGES = "/v1/charges"
REFUNDS = "/v1/refunds"
DISPUTES = "/v1/disputes"
WARNINGS = "/v1/radar/early_fraud_warnings"
REFUND = shape(
    amount=Integer(least=1),
    charge=ID,
    metadata=METADATA,
    payment_intent=ID,
    reason=choice("duplicate", "fraudulent", "requested_by_customer"),
)
ANSWER = shape(
    evidence=Shape(dict.fromkeys(EVIDENCE.split(), TEXT)), metadata=METADATA, submit=BOOLEAN
)


def retrieve_charge(work: Work, _params: Body, charge_id: str) -> Body:
    """A charge."""
    return work.get("charge", charge_id)


def list_charges(work: Work, params: Body) -> Body:
    """Charges, newest first."""
    where = conditions(params, "customer", "payment_intent")
    return page(work, "charge", CHARGES, params, where)


def find_charges(work: Work, params: Body) -> Body:
    """Charges that match a query."""
    return search(work, "charge", f"{CHARGES}/search", params)


def change_charge(work: Work, params: Body, charge_id: str) -> Body:
    """Change what is written about a charge."""
    body = work.get("charge", charge_id)
    update(body, params, "description receipt_email")
    return work.save(body, "charge.updated")


def create_refund(work: Work, params: Body) -> Body:
    """Give money back."""
    if "payment_intent" in params:
        intent = work.get("payment_intent", params["payment_intent"], "payment_intent")
        if not intent["latest_charge"] or intent["status"] != "succeeded":
            raise invalid(
                f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.",
                "payment_intent",
            )
        charge_id, param = intent["latest_charge"], "payment_intent"
    elif "charge" in params:
        charge_id, param = params["charge"], "charge"
    else:
        raise lacking("charge")
    return disputes.give_back(work, work.get("charge", charge_id, param), params)


def retrieve_refund(work: Work, _params: Body, refund_id: str) -> Body:
    """A refund."""
    return work.get("refund", refund_id)


def change_refund(work: Work, params: Body, refund_id: str) -> Body:
    """Change a refund's metadata."""
    body = work.get("refund", refund_id)
    update(body, params, "")
    return work.save(body, "refund.updated")


def list_refunds(work: Work, params: Body) -> Body:
    """Refunds, newest first."""
    return page(work, "refund", REFUNDS, params, conditions(params, "charge", "payment_intent"))


def retrieve_dispute(work: Work, _params: Body, dispute_id: str) -> Body:
    """A dispute."""
    return work.get("dispute", dispute_id)


def answer_dispute(work: Work, params: Body, dispute_id: str) -> Body:
    """Give evidence."""
    body = work.get("dispute", dispute_id)
    update(body, params, "")
    submit = params.get("submit", True)
    return disputes.submit_evidence(work, body, params.get("evidence", {}), submit=submit)


def close_dispute(work: Work, _params: Body, dispute_id: str) -> Body:
    """Accept that a dispute is lost."""
    return disputes.close(work, work.get("dispute", dispute_id), "lost")


def list_disputes(work: Work, params: Body) -> Body:
    """Disputes, newest first."""
    where = conditions(params, "charge", "payment_intent")
    return page(work, "dispute", DISPUTES, params, where)


def retrieve_warning(work: Work, _params: Body, warning_id: str) -> Body:
    """An early warning of fraud."""
    return work.get("radar.early_fraud_warning", warning_id)


def list_warnings(work: Work, params: Body) -> Body:
    """Early warnings of fraud, newest first."""
    where = conditions(params, "charge", "payment_intent")
    return page(work, "radar.early_fraud_warning", WARNINGS, params, where)


OF_CHARGE = list_of(shape(charge=ID, payment_intent=ID))
ENDPOINTS = (
    get(CHARGES, list_charges, list_of(shape(customer=ID, payment_intent=ID))),
    get(f"{CHARGES}/search", find_charges, SEARCH),
    get(CHARGES + "/{charge:str}", retrieve_charge),
    post(
        CHARGES + "/{charge:str}",
        change_charge,
        shape(description=TEXT, metadata=METADATA, receipt_email=TEXT),
    ),
    post(REFUNDS, create_refund, REFUND),
    get(REFUNDS, list_refunds, OF_CHARGE),
    get(REFUNDS + "/{refund:str}", retrieve_refund),
    post(REFUNDS + "/{refund:str}", change_refund, shape(metadata=METADATA)),
    get(DISPUTES, list_disputes, OF_CHARGE),
    get(DISPUTES + "/{dispute:str}", retrieve_dispute),
    post(DISPUTES + "/{dispute:str}", answer_dispute, ANSWER),
    post(DISPUTES + "/{dispute:str}/close", close_dispute),
    get(WARNINGS, list_warnings, OF_CHARGE),
    get(WARNINGS + "/{early_fraud_warning:str}", retrieve_warning),
)
