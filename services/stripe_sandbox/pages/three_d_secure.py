"""The page on which a bank would ask its customer to confirm a payment."""

import hmac
from typing import Any
from urllib.parse import urlencode

from litestar import Request, Response, get, post
from litestar.types import ControllerRouterHandler

from services.stripe_sandbox.errors import Body
from services.stripe_sandbox.flows import paying, saving
from services.stripe_sandbox.money import written
from services.stripe_sandbox.pages.html import fill, notice, page, see_other
from services.stripe_sandbox.sandbox import Sandbox
from services.stripe_sandbox.work import Work

AnyRequest = Request[Any, Any, Any]
DONE = "You can close this window."


def routes(sandbox: Sandbox) -> list[ControllerRouterHandler]:
    """The page, and its two buttons."""

    @get("/3ds/{secret:str}", sync_to_thread=False)
    def show(secret: str) -> Response[Any]:
        with sandbox.store.transaction():
            return _show(sandbox.work(), secret)

    @post("/3ds/{secret:str}", status_code=200)
    async def answer(request: AnyRequest, secret: str) -> Response[Any]:
        form = await request.form()
        with sandbox.store.transaction():
            answered = _answer(sandbox.work(), secret, passed=form.get("outcome") == "complete")
        sandbox.wake()
        return answered

    return [show, answer]


def _intent_of(work: Work, secret: str) -> Body | None:
    """The intent of a client secret, while it waits for authentication."""
    intent = work.store.find(secret.partition("_secret_")[0])
    if intent is None or intent.get("status") != "requires_action":
        return None
    return intent if hmac.compare_digest(str(intent["client_secret"]), secret) else None


def _show(work: Work, secret: str) -> Response[Any]:
    intent = _intent_of(work, secret)
    if intent is None:
        return notice("3D Secure", f"There is nothing to confirm any more. {DONE}")
    what = "that your card is saved"
    if intent["object"] == "payment_intent":
        what = f"a payment of {written(intent['amount'], intent['currency'])}"
    body = fill("three_d_secure", what=what, action=f"/3ds/{secret}")
    # Stripe.js shows this page inside of the page that asked for the payment.
    return page("3D Secure", body, framed=True)


def _answer(work: Work, secret: str, *, passed: bool) -> Response[Any]:
    intent = _intent_of(work, secret)
    if intent is None:
        return _show(work, secret)
    action = intent["next_action"].get("redirect_to_url") or {}
    flow = paying if intent["object"] == "payment_intent" else saving
    intent = flow.authenticated(work, intent, passed=passed)
    if not action.get("return_url"):
        title = "Confirmed" if intent["status"] == "succeeded" else "Not confirmed"
        return page(title, fill("notice", title=title, text=DONE, link=""), framed=True)
    return see_other(_back(action["return_url"], intent))


def _back(return_url: str, intent: Body) -> str:
    """The way back, with what Stripe adds to it."""
    kind = intent["object"]
    succeeded = intent["status"] in {"succeeded", "processing"}
    query = urlencode(
        {
            kind: intent["id"],
            f"{kind}_client_secret": intent["client_secret"],
            "redirect_status": "succeeded" if succeeded else "failed",
        }
    )
    return f"{return_url}{'&' if '?' in return_url else '?'}{query}"
