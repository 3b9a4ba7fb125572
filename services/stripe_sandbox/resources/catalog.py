"""/v1/products and /v1/prices."""

from services.stripe_sandbox.endpoints import delete, get, post
from services.stripe_sandbox.errors import Body, invalid
from services.stripe_sandbox.flows.catalog import add_price
from services.stripe_sandbox.listing import SEARCH, conditions, list_of, page, search
from services.stripe_sandbox.objects.catalog import product
from services.stripe_sandbox.objects.common import update
from services.stripe_sandbox.objects.customer import deleted
from services.stripe_sandbox.parameters import (
    BOOLEAN,
    COUNT,
    ID,
    METADATA,
    TEXT,
    Fraction,
    ListOf,
    Shape,
    Text,
    choice,
    erasable,
    needed,
    shape,
)
from services.stripe_sandbox.resources.shapes import (
    INTERVAL,
    PRODUCT_DATA,
    RECURRING,
    TAX_BEHAVIOR,
    URL,
    without,
)
from services.stripe_sandbox.work import Work

PRODUCTS = "/v1/products"
PRICES = "/v1/prices"
NEW_PRICE = shape(
    currency=needed(Text(most=3)),
    metadata=METADATA,
    recurring=RECURRING,
    tax_behavior=TAX_BEHAVIOR,
    unit_amount=COUNT,
    unit_amount_decimal=Fraction(),
)
PRODUCT = Shape(
    {
        **PRODUCT_DATA.fields,
        "id": ID,
        "active": BOOLEAN,
        "default_price_data": NEW_PRICE,
        "shippable": BOOLEAN,
        "statement_descriptor": TEXT,
        "url": URL,
    }
)
PRODUCT_UPDATE = shape(
    active=BOOLEAN,
    default_price=ID,
    description=TEXT,
    images=erasable(ListOf(URL)),
    metadata=METADATA,
    name=Text(),
    shippable=BOOLEAN,
    statement_descriptor=TEXT,
    tax_code=TEXT,
    unit_label=TEXT,
    url=TEXT,
)
PRICE = Shape(
    {
        **NEW_PRICE.fields,
        "active": BOOLEAN,
        "billing_scheme": choice("per_unit"),
        "lookup_key": Text(most=200),
        "nickname": TEXT,
        "product": ID,
        "product_data": Shape(
            {**without(PRODUCT_DATA, "description", "images").fields, "active": BOOLEAN, "id": ID}
        ),
        "transfer_lookup_key": BOOLEAN,
    }
)
PRICE_UPDATE = shape(
    active=BOOLEAN,
    lookup_key=Text(most=200),
    metadata=METADATA,
    nickname=TEXT,
    tax_behavior=TAX_BEHAVIOR,
    transfer_lookup_key=BOOLEAN,
)


def create_product(work: Work, params: Body) -> Body:
    """Make a product, with a first price if one is given."""
    if "id" in params and work.find("product", params["id"]):
        message = f"Product already exists: {params['id']}"
        raise invalid(message, "id", "resource_already_exists")
    body = work.add(product(params, work.now()), "product.created")
    if "default_price_data" in params:
        data = {**params["default_price_data"], "product": body["id"]}
        body["default_price"] = add_price(work, data, "default_price_data")["id"]
        work.save(body)
    return body


def retrieve_product(work: Work, _params: Body, product_id: str) -> Body:
    """A product."""
    return work.get("product", product_id)


def change_product(work: Work, params: Body, product_id: str) -> Body:
    """Change a product."""
    body = work.get("product", product_id)
    if "images" in params:
        body["images"] = params["images"] or []
    update(
        body,
        params,
        "active default_price description name shippable statement_descriptor tax_code unit_label"
        " url",
    )
    body["updated"] = work.now()
    return work.save(body, "product.updated")


def delete_product(work: Work, _params: Body, product_id: str) -> Body:
    """Delete a product that has no prices."""
    body = work.get("product", product_id)
    if work.all("price", product=product_id):
        raise invalid("This product cannot be deleted because it has one or more prices.")
    work.emit("product.deleted", body)
    return work.save(deleted(body))


def list_products(work: Work, params: Body) -> Body:
    """Products, newest first."""
    where = conditions(params, "active", "url", "shippable")
    if "ids" in params:
        where.add(f"id IN ({', '.join('?' * len(params['ids']))})", *params["ids"])
    return page(work, "product", PRODUCTS, params, where)


def find_products(work: Work, params: Body) -> Body:
    """Products that match a query."""
    return search(work, "product", f"{PRODUCTS}/search", params)


def create_price(work: Work, params: Body) -> Body:
    """Make a price; its lookup key may be taken over from another."""
    _take_lookup_key(work, params)
    return add_price(work, params, "")


def _take_lookup_key(work: Work, params: Body, own_id: str | None = None) -> None:
    key = params.get("lookup_key")
    for other in work.all("price", lookup_key=key) if key else ():
        if other["id"] == own_id:
            continue
        if not params.get("transfer_lookup_key"):
            raise invalid(f"A price (`{other['id']}`) already uses that lookup key.", "lookup_key")
        other["lookup_key"] = None
        work.save(other, "price.updated")


def retrieve_price(work: Work, _params: Body, price_id: str) -> Body:
    """A price."""
    return work.get("price", price_id)


def change_price(work: Work, params: Body, price_id: str) -> Body:
    """Change a price; never its amount."""
    body = work.get("price", price_id)
    _take_lookup_key(work, params, price_id)
    update(body, params, "active lookup_key nickname tax_behavior")
    return work.save(body, "price.updated")


def list_prices(work: Work, params: Body) -> Body:
    """Prices, newest first."""
    where = conditions(params, "active", "currency", "product", "type")
    if "lookup_keys" in params:
        marks = ", ".join("?" * len(params["lookup_keys"]))
        where.add(f"json_extract(body, '$.lookup_key') IN ({marks})", *params["lookup_keys"])
    for name, value in params.get("recurring", {}).items():
        where.equals(f"recurring.{name}", value)
    return page(work, "price", PRICES, params, where)


def find_prices(work: Work, params: Body) -> Body:
    """Prices that match a query."""
    return search(work, "price", f"{PRICES}/search", params)


PRODUCT_FILTERS = shape(active=BOOLEAN, ids=ListOf(ID), shippable=BOOLEAN, url=TEXT)
PRICE_FILTERS = shape(
    active=BOOLEAN,
    currency=Text(most=3),
    lookup_keys=ListOf(Text(most=200), 10),
    product=ID,
    recurring=shape(interval=INTERVAL),
    type=choice("one_time", "recurring"),
)
ENDPOINTS = (
    post(PRODUCTS, create_product, PRODUCT),
    get(PRODUCTS, list_products, list_of(PRODUCT_FILTERS)),
    get(f"{PRODUCTS}/search", find_products, SEARCH),
    get(PRODUCTS + "/{id:str}", retrieve_product),
    post(PRODUCTS + "/{id:str}", change_product, PRODUCT_UPDATE),
    delete(PRODUCTS + "/{id:str}", delete_product),
    post(PRICES, create_price, PRICE),
    get(PRICES, list_prices, list_of(PRICE_FILTERS)),
    get(f"{PRICES}/search", find_prices, SEARCH),
    get(PRICES + "/{price:str}", retrieve_price),
    post(PRICES + "/{price:str}", change_price, PRICE_UPDATE),
)
