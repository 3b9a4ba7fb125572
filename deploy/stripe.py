"""Which Stripe an installation talks to: the real one with keys of its own, else the sandbox."""

import secrets
from collections.abc import Mapping
from pathlib import Path

from deploy.files import write_private
from services.stripe_gateway.settings import StripeSettings
from shared.settings import SettingsError, load

SANDBOX = "stripe_sandbox"
WEBHOOK_PATH = "/api/billing/webhooks/stripe"
# The sandbox's own keys, each in a file of its name, with what Stripe's begin with.
PREFIXES = {
    "stripe_secret_key": "sk_test_",
    "stripe_publishable_key": "pk_test_",
    "stripe_webhook_secret": "whsec_",
}
# What says nothing without a secret key.
DEPENDENT = ("STRIPE_PUBLISHABLE_KEY", "STRIPE_WEBHOOK_SECRET", "STRIPE_API_BASE", "STRIPE_JS_URL")
# Settings of services are checked before there is a database.
NO_DATABASE = "postgresql://nowhere"


def make_sandbox_keys(folder: Path) -> None:
    """Make the keys with which the sandbox lets our processes in, once."""
    for name, prefix in PREFIXES.items():
        if not (folder / name).exists():
            write_private(folder / name, prefix + secrets.token_hex(24))


def sandbox_key_files(folder: Path) -> dict[str, str]:
    """The settings that name those files."""
    return {f"{name.upper()}_FILE": str(folder / name) for name in PREFIXES}


def has_own_key(environment: Mapping[str, str]) -> bool:
    """Whether a secret key of Stripe's is given, so that nothing of the sandbox is started."""
    return _is_given("STRIPE_SECRET_KEY", environment)


def refuse_keys_for_the_sandbox(environment: Mapping[str, str]) -> None:
    """Raise SettingsError when, without a secret key, other settings ask for the real Stripe."""
    if environment.get("ENVIRONMENT") == "production":
        raise SettingsError("Setting STRIPE_SECRET_KEY: is required in production.")
    for name in DEPENDENT:
        if _is_given(name, environment):
            raise SettingsError(
                f"Setting {name}: needs STRIPE_SECRET_KEY; the sandbox brings its own keys."
            )


def stripe_problems(environment: Mapping[str, str]) -> list[str]:
    """Why real money could not be taken with these settings of stripe_gateway, a sentence each."""
    problems = []
    if _is_given("STRIPE_API_BASE", environment):
        problems.append("Setting STRIPE_API_BASE: leads to a sandbox; nobody is charged there.")
    if _is_given("STRIPE_JS_URL", environment):
        problems.append("Setting STRIPE_JS_URL: leads to a sandbox; cards belong to Stripe alone.")
    real = {name: text for name, text in environment.items() if "STRIPE_API_BASE" not in name}
    try:
        settings = load(StripeSettings, real | {"DATABASE_URL": NO_DATABASE})
    except SettingsError as error:
        return [*problems, str(error)]
    if not settings.livemode:
        problems.append("Setting STRIPE_SECRET_KEY: is for tests; nobody is charged with it.")
    return problems


def _is_given(name: str, environment: Mapping[str, str]) -> bool:
    return bool(environment.get(name) or environment.get(f"{name}_FILE"))
