"""What may follow a charge: disputes, warnings, refunds."""

from services.stripe_sandbox.cards import Card
from services.stripe_sandbox.errors import Body, invalid
from services.stripe_sandbox.money import written
from services.stripe_sandbox.objects.charge import dispute, fraud_warning, refund
from services.stripe_sandbox.objects.payment_method import card_of
from services.stripe_sandbox.work import Work

REFUND_SECONDS = 5
OPEN = {"needs_response", "under_review", "warning_needs_response", "warning_under_review"}


def follow_charge(work: Work, made: Body, card: Card) -> None:
    """Have a card do what it is known for after it was charged."""
    if card.fraud_warning:
        warning = fraud_warning(made, work.now(made))
        work.add(warning, "radar.early_fraud_warning.created")
    if card.dispute == "inquiry":
        open_dispute(work, made, "general", made["amount"], inquiry=True)
    elif card.dispute is not None:
        open_dispute(work, made, card.dispute, made["amount"], inquiry=False)


def open_dispute(work: Work, made: Body, reason: str, amount: int, *, inquiry: bool) -> Body:
    """The bank disputes a charge, or only inquires; an inquiry moves no money."""
    if made["disputed"] or made["status"] != "succeeded":
        raise invalid(f"Charge {made['id']} cannot be disputed.", "charge")
    body = dispute(made, reason, amount, work.now(made), inquiry=inquiry)
    made["disputed"] = True
    work.save(made, "charge.updated")
    work.add(body, "charge.dispute.created")
    if not inquiry:
        _withdraw(work, body)
    return work.get("dispute", body["id"])


def _withdraw(work: Work, body: Body) -> None:
    body["_withdrawn"] = True
    work.note("dispute", {**body, "customer": body["_customer"]}, -body["amount"])
    work.save(body, "charge.dispute.funds_withdrawn")


def escalate(work: Work, body: Body) -> Body:
    """An inquiry becomes a dispute, and the money goes."""
    if body["status"] not in {"warning_needs_response", "warning_under_review"}:
        raise invalid(f"This dispute has a status of {body['status']}, it is no open inquiry.")
    body["status"] = "needs_response"
    body["payment_method_details"]["card"]["case_type"] = "chargeback"
    body["is_charge_refundable"] = False
    work.save(body, "charge.dispute.updated")
    _withdraw(work, body)
    return work.get("dispute", body["id"])


def submit_evidence(work: Work, body: Body, evidence: Body, *, submit: bool) -> Body:
    """Answer a dispute; the words `winning_evidence` and `losing_evidence` decide it at once."""
    if body["status"] not in OPEN:
        raise invalid(f"This dispute is already closed with a status of {body['status']}.")
    body["evidence"] |= evidence
    body["evidence_details"]["has_evidence"] = True
    if submit:
        body["evidence_details"]["submission_count"] += 1
        body["evidence_details"]["submission_method"] = "manual"
        inquiry = body["status"].startswith("warning")
        body["status"] = "warning_under_review" if inquiry else "under_review"
    work.save(body, "charge.dispute.updated")
    words = body["evidence"]["uncategorized_text"] if submit else None
    if words == "winning_evidence":
        return close(work, body, "won")
    if words == "losing_evidence":
        return close(work, body, "lost")
    return body


def close(work: Work, body: Body, outcome: str) -> Body:
    """A dispute ends won or lost; an inquiry just closes."""
    if body["status"] not in OPEN:
        raise invalid(f"This dispute is already closed with a status of {body['status']}.")
    inquiry = body["status"].startswith("warning")
    body["status"] = "warning_closed" if inquiry else outcome
    work.save(body, "charge.dispute.closed")
    if body["status"] != "lost" and body["_withdrawn"]:
        body["_withdrawn"] = False
        work.note("dispute_won", {**body, "customer": body["_customer"]}, body["amount"])
        work.save(body, "charge.dispute.funds_reinstated")
    return body


def give_back(work: Work, made: Body, params: Body) -> Body:
    """Refund a charge, wholly or in part. Raises StripeError for more than is left."""
    left = made["amount"] - made["amount_refunded"]
    amount = params.get("amount", left)
    if made["status"] != "succeeded":
        raise invalid(f"Charge {made['id']} cannot be refunded: it is {made['status']}.", "charge")
    if made["disputed"] and _is_withdrawn(work, made):
        raise invalid(
            f"Charge {made['id']} has been charged back; cannot issue a refund.",
            code="charge_disputed",
        )
    if left == 0:
        raise invalid(
            f"Charge {made['id']} has already been refunded.", code="charge_already_refunded"
        )
    if amount > left:
        asked, rest = written(amount, made["currency"]), written(left, made["currency"])
        raise invalid(
            f"Refund amount ({asked}) is greater than unrefunded amount on charge ({rest})",
            "amount",
        )
    how = card_of(work.get("payment_method", made["payment_method"])).refund
    status = "pending" if how == "pending" else "succeeded"
    body = refund(made, params, amount, status, work.now(made))
    work.add(body, "refund.created")
    work.note("refund", body, -amount)
    _refunded(work, made, amount, "charge.refunded")
    if how is not None:
        seconds = work.store.setting("settle_seconds", REFUND_SECONDS)
        work.plan("settle_refund", body, work.now(made) + seconds)
    return body


def _is_withdrawn(work: Work, made: Body) -> bool:
    return any(each["_withdrawn"] for each in work.all("dispute", charge=made["id"]))


def _refunded(work: Work, made: Body, amount: int, event: str) -> None:
    made["amount_refunded"] += amount
    made["refunded"] = made["amount_refunded"] == made["amount"]
    work.save(made, event)


def settle_refund(work: Work, body: Body) -> None:
    """A pending refund arrives; one on a closed account fails, and the money comes back to us."""
    made = work.get("charge", body["charge"])
    if card_of(work.get("payment_method", made["payment_method"])).refund == "pending":
        body["status"] = "succeeded"
        work.save(body, "refund.updated")
        return
    body["status"] = "failed"
    body["failure_reason"] = "expired_or_canceled_card"
    work.save(body, "refund.failed")
    work.note("refund_failed", body, body["amount"])
    _refunded(work, made, -body["amount"], "charge.updated")
