"""The sandbox refuses live keys, production, and addresses that cannot work."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from services.stripe_sandbox.settings import SandboxSettings, check
from shared.settings import SettingsError, load

SETTINGS = {
    "HTTP_PORT": "1",
    "STRIPE_SECRET_KEY": "sk_test_1",
    "STRIPE_PUBLISHABLE_KEY": "pk_test_1",
    "STRIPE_WEBHOOK_SECRET": "whsec_1",
}


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"STRIPE_SECRET_KEY": "sk_live_hidden"}, "STRIPE_SECRET_KEY"),
        ({"STRIPE_PUBLISHABLE_KEY": "pk_live_hidden"}, "STRIPE_PUBLISHABLE_KEY"),
        ({"STRIPE_SECRET_KEY": "rk_live_hidden"}, "STRIPE_SECRET_KEY"),
        ({"STRIPE_SECRET_KEY": ""}, "STRIPE_SECRET_KEY"),
        ({"STRIPE_WEBHOOK_SECRET": " , "}, "STRIPE_WEBHOOK_SECRET"),
        ({"ENVIRONMENT": "production"}, "ENVIRONMENT"),
        ({"HTTP_PORT": "0"}, "SANDBOX_PUBLIC_URL"),
        ({"SANDBOX_PUBLIC_URL": "ftp://x"}, "SANDBOX_PUBLIC_URL"),
        ({"SANDBOX_WEBHOOK_URL": "x"}, "SANDBOX_WEBHOOK_URL"),
    ],
)
def test_it_is_refused(changes: dict[str, str], word: str) -> None:
    with pytest.raises(SettingsError) as caught:
        check(load(SandboxSettings, {**SETTINGS, **changes}))
    assert str(caught.value).startswith(f"Setting {word}: ")
    assert "hidden" not in str(caught.value)


def test_what_is_usual_is_accepted() -> None:
    settings = load(SandboxSettings, {**SETTINGS, "STRIPE_WEBHOOK_SECRET": "whsec_1, whsec_2"})
    check(settings)
    assert settings.webhook_secrets == ("whsec_1", "whsec_2")
    assert settings.public_url == "http://127.0.0.1:1"


def test_a_live_key_ends_it_before_it_touches_the_disk(tmp_path: Path) -> None:
    live = {"STRIPE_SECRET_KEY": "sk_live_hidden", "SANDBOX_HOME": str(tmp_path)}
    ended = subprocess.run(
        [sys.executable, "-m", "services.stripe_sandbox"],
        env={**os.environ, **SETTINGS, **live},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr == "Setting STRIPE_SECRET_KEY: the sandbox takes only sk_test_… keys.\n"
    assert list(tmp_path.iterdir()) == []


def test_it_knows_nothing_of_other_services_and_not_the_sdk() -> None:
    seen = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, services.stripe_sandbox.__main__;"
            "print([n for n in sys.modules if n.startswith(('services.', 'stripe'))])",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    names = seen.stdout
    assert "services.stripe_sandbox.api" in names
    assert "'stripe'" not in names
    assert names.count("'services.") == names.count("'services.stripe_sandbox")
