"""What the sandbox is told by its environment, and what it refuses to start with."""

from urllib.parse import urlsplit

from shared.settings import Settings, SettingsError

# The version that the pinned `stripe` package speaks.
API_VERSION = "2026-10-28.endive"


class SandboxSettings(Settings, frozen=True, kw_only=True):
    """`sandbox_home` is the folder of the ledger on disk.

    `sandbox_public_url` is where browsers reach the hosted pages; `stripe_webhook_secret` may be a
    comma-separated list, and then each event is signed with every one of them, as in a rotation.
    """

    stripe_secret_key: str
    stripe_publishable_key: str
    stripe_webhook_secret: str
    sandbox_home: str = "var/stripe_sandbox"
    sandbox_webhook_url: str | None = None
    sandbox_public_url: str = ""

    @property
    def public_url(self) -> str:
        """Where browsers reach the sandbox, without a slash at its end."""
        return (self.sandbox_public_url or f"http://{self.http_host}:{self.http_port}").rstrip("/")

    @property
    def webhook_secrets(self) -> tuple[str, ...]:
        """Every secret that events are signed with."""
        return tuple(each.strip() for each in self.stripe_webhook_secret.split(",") if each.strip())


def check(settings: SandboxSettings) -> None:
    """Raise SettingsError for live keys, production, or addresses that cannot work."""
    if settings.environment == "production":
        raise SettingsError("Setting ENVIRONMENT: the Stripe sandbox refuses to run in production.")
    for name, prefix in (("stripe_secret_key", "sk_test_"), ("stripe_publishable_key", "pk_test_")):
        if not getattr(settings, name).startswith(prefix):
            raise SettingsError(f"Setting {name.upper()}: the sandbox takes only {prefix}… keys.")
    if not settings.webhook_secrets:
        raise SettingsError("Setting STRIPE_WEBHOOK_SECRET: needs at least one secret.")
    if not settings.sandbox_public_url and not settings.http_port:
        raise SettingsError("Setting SANDBOX_PUBLIC_URL: needed when HTTP_PORT is not given.")
    for name in ("sandbox_public_url", "sandbox_webhook_url"):
        url = getattr(settings, name)
        if url and urlsplit(url).scheme not in {"http", "https"}:
            raise SettingsError(f"Setting {name.upper()}: needs an http or https address.")
