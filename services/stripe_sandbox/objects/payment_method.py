"""Payment methods: test cards and test bank accounts."""

import hashlib
from datetime import UTC, datetime

from services.stripe_sandbox.cards import BY_NAME, Card
from services.stripe_sandbox.errors import Body
from services.stripe_sandbox.objects.common import billing_details, merged, nulls
from services.stripe_sandbox.store import new_id

TOLD_OF_CARDS = (
    "brand",
    "checks",
    "country",
    "exp_month",
    "exp_year",
    "fingerprint",
    "funding",
    "last4",
)
TOLD_OF_ACCOUNTS = (
    "account_holder_type",
    "account_type",
    "bank_name",
    "fingerprint",
    "last4",
    "routing_number",
)


def payment_method(card: Card, params: Body, now: int) -> Body:
    """A new payment method that behaves like a test card; attached to nobody yet."""
    return {
        "id": new_id("pm"),
        "object": "payment_method",
        "allow_redisplay": params.get("allow_redisplay", "unspecified"),
        "billing_details": billing_details(params.get("billing_details")),
        "created": now,
        "customer": None,
        "customer_account": None,
        "livemode": False,
        "metadata": merged({}, params.get("metadata")),
        "type": card.type,
        card.type: _card(card, now) if card.type == "card" else _bank_account(card),
        "_card": card.name,
        "_set_up": False,
    }


def card_of(method: Body) -> Card:
    """The test card behind a payment method."""
    return BY_NAME[method["_card"]]


def _fingerprint(card: Card) -> str:
    return hashlib.sha256(card.number.encode()).hexdigest()[:16]


def _card(card: Card, now: int) -> Body:
    return {
        **nulls("description generated_from iin issuer wallet"),
        "brand": card.brand,
        "checks": {
            "address_line1_check": None,
            "address_postal_code_check": None,
            "cvc_check": "pass",
        },
        "country": "US",
        "display_brand": card.brand,
        "exp_month": 12,
        "exp_year": datetime.fromtimestamp(now, UTC).year + 4,
        "fingerprint": _fingerprint(card),
        "funding": card.funding,
        "last4": card.last4,
        "networks": {"available": [card.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
    }


def _bank_account(card: Card) -> Body:
    return {
        **nulls("financial_connections_account status_details"),
        "account_holder_type": "individual",
        "account_type": "checking",
        "bank_name": "STRIPE TEST BANK",
        "fingerprint": _fingerprint(card),
        "last4": card.last4,
        "networks": {"preferred": "ach", "supported": ["ach"]},
        "routing_number": "110000000",
    }


def shown_in_charge(method: Body) -> Body:
    """A payment method as its charge tells of it."""
    details = method[method["type"]]
    if method["type"] != "card":
        told = {
            **{name: details[name] for name in TOLD_OF_ACCOUNTS},
            **nulls("expected_debit_date mandate payment_reference"),
        }
        return {"type": method["type"], method["type"]: told}
    return {
        "type": "card",
        "card": {
            **{name: details[name] for name in TOLD_OF_CARDS},
            **nulls("installments mandate network_transaction_id three_d_secure wallet"),
            "authorization_code": None,
            "network": details["brand"],
            "network_token": {"used": False},
            "regulated_status": "unregulated",
        },
    }
