"""What the sandbox takes and gives, held against the types of the installed `stripe` package."""

import ast
import re
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
import stripe

from services.stripe_sandbox import parameters as kinds
from services.stripe_sandbox.endpoints import Endpoint
from services.stripe_sandbox.parameters import Kind, Shape
from services.stripe_sandbox.reactions import INCLUDES, REACTIONS
from services.stripe_sandbox.rendering import EXPANDABLE
from services.stripe_sandbox.routes import ENDPOINTS
from services.stripe_sandbox.settings import API_VERSION
from tests.stripe_sandbox.contract import (
    choices,
    class_of,
    endpoints,
    fields_of,
    problems_of,
)

# What kinds of the sandbox are in the types of the SDK.
PLAIN: dict[type[Kind], tuple[Any, ...]] = {
    kinds.Text: (str,),
    kinds.Integer: (int,),
    kinds.Boolean: (bool,),
    kinds.Fraction: (float,),
}
# Calls that tell of an event, and what its name looks like.
TELLING = {"save", "add", "emit"}
EVENT = re.compile(r"[a-z_]+(\.[a-z_]+)+")
# Parameters that only browsers send, and one that the SDK sends without telling.
UNTYPED = {"client_secret", "key", "usage"}


def name_of(endpoint: Endpoint) -> str:
    return f"{endpoint.method} {endpoint.path}"


def test_the_sandbox_speaks_the_version_of_the_installed_package() -> None:
    assert stripe.api_version == API_VERSION
    assert stripe.VERSION == "16.1.0"


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=name_of)
def test_every_endpoint_takes_only_what_the_types_know(endpoint: Endpoint) -> None:
    path = re.sub(r"\{[^}]*\}", "{}", endpoint.path)
    known = endpoints()
    assert (endpoint.method, path) in known, "the SDK has no such endpoint"
    declared = known[endpoint.method, path]
    taken = {n: k for n, k in endpoint.parameters.fields.items() if n not in UNTYPED}
    if declared is None:
        assert taken.keys() <= {"expand"}
        return
    problems = list(_shape_problems(Shape(taken), declared, name_of(endpoint)))
    if "expand" not in fields_of(declared):
        problems = [each for each in problems if not each.endswith(".expand is unknown")]
    assert not problems


def _shape_problems(shape: Shape, declared: type, at: str) -> Any:
    fields = fields_of(declared)
    for name, kind in shape.fields.items():
        if name not in fields:
            yield f"{at}.{name} is unknown"
        else:
            yield from _kind_problems(kind, fields[name], f"{at}.{name}")


def _kind_problems(kind: Kind, hint: Any, at: str) -> Any:
    allowed = choices(hint)
    if isinstance(kind, kinds.Either):
        for each in kind.kinds:
            yield from _kind_problems(each, hint, at)
    elif isinstance(kind, kinds.Choice):
        words = [word for each in allowed if get_origin(each) is Literal for word in get_args(each)]
        if str not in allowed:
            yield from (f"{at} cannot be {word}" for word in kind.words if word not in words)
    elif isinstance(kind, kinds.ListOf):
        lists = [each for each in allowed if get_origin(each) is list]
        if not lists:
            yield f"{at} is no list"
        for each in lists:
            yield from _kind_problems(kind.each, get_args(each)[0], f"{at}[]")
    elif isinstance(kind, kinds.Metadata):
        if not any(get_origin(each) is dict for each in allowed):
            yield f"{at} is no metadata"
    elif isinstance(kind, Shape):
        shapes = [each for each in allowed if hasattr(each, "__total__")]
        if not shapes:
            yield f"{at} is no object"
        for each in shapes:
            yield from _shape_problems(kind, each, at)
    elif not any(_is_plain(kind, each) for each in allowed):
        yield f"{at} is no {type(kind).__name__}"


def _is_plain(kind: Kind, hint: Any) -> bool:
    if get_origin(hint) is Literal:
        return isinstance(kind, kinds.Text)
    return hint in PLAIN[type(kind)] or getattr(hint, "__name__", "") == "Decimal"


@pytest.mark.parametrize("name", sorted(EXPANDABLE))
def test_every_field_that_expands_is_one_that_the_types_expand(name: str) -> None:
    for path in EXPANDABLE[name]:
        kind: Any = stripe.InvoiceLineItem if name == "line_item" else class_of(name)
        *way, last = path.split(".")
        for step in way:
            (kind,) = [each for each in choices(fields_of(kind)[step]) if each is not type(None)]
        expanded = [each for each in choices(fields_of(kind)[last]) if hasattr(each, "OBJECT_NAME")]
        assert expanded, f"{name}.{path} does not expand"


@pytest.mark.parametrize(("name", "field"), sorted(INCLUDES))
def test_every_field_that_is_included_on_request_is_one_of_the_types(name: str, field: str) -> None:
    assert field in fields_of(class_of(name))


def test_every_event_is_one_that_the_types_know() -> None:
    hints = choices(fields_of(stripe.Event)["type"])
    known = {word for each in hints for word in get_args(each)}
    told = set(REACTIONS)
    for file in Path("services/stripe_sandbox").rglob("*.py"):
        for call in ast.walk(ast.parse(file.read_text())):
            if isinstance(call, ast.Call) and getattr(call.func, "attr", "") in TELLING:
                words = [each.value for each in call.args if isinstance(each, ast.Constant)]
                told |= {str(each) for each in words if EVENT.fullmatch(str(each))}
    assert len(told) > 60
    assert told <= known


def test_the_contract_itself_finds_what_is_wrong() -> None:
    clock = {
        "id": "clock_1",
        "object": "test_helpers.test_clock",
        "created": 1,
        "deletes_after": 2,
        "frozen_time": 1,
        "livemode": False,
        "name": None,
        "status": "ready",
        "status_details": {},
    }
    assert problems_of(clock) == []
    assert problems_of({**clock, "colour": "red"})
    assert problems_of({**clock, "frozen_time": "1"})
    assert problems_of({**clock, "livemode": None})
    assert problems_of({**clock, "status": "sleeping"})
    assert problems_of({name: clock[name] for name in clock if name != "created"})
    assert problems_of({**clock, "status_details": {"advancing": {"to": 3}}})
