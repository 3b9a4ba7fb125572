"""The gateway's OpenAPI document, made without a bus or a server."""

from typing import Any, cast

from services.gateway.app import create_app
from services.gateway.asks import Asks
from services.gateway.settings import MIN_SECRET_BYTES, GatewaySettings
from shared.clock import SystemClock


def openapi_document() -> dict[str, Any]:
    """Every route as a gateway with default settings has it."""
    settings = GatewaySettings(auth_secret="-" * MIN_SECRET_BYTES)
    # Nothing is asked while the routes are described.
    app = create_app(settings, cast("Asks", None), SystemClock())
    return app.openapi_schema.to_schema()
