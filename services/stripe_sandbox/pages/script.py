"""The script that stands in for Stripe.js."""

from pathlib import Path

from litestar import Response, get
from litestar.types import ControllerRouterHandler

SCRIPT = Path(__file__).parent.parent / "browser" / "stripe.js"


def routes() -> list[ControllerRouterHandler]:
    """The script, for pages of any origin."""

    @get("/stripe.js", sync_to_thread=False)
    def get_script() -> Response[bytes]:
        headers = {
            "Access-Control-Allow-Origin": "*",
            "Cross-Origin-Resource-Policy": "cross-origin",
            "Cache-Control": "no-cache",
        }
        media_type = "text/javascript; charset=utf-8"
        return Response(SCRIPT.read_bytes(), media_type=media_type, headers=headers)

    return [get_script]
