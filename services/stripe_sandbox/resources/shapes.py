"""Parameters that several endpoints take."""

from services.stripe_sandbox.parameters import (
    BOOLEAN,
    COUNT,
    ID,
    INTEGER,
    METADATA,
    TEXT,
    Fraction,
    Integer,
    ListOf,
    Shape,
    Text,
    choice,
    erasable,
    needed,
    shape,
)

URL = Text(most=5000)
ADDRESS = shape(city=TEXT, country=TEXT, line1=TEXT, line2=TEXT, postal_code=TEXT, state=TEXT)
BILLING_DETAILS = shape(address=erasable(ADDRESS), email=TEXT, name=TEXT, phone=TEXT, tax_id=TEXT)
SHIPPING = shape(address=ADDRESS, name=TEXT, phone=TEXT)
AUTOMATIC_TAX = shape(enabled=needed(BOOLEAN))
AUTOMATIC_METHODS = shape(allow_redirects=choice("always", "never"), enabled=needed(BOOLEAN))
METHOD_TYPES = ListOf(choice("card", "link", "us_bank_account"))
CARD_OPTIONS = shape(
    card=shape(
        request_three_d_secure=choice("any", "automatic", "challenge"),
        setup_future_usage=choice("none", "off_session", "on_session"),
    )
)
CANCELLATION_DETAILS = shape(
    comment=TEXT,
    feedback=erasable(
        choice(
            "customer_service",
            "low_quality",
            "missing_features",
            "other",
            "switched_service",
            "too_complex",
            "too_expensive",
            "unused",
        )
    ),
)
BILLING_MODE = shape(type=needed(choice("classic", "flexible")))
CUSTOM_FIELDS = erasable(ListOf(shape(name=needed(TEXT), value=needed(TEXT))))
INTERVAL = choice("day", "week", "month", "year")
RECURRING = shape(interval=needed(INTERVAL), interval_count=Integer(least=1, most=1095))
TAX_BEHAVIOR = choice("exclusive", "inclusive", "unspecified")
PRODUCT_DATA = shape(
    name=needed(Text()),
    description=TEXT,
    images=ListOf(URL),
    metadata=METADATA,
    tax_code=TEXT,
    unit_label=TEXT,
)
# A price made on the spot: one-time or recurring, with a product or one made on the spot too.
PRICE_DATA = shape(
    currency=needed(Text(most=3)),
    product=ID,
    product_data=PRODUCT_DATA,
    recurring=RECURRING,
    tax_behavior=TAX_BEHAVIOR,
    unit_amount=COUNT,
    unit_amount_decimal=Fraction(),
)
PERIOD = shape(end=needed(INTEGER), start=needed(INTEGER))


def without(body: Shape, *names: str) -> Shape:
    """The same parameters but for some."""
    return Shape({name: kind for name, kind in body.fields.items() if name not in names})
