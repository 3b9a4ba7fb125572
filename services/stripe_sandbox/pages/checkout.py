"""The hosted checkout page."""

from typing import Any

from litestar import Request, Response, get, post
from litestar.types import ControllerRouterHandler

from services.stripe_sandbox.cards import BY_NAME
from services.stripe_sandbox.errors import Body
from services.stripe_sandbox.flows import checkout
from services.stripe_sandbox.money import written
from services.stripe_sandbox.pages.html import Html, fill, notice, page, see_other, way_back
from services.stripe_sandbox.pages.pieces import card_choices, lines, problem
from services.stripe_sandbox.sandbox import Sandbox
from services.stripe_sandbox.work import Work

AnyRequest = Request[Any, Any, Any]
TITLES = {
    "payment": "Pay {}",
    "setup": "Save a payment method",
    "subscription": "Subscribe for {}",
}
MAX_TEXT = 200


def routes(sandbox: Sandbox) -> list[ControllerRouterHandler]:
    """The page, and the form on it."""

    @get("/c/pay/{session_id:str}", sync_to_thread=False)
    def show(session_id: str) -> Response[Any]:
        with sandbox.store.transaction():
            return _show(sandbox.work(), session_id)

    @post("/c/pay/{session_id:str}", status_code=200)
    async def submit(request: AnyRequest, session_id: str) -> Response[Any]:
        form = await request.form()
        with sandbox.store.transaction():
            answer = _submit(sandbox.work(), session_id, dict(form))
        sandbox.wake()
        return answer

    return [show, submit]


def _show(work: Work, session_id: str) -> Response[Any]:
    session = work.find("checkout.session", session_id)
    if session is None:
        return notice("Not found", "There is no such checkout session.", status=404)
    if session["status"] == "complete":
        return see_other(session["success_url"].replace("{CHECKOUT_SESSION_ID}", session_id))
    if session["status"] == "expired":
        text = "This checkout session has expired. Nothing was charged."
        return notice("Expired", text, status=410, link=session["cancel_url"])
    customer = work.find("customer", session["customer"]) or {}
    email = customer.get("email") or session["customer_email"]
    title = TITLES[session["mode"]].format(_total(session))
    body = fill(
        "checkout",
        title=title,
        problem=problem(session.get("_error")),
        lines=_lines(session),
        action=f"/c/pay/{session_id}",
        email=email or session.get("_email") or "",
        # Whose email is known cannot change it here.
        fixed="readonly" if email else "",
        name=session.get("_name") or customer.get("name") or "",
        cards=card_choices(only_cards=session["mode"] == "setup"),
        button=title,
        back=way_back(session["cancel_url"]),
    )
    return page(title, body)


def _total(session: Body) -> str:
    return (
        "" if session["mode"] == "setup" else written(session["amount_total"], session["currency"])
    )


def _lines(session: Body) -> Html:
    if session["mode"] == "setup":
        return Html("")
    items = [
        (f"{each['quantity']} × {each['description']}", each["amount_total"])
        for each in session["_line_items"]
    ]
    return lines(items, session["currency"], "Total due", session["amount_total"])


def _submit(work: Work, session_id: str, form: dict[str, Any]) -> Response[Any]:
    session = work.find("checkout.session", session_id)
    if session is None or session["status"] != "open":
        return _show(work, session_id)
    card = BY_NAME.get(str(form.get("card", "")))
    email = str(form.get("email", ""))[:MAX_TEXT].strip() or None
    if card is None or (email is None and not session["customer"]):
        session["_error"] = "Choose a test card and enter an email address."
        work.save(session)
        return see_other(f"/c/pay/{session_id}")
    name = str(form.get("name", ""))[:MAX_TEXT].strip() or None
    checkout.submit(work, session, card, email, name)
    return see_other(_authentication_page(work, session_id) or f"/c/pay/{session_id}")


def _authentication_page(work: Work, session_id: str) -> str | None:
    """Where the bank asks, if the session's payment or card waits for that."""
    session = work.get("checkout.session", session_id)
    intent = work.find("setup_intent", session["setup_intent"]) or work.find(
        "payment_intent", session["payment_intent"]
    )
    if intent is None and (invoice := work.find("invoice", session.get("_invoice"))):
        intent = work.find("payment_intent", invoice.get("_payment_intent"))
    if intent is None or intent["status"] != "requires_action":
        return None
    return f"/3ds/{intent['client_secret']}"
