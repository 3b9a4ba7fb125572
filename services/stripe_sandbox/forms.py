"""Stripe's way to write nested parameters in a form: `items[0][price]=price_1`."""

import re
from collections.abc import Iterable
from typing import Any

from services.stripe_sandbox.errors import Body, invalid

NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)\Z")
SEGMENT = re.compile(r"\[([^\[\]]*)\]")
MAX_PAIRS = 1000
MAX_DEPTH = 8


def nested(pairs: Iterable[tuple[str, str]]) -> Body:
    """Turn flat pairs into nested dictionaries; a list is a dictionary keyed by its numbers.

    Raises StripeError for names that cannot be read and for more than a request may hold.
    """
    tree: Body = {}
    for count, (name, value) in enumerate(pairs):
        path = _path_of(name)
        if count >= MAX_PAIRS or len(path) > MAX_DEPTH:
            raise invalid("The request has too many or too deeply nested parameters.", name)
        _put(tree, path, value, name)
    return tree


def _path_of(name: str) -> list[str]:
    match = NAME.match(name)
    if match is None:
        raise invalid(f"Invalid parameter name: {name}", name, "parameter_unknown")
    return [match[1], *SEGMENT.findall(match[2])]


def _put(tree: Body, path: list[str], value: str, name: str) -> None:
    place: Any = tree
    for segment in path[:-1]:
        place = place.setdefault(segment or str(len(place)), {})
        if not isinstance(place, dict):
            raise invalid(f"Invalid object: {name} is both a value and an object.", name)
    place[path[-1] or str(len(place))] = value
