"""Pieces that several pages show."""

from services.stripe_sandbox.cards import OFFERED
from services.stripe_sandbox.errors import Body
from services.stripe_sandbox.money import written
from services.stripe_sandbox.pages.html import Html, fill, joined


def card_choices(*, only_cards: bool = False) -> Html:
    """The test cards that a person may choose from; the first is chosen."""
    cards = [card for card in OFFERED if card.type == "card" or not only_cards]
    return joined(
        [
            fill(
                "card_choice",
                name=card.name,
                label=card.label,
                number=f"…{card.last4}",
                checked="checked" if card is cards[0] else "",
            )
            for card in cards
        ]
    )


def problem(text: str | None) -> Html:
    """What went wrong, read out by screen readers."""
    return fill("problem", text=text) if text else Html("")


def lines(items: list[tuple[str, int]], currency: str, total_name: str, total: int) -> Html:
    """A table of what is to be paid, in cents."""
    rows = [fill("line", what=what, amount=written(amount, currency)) for what, amount in items]
    return fill("lines", rows=joined(rows), total_name=total_name, total=written(total, currency))


def named(method: Body) -> str:
    """A payment method for people."""
    details = method[method["type"]]
    brand = details.get("display_brand") or details.get("bank_name")
    return f"{str(brand).title()} …{details['last4']}"
