"""The script that stands in for Stripe.js."""

from pathlib import Path

from litestar import Response, get
from litestar.types import ControllerRouterHandler

FOLDER = Path(__file__).parent.parent / "browser"
PARTS = ("card_form.js", "stripe.js")


def written() -> bytes:
    """The script: its parts in one function, so that they leave nothing behind but `Stripe`."""
    parts = b"\n".join((FOLDER / name).read_bytes() for name in PARTS)
    return b'(() => {\n"use strict";\n' + parts + b"})();\n"


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
        return Response(written(), media_type=media_type, headers=headers)

    return [get_script]
