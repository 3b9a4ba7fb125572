"""Wires the gateway: what stands before and behind its routes."""

from pathlib import Path
from typing import Any

from litestar import Litestar, Request, Response, Router
from litestar.config.compression import CompressionConfig
from litestar.config.cors import CORSConfig
from litestar.datastructures import State
from litestar.di import Provide
from litestar.middleware import DefineMiddleware
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.types import ControllerRouterHandler

from services.gateway.account_ids import AccountIds
from services.gateway.agents import CredentialIssuer
from services.gateway.asks import Asks, Caller
from services.gateway.authentication import (
    SESSION_COOKIE,
    AuthenticationMiddleware,
    Authorization,
    require_permissions,
)
from services.gateway.checkouts import Counter
from services.gateway.edge import OutgoingHeaders, TraceMiddleware
from services.gateway.errors import EXCEPTION_HANDLERS, NOT_FOUND, response_of
from services.gateway.events import StreamLimits
from services.gateway.free_workflows import FreeWorkflowCounter
from services.gateway.gauges import Gauges
from services.gateway.invoice_desk import InvoiceDesk
from services.gateway.jwks import PublishedKeys, fetch_from
from services.gateway.live import LiveEvents
from services.gateway.parameters import Given, StrictRequest
from services.gateway.permissions import Principal
from services.gateway.rate_limits import HourlyLimit, RateLimitMiddleware, TokenBuckets
from services.gateway.routes import ROUTES
from services.gateway.service_keys import ServiceKeys
from services.gateway.settings import GatewaySettings, check
from services.gateway.site import FRONTEND, Site
from services.gateway.slots import Slots
from services.gateway.subscriptions import Teller
from services.gateway.verification import Keys, SharedSecret, TokenVerifier
from shared.clock import Clock
from shared.health import Health
from shared.settings import SettingsError

# Whom a public route is asked for.
NOBODY = Principal(name="nobody")
MAX_BODY_BYTES = 64 * 1024
COMPRESS_FROM_BYTES = 1024


COMPRESSION = CompressionConfig(
    backend="gzip",
    minimum_size=COMPRESS_FROM_BYTES,
    gzip_compress_level=5,
    exclude_opt_key="no_compression",
)


def create_app(
    settings: GatewaySettings,
    bus: Asks,
    clock: Clock,
    *,
    wall_clock: Clock | None = None,
    live: LiveEvents | None = None,
    health: Health | None = None,
    stream_limits: StreamLimits | None = None,
    routes: tuple[ControllerRouterHandler, ...] = ROUTES,
) -> Litestar:
    """The gateway as an ASGI application; `wall_clock` judges tokens, for it never travels in time.

    Raises SettingsError for unsafe settings, and refuses a route without a permission.
    """
    check(settings)
    origins, account_ids = settings.frontend_origins, AccountIds()
    app = Litestar(
        route_handlers=routes,
        request_class=StrictRequest,
        request_max_body_size=MAX_BODY_BYTES,
        guards=[Authorization(origins)],
        middleware=_middleware(settings, wall_clock or clock),
        exception_handlers=EXCEPTION_HANDLERS,
        before_send=[OutgoingHeaders(strict_transport=settings.environment == "production")],
        cors_config=_cors(origins),
        compression_config=COMPRESSION,
        dependencies={
            **_for_each_request(settings, bus, clock, account_ids),
            "account_ids": _given(account_ids),
            "free_workflows": _given(FreeWorkflowCounter()),
            "clock": _given(clock),
            "wall_clock": _given(wall_clock or clock),
            "settings": _given(settings),
            "site": _given(_site(settings)),
            "health": _given(health or Health()),
            "live": _given(live or LiveEvents()),
            "issuer": _given(_issuer(settings)),
            "stream_limits": _given(stream_limits or StreamLimits()),
            **_limits(settings),
        },
        openapi_config=_openapi(settings),
        logging_config=None,
        debug=False,
    )
    require_permissions(app)
    _close_bodies(app)
    return app


def _close_bodies(app: Litestar) -> None:
    """Tell the document that bodies take no unknown field, which Litestar does not see."""
    for name, schema in (app.openapi_schema.components.schemas or {}).items():
        if name.endswith("Body"):
            schema.additional_properties = False


def _given(value: Any) -> Provide:
    return Provide(lambda: value, sync_to_thread=False)


def _limits(settings: GatewaySettings) -> dict[str, Provide]:
    """How many at once, and how often in an hour."""
    return {
        "stream_slots": _given(Slots("streams", total=500, each=20)),
        "export_slots": _given(Slots("exports", total=8, each=2)),
        "document_slots": _given(Slots("documents", total=16, each=4)),
        "webhook_slots": _given(Slots("webhooks", total=64, each=64)),
        "attach_limit": _given(HourlyLimit("attaches", settings.attaches_per_hour)),
        "setup_limit": _given(HourlyLimit("setups", settings.checkouts_per_hour)),
        "generate_limit": _given(HourlyLimit("invoices", settings.invoices_per_hour)),
        "pay_limit": _given(HourlyLimit("payments", settings.payments_per_hour)),
    }


def _for_each_request(
    settings: GatewaySettings, bus: Asks, clock: Clock, account_ids: AccountIds
) -> dict[str, Provide]:
    """What handlers are given that works in the name of who asks."""
    checkout_limit = HourlyLimit("checkouts", settings.checkouts_per_hour)

    def caller(request: Request[Principal | None, Any, State]) -> Caller:
        return Caller(bus, request.user or NOBODY)

    def counter(caller: Given[Caller]) -> Counter:
        return Counter(caller, settings, checkout_limit)

    def teller(caller: Given[Caller]) -> Teller:
        return Teller(caller, account_ids)

    def invoice_desk(caller: Given[Caller]) -> InvoiceDesk:
        return InvoiceDesk(caller, account_ids)

    def gauges(caller: Given[Caller]) -> Gauges:
        return Gauges(caller, clock)

    return {
        make.__name__: Provide(make, sync_to_thread=False)
        for make in (caller, counter, teller, invoice_desk, gauges)
    }


def _middleware(settings: GatewaySettings, clock: Clock) -> list[Any]:
    """In the order a request meets them."""
    rate, burst = settings.rate_limit_per_second, settings.rate_limit_burst
    return [
        TraceMiddleware,
        DefineMiddleware(
            AuthenticationMiddleware,
            tokens=TokenVerifier(
                _keys(settings, clock), settings.auth_issuer, settings.auth_audience, clock
            ),
            service_keys=ServiceKeys(settings.service_keys),
        ),
        DefineMiddleware(
            RateLimitMiddleware,
            principals=TokenBuckets(rate_per_second=rate, burst=burst),
            addresses=TokenBuckets(rate_per_second=rate, burst=burst),
        ),
    ]


def _keys(settings: GatewaySettings, clock: Clock) -> Keys:
    if settings.auth_mode == "jwks":
        return PublishedKeys(fetch_from(settings.auth_jwks_url or ""), clock)
    return SharedSecret(settings.auth_secret or "")


def _site(settings: GatewaySettings) -> Site:
    folder = settings.frontend_folder
    return Site(Path(folder) if folder else FRONTEND, settings.stripe_js_url)


def _issuer(settings: GatewaySettings) -> CredentialIssuer | None:
    if settings.agent_signing_seed is None or settings.agents_account is None:
        return None
    try:
        seed = Path(settings.agent_signing_seed).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise SettingsError("Setting AGENT_SIGNING_SEED: its file cannot be read.") from None
    return CredentialIssuer(
        signing_seed=seed,
        agents_account=settings.agents_account,
        nats_url=settings.public_nats_url,
    )


def _cors(origins: tuple[str, ...]) -> CORSConfig:
    return CORSConfig(
        allow_origins=list(origins),
        allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "traceparent"],
        expose_headers=["Link", "Retry-After", "X-Trace-Id"],
        allow_credentials=True,
        max_age=600,
    )


async def _not_found_as_ours(response: Response[Any]) -> Response[Any]:
    """Litestar answers an unknown page of the document in a form of its own."""
    return response_of(NOT_FOUND) if response.status_code == 404 else response


def _openapi(settings: GatewaySettings) -> OpenAPIConfig:
    # In production the document tells nothing to strangers.
    permission = "signed_in" if settings.environment == "production" else "public"
    return OpenAPIConfig(
        title="OmoiOS Billing",
        version="1",
        description="Money is a number in dollars, times have a zone, lists are plain arrays.",
        openapi_router=Router(
            path="/schema",
            route_handlers=[],
            opt={"permission": permission},
            include_in_schema=False,
            after_request=_not_found_as_ours,
        ),
        render_plugins=[JsonRenderPlugin(path="/")],
        use_handler_docstrings=True,
        security=[{"bearer": []}, {"cookie": []}],
        components=Components(
            security_schemes={
                "bearer": SecurityScheme(
                    type="http",
                    scheme="bearer",
                    description="A JSON Web Token, or a service key where the route allows it.",
                ),
                "cookie": SecurityScheme(
                    type="apiKey", name=SESSION_COOKIE, security_scheme_in="cookie"
                ),
            }
        ),
    )
