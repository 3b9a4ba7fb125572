"""Answers against the client's TypeScript: every field, in name, form and nullability."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar import Litestar

from tests.gateway.scripted import bearer

TYPES = Path(__file__).with_name("billing_types.ts").read_text()
JSON_TYPES = {"string": {"string"}, "number": {"number", "integer"}, "boolean": {"boolean"}}
# `total_cost` and its like are dollars with a fraction; the rest are counts.
DOLLARS = {"total_cost", "cost", "prompt_cost", "completion_cost"}


def interfaces() -> dict[str, dict[str, tuple[str, bool]]]:
    """For each interface its fields, each with its type and whether it may be null."""
    found = {}
    for name, body in re.findall(r"interface (\w+) \{(.*?)\n\}", TYPES, re.DOTALL):
        fields = re.findall(r"^  (\w+): (.+?);", body, re.MULTILINE)
        found[name] = {
            field: (kind.replace(" | null", ""), " | null" in kind) for field, kind in fields
        }
    return found


def shape(schema: dict[str, Any]) -> tuple[set[str], bool]:
    """The JSON types (or the name) of a field in OpenAPI, and whether it may be null."""
    options = schema.get("oneOf", [schema])
    kinds = {option.get("type") or option["$ref"].rpartition("/")[2] for option in options}
    return kinds - {"null"}, "null" in kinds


@pytest.mark.parametrize("name", interfaces())
def test_a_response_is_what_the_document_says(app: Litestar, name: str) -> None:
    schema = app.openapi_schema.to_schema()["components"]["schemas"][name]

    for field, (kind, may_be_null) in interfaces()[name].items():
        kinds, null = shape(schema["properties"][field])
        assert field in schema["required"], field
        assert null == may_be_null, field
        if kind.endswith("[]"):
            item = shape(schema["properties"][field]["items"])[0]
            assert (kinds, item) == ({"array"}, {kind.removesuffix("[]")})
        else:
            assert kinds <= JSON_TYPES[kind], field
        if field in DOLLARS:
            assert kinds == {"number"}


async def test_money_arrives_as_a_number_and_time_with_a_zone(client: httpx.AsyncClient) -> None:
    path = "/api/billing/account/acme/costs"

    record = (await client.get(path, headers=bearer())).json()[0]

    assert record["total_cost"] == 0.0075
    assert record["prompt_cost"] == 0.0025
    assert record["total_tokens"] == 1500
    assert record["recorded_at"] == "2026-11-22T11:59:00Z"
    assert record["billing_account_id"] is None
