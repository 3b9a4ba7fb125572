"""Answers against the client's TypeScript: every field, in name, form and nullability."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar import Litestar

from tests.gateway.scripted import bearer

TYPES = Path(__file__).with_name("billing_types.ts").read_text()
JSON_TYPES = {
    "string": {"string"},
    "number": {"number", "integer"},
    "boolean": {"boolean"},
    "Record<string, any>": {"UsageDetails"},
}
# Dollars, with a fraction; the other numbers are counts.
DOLLARS = {
    "total_cost",
    "cost",
    "prompt_cost",
    "completion_cost",
    "credit_balance",
    "total_amount_spent",
    "lifetime_purchase_amount",
    "storage_used_gb",
    "subtotal",
    "tax_amount",
    "discount_amount",
    "total",
    "credits_applied",
    "amount_due",
    "amount_paid",
    "unit_price",
    "total_price",
}
# What the gateway calls the bodies that the document calls requests.
BODIES = {
    "PaymentMethodRequest": "PaymentMethodBody",
    "CreditPurchaseRequest": "CreditPurchaseBody",
    "LifetimePurchaseRequest": "LifetimePurchaseBody",
}
# Answers and the values of each field that a literal type allows.
ACCOUNT = "/api/billing/account/acme"


def interfaces(ending: tuple[str, ...]) -> dict[str, dict[str, str]]:
    """For each interface with such a name its fields, `?` behind optional ones, and their types."""
    found = {}
    for name, body in re.findall(r"interface (\w+) \{(.*?)\n\}", TYPES, re.DOTALL):
        if name.endswith(ending):
            found[name] = dict(re.findall(r"^  (\w+\??): (.+?);", body, re.MULTILINE))
    return found


ANSWERS = interfaces(("Response", "Item"))
REQUESTS = interfaces(("Request",))


def schema_of(app: Litestar, name: str) -> Any:
    return app.openapi_schema.to_schema()["components"]["schemas"][name]


def options_of(schema: dict[str, Any]) -> tuple[list[dict[str, Any]], bool]:
    """What a field may be beside null, and whether it may be null."""
    options = schema.get("oneOf", [schema])
    others = [each for each in options if each.get("type") != "null"]
    return others, len(others) < len(options)


def json_type(schema: dict[str, Any]) -> str:
    return str(schema.get("type") or schema["$ref"].rpartition("/")[2])


@pytest.mark.parametrize("name", ANSWERS)
def test_a_response_is_what_the_document_says(app: Litestar, name: str) -> None:
    schema = schema_of(app, name)

    for field, kind in ANSWERS[name].items():
        options, may_be_null = options_of(schema["properties"][field])
        plain = kind.removesuffix(" | null")
        assert field in schema["required"], field
        assert may_be_null == kind.endswith(" | null"), field
        kinds = {json_type(each) for each in options}
        if plain.endswith("[]"):
            assert kinds == {"array"}
            assert json_type(options[0]["items"]) == plain.removesuffix("[]")
        elif plain.startswith("'"):
            assert set(options[0]["enum"]) == set(re.findall(r"'(\w+)'", plain)), field
        else:
            assert kinds <= JSON_TYPES[plain], field
        if field in DOLLARS:
            assert kinds == {"number"}, field


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_may_be_what_the_document_says(app: Litestar, name: str) -> None:
    schema = schema_of(app, BODIES[name])

    assert set(schema["properties"]) == {field.rstrip("?") for field in REQUESTS[name]}
    for field, kind in REQUESTS[name].items():
        options, _ = options_of(schema["properties"][field.rstrip("?")])
        assert {json_type(each) for each in options} <= JSON_TYPES[kind]
        assert not (field.endswith("?") and field.rstrip("?") in schema["required"])


def test_the_document_is_read_whole() -> None:
    assert len(ANSWERS) == 11
    assert len(REQUESTS) == 3
    assert len(ANSWERS["BillingAccountResponse"]) == 15
    assert len(ANSWERS["SubscriptionResponse"]) == 24
    assert len(ANSWERS["InvoiceResponse"]) == 22
    assert len(ANSWERS["UsageRecordResponse"]) == 13


async def test_money_arrives_as_a_number_and_time_with_a_zone(client: httpx.AsyncClient) -> None:
    record = (await client.get(f"{ACCOUNT}/costs", headers=bearer())).json()[0]
    account = (await client.get(ACCOUNT, headers=bearer())).json()

    assert record["total_cost"] == 0.0075
    assert record["prompt_cost"] == 0.0025
    assert record["total_tokens"] == 1500
    assert record["recorded_at"] == "2026-11-22T11:59:00Z"
    assert record["billing_account_id"] == "account-1"
    assert account["credit_balance"] == 19.99
    assert account["total_amount_spent"] == 1.01
    assert account["created_at"] == "2026-11-19T12:00:00Z"
