"""Every endpoint of the API."""

from services.stripe_sandbox.endpoints import Endpoint
from services.stripe_sandbox.resources import (
    catalog,
    charges,
    checkout_sessions,
    customers,
    events,
    invoice_items,
    invoices,
    payment_intents,
    payment_methods,
    portal,
    setup_intents,
    subscriptions,
)

ENDPOINTS: tuple[Endpoint, ...] = (
    *catalog.ENDPOINTS,
    *charges.ENDPOINTS,
    *checkout_sessions.ENDPOINTS,
    *customers.ENDPOINTS,
    *events.ENDPOINTS,
    *invoice_items.ENDPOINTS,
    *invoices.ENDPOINTS,
    *payment_intents.ENDPOINTS,
    *payment_methods.ENDPOINTS,
    *portal.ENDPOINTS,
    *setup_intents.ENDPOINTS,
    *subscriptions.ENDPOINTS,
)
