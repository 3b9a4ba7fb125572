"""What a change in the middle of a period costs: pure sums, rounded per line to the cent."""

from dataclasses import dataclass
from decimal import Decimal

from services.stripe_sandbox.errors import Body
from services.stripe_sandbox.money import share, times, written
from services.stripe_sandbox.periods import date_of


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line to be: some cents for a subscription item over a period [start, end)."""

    item: Body
    amount: int
    description: str
    period: tuple[int, int]
    proration: bool = False


def full_price(item: Body) -> int:
    """What an item costs for a whole period, in cents."""
    return times(Decimal(item["price"]["unit_amount_decimal"]), item["quantity"])


def period_lines(items: list[Body], names: Body, period: tuple[int, int]) -> list[Line]:
    """The lines of a whole period; `names` are the products' names by id."""
    return [
        Line(
            item=item,
            amount=full_price(item),
            description=_full_description(item, names),
            period=period,
        )
        for item in items
    ]


def trial_lines(items: list[Body], names: Body, period: tuple[int, int]) -> list[Line]:
    """The lines of a trial: nothing to pay."""
    return [
        Line(
            item=item,
            amount=0,
            description=f"Trial period for {names[item['price']['product']]}",
            period=period,
        )
        for item in items
    ]


def part_lines(
    items: list[Body], names: Body, period: tuple[int, int], whole_seconds: int
) -> list[Line]:
    """The lines of a first period that is shorter than usual, up to the billing anchor."""
    seconds = period[1] - period[0]
    return [
        Line(
            item=item,
            amount=share(full_price(item), seconds, whole_seconds),
            description=_full_description(item, names),
            period=period,
            proration=True,
        )
        for item in items
    ]


def change_lines(
    before: list[Body], after: list[Body], names: Body, at: int, period: tuple[int, int]
) -> list[Line]:
    """Unused time of what goes is given back, remaining time of what comes is charged."""
    old = {item["id"]: item for item in before}
    new = {item["id"]: item for item in after}
    whole, rest = period[1] - period[0], period[1] - at
    lines = []
    for key, item in old.items():
        if not _is_same(item, new.get(key)):
            lines.append(
                Line(
                    item=item,
                    amount=-share(full_price(item), rest, whole),
                    description=f"Unused time on {_named(item, names)} after {date_of(at)}",
                    period=(at, period[1]),
                    proration=True,
                )
            )
    for key, item in new.items():
        if not _is_same(item, old.get(key)):
            lines.append(
                Line(
                    item=item,
                    amount=share(full_price(item), rest, whole),
                    description=f"Remaining time on {_named(item, names)} after {date_of(at)}",
                    period=(at, period[1]),
                    proration=True,
                )
            )
    return lines


def unused_lines(items: list[Body], names: Body, at: int, period: tuple[int, int]) -> list[Line]:
    """Only the unused time, as when a subscription ends or its period begins anew."""
    return change_lines(items, [], names, at, period)


def _is_same(one: Body, other: Body | None) -> bool:
    return (
        other is not None
        and one["price"]["id"] == other["price"]["id"]
        and one["quantity"] == other["quantity"]
    )


def _named(item: Body, names: Body) -> str:
    name: str = names[item["price"]["product"]]
    return f"{item['quantity']} × {name}" if item["quantity"] != 1 else name


def _full_description(item: Body, names: Body) -> str:
    price = item["price"]
    each = (
        written(price["unit_amount"], price["currency"])
        if price["unit_amount"] is not None
        else f"{price['unit_amount_decimal']} cents"
    )
    name, interval = names[price["product"]], price["recurring"]["interval"]
    return f"{item['quantity']} × {name} (at {each} / {interval})"
