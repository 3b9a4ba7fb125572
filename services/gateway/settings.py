"""What the gateway is told by its environment, and which combinations it refuses."""

import ipaddress
import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta

from shared.settings import Settings, SettingsError

MIN_SECRET_BYTES = 32
ORIGIN = re.compile(r"(https?)://([a-z0-9.-]+|\[[0-9a-f:]+\])(?::([0-9]{1,5}))?/?\Z")


class GatewaySettings(Settings, frozen=True, kw_only=True):
    """The gateway's settings; `http_host` and `http_port` are its public address.

    `agent_signing_seed` is the path of a file. `service_keys` is a comma-separated list of
    `name=<SHA-256 of the key, hex>`. `stripe_frontend_url` is a comma-separated list of the
    origins whose pages may call with a cookie, the first of them being where Stripe's pages lead
    back to. `stripe_js_url` is a script that stands in for Stripe's own, of the sandbox only.
    `attaches_per_hour` and `checkouts_per_hour` are limits of one organization.
    `trusted_proxies` are the addresses whose `X-Forwarded-For` is believed, comma-separated;
    without any, nobody's is.
    """

    auth_mode: Literal["development", "hs256", "jwks"] = "development"
    auth_secret: str | None = None
    auth_jwks_url: str | None = None
    auth_issuer: str = "billing"
    auth_audience: str = "billing"
    service_keys: str = ""
    agent_signing_seed: str | None = None
    agents_account: str | None = None
    public_nats_url: str | None = None
    stripe_publishable_key: str | None = None
    stripe_secret_key: str | None = None
    stripe_frontend_url: str = "http://localhost:3000"
    stripe_js_url: str | None = None
    trusted_proxies: str = ""
    attaches_per_hour: Annotated[int, Meta(ge=1)] = 5
    checkouts_per_hour: Annotated[int, Meta(ge=1)] = 10
    rate_limit_per_second: Annotated[float, Meta(gt=0)] = 50.0
    rate_limit_burst: Annotated[int, Meta(ge=1)] = 200

    @property
    def frontend_origins(self) -> tuple[str, ...]:
        """Exact origins (scheme, host, port) from `stripe_frontend_url`; raises SettingsError."""
        return tuple(_origin(each) for each in self.stripe_frontend_url.split(",") if each.strip())


def check(settings: GatewaySettings) -> None:
    """Raise SettingsError for a combination that is not safe; the message repeats no secret."""
    if settings.auth_mode == "development":
        _check_development(settings)
    if settings.auth_mode == "jwks":
        _check_jwks_url(settings.auth_jwks_url or "")
    elif len((settings.auth_secret or "").encode()) < MIN_SECRET_BYTES:
        raise SettingsError(f"Setting AUTH_SECRET: needs at least {MIN_SECRET_BYTES} bytes.")
    if not settings.frontend_origins:
        raise SettingsError("Setting STRIPE_FRONTEND_URL: needs at least one origin.")
    _check_stripe(settings)


def _check_stripe(settings: GatewaySettings) -> None:
    """A script that is not Stripe's never meets a card that is real."""
    if settings.stripe_js_url is None:
        return
    keys = (settings.stripe_publishable_key or "", settings.stripe_secret_key or "")
    if settings.environment == "production" or any("_live_" in key for key in keys):
        raise SettingsError("Setting STRIPE_JS_URL: is for the sandbox only.")
    if urlsplit(settings.stripe_js_url).scheme not in {"http", "https"}:
        raise SettingsError("Setting STRIPE_JS_URL: needs an http address.")


def _check_development(settings: GatewaySettings) -> None:
    if settings.environment == "production":
        raise SettingsError("Setting AUTH_MODE: development is refused in production.")
    if not is_loopback(settings.http_host):
        raise SettingsError("Setting AUTH_MODE: development answers on loopback only (HTTP_HOST).")


def _check_jwks_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        return
    raise SettingsError("Setting AUTH_JWKS_URL: jwks needs the https address of the key set.")


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only be reached from this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _origin(text: str) -> str:
    """An origin as browsers write it: lower case, without the scheme's own port."""
    match = ORIGIN.match(text.strip().lower())
    if match is None:
        raise SettingsError("Setting STRIPE_FRONTEND_URL: needs origins such as https://app.co.")
    scheme, host, port = match.groups()
    usual = {"http": "80", "https": "443"}[scheme]
    return f"{scheme}://{host}" if port in {None, usual} else f"{scheme}://{host}:{port}"
