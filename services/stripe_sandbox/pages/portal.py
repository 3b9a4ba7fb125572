"""The billing portal: cards, subscriptions and invoices of one customer."""

from typing import Any

from litestar import Request, Response, get, post
from litestar.types import ControllerRouterHandler

from services.stripe_sandbox.cards import BY_NAME
from services.stripe_sandbox.errors import Body
from services.stripe_sandbox.flows import portal
from services.stripe_sandbox.flows.subscribing import ENDED
from services.stripe_sandbox.money import written
from services.stripe_sandbox.objects.subscription import items_of, period_of
from services.stripe_sandbox.pages.html import Html, fill, joined, notice, page, see_other, way_back
from services.stripe_sandbox.pages.pieces import card_choices, named, problem
from services.stripe_sandbox.periods import date_of
from services.stripe_sandbox.sandbox import Sandbox
from services.stripe_sandbox.work import Work

AnyRequest = Request[Any, Any, Any]
KIND = "billing_portal.session"
MAX_INVOICES = 24


def routes(sandbox: Sandbox) -> list[ControllerRouterHandler]:
    """The page, and the forms on it."""

    @get("/p/session/{session_id:str}", sync_to_thread=False)
    def show(session_id: str) -> Response[Any]:
        with sandbox.store.transaction():
            return _show(sandbox.work(), session_id)

    @post("/p/session/{session_id:str}/{what:str}", status_code=200)
    async def act(request: AnyRequest, session_id: str, what: str) -> Response[Any]:
        form = dict(await request.form())
        with sandbox.store.transaction():
            answer = _act(sandbox.work(), session_id, what, form)
        sandbox.wake()
        return answer

    @post("/p/session/{session_id:str}/{what:str}/{which:str}", status_code=200)
    async def act_on(session_id: str, what: str, which: str) -> Response[Any]:
        with sandbox.store.transaction():
            answer = _act(sandbox.work(), session_id, what, {"which": which})
        sandbox.wake()
        return answer

    return [show, act, act_on]


def _show(work: Work, session_id: str) -> Response[Any]:
    session = work.find(KIND, session_id)
    customer = work.find("customer", session["customer"]) if session else None
    if session is None or customer is None:
        return notice("Not found", "There is no such portal session.", status=404)
    flow = (session["flow"] or {}).get("type")
    nothing = Html("")
    body = fill(
        "portal",
        who=customer["name"] or customer["email"] or customer["id"],
        problem=problem(session.get("_error")),
        cards=nothing if flow == "subscription_cancel" else _cards(work, session, customer),
        subscriptions=nothing if flow == "payment_method_update" else _running(work, session),
        invoices=nothing if flow else _invoices(work, session),
        back=way_back(session["return_url"]),
    )
    return page("Billing portal", body)


def _button(session: Body, what: str, which: str, text: str, label: str) -> Html:
    action = f"/p/session/{session['id']}/{what}/{which}"
    return fill("portal_button", action=action, text=text, label=f"{text} {label}")


def _cards(work: Work, session: Body, customer: Body) -> Html:
    default = customer["invoice_settings"]["default_payment_method"]
    rows = []
    for method in work.all("payment_method", customer=customer["id"]):
        name, which = named(method), method["id"]
        buttons = [_button(session, "remove", which, "Remove", name)]
        if which == default:
            name += " (default)"
        else:
            buttons.insert(0, _button(session, "default", which, "Make default", name))
        rows.append(fill("portal_card", what=name, buttons=joined(buttons)))
    return fill(
        "portal_cards",
        rows=joined(rows),
        action=f"/p/session/{session['id']}/cards",
        choices=card_choices(only_cards=True),
        open="open" if session["flow"] or not rows else "",
    )


def _running(work: Work, session: Body) -> Html:
    rows = []
    for each in work.all("subscription", customer=session["customer"]):
        if each["status"] in ENDED:
            continue
        name, end = _product_name(work, each), date_of(period_of(each)[1])
        if each["cancel_at"] is not None:
            what = f"{name}: ends {date_of(each['cancel_at'])}"
            button = _button(session, "resume", each["id"], "Renew", name)
        else:
            what = f"{name}: {each['status']}, renews {end}"
            button = _button(session, "cancel", each["id"], "Cancel", name)
        rows.append(fill("portal_card", what=what, buttons=button))
    if not rows:
        return Html("")
    return fill("portal_list", title="Subscriptions", rows=joined(rows))


def _product_name(work: Work, subscription: Body) -> str:
    price = items_of(subscription)[0]["price"]
    name: str = work.get("product", price["product"])["name"]
    amount = written(price["unit_amount"] or 0, price["currency"])
    return f"{name} ({amount} a {price['recurring']['interval']})"


def _invoices(work: Work, session: Body) -> Html:
    found = [
        each
        for each in work.all("invoice", customer=session["customer"])
        if each["status"] != "draft"
    ]
    rows = [
        fill(
            "portal_invoice",
            url=each["hosted_invoice_url"],
            number=each["number"],
            status=each["status"],
            amount=written(each["total"], each["currency"]),
        )
        for each in reversed(found[-MAX_INVOICES:])
    ]
    return fill("portal_list", title="Invoices", rows=joined(rows)) if rows else Html("")


def _act(work: Work, session_id: str, what: str, form: dict[str, Any]) -> Response[Any]:
    session = work.find(KIND, session_id)
    if session is None:
        return _show(work, session_id)
    here = f"/p/session/{session_id}"
    customer, which = session["customer"], str(form.get("which", ""))
    session["_error"] = None
    work.save(session)
    if what == "cards":
        return see_other(_add_card(work, session, str(form.get("card", ""))) or here)
    if what == "default":
        portal.set_default(work, customer, which)
    elif what == "remove":
        portal.remove_card(work, customer, which)
    elif what == "cancel":
        config = work.get("billing_portal.configuration", session["configuration"])
        at_once = config["features"]["subscription_cancel"]["mode"] == "immediately"
        portal.cancel(work, customer, which, at_once=at_once)
        return see_other(_after_flow(session) or here)
    elif what == "resume":
        portal.resume(work, customer, which)
    return see_other(here)


def _after_flow(session: Body) -> str | None:
    """Where a deep link into the portal leads once its one thing is done."""
    redirect = ((session["flow"] or {}).get("after_completion") or {}).get("redirect")
    return redirect["return_url"] if redirect else None


def _add_card(work: Work, session: Body, name: str) -> str | None:
    """Save the card; where to go on, if that is not the portal."""
    card = BY_NAME.get(name)
    if card is None:
        return None
    here = f"{work.settings.public_url}/p/session/{session['id']}"
    intent = portal.add_card(work, session, card, _after_flow(session) or here)
    if intent["status"] == "requires_action":
        return f"/3ds/{intent['client_secret']}"
    if intent["status"] == "succeeded":
        return _after_flow(session)
    session["_error"] = intent["last_setup_error"]["message"]
    work.save(session)
    return None
