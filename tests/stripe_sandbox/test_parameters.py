"""Requests that Stripe refuses are refused in its words; nothing a client sends is a 500."""

import contextlib
from typing import Any

import httpx
import pytest
import stripe
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.stripe_sandbox.errors import StripeError
from services.stripe_sandbox.forms import nested
from tests.stripe_sandbox.examples import add_customer, open_session
from tests.stripe_sandbox.running import PUBLISHABLE_KEY, SECRET_KEY, Running

INTENT = {"amount": "500", "currency": "usd"}


def ask(sandbox: Running, path: str, form: dict[str, str], **headers: str) -> httpx.Response:
    """A request as the wire has it, without the SDK."""
    with sandbox.browser() as http:
        key = {"Authorization": f"Bearer {SECRET_KEY}"}
        return http.post(path, data=form, headers={**key, **headers})


@pytest.mark.parametrize(
    ("form", "code", "param", "message"),
    [
        (
            {**INTENT, "colour": "red"},
            "parameter_unknown",
            "colour",
            "Received unknown parameter: colour",
        ),
        (
            {**INTENT, "a": "1", "b": "2"},
            "parameter_unknown",
            "a",
            "Received unknown parameters: a, b",
        ),
        (
            {**INTENT, "automatic_payment_methods[on]": "true"},
            "parameter_unknown",
            "automatic_payment_methods[on]",
            "Received unknown parameter: automatic_payment_methods[on]",
        ),
        (
            {**INTENT, "payment_method_types[0]": "card"},
            "payment_method_types_no_longer_supported",
            "payment_method_types",
            "payment_method_types",
        ),
        (
            {"currency": "usd"},
            "parameter_missing",
            "amount",
            "Missing required param: amount.",
        ),
        (
            {**INTENT, "automatic_payment_methods[allow_redirects]": "never"},
            "parameter_missing",
            "automatic_payment_methods[enabled]",
            "Missing required param",
        ),
        (
            {**INTENT, "amount": "19.99"},
            "parameter_invalid_integer",
            "amount",
            "Invalid integer: 19.99",
        ),
        ({**INTENT, "amount": ""}, "parameter_invalid_empty", "amount", "You passed an empty"),
        ({**INTENT, "currency": "xyz"}, None, "currency", "Invalid currency: xyz"),
        ({**INTENT, "confirm": "yes"}, None, "confirm", "Invalid boolean: yes"),
        ({**INTENT, "setup_future_usage": "later"}, None, "setup_future_usage", "must be one of"),
        ({**INTENT, "customer": "cus_no"}, "resource_missing", "customer", "No such customer"),
        ({**INTENT, "metadata[k]": "v" * 501}, None, "metadata[k]", "up to 40"),
        ({**INTENT, "metadata": "v"}, None, "metadata", "Invalid hash"),
        ({**INTENT, "expand[0]": "colour"}, None, "expand", "cannot be expanded"),
    ],
)
def test_a_wrong_parameter_is_refused_as_stripe_does(
    form: dict[str, str], code: str | None, param: str, message: str, sandbox: Running
) -> None:
    answer = ask(sandbox, "/v1/payment_intents", form)
    error = answer.json()["error"]
    assert answer.status_code == 400
    assert error["type"] == "invalid_request_error"
    assert (error.get("code"), error["param"]) == (code, param)
    assert message in error["message"]
    assert answer.headers["request-id"].startswith("req_")


async def test_the_sdk_sees_an_unknown_parameter_as_its_error(
    client: stripe.StripeClient,
) -> None:
    params: Any = {"amount": 500, "currency": "usd", "colour": "red"}
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await client.v1.payment_intents.create_async(params)
    assert (caught.value.code, caught.value.param) == ("parameter_unknown", "colour")


@pytest.mark.parametrize(
    "authorization", ["", "Bearer sk_test_wrong", f"Bearer {PUBLISHABLE_KEY}", "Basic c2s6"]
)
def test_only_the_secret_key_opens_the_api(authorization: str, sandbox: Running) -> None:
    answer = ask(sandbox, "/v1/customers", {}, Authorization=authorization)
    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert "sk_test_wrong" not in answer.text


async def test_a_browser_needs_the_secret_of_the_object(
    client: stripe.StripeClient, browser: httpx.Client
) -> None:
    intent = await client.v1.setup_intents.create_async({})
    path, origin = f"/v1/setup_intents/{intent.id}", {"Origin": "http://127.0.0.1:3000"}
    params = {"key": PUBLISHABLE_KEY, "client_secret": intent.client_secret}
    wrong = browser.get(path, params={**params, "client_secret": "x"}, headers=origin)
    right = browser.get(path, params=params, headers=origin)
    assert (wrong.status_code, right.status_code) == (404, 200)
    assert right.headers["access-control-allow-origin"] == "*"


async def test_an_unknown_object_is_404_and_an_unknown_address_too(
    client: stripe.StripeClient, sandbox: Running
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await client.v1.subscriptions.retrieve_async("sub_no")
    assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")
    assert str(caught.value.user_message) == "No such subscription: 'sub_no'"
    answer = ask(sandbox, "/v1/rockets", {})
    assert answer.status_code == 404
    assert "Unrecognized request URL (POST: /v1/rockets)" in answer.json()["error"]["message"]


async def test_the_version_that_was_asked_for_is_echoed(sandbox: Running) -> None:
    answer = ask(sandbox, "/v1/customers", {}, **{"Stripe-Version": stripe.api_version})
    assert answer.headers["stripe-version"] == stripe.api_version


async def test_metadata_is_merged_and_unset(client: stripe.StripeClient) -> None:
    customer = await add_customer(client, card="", metadata={"a": "1", "b": "2"})
    changed = await client.v1.customers.update_async(customer.id, {"metadata": {"b": "", "c": "3"}})
    assert changed.metadata is not None
    assert changed.metadata.to_dict() == {"a": "1", "c": "3"}
    emptied = await client.v1.customers.update_async(customer.id, {"metadata": ""})
    assert emptied.metadata is not None
    assert emptied.metadata.to_dict() == {}


@pytest.mark.parametrize(
    ("params", "part"),
    [
        ({"success_url": "javascript:alert(1)"}, "Not a valid URL"),
        ({"expires_at": 1}, "at least 30 minutes"),
        ({"mode": "subscription"}, "at least one recurring price"),
        ({"line_items": []}, "You must provide `line_items`"),
        ({"customer": "cus_no"}, "No such customer"),
        ({"subscription_data": {"description": "x"}}, "You can not pass"),
    ],
)
async def test_a_session_that_cannot_be_is_refused(
    params: dict[str, Any], part: str, client: stripe.StripeClient
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await open_session(client, **params)
    assert part in str(caught.value.user_message)


async def test_a_session_under_the_minimum_is_refused(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await open_session(client, cents=49)
    assert caught.value.code == "amount_too_small"


NAMES = st.text(st.sampled_from("ab[]0é=&%\\\x00"), max_size=12)


@given(st.lists(st.tuples(NAMES, NAMES), max_size=8))
def test_whatever_a_form_says_is_read_or_refused(pairs: list[tuple[str, str]]) -> None:
    with contextlib.suppress(StripeError):
        nested(pairs)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    path=st.sampled_from(
        [
            "payment_intents", "setup_intents", "customers", "checkout/sessions", "subscriptions",
            "invoices", "invoiceitems", "refunds", "prices", "invoices/create_preview",
            "billing_portal/sessions", "test_helpers/test_clocks", "credit_notes",
        ]
    ),
    form=st.dictionaries(
        st.sampled_from(
            [
                "amount", "currency", "customer", "metadata[a]", "items[0][price]", "mode",
                "line_items[0][price_data][unit_amount]", "expand[]", "frozen_time", "invoice",
                "charge", "success_url", "items", "features[invoice_history][enabled]",
            ]
        ),
        st.one_of(st.sampled_from(["usd", "500", "-1", "true", "", "payment"]), NAMES),
        max_size=6,
    ),
)  # fmt: skip
def test_nothing_a_client_sends_is_a_500(
    path: str, form: dict[str, str], sandbox: Running, browser: httpx.Client
) -> None:
    key = {"Authorization": f"Bearer {SECRET_KEY}"}
    answer = browser.post(f"/v1/{path}", data=form, headers=key)
    assert answer.status_code in {200, 400, 404}, answer.text
