"""What pages are told of Stripe, and which settings of it are refused."""

from typing import Any

import pytest

from services.gateway.settings import check
from shared.settings import SettingsError
from tests.gateway.scripted import ScriptedServices, app_of, client_of, settings

SCRIPT = "http://localhost:8000/stripe.js"
SANDBOX: dict[str, Any] = {"stripe_publishable_key": "pk_test_1", "stripe_secret_key": "sk_test_1"}


@pytest.mark.parametrize("script", [None, SCRIPT])
async def test_a_page_is_told_which_script_stands_in_for_stripes(
    services: ScriptedServices, script: str | None
) -> None:
    async with client_of(app_of(services, settings(stripe_js_url=script, **SANDBOX))) as client:
        answer = await client.get("/api/billing/config")

    assert answer.json() == {
        "publishable_key": "pk_test_1",
        "is_configured": True,
        "stripe_js_url": script,
    }


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"stripe_js_url": SCRIPT, "stripe_publishable_key": "pk_live_1"}, "STRIPE_JS_URL"),
        ({"stripe_js_url": SCRIPT, "stripe_secret_key": "rk_live_1"}, "STRIPE_JS_URL"),
        (
            {"stripe_js_url": SCRIPT, "environment": "production", "auth_mode": "hs256"},
            "STRIPE_JS_URL",
        ),
        ({"stripe_js_url": "javascript:alert(1)"}, "STRIPE_JS_URL"),
        ({"stripe_frontend_url": ","}, "STRIPE_FRONTEND_URL"),
        ({"stripe_frontend_url": "https://app.acme.example/billing"}, "STRIPE_FRONTEND_URL"),
        ({"stripe_frontend_url": "app.acme.example"}, "STRIPE_FRONTEND_URL"),
    ],
)
def test_what_would_mix_the_sandbox_with_real_cards_does_not_start(
    changes: dict[str, Any], name: str
) -> None:
    with pytest.raises(SettingsError, match=f"^Setting {name}: ") as caught:
        check(settings(**changes))

    assert "_live_" not in str(caught.value)
