"""How an endpoint is declared: method, path, what it takes, and the function that answers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from services.stripe_sandbox.errors import Body
from services.stripe_sandbox.parameters import ID, ListOf, Shape, Text

EXPAND = ListOf(Text(most=500))
NOTHING = Shape({})


@dataclass(frozen=True)
class Endpoint:
    """`answer(work, params, *ids)` gives the object; ids come from the path, in its order."""

    method: Literal["GET", "POST", "DELETE"]
    path: str
    answer: Callable[..., Body]
    takes: Shape
    # Whether browsers may call it, with the publishable key and the object's own secret.
    public: bool = False

    @property
    def parameters(self) -> Shape:
        """What it takes, with what every endpoint takes."""
        more: dict[str, Any] = {"expand": EXPAND}
        if self.method == "GET":
            # The SDK's `fetch_related_object` lets this word of its own slip into the query.
            more["usage"] = ListOf(Text(most=100))
        if self.public:
            more |= {"client_secret": ID, "key": ID}
        return Shape({**self.takes.fields, **more})


def get(path: str, answer: Callable[..., Body], takes: Shape = NOTHING, **more: bool) -> Endpoint:
    """An endpoint that reads."""
    return Endpoint("GET", path, answer, takes, **more)


def post(path: str, answer: Callable[..., Body], takes: Shape = NOTHING, **more: bool) -> Endpoint:
    """An endpoint that makes or changes."""
    return Endpoint("POST", path, answer, takes, **more)


def delete(path: str, answer: Callable[..., Body], takes: Shape = NOTHING) -> Endpoint:
    """An endpoint that takes away."""
    return Endpoint("DELETE", path, answer, takes)
