"""What stripe_gateway refuses to start with."""

import os
import subprocess
import sys

import pytest

from services.stripe_gateway.settings import StripeSettings
from shared.settings import SettingsError, load

GOOD = {
    "DATABASE_URL": "postgresql://u:p@127.0.0.1:5432/d",
    "STRIPE_SECRET_KEY": "sk_test_1",
    "STRIPE_PUBLISHABLE_KEY": "pk_test_1",
    "STRIPE_WEBHOOK_SECRET": "whsec_1, whsec_2",
}
LIVE = {"STRIPE_SECRET_KEY": "sk_live_1", "STRIPE_PUBLISHABLE_KEY": "pk_live_1"}
SANDBOX = {"STRIPE_API_BASE": "http://127.0.0.1:12111"}


def test_settings_of_the_clients_document_are_enough() -> None:
    settings = load(StripeSettings, GOOD)
    assert settings.webhook_secrets == ("whsec_1", "whsec_2")
    assert not settings.livemode
    assert settings.origins == {("http", "localhost", 3000)}


def test_live_keys_with_stripe_itself_are_accepted() -> None:
    assert load(StripeSettings, {**GOOD, **LIVE, "ENVIRONMENT": "production"}).livemode


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({**LIVE, **SANDBOX}, "STRIPE_API_BASE"),
        ({**LIVE, "STRIPE_API_BASE": "https://api.stripe.com.evil.example"}, "STRIPE_API_BASE"),
        ({**SANDBOX, "ENVIRONMENT": "production"}, "STRIPE_API_BASE"),
        ({"STRIPE_API_BASE": "ftp://x"}, "STRIPE_API_BASE"),
        ({"STRIPE_SECRET_KEY": "sk_live_1"}, "STRIPE_PUBLISHABLE_KEY"),
        ({"STRIPE_PUBLISHABLE_KEY": "pk_live_1"}, "STRIPE_PUBLISHABLE_KEY"),
        ({"STRIPE_SECRET_KEY": "pk_test_1"}, "STRIPE_SECRET_KEY"),
        ({"STRIPE_SECRET_KEY": ""}, "STRIPE_SECRET_KEY"),
        ({"STRIPE_WEBHOOK_SECRET": " , "}, "STRIPE_WEBHOOK_SECRET"),
        ({"STRIPE_FRONTEND_URL": "localhost"}, "STRIPE_FRONTEND_URL"),
    ],
)
def test_a_mixture_refuses_to_start_and_names_the_setting(
    changes: dict[str, str], names: str
) -> None:
    with pytest.raises(SettingsError, match=names) as refused:
        load(StripeSettings, {**GOOD, **changes})
    assert "sk_" not in str(refused.value).replace("`", "")


def test_the_process_ends_with_one_sentence() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "services.stripe_gateway"],
        env={**os.environ, **GOOD, **LIVE, **SANDBOX},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("Setting STRIPE_API_BASE")
    assert len(ended.stderr.splitlines()) == 1
