"""What anybody may see: Stripe's public key, health."""

from litestar import Response, get

from services.gateway.errors import PUBLIC_STATUSES, declared
from services.gateway.parameters import Given
from services.gateway.responses import StripeConfigResponse
from services.gateway.settings import GatewaySettings
from shared.health import Health


@get(
    "/api/billing/config",
    operation_id="get_config",
    opt={"permission": "public"},
    security=[{}],
    responses=declared(*PUBLIC_STATUSES),
    tags=["config"],
)
async def get_config(settings: Given[GatewaySettings]) -> StripeConfigResponse:
    """Tell the page which Stripe key to start with; payments work when it is configured."""
    return StripeConfigResponse(
        publishable_key=settings.stripe_publishable_key,
        is_configured=bool(settings.stripe_publishable_key and settings.stripe_secret_key),
        stripe_js_url=settings.stripe_js_url,
    )


async def _health(health: Health, path: str) -> Response[bytes]:
    status, content_type, body = await health.answer(path)
    return Response(body, status_code=status, media_type=content_type)


@get(
    "/livez",
    opt={"permission": "public", "unlimited": True, "quiet": True},
    include_in_schema=False,
)
async def get_livez(health: Given[Health]) -> Response[bytes]:
    """Whether this process works."""
    return await _health(health, "/livez")


@get(
    "/readyz",
    opt={"permission": "public", "unlimited": True, "quiet": True},
    include_in_schema=False,
)
async def get_readyz(health: Given[Health]) -> Response[bytes]:
    """Whether this process may get requests."""
    return await _health(health, "/readyz")


@get(
    "/metrics",
    opt={"permission": "public", "unlimited": True, "quiet": True},
    include_in_schema=False,
)
async def get_metrics(health: Given[Health]) -> Response[bytes]:
    """Numbers for Prometheus; no customer's name is among them."""
    return await _health(health, "/metrics")
