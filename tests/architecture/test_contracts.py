"""What is written down of the bus and the gateway is true, and promises are kept."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from faststream.specification.asyncapi.v3_0_0.schema import ApplicationSchema

from deploy.contracts import (
    DOCS,
    all_contracts,
    asyncapi_document,
    broken_promises,
    documents,
    schemas,
    text_of,
)
from deploy.services import load_services
from shared.contracts.base import Event, Request, reply_type_of

BEFORE: dict[str, Any] = {
    "Fact": {"properties": {"a": {"type": "string"}, "b": {"type": "integer"}}, "required": ["a"]},
    "Word": {"enum": ["a", "b"]},
}


@pytest.mark.parametrize("name", ["asyncapi.json", "openapi.json"])
def test_a_document_says_what_is_true_now(name: str) -> None:
    stored = (DOCS / name).read_text(encoding="utf-8")
    assert stored == text_of(documents()[name]), "run `make contracts`"


def test_stored_contracts_have_only_gained_optional_fields() -> None:
    stored = json.loads((DOCS / "asyncapi.json").read_text())["components"]["schemas"]
    assert broken_promises(stored, schemas()) == []


def test_an_optional_field_may_be_added() -> None:
    now = {
        **BEFORE,
        "Fact": {**BEFORE["Fact"], "properties": {**BEFORE["Fact"]["properties"], "c": {}}},
    }
    assert broken_promises(BEFORE, now) == []


@pytest.mark.parametrize(
    ("now", "complaint"),
    [
        ({**BEFORE, "Word": {"enum": ["a", "b", "c"]}}, "Word is another"),
        ({}, "Fact is gone"),
        ({"Fact": {"properties": {"a": {"type": "string"}}}}, "Fact.b is gone"),
        (
            {"Fact": {**BEFORE["Fact"], "required": ["a", "b"]}},
            "Fact.b is required now",
        ),
        (
            {"Fact": {"properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}}},
            "Fact.a is another",
        ),
    ],
)
def test_any_other_change_is_noticed(now: dict[str, Any], complaint: str) -> None:
    assert complaint in broken_promises(BEFORE, now)


def test_every_reference_in_the_bus_document_leads_somewhere() -> None:
    document = asyncapi_document()

    def references(value: Any) -> list[str]:
        if isinstance(value, dict):
            own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
            return own + [each for part in value.values() for each in references(part)]
        if isinstance(value, list):
            return [each for part in value for each in references(part)]
        return []

    for reference in references(document):
        place: Any = document
        for part in reference.removeprefix("#/").split("/"):
            assert part in place, reference
            place = place[part]


def test_the_bus_document_has_the_form_of_asyncapi_3() -> None:
    ApplicationSchema.model_validate(asyncapi_document())


def test_whatever_a_service_takes_or_answers_is_in_the_bus_document() -> None:
    document = asyncapi_document()
    tagged: dict[str, set[str]] = {}
    for operation in document["operations"].values():
        channel = operation["channel"]["$ref"].rpartition("/")[2]
        address = re.sub(r"\{\w+\}", "*", document["channels"][channel]["address"])
        tagged.setdefault(operation["tags"][0]["name"], set()).add(address)
    for service in load_services():
        described = service.describe()
        assert {*described["hears"], *described["answers"]} <= tagged[service.name]


def test_every_request_says_what_answers_it() -> None:
    for contract in all_contracts().values():
        if issubclass(contract, Request):
            assert reply_type_of(contract)


def test_names_of_contracts_are_unique_because_schemas_are_kept_by_name() -> None:
    names = [contract.__name__ for contract in all_contracts().values()]
    assert len(names) == len(set(names))


def test_events_are_named_after_what_has_happened() -> None:
    present = [
        contract.__name__
        for contract in all_contracts().values()
        if issubclass(contract, Event) and contract.__name__.startswith(("Get", "List", "Set"))
    ]
    assert present == []
    assert Path(DOCS / "asyncapi.json").exists()
