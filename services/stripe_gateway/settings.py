"""What stripe_gateway is told by its environment, and what it refuses to start with."""

from urllib.parse import urlsplit

from services.stripe_gateway.rules.redirects import origin_of
from shared.settings import ServiceSettings

STRIPE_URL = "https://api.stripe.com"


class StripeSettings(ServiceSettings, frozen=True, kw_only=True):
    """Keys of one mode. `stripe_api_base` is set only for the sandbox.

    `stripe_webhook_secret` and `stripe_frontend_url` are comma-separated lists: secrets in use
    during a rotation, origins that pages may lead back to.
    """

    stripe_secret_key: str
    stripe_publishable_key: str
    stripe_webhook_secret: str
    stripe_frontend_url: str = "http://localhost:3000"
    stripe_api_base: str = STRIPE_URL
    stripe_timeout_seconds: float = 15.0
    stripe_reconcile_seconds: float = 180.0

    def __post_init__(self) -> None:
        """Raise ValueError naming the setting that does not fit, never its value."""
        mode = _mode(self.stripe_secret_key, ("sk", "rk"))
        if mode is None:
            raise ValueError("`stripe_secret_key` is not a secret key of Stripe")
        if _mode(self.stripe_publishable_key, ("pk",)) != mode:
            raise ValueError("`stripe_publishable_key` is not of the secret key's mode")
        if not self.webhook_secrets:
            raise ValueError("`stripe_webhook_secret` needs at least one secret")
        if not self.origins:
            raise ValueError("`stripe_frontend_url` is not a list of http or https origins")
        self._check_base()

    def _check_base(self) -> None:
        if urlsplit(self.stripe_api_base).scheme not in {"http", "https"}:
            raise ValueError("`stripe_api_base` is not an address")
        if self.stripe_api_base.rstrip("/") == STRIPE_URL:
            return
        if self.livemode:
            raise ValueError("`stripe_api_base` stays empty with live keys: never the sandbox")
        if self.environment == "production":
            raise ValueError("`stripe_api_base` stays empty in production")

    @property
    def livemode(self) -> bool:
        """Whether real money moves."""
        return _mode(self.stripe_secret_key, ("sk", "rk")) == "live"

    @property
    def webhook_secrets(self) -> tuple[str, ...]:
        """Every secret that an event may be signed with."""
        return tuple(each.strip() for each in self.stripe_webhook_secret.split(",") if each.strip())

    @property
    def origins(self) -> frozenset[tuple[str, str, int]]:
        """Scheme, host and port of the pages that Stripe's pages may lead back to."""
        found = (origin_of(each.strip()) for each in self.stripe_frontend_url.split(","))
        return frozenset(origin for origin in found if origin is not None)


def _mode(key: str, kinds: tuple[str, ...]) -> str | None:
    kind, _, rest = key.partition("_")
    mode = rest.partition("_")[0]
    return mode if kind in kinds and mode in {"test", "live"} else None
