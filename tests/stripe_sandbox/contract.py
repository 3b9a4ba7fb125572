"""What Stripe's API looks like, read from the types of the installed `stripe` package.

Two questions: is this JSON an object that the types know, and which parameters does an endpoint
take. Nothing is generated or stored: the package itself is the contract.
"""

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from decimal import Decimal
from functools import cache, reduce
from operator import or_
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, ForwardRef, Literal, Union, get_args, get_origin

import stripe
import typing_extensions
from stripe._list_object import ListObject
from stripe._object_classes import OBJECT_CLASSES
from stripe._request_options import RequestOptions
from stripe._search_result_object import SearchResultObject
from stripe._stripe_object import StripeObject, UntypedStripeObject
from stripe.v2.core._event import Event as ThinEvent

PACKAGE = Path(stripe.__file__).parent
LISTS = (ListObject, SearchResultObject)


@cache
def names_of(module_name: str) -> dict[str, Any]:
    """A module's names, with those that it imports for type checkers only."""
    module = importlib.import_module(module_name)
    names = dict(vars(module))
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            for each in ast.walk(node):
                if isinstance(each, ast.ImportFrom) and each.module:
                    origin = importlib.import_module(each.module)
                    names |= {a.asname or a.name: getattr(origin, a.name) for a in each.names}
    return names


@cache
def fields_of(kind: type) -> dict[str, Any]:
    """The fields of an object or of a parameter type, with their types."""
    if typing_extensions.is_typeddict(kind):
        options = set(RequestOptions.__annotations__) if _has_options(kind) else set()
        own = {n: h for n, h in kind.__annotations__.items() if n not in options}
        return {n: _evaluated(h, names_of(kind.__module__)) for n, h in own.items()}
    hints: dict[str, Any] = {}
    for each in reversed(kind.__mro__):
        if issubclass(each, StripeObject) and each is not StripeObject:
            names = names_of(each.__module__) | dict(vars(each))
            own = vars(each).get("__annotations__", {})
            hints |= {n: _evaluated(h, names) for n, h in own.items() if n != "OBJECT_NAME"}
    return {name: hint for name, hint in hints.items() if not name.startswith("_")}


def _has_options(kind: type) -> bool:
    return RequestOptions in getattr(kind, "__orig_bases__", ())


def _evaluated(hint: Any, names: dict[str, Any]) -> Any:
    """A type with its forward references replaced, at any depth."""
    if isinstance(hint, ForwardRef):
        hint = hint.__forward_arg__
    if isinstance(hint, str):
        return _evaluated(eval(hint, {**names, "Literal": Literal}), names)
    arguments, origin = get_args(hint), get_origin(hint)
    if not arguments or origin is Literal:
        return hint
    inner = tuple(_evaluated(each, names) for each in arguments)
    if origin in {typing_extensions.NotRequired, typing_extensions.Required}:
        return origin[inner[0]]
    if origin in {Union, UnionType}:
        return reduce(or_, inner)
    return hint.copy_with(inner) if hasattr(hint, "copy_with") else origin[inner]


def bare(hint: Any) -> Any:
    """A type without NotRequired."""
    if get_origin(hint) in {typing_extensions.NotRequired, typing_extensions.Required}:
        return get_args(hint)[0]
    return hint


def choices(hint: Any) -> list[Any]:
    """The kinds that a type allows, unions opened."""
    hint = bare(hint)
    if get_origin(hint) in {Union, UnionType}:
        return [one for each in get_args(hint) for one in choices(each)]
    return [hint]


# Objects


@cache
def class_of(name: str) -> type:
    """The class of an object by its `object` field; AssertionError when there is none."""
    if name == "v2.core.event":
        return ThinEvent
    assert name in OBJECT_CLASSES, f"the types know no object {name!r}"
    module, attribute = OBJECT_CLASSES[name]
    found: type = getattr(importlib.import_module(module), attribute)
    return found


def problems_of(body: dict[str, Any]) -> list[str]:
    """What is wrong with a JSON object that names itself in `object`."""
    found = list(_object_problems(body, None, body.get("object", "?")))
    if body.get("object") == "event":
        found += problems_of(body["data"]["object"])
    return found


def _object_problems(body: dict[str, Any], kind: type | None, at: str) -> Iterator[str]:
    name = body.get("object")
    if name == "item" and kind is None:
        kind = stripe.LineItem
    if name == "line_item":
        kind = stripe.InvoiceLineItem
    kind = kind or class_of(str(name))
    fields = fields_of(kind)
    if body.get("deleted"):
        extra = body.keys() - {"id", "object", "deleted"}
        yield from (f"{at}: a deleted object has no field {each}" for each in sorted(extra))
        return
    for each in sorted(body.keys() - fields.keys()):
        yield f"{at}: the types know no field {each}"
    for each, hint in fields.items():
        if each in body:
            yield from _value_problems(body[each], hint, f"{at}.{each}")
        elif NoneType not in choices(hint):
            yield f"{at}: {each} is missing"


def _value_problems(value: Any, hint: Any, at: str) -> Iterator[str]:
    found: list[str] = []
    kinds = choices(hint)
    if any(get_origin(each) is Literal for each in kinds):
        # An enumeration is open in the types (`Literal | str`), but not for us.
        kinds = [each for each in kinds if each is not str]
    for kind in kinds:
        reasons = list(_kind_problems(value, kind, at))
        if not reasons:
            return
        found = found or reasons
        if isinstance(value, dict) and inspect.isclass(kind) and issubclass(kind, StripeObject):
            found = reasons
    yield from found


def _kind_problems(value: Any, kind: Any, at: str) -> Iterator[str]:
    origin = get_origin(kind)
    if origin is Literal:
        if value not in get_args(kind):
            yield f"{at}: {_short(value)} is none of {get_args(kind)[:8]}"
    elif origin is list:
        yield from _list_problems(value, get_args(kind)[0], at)
    elif origin in LISTS:
        yield from _page_problems(value, get_args(kind)[0], at)
    elif origin is UntypedStripeObject or kind is UntypedStripeObject:
        if not isinstance(value, dict):
            yield f"{at}: {_short(value)} is no object"
    elif inspect.isclass(kind) and issubclass(kind, StripeObject):
        yield from _nested_problems(value, kind, at)
    elif not _is_of(value, kind):
        yield f"{at}: {_short(value)} is no {getattr(kind, '__name__', kind)}"


def _short(value: Any) -> str:
    return repr(value)[:60]


def _is_of(value: Any, kind: Any) -> bool:
    if kind is Any:
        return True
    if kind is Decimal:
        return isinstance(value, str) and bool(re.fullmatch(r"-?\d+(\.\d+)?", value))
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, kind) and not (kind is int and isinstance(value, bool))


def _list_problems(value: Any, kind: Any, at: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{at}: {_short(value)} is no list"
        return
    for number, each in enumerate(value):
        yield from _value_problems(each, kind, f"{at}[{number}]")


def _page_problems(value: Any, kind: Any, at: str) -> Iterator[str]:
    if not isinstance(value, dict) or value.get("object") not in {"list", "search_result"}:
        yield f"{at}: {_short(value)} is no list object"
        return
    if missing := {"data", "has_more", "url"} - value.keys():
        yield f"{at}: {sorted(missing)} missing"
    yield from _list_problems(value.get("data"), kind, f"{at}.data")


def _nested_problems(value: Any, kind: type, at: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{at}: {_short(value)} is no {kind.__name__}"
        return
    named = fields_of(kind).get("object")
    if get_origin(named) is Literal and value.get("object") not in get_args(named):
        yield f"{at}: {value.get('object')!r} is no {kind.__name__}"
        return
    yield from _object_problems(value, kind, at)


# Requests


@cache
def endpoints() -> dict[tuple[str, str], type | None]:
    """Every endpoint that the SDK can call: (METHOD, path) → the type of its parameters.

    Paths have `{}` for an id.
    """
    found: dict[tuple[str, str], type | None] = {}
    for file in PACKAGE.rglob("*_service.py"):
        module = ".".join(("stripe", *file.relative_to(PACKAGE).with_suffix("").parts))
        for function in ast.walk(ast.parse(file.read_text())):
            if isinstance(function, ast.FunctionDef):
                for method, path in _calls_in(function):
                    found[method, path] = _params_of(function, module)
    return found


def _calls_in(function: ast.FunctionDef) -> Iterator[tuple[str, str]]:
    for call in ast.walk(function):
        if isinstance(call, ast.Call) and getattr(call.func, "attr", "") == "_request":
            method, path = call.args[:2]
            if isinstance(path, ast.Call):
                path = path.func.value  # type: ignore[attr-defined]
            assert isinstance(method, ast.Constant)
            assert isinstance(path, ast.Constant)
            yield str(method.value).upper(), re.sub(r"\{\w+\}", "{}", str(path.value))


def _params_of(function: ast.FunctionDef, module: str) -> type | None:
    for argument in function.args.args:
        if argument.arg == "params" and argument.annotation is not None:
            names = re.findall(r"\w+Params\b", ast.unparse(argument.annotation))
            if names:
                found: type = names_of(module)[names[0]]
                return found
    return None
