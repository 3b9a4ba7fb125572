"""The OpenAPI document is true: of every route, of every status, of every answer."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, seed
from hypothesis import settings as effort
from hypothesis.errors import Unsatisfiable
from litestar import Litestar
from litestar.routes import HTTPRoute
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from services.gateway.events import StreamLimits
from tests.gateway.scripted import ScriptedServices, app_of, bearer, settings, token


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The document of an application that issues credentials."""
    return app_of(ScriptedServices()).openapi_schema.to_schema()


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]


def test_every_operation_has_a_name_a_sentence_and_its_errors(document: dict[str, Any]) -> None:
    found = operations(document)
    names = [operation["operationId"] for _, _, operation in found]

    assert len(set(names)) == len(names) == 80
    for method, path, operation in found:
        statuses = set(operation["responses"])
        assert operation["description"], path
        assert {"400", "429"} <= statuses, path
        if "{organization_id}" in path or "/admin/" in path:
            assert {"401", "403", "404", "422", "503", "504"} <= statuses, path
        if "requestBody" in operation:
            assert {"409", "413"} <= statuses, path
        if method == "post" and not path.endswith(("/session", "/webhooks/stripe")):
            headers = {each["name"] for each in operation["parameters"] if each["in"] == "header"}
            assert "Idempotency-Key" in headers, path


def test_every_error_has_the_one_shape(document: dict[str, Any]) -> None:
    for _, path, operation in operations(document):
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                schema = response["content"]["application/json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/ErrorResponse"}, (path, status)


def test_every_pattern_is_one_that_javascript_understands(document: dict[str, Any]) -> None:
    patterns = re.findall(r"'pattern': '([^']+)'", str(document))

    assert patterns
    for pattern in patterns:
        assert r"\Z" not in pattern
        assert r"\A" not in pattern


def test_every_path_but_the_front_and_health_is_in_the_document(
    app: Litestar, document: dict[str, Any]
) -> None:
    routes = {route.path_format for route in app.routes if isinstance(route, HTTPRoute)}

    assert set(document["paths"]) == {path for path in routes if path.startswith("/api/billing")}


async def test_in_production_strangers_see_no_document() -> None:
    given = settings(environment="production", auth_mode="hs256")
    transport = httpx.ASGITransport(app_of(ScriptedServices(), given))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answers = [await client.get(path) for path in ("/schema", "/schema/openapi.json")]

    assert [answer.status_code for answer in answers] == [401, 401]


def test_a_body_takes_no_unknown_field(document: dict[str, Any]) -> None:
    bodies = [
        schema for name, schema in document["components"]["schemas"].items() if "Body" in name
    ]

    assert len(bodies) == 30
    assert all(schema["additionalProperties"] is False for schema in bodies)


def fuzzed(folder: Path) -> Any:
    """The document, bound to an application, with organizations that exist."""
    limits = StreamLimits(longest=0.01)
    app = app_of(ScriptedServices(), settings(folder), stream_limits=limits)
    document = json.loads(json.dumps(app.openapi_schema.to_schema()))
    for _, _, operation in operations(document):
        for parameter in operation.get("parameters", []):
            if parameter["name"] == "organization_id" and parameter["in"] == "path":
                parameter["schema"] = {"enum": ["acme", "globex"]}
        # A `?` in a made-up name ends the path, and the shorter one may know other methods only.
        operation["responses"].setdefault("405", operation["responses"]["400"])
    schema = schemathesis.openapi.from_dict(document)
    schema.app = app
    return schema


CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


# A minute on two cores of its own.
@pytest.mark.timeout(900)
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.name.lower())
def test_whatever_is_sent_the_document_holds(tmp_path: Path, mode: GenerationMode) -> None:
    schema = fuzzed(tmp_path)
    cases = 0

    for result in schema.get_all_operations():
        operation = result.ok()

        @seed(20261122)
        @effort(
            max_examples=20, deadline=None, database=None, suppress_health_check=list(HealthCheck)
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def send(case: Any) -> None:
            nonlocal cases
            cases += 1
            answer = case.call(headers=bearer(token(operator=True)))
            case.validate_response(answer, checks=CHECKS)

        try:
            send()
        except Unsatisfiable:
            assert mode is GenerationMode.NEGATIVE  # an operation that nothing can be wrong with

    assert cases > 150
