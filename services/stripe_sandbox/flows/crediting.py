"""Credit notes: less to pay on an open invoice, or money back on a paid one."""

from services.stripe_sandbox.errors import Body, invalid
from services.stripe_sandbox.flows import disputes, settling
from services.stripe_sandbox.objects.credit_note import credit_note
from services.stripe_sandbox.objects.customer import balance_transaction
from services.stripe_sandbox.work import Work


def credit(work: Work, body: Body, params: Body) -> Body:
    """Issue a credit note for an invoice.

    Raises StripeError when it is for more than is left, or does not say where the money goes.
    """
    if body["status"] not in {"open", "paid", "uncollectible"}:
        raise invalid(f"You can't credit an invoice with a status of {body['status']}.", "invoice")
    lines = params.get("lines", [])
    amount = params.get("amount", sum(_line_amount(body, line) for line in lines))
    left = body["total"] - credited(body)
    if not 0 < amount <= left:
        raise invalid(f"The credit note's amount must be between 1 and {left}.", "amount")
    note = credit_note(body, params, amount, work.now(body), work.settings.public_url)
    if body["status"] == "paid":
        _give_back(work, body, note, params)
    else:
        body["pre_payment_credit_notes_amount"] += amount
        body["amount_due"] = max(body["amount_due"] - amount, 0)
        body["amount_remaining"] = body["amount_due"]
        _lower_payment(work, body)
    work.save(body, "invoice.updated")
    work.add(note, "credit_note.created")
    work.note("credit_note", note)
    if body["status"] == "open" and body["amount_due"] == 0:
        settling.mark_paid(work, body, None)
    return note


def credited(body: Body) -> int:
    """What was credited of an invoice until now, in cents."""
    return int(body["pre_payment_credit_notes_amount"] + body["post_payment_credit_notes_amount"])


def _line_amount(body: Body, line: Body) -> int:
    if "amount" in line:
        return int(line["amount"])
    if "unit_amount" in line:
        return int(line["unit_amount"] * line.get("quantity", 1))
    named = [each for each in body["_lines"] if each["id"] == line.get("invoice_line_item")]
    return int(named[0]["amount"]) if named else 0


def _lower_payment(work: Work, body: Body) -> None:
    intent = work.find("payment_intent", body.get("_payment_intent"))
    if intent and body["amount_due"]:
        intent["amount"] = body["amount_due"]
        work.save(intent)


def _give_back(work: Work, body: Body, note: Body, params: Body) -> None:
    """A paid invoice: refund, credit to the customer's balance, or settled elsewhere."""
    refund = params.get("refund_amount", 0)
    to_balance = params.get("credit_amount", 0)
    elsewhere = params.get("out_of_band_amount", 0)
    if refund + to_balance + elsewhere != note["amount"]:
        raise invalid(
            "The sum of credit amount, refund amount and out of band amount must equal the credit"
            f" note amount ({note['amount']})."
        )
    if refund:
        intent = work.get("payment_intent", body["_payment_intent"])
        made = disputes.give_back(
            work, work.get("charge", intent["latest_charge"]), {"amount": refund}
        )
        note["refunds"] = [
            {
                "amount_refunded": refund,
                "payment_record_refund": None,
                "refund": made["id"],
                "type": "refund",
            }
        ]
    if to_balance:
        customer = work.get("customer", body["customer"])
        customer["balance"] -= to_balance
        work.save(customer, "customer.updated")
        change = balance_transaction(
            customer,
            -to_balance,
            "credit_note",
            body["currency"],
            work.now(body),
            credit_note=note["id"],
        )
        note["customer_balance_transaction"] = work.add(change)["id"]
    note["out_of_band_amount"] = elsewhere or None
    note |= {"pre_payment_amount": 0, "post_payment_amount": note["amount"]}
    note["type"] = "post_payment"
    body["post_payment_credit_notes_amount"] += note["amount"]


def void(work: Work, note: Body) -> Body:
    """Take a credit note on an open invoice back. Raises StripeError when it is too late."""
    body = work.get("invoice", note["invoice"])
    if note["status"] == "void" or body["status"] != "open":
        raise invalid("Only credit notes on open invoices can be voided.")
    note |= {"status": "void", "voided_at": work.now(body)}
    body["pre_payment_credit_notes_amount"] -= note["amount"]
    body["amount_due"] += note["amount"]
    body["amount_remaining"] = body["amount_due"]
    _lower_payment(work, body)
    work.save(body, "invoice.updated")
    return work.save(note, "credit_note.voided")
