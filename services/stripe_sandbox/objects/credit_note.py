"""Credit notes."""

from services.stripe_sandbox.errors import Body
from services.stripe_sandbox.listing import list_object
from services.stripe_sandbox.objects.common import merged
from services.stripe_sandbox.store import new_id


def credit_note(body: Body, params: Body, amount: int, now: int, public_url: str) -> Body:
    """A credit note of some cents on an invoice, for now one before payment."""
    note_id = new_id("cn")
    body["_credit_notes"] = body.get("_credit_notes", 0) + 1
    lines = [_line(params, amount)]
    return {
        "id": note_id,
        "object": "credit_note",
        "amount": amount,
        "amount_shipping": 0,
        "created": now,
        "currency": body["currency"],
        "customer": body["customer"],
        "customer_account": None,
        "customer_balance_transaction": None,
        "discount_amount": 0,
        "discount_amounts": [],
        "effective_at": now,
        "invoice": body["id"],
        "lines": list_object(f"/v1/credit_notes/{note_id}/lines", lines),
        "livemode": False,
        "memo": params.get("memo"),
        "metadata": merged({}, params.get("metadata")),
        "number": f"{body['number']}-CN-{body['_credit_notes']:02}",
        "out_of_band_amount": None,
        "pdf": f"{public_url}/invoices/{body['id']}/pdf",
        "post_payment_amount": 0,
        "pre_payment_amount": amount,
        "pretax_credit_amounts": [],
        "reason": params.get("reason"),
        "refunds": [],
        "shipping_cost": None,
        "status": "issued",
        "subtotal": amount,
        "subtotal_excluding_tax": amount,
        "total": amount,
        "total_excluding_tax": amount,
        "total_taxes": [],
        "type": "pre_payment",
        "voided_at": None,
    }


def _line(params: Body, amount: int) -> Body:
    return {
        "id": new_id("cnli"),
        "object": "credit_note_line_item",
        "amount": amount,
        "description": params.get("memo"),
        "discount_amount": 0,
        "discount_amounts": [],
        "livemode": False,
        "metadata": {},
        "pretax_credit_amounts": [],
        "quantity": 1,
        "tax_rates": [],
        "taxes": [],
        "type": "custom_line_item",
        "unit_amount": amount,
        "unit_amount_decimal": str(amount),
    }
