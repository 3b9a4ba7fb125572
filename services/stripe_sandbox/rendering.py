"""Objects as an answer shows them: without our own fields, and with what was asked to expand."""

from collections.abc import Callable, Mapping
from typing import Any

from services.stripe_sandbox.errors import Body, invalid
from services.stripe_sandbox.events import public
from services.stripe_sandbox.store import Store

MAX_DEPTH = 4

# Fields that hold an id and become the object itself when they are expanded.
EXPANDABLE: Mapping[str, frozenset[str]] = {
    kind: frozenset(fields.split())
    for kind, fields in {
        "billing_portal.session": "configuration",
        "charge": "customer payment_intent",
        "checkout.session": "customer invoice payment_intent setup_intent subscription",
        "credit_note": "customer invoice",
        "customer": "invoice_settings.default_payment_method test_clock",
        "customer_balance_transaction": "customer invoice credit_note checkout_session",
        "dispute": "charge payment_intent",
        "invoice": "customer default_payment_method parent.subscription_details.subscription"
        " test_clock",
        "invoice_payment": "invoice payment.charge payment.payment_intent",
        "invoiceitem": "customer invoice pricing.price_details.price test_clock",
        "line_item": "pricing.price_details.price",
        "payment_intent": "customer latest_charge payment_method",
        "payment_method": "customer",
        "price": "product",
        "product": "default_price",
        "radar.early_fraud_warning": "charge payment_intent",
        "refund": "charge customer payment_intent payment_method",
        "setup_intent": "customer payment_method",
        "subscription": "customer default_payment_method latest_invoice pending_setup_intent"
        " schedule test_clock",
        "subscription_schedule": "customer subscription test_clock",
    }.items()
}

# Fields that are there only when they are asked for: (kind, field) → what they hold.
Included = Callable[[Store, Body], Any]
Includes = Mapping[tuple[str, str], Included]


class Renderer:
    """Prepares objects for an answer."""

    def __init__(self, store: Store, includes: Includes) -> None:
        self._store = store
        self._includes = includes

    def render(self, body: Body, expand: list[str]) -> Body:
        """The object, expanded. Raises StripeError for what cannot be."""
        shown: Body = _shown(body)
        for path in expand:
            segments = path.split(".")
            if len(segments) > MAX_DEPTH:
                message = "You cannot expand more than 4 levels of a property."
                raise invalid(message, "expand")
            self._expand(shown, shown, segments, path)
        return shown

    def _expand(self, owner: Body, place: Any, path: list[str], whole: str) -> None:
        """Expand below `place`, which is the object `owner` or something plain inside of it."""
        if isinstance(place, list):
            for each in place:
                self._expand(each, each, path, whole)
            return
        if not path or not isinstance(place, dict):
            return
        name, rest = path[0], path[1:]
        below = name if owner is place else f"{owner.get('_at', '')}.{name}"
        self._open(owner, place, name, below, last=not rest, whole=whole)
        value = place[name]
        if isinstance(value, dict) and "object" not in value:
            self._expand({"object": owner.get("object"), "_at": below}, value, rest, whole)
        elif isinstance(value, dict):
            self._expand(value, value, rest, whole)
        else:
            self._expand(owner, value, rest, whole)

    def _open(
        self, owner: Body, place: Body, name: str, below: str, *, last: bool, whole: str
    ) -> None:
        """Have `place[name]` hold what it should; raises StripeError when it cannot."""
        kind = str(owner.get("object"))
        if (kind, below) in self._includes:
            if name not in place:
                whole_body = self._store.find(place["id"]) or place
                place[name] = _shown(self._includes[kind, below](self._store, whole_body))
        elif below in EXPANDABLE.get(kind, ()):
            found = self._store.find(place[name]) if isinstance(place.get(name), str) else None
            place[name] = _shown(found) if found else place.get(name)
        elif name not in place or (last and not isinstance(place[name], dict)):
            raise invalid(f"This property cannot be expanded ({whole}).", "expand")


def _shown(body: Any) -> Any:
    """A copy without what only the sandbox knows, through lists as well."""
    if isinstance(body, dict):
        return {name: _shown(value) for name, value in public(body).items()}
    if isinstance(body, list):
        return [_shown(each) for each in body]
    return body
