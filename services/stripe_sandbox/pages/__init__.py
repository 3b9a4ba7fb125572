"""The hosted pages: plain HTML that works without scripts."""

from litestar.types import ControllerRouterHandler

from services.stripe_sandbox.pages import checkout, documents, portal, script, three_d_secure
from services.stripe_sandbox.sandbox import Sandbox


def routes(sandbox: Sandbox) -> list[ControllerRouterHandler]:
    """Every page."""
    return [
        *checkout.routes(sandbox),
        *documents.routes(sandbox),
        *portal.routes(sandbox),
        *three_d_secure.routes(sandbox),
        *script.routes(),
    ]
