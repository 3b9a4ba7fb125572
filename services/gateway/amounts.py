"""Dollars that clients send become cents here: by their decimal text, never through a float."""

import re
from fractions import Fraction

import msgspec

from services.gateway.errors import ApiError, invalid

# Longer than any amount in use, and short enough that no exponent makes a number of a million
# digits out of it.
NUMBER = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?\Z")


def number_text(body: bytes, key: str) -> str:
    """The number of a field as it stands in a JSON object that was read before."""
    return bytes(msgspec.json.decode(body, type=dict[str, msgspec.Raw])[key]).decode().strip()


def cents_of(text: str, key: str, *, least_cents: int, most_cents: int) -> int:
    """The whole cents that a JSON number of dollars says; raises the 422 that names `key`."""
    if NUMBER.match(text) is None:
        raise _refused(key, "must be an amount in dollars, such as 19.99")
    cents = Fraction(text) * 100
    if not least_cents <= cents <= most_cents:
        least, most = dollar_text(least_cents), dollar_text(most_cents)
        raise _refused(key, f"must be from {least} to {most}")
    if cents.denominator != 1:
        raise _refused(key, "must have at most two decimals")
    return cents.numerator


def dollar_text(cents: int) -> str:
    """An amount for people: `$1,000.00`."""
    return f"${cents // 100:,}.{cents % 100:02d}"


def _refused(key: str, message: str) -> ApiError:
    return invalid(key, message, "body")
