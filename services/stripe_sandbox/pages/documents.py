"""Invoices for people: a page on which they can be paid, a PDF, and receipts of charges."""

from typing import Any

from litestar import Request, Response, get, post
from litestar.types import ControllerRouterHandler

from services.stripe_sandbox.cards import BY_NAME
from services.stripe_sandbox.errors import Body, StripeError
from services.stripe_sandbox.flows import invoicing
from services.stripe_sandbox.money import written
from services.stripe_sandbox.objects.payment_method import payment_method
from services.stripe_sandbox.pages.html import Html, fill, notice, page, see_other
from services.stripe_sandbox.pages.pdf import pdf
from services.stripe_sandbox.pages.pieces import card_choices, lines, problem
from services.stripe_sandbox.periods import date_of
from services.stripe_sandbox.sandbox import Sandbox
from services.stripe_sandbox.work import Work

AnyRequest = Request[Any, Any, Any]


def routes(sandbox: Sandbox) -> list[ControllerRouterHandler]:
    """The pages."""

    @get("/invoices/{invoice_id:str}", sync_to_thread=False)
    def show(invoice_id: str) -> Response[Any]:
        with sandbox.store.transaction():
            return _show(sandbox.work(), invoice_id)

    @post("/invoices/{invoice_id:str}", status_code=200)
    async def pay(request: AnyRequest, invoice_id: str) -> Response[Any]:
        form = await request.form()
        with sandbox.store.transaction():
            answer = _pay(sandbox.work(), invoice_id, str(form.get("card", "")))
        sandbox.wake()
        return answer

    @get("/invoices/{invoice_id:str}/pdf", sync_to_thread=False)
    def download(invoice_id: str) -> Response[bytes]:
        with sandbox.store.transaction():
            return _pdf(sandbox.work(), invoice_id)

    @get("/receipts/{charge_id:str}", sync_to_thread=False)
    def receipt(charge_id: str) -> Response[Any]:
        with sandbox.store.transaction():
            return _receipt(sandbox.work(), charge_id)

    return [show, pay, download, receipt]


def _find(work: Work, invoice_id: str) -> Body | None:
    body = work.find("invoice", invoice_id)
    return None if body is None or body["status"] == "draft" else body


def _items(body: Body) -> list[tuple[str, int]]:
    return [(line["description"] or "", line["amount"]) for line in body["_lines"]]


def _missing() -> Response[bytes]:
    return notice("Not found", "There is no such document.", status=404)


def _show(work: Work, invoice_id: str, trouble: str | None = None) -> Response[Any]:
    body = _find(work, invoice_id)
    if body is None:
        return _missing()
    due = written(body["amount_due"], body["currency"])
    pay = Html("")
    if body["status"] == "open":
        action = f"/invoices/{invoice_id}"
        pay = fill("pay", action=action, cards=card_choices(only_cards=True), button=f"Pay {due}")
    shown = fill(
        "invoice",
        number=body["number"],
        problem=problem(trouble),
        who=body["customer_name"] or body["customer_email"] or body["customer"],
        status=body["status"],
        lines=lines(_items(body), body["currency"], "Total", body["total"]),
        pay=pay,
        pdf=body["invoice_pdf"],
    )
    return page(f"Invoice {body['number']}", shown)


def _pay(work: Work, invoice_id: str, card_name: str) -> Response[Any]:
    body, card = _find(work, invoice_id), BY_NAME.get(card_name)
    if body is None:
        return _missing()
    if card is None or body["status"] != "open":
        return see_other(f"/invoices/{invoice_id}")
    method = work.add(payment_method(card, {}, work.now(body)))
    try:
        invoicing.pay(work, body, method, off_session=False)
    except StripeError as error:
        intent = work.get("payment_intent", body["_payment_intent"])
        if intent["status"] == "requires_action":
            return see_other(f"/3ds/{intent['client_secret']}")
        return _show(work, invoice_id, error.error["message"])
    return see_other(f"/invoices/{invoice_id}")


def _pdf(work: Work, invoice_id: str) -> Response[bytes]:
    body = _find(work, invoice_id)
    if body is None:
        return _missing()
    currency = body["currency"]
    text = [f"Invoice {body['number']}", f"Date {date_of(body['created'])}", ""]
    text += [f"{what}   {written(amount, currency)}" for what, amount in _items(body)]
    text += ["", f"Total   {written(body['total'], currency)}", f"Status   {body['status']}"]
    headers = {"Content-Disposition": f'attachment; filename="{body["number"]}.pdf"'}
    return Response(pdf(text), media_type="application/pdf", headers=headers)


def _receipt(work: Work, charge_id: str) -> Response[Any]:
    body = work.find("charge", charge_id)
    if body is None or body["status"] != "succeeded":
        return _missing()
    paid = written(body["amount"], body["currency"])
    back = written(body["amount_refunded"], body["currency"])
    return notice("Receipt", f"{paid} paid on {date_of(body['created'])}; {back} refunded.")
