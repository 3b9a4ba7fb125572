"""What the toy shop says and answers."""

from shared.contracts.base import Event, Organization, Reply, Request, Text


class OrderPlaced(Event, frozen=True, kw_only=True):
    """An order was placed; `note` tells the ledger how to behave."""

    order_id: Text
    note: str = ""


class Placed(Reply, frozen=True, kw_only=True):
    """The order stands; `place` counts the organization's."""

    order_id: Text
    place: int


class PlaceOrder(Request[Placed], frozen=True, kw_only=True):
    """Place an order."""

    organization_id: Organization
    order_id: Text
    note: str = ""


class Orders(Reply, frozen=True, kw_only=True):
    """What was ordered; `padding` makes the answer as large as a test wants it."""

    order_ids: tuple[str, ...]
    padding: str = ""


class ListOrders(Request[Orders], frozen=True, kw_only=True):
    """All orders of an organization."""

    organization_id: Organization
    note: str = ""


class Charged(Reply, frozen=True, kw_only=True):
    """The card was charged."""

    charge_id: str


class ChargeCard(Request[Charged], frozen=True, kw_only=True):
    """Charge a card at the other system."""

    organization_id: Organization
    amount_cents: int
    note: str = ""


class CardCharged(Event, frozen=True, kw_only=True):
    """A card was charged."""

    charge_id: str
