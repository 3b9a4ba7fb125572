"""What follows from what: each event, and the flows that go on from it, in this order."""

from services.stripe_sandbox.errors import Body
from services.stripe_sandbox.flows import (
    changing,
    checkout,
    portal,
    settling,
    subscribing,
)
from services.stripe_sandbox.listing import list_object, page_of
from services.stripe_sandbox.rendering import Includes
from services.stripe_sandbox.store import Store
from services.stripe_sandbox.work import Reactions

REACTIONS: Reactions = {
    "payment_intent.succeeded": (settling.intent_succeeded, checkout.intent_succeeded),
    "payment_intent.payment_failed": (settling.intent_failed, checkout.intent_failed),
    "payment_intent.requires_action": (settling.intent_requires_action,),
    "payment_intent.processing": (checkout.intent_processing,),
    "setup_intent.succeeded": (checkout.setup_succeeded, portal.card_saved),
    "setup_intent.setup_failed": (checkout.setup_failed,),
    "invoice.paid": (changing.pending_update_paid, subscribing.invoice_paid),
    "invoice.payment_failed": (subscribing.invoice_failed,),
    "invoice.voided": (changing.pending_update_voided, subscribing.invoice_written_off),
    "invoice.marked_uncollectible": (subscribing.invoice_written_off,),
}


def _line_items(_store: Store, body: Body) -> Body:
    url = f"/v1/checkout/sessions/{body['id']}/line_items"
    return page_of(body["_line_items"], url, {})


def _payments(store: Store, body: Body) -> Body:
    where = "json_extract(body, '$.invoice') = ?"
    return list_object("/v1/invoice_payments", store.select("invoice_payment", where, body["id"]))


def _confirmation_secret(store: Store, body: Body) -> Body | None:
    intent = store.find(body.get("_payment_intent", ""))
    if intent is None:
        return None
    return {"client_secret": intent["client_secret"], "type": "payment_intent"}


def _subscriptions(store: Store, body: Body) -> Body:
    where = (
        "customer = ? AND json_extract(body, '$.status') NOT IN ('canceled', 'incomplete_expired')"
    )
    url = f"/v1/customers/{body['id']}/subscriptions"
    return list_object(url, store.select("subscription", where, body["id"], limit=10))


def _refunds(store: Store, body: Body) -> Body:
    where = "json_extract(body, '$.charge') = ?"
    url = f"/v1/charges/{body['id']}/refunds"
    return list_object(url, store.select("refund", where, body["id"], limit=10))


INCLUDES: Includes = {
    ("charge", "refunds"): _refunds,
    ("checkout.session", "line_items"): _line_items,
    ("customer", "subscriptions"): _subscriptions,
    ("invoice", "confirmation_secret"): _confirmation_secret,
    ("invoice", "payments"): _payments,
}
