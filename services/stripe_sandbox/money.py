"""Amounts in cents: what Stripe takes, and how it rounds."""

from decimal import ROUND_HALF_UP, Decimal

from services.stripe_sandbox.errors import invalid

# The least that Stripe charges, in the currency's smallest unit.
MINIMUM = {"usd": 50, "eur": 50, "gbp": 30}
SYMBOL = {"usd": "$", "eur": "€", "gbp": "£"}
MAXIMUM = 99_999_999


def check_currency(currency: str, param: str = "currency") -> str:
    """The currency in lower case. Raises StripeError for one the sandbox does not know."""
    lower = currency.lower()
    if lower not in MINIMUM:
        known = ", ".join(sorted(MINIMUM))
        raise invalid(
            f"Invalid currency: {lower}. Stripe currently supports these currencies: {known}", param
        )
    return lower


def check_amount(amount: int, currency: str, param: str = "amount") -> None:
    """Raise StripeError for what is too little or too much to be charged (cents)."""
    if amount < MINIMUM[currency]:
        least = written(MINIMUM[currency], currency)
        raise invalid(f"Amount must be at least {least} {currency}", param, "amount_too_small")
    if amount > MAXIMUM:
        most = written(MAXIMUM, currency)
        raise invalid(f"Amount must be no more than {most}", param, "amount_too_large")


def written(cents: int, currency: str) -> str:
    """An amount for people: `$19.99`, `-$5.00`."""
    sign = "-" if cents < 0 else ""
    return f"{sign}{SYMBOL.get(currency, '')}{abs(cents) // 100:,}.{abs(cents) % 100:02}"


def times(unit_cents: Decimal, quantity: Decimal | int) -> int:
    """A price times a quantity, rounded once (half up) to whole cents."""
    return int((unit_cents * quantity).quantize(Decimal(1), ROUND_HALF_UP))


def share(cents: int, part: int, whole: int) -> int:
    """`cents` × part ÷ whole, rounded half up away from zero, as Stripe prorates by the second."""
    exact = Decimal(cents) * part / whole
    return int(exact.quantize(Decimal(1), ROUND_HALF_UP))
