"""Charges, and what may follow them: refunds, disputes, warnings of fraud."""

from services.stripe_sandbox.cards import Decline
from services.stripe_sandbox.errors import Body
from services.stripe_sandbox.objects.common import merged, nulls
from services.stripe_sandbox.objects.payment_method import shown_in_charge
from services.stripe_sandbox.store import new_id

CHARGE_NULLS = """application application_fee application_fee_amount balance_transaction
failure_balance_transaction failure_code failure_message on_behalf_of receipt_email receipt_number
review shipping source source_transfer statement_descriptor statement_descriptor_suffix
transfer_data transfer_group"""
EVIDENCE = """access_activity_log billing_address cancellation_policy
cancellation_policy_disclosure cancellation_rebuttal customer_communication
customer_email_address customer_name customer_purchase_ip customer_signature
duplicate_charge_documentation duplicate_charge_explanation duplicate_charge_id
product_description receipt refund_policy refund_policy_disclosure refund_refusal_explanation
service_date service_documentation shipping_address shipping_carrier shipping_date
shipping_documentation shipping_tracking_number uncategorized_file uncategorized_text"""
# How long one has to answer a dispute.
RESPONSE_SECONDS = 9 * 24 * 3600


def charge(
    intent: Body, method: Body, status: str, now: int, public_url: str, decline: Decline | None
) -> Body:
    """A charge of a payment intent: succeeded, pending or failed."""
    charge_id = new_id("ch")
    taken = intent["amount"] if status == "succeeded" else 0
    return {
        **nulls(CHARGE_NULLS),
        "id": charge_id,
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": taken,
        "amount_refunded": 0,
        "billing_details": method["billing_details"],
        "calculated_statement_descriptor": "SANDBOX",
        "captured": status != "failed",
        "created": now,
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "failure_code": decline.code if decline else None,
        "failure_message": decline.message if decline else None,
        "fraud_details": {},
        "livemode": False,
        "metadata": dict(intent["metadata"]),
        "outcome": _outcome(status, decline),
        "paid": status != "failed",
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": shown_in_charge(method),
        "radar_options": {},
        "receipt_email": intent["receipt_email"],
        "receipt_url": f"{public_url}/receipts/{charge_id}" if status == "succeeded" else None,
        "refunded": False,
        "status": status,
    }


def _outcome(status: str, decline: Decline | None) -> Body:
    if decline is None:
        seller, network, reason = "Payment complete.", "approved_by_network", None
    else:
        seller, network = "The bank declined the payment.", "declined_by_network"
        reason = decline.decline_code or decline.code
    return {
        "advice_code": decline.advice if decline else None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": network,
        "reason": reason,
        "risk_level": "normal",
        "risk_score": 12,
        "seller_message": seller,
        "type": "issuer_declined" if status == "failed" else "authorized",
    }


def refund(charge_body: Body, params: Body, amount: int, status: str, now: int) -> Body:
    """A refund of some cents of a charge."""
    return {
        **nulls("balance_transaction customer_account receipt_number transfer_reversal"),
        "source_transfer_reversal": None,
        "id": new_id("re"),
        "object": "refund",
        "amount": amount,
        "charge": charge_body["id"],
        "created": now,
        "currency": charge_body["currency"],
        "customer": charge_body["customer"],
        "destination_details": {
            "card": {"reference_status": "pending", "reference_type": "", "type": "refund"},
            "type": "card",
        },
        "metadata": merged({}, params.get("metadata")),
        "payment_intent": charge_body["payment_intent"],
        "payment_method": charge_body["payment_method"],
        "reason": params.get("reason"),
        "status": status,
    }


def dispute(charge_body: Body, reason: str, amount: int, now: int, *, inquiry: bool) -> Body:
    """A dispute of a charge; an inquiry moves no money yet."""
    return {
        "id": new_id("du" if inquiry else "dp"),
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": charge_body["id"],
        "created": now,
        "currency": charge_body["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {**nulls(EVIDENCE), "enhanced_evidence": {}},
        "evidence_details": {
            "due_by": now + RESPONSE_SECONDS,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        "is_charge_refundable": inquiry,
        "livemode": False,
        "metadata": {},
        "network_reason_code": "10",
        "payment_intent": charge_body["payment_intent"],
        "payment_method_details": {
            "card": {
                "brand": "visa",
                "case_type": "inquiry" if inquiry else "chargeback",
                "network": "visa",
                "network_reason_code": "10",
            },
            "type": "card",
        },
        "reason": reason,
        "status": "warning_needs_response" if inquiry else "needs_response",
        "_customer": charge_body["customer"],
        "_withdrawn": False,
    }


def fraud_warning(charge_body: Body, now: int) -> Body:
    """An early warning that a charge is fraud."""
    return {
        "id": new_id("issfr"),
        "object": "radar.early_fraud_warning",
        "actionable": True,
        "charge": charge_body["id"],
        "created": now,
        "fraud_type": "made_with_stolen_card",
        "livemode": False,
        "payment_intent": charge_body["payment_intent"],
    }
