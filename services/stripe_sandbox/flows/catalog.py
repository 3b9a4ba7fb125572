"""Finding the price that a request names, or making the one it describes."""

from decimal import Decimal

from services.stripe_sandbox.errors import Body, invalid, lacking
from services.stripe_sandbox.money import check_currency, times
from services.stripe_sandbox.objects.catalog import price, product
from services.stripe_sandbox.work import Work


def price_of(work: Work, params: Body, param: str, *, recurring: bool | None = None) -> Body:
    """The price of `params["price"]` or `params["price_data"]`.

    Raises StripeError when there is none, or when it is not of the wanted kind.
    """
    if "price" in params:
        found = work.get("price", params["price"], f"{param}[price]")
    elif "price_data" in params:
        found = add_price(work, params["price_data"], f"{param}[price_data]", active=False)
    else:
        raise lacking(f"{param}[price]")
    if recurring is True and found["recurring"] is None:
        raise invalid(
            "The price specified is set to `type=one_time` but this field only accepts prices with"
            " `type=recurring`.",
            f"{param}[price]",
        )
    if recurring is False and found["recurring"] is not None:
        raise invalid(
            "The price specified is set to `type=recurring` but this field only accepts prices with"
            " `type=one_time`.",
            f"{param}[price]",
        )
    return found


def add_price(work: Work, params: Body, param: str, *, active: bool = True) -> Body:
    """Make a price, and its product if that is described too. Raises StripeError."""
    params = {"active": active, **params, "currency": check_currency(params["currency"])}
    if "unit_amount" not in params and "unit_amount_decimal" not in params:
        raise lacking(f"{param}[unit_amount]" if param else "unit_amount")
    if "product" in params:
        product_id = work.get("product", params["product"], "product")["id"]
    elif "product_data" in params:
        made = product({"active": active, **params["product_data"]}, work.now())
        work.add(made, "product.created" if active else None)
        product_id = made["id"]
    else:
        raise lacking(f"{param}[product]" if param else "product")
    body = price(params, product_id, work.now())
    return work.add(body, "price.created" if active else None)


def amount_of(of: Body, quantity: int) -> int:
    """A price times a quantity, in cents."""
    return times(Decimal(of["unit_amount_decimal"]), quantity)


def product_names(work: Work, items: list[Body]) -> Body:
    """The names of the products of subscription items, by product id."""
    names: Body = {}
    for item in items:
        product_id = item["price"]["product"]
        names[product_id] = work.get("product", product_id)["name"]
    return names
