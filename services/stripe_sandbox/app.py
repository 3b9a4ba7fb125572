"""Wires the sandbox: the API, its control, the hosted pages, and the loops behind them."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from litestar import Litestar, Request, Response, get, route
from litestar.config.cors import CORSConfig
from litestar.enums import HttpMethod
from litestar.exceptions import HTTPException
from litestar.types import ControllerRouterHandler

from services.stripe_sandbox import control, pages
from services.stripe_sandbox.api import Api, refusal
from services.stripe_sandbox.clockwork import run_clock
from services.stripe_sandbox.endpoints import Endpoint
from services.stripe_sandbox.errors import StripeError, error_body, server_error
from services.stripe_sandbox.reactions import INCLUDES, REACTIONS
from services.stripe_sandbox.routes import ENDPOINTS
from services.stripe_sandbox.sandbox import Sandbox
from services.stripe_sandbox.settings import SandboxSettings, check
from services.stripe_sandbox.store import new_id
from services.stripe_sandbox.webhooks import WebhookSender
from services.stripe_sandbox.work import Origin
from shared.health import Health

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 512 * 1024


def create_app(settings: SandboxSettings) -> Litestar:
    """The sandbox as an ASGI application. Raises SettingsError for unsafe settings."""
    check(settings)
    sandbox = Sandbox(settings, REACTIONS, INCLUDES)
    sender = WebhookSender(sandbox)
    health = Health()
    sandbox.wake = sender.wake

    @asynccontextmanager
    async def loops(_app: Litestar) -> AsyncIterator[None]:
        tasks = [
            asyncio.create_task(each) for each in (sender.run(), run_clock(sandbox), health.beat())
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            sandbox.store.close()

    @get(["/livez", "/readyz", "/metrics"], include_in_schema=False)
    async def get_health(request: Request[Any, Any, Any]) -> Response[bytes]:
        status, content_type, body = await health.answer(request.url.path)
        return Response(body, status_code=status, media_type=content_type)

    api = Api(sandbox)
    return Litestar(
        route_handlers=[
            get_health,
            *(_handler(api, each) for each in (*ENDPOINTS, *control.ENDPOINTS)),
            *pages.routes(sandbox),
        ],
        lifespan=[loops],
        request_max_body_size=MAX_BODY_BYTES,
        # As Stripe: browsers of any origin may call what the publishable key allows.
        cors_config=CORSConfig(allow_origins=["*"], allow_headers=["*"], max_age=600),
        exception_handlers={HTTPException: _http_error, Exception: _server_error},
        openapi_config=None,
        logging_config=None,
    )


def _handler(api: Api, endpoint: Endpoint) -> ControllerRouterHandler:
    @route(
        endpoint.path,
        http_method=[HttpMethod(endpoint.method)],
        status_code=200,
        include_in_schema=False,
    )
    async def handle(request: Request[Any, Any, Any]) -> Response[bytes]:
        return await api.answer(endpoint, request)

    return handle


def _http_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """What the framework refuses, in Stripe's form: above all an unknown address."""
    if error.status_code in {404, 405}:
        message = (
            f"Unrecognized request URL ({request.method}: {request.url.path}). Please see"
            " https://stripe.com/docs or we can help at https://support.stripe.com/."
        )
        body = error_body("invalid_request_error", message)
        return refusal(StripeError(404, body), _origin())
    body = error_body("invalid_request_error", error.detail)
    return refusal(StripeError(error.status_code, body), _origin())


def _server_error(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    fields = {"method": request.method, "path": request.url.path}
    logger.error("a request failed", exc_info=error, extra={"fields": fields})
    return refusal(StripeError(500, server_error()), _origin())


def _origin() -> Origin:
    return Origin(request_id=new_id("req"))
