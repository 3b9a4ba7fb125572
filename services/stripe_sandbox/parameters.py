"""The parameters an endpoint takes: read, checked and refused in Stripe's own words."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

from services.stripe_sandbox.errors import StripeError, invalid, lacking

# Parameters that this version of the API has taken away, and what it says about them.
REMOVED = {"payment_method_types": "payment_method_types_no_longer_supported"}


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What one parameter may be; with `unset` an empty value takes the field away (None)."""

    required: bool = False
    unset: bool = False

    def read(self, value: Any, name: str) -> Any:
        """The value in its own type. Raises StripeError."""
        if value == "":
            if self.unset:
                return None
            raise invalid(
                f"You passed an empty string for '{name}'. We assume empty values are an attempt to"
                f" unset a parameter; however '{name}' cannot be unset. You should remove '{name}'"
                " from your request or supply a non-empty value.",
                name,
                "parameter_invalid_empty",
            )
        return self.parse(value, name)

    def parse(self, value: Any, name: str) -> Any:
        """As `read`, for what is not empty."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Text(Kind):
    """A string of at most `most` characters."""

    most: int = 5000

    def parse(self, value: Any, name: str) -> str:
        """The text."""
        if not isinstance(value, str):
            raise invalid(f"Invalid string: {value}", name)
        if len(value) > self.most:
            message = f"Invalid string: must be at most {self.most} characters"
            raise invalid(message, name, "parameter_invalid_string_too_long")
        return value


@dataclass(frozen=True, kw_only=True)
class Integer(Kind):
    """A whole number between bounds."""

    least: int | None = None
    most: int = 99_999_999_999

    def parse(self, value: Any, name: str) -> int:
        """The number."""
        if not isinstance(value, str) or not re.fullmatch(r"-?[0-9]{1,15}", value):
            raise invalid(f"Invalid integer: {value}", name, "parameter_invalid_integer")
        number = int(value)
        if self.least is not None and number < self.least:
            message = f"This value must be greater than or equal to {self.least}."
            raise invalid(message, name, "parameter_invalid_integer")
        if number > self.most:
            message = f"This value must be less than or equal to {self.most}."
            raise invalid(message, name, "parameter_invalid_integer")
        return number


@dataclass(frozen=True, kw_only=True)
class Fraction(Kind):
    """A decimal number with at most 12 places."""

    def parse(self, value: Any, name: str) -> Decimal:
        """The number, exactly."""
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            raise invalid(f"Invalid decimal: {value}", name) from None
        if not number.is_finite() or int(number.as_tuple().exponent) < -12:
            raise invalid(f"Invalid decimal: {value}; it may have up to 12 places.", name)
        return number


@dataclass(frozen=True, kw_only=True)
class Boolean(Kind):
    """`true` or `false`."""

    def parse(self, value: Any, name: str) -> bool:
        """The truth value."""
        if value not in {"true", "false"}:
            raise invalid(f"Invalid boolean: {value}", name)
        return bool(value == "true")


@dataclass(frozen=True)
class Choice(Kind):
    """One of some words."""

    words: tuple[str, ...] = field(default=())

    def parse(self, value: Any, name: str) -> str:
        """The word."""
        if value not in self.words:
            *most, last = self.words
            offer = f"{', '.join(most)}, or {last}" if most else last
            raise invalid(f"Invalid {name}: must be one of {offer}", name)
        return str(value)


@dataclass(frozen=True)
class ListOf(Kind):
    """A list, at most 100 long."""

    each: Kind = field(default_factory=Text)
    most: int = 100

    def parse(self, value: Any, name: str) -> list[Any]:
        """The items in the order of their numbers."""
        if not isinstance(value, dict) or not all(key.isdecimal() for key in value):
            raise invalid("Invalid array", name)
        if len(value) > self.most:
            raise invalid(f"Array {name} exceeded maximum {self.most} allowed elements.", name)
        return [self.each.read(value[key], f"{name}[{key}]") for key in sorted(value, key=int)]


@dataclass(frozen=True, kw_only=True)
class Metadata(Kind):
    """Up to 50 pairs; a key with an empty value is to be taken away."""

    def parse(self, value: Any, name: str) -> dict[str, str]:
        """The pairs as they came."""
        if not isinstance(value, dict):
            raise invalid("Invalid hash", name)
        if len(value) > 50:
            raise invalid("You can only specify up to 50 metadata keys.", name)
        for key, each in value.items():
            if not isinstance(each, str):
                raise invalid("Metadata values must be strings.", f"{name}[{key}]")
            if len(key) > 40 or len(each) > 500:
                message = "Metadata keys can be up to 40 and values up to 500 characters long."
                raise invalid(message, f"{name}[{key}]")
        return dict(value)


@dataclass(frozen=True)
class Shape(Kind):
    """Named parameters; every other name is refused."""

    fields: Mapping[str, Kind] = field(default_factory=dict)

    def parse(self, value: Any, name: str = "") -> dict[str, Any]:
        """The parameters that were given."""
        if not isinstance(value, dict):
            raise invalid("Invalid object", name)
        if unknown := [each for each in value if each not in self.fields]:
            raise _unknown([_within(name, each) for each in unknown])
        for each, kind in self.fields.items():
            if kind.required and each not in value:
                raise lacking(_within(name, each))
        return {
            each: self.fields[each].read(one, _within(name, each)) for each, one in value.items()
        }


@dataclass(frozen=True)
class Either(Kind):
    """One of several kinds: the first that can read the value."""

    kinds: tuple[Kind, ...] = field(default=())

    def parse(self, value: Any, name: str) -> Any:
        """As the kind that fits."""
        refusal: StripeError | None = None
        for kind in self.kinds:
            try:
                return kind.read(value, name)
            except StripeError as error:
                refusal = refusal or error
        raise refusal or invalid("Invalid value", name)


def _within(parent: str, name: str) -> str:
    return f"{parent}[{name}]" if parent else name


def _unknown(names: list[str]) -> StripeError:
    last = names[0].rpartition("[")[2].rstrip("]")
    plural = "parameters" if len(names) > 1 else "parameter"
    message = f"Received unknown {plural}: {', '.join(names)}"
    return invalid(message, names[0], REMOVED.get(last, "parameter_unknown"))


K = TypeVar("K", bound=Kind)


def needed(kind: K) -> K:
    """The same, and it must be given."""
    return replace(kind, required=True)


def erasable(kind: K) -> K:
    """The same, and an empty value takes it away."""
    return replace(kind, unset=True)


TEXT = Text(unset=True)
ID = Text(most=255)
INTEGER = Integer()
COUNT = Integer(least=0)
BOOLEAN = Boolean()
METADATA = Metadata(unset=True)


def choice(*words: str) -> Choice:
    """One of these words."""
    return Choice(words)


def shape(**fields: Kind) -> Shape:
    """An object with these parameters."""
    return Shape(fields)
