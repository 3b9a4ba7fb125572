"""Documents to look at: as PDF, and as a page that may run and load nothing."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec

from services.gateway.asks import Caller
from services.gateway.errors import ASKING_STATUSES, declared
from services.gateway.slots import Slots
from shared.contracts.base import Request
from shared.contracts.invoicing import Document, DocumentFormat

# Laying out hundreds of lines takes a while.
RENDER_SECONDS = 15.0
HTML = "text/html"
MEDIA_TYPES: dict[DocumentFormat, str] = {"pdf": "application/pdf", "html": HTML}
CALLED: dict[DocumentFormat, str] = {"pdf": "as PDF", "html": "as a page"}
# Its own style, and nothing else.
CONTENT_SECURITY = (
    "default-src 'none'; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
UNSAFE_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")


def document_route(
    path: str, what: str, form: DocumentFormat, permission: str
) -> Callable[[Callable[..., Awaitable[Response[bytes]]]], HTTPRouteHandler]:
    """The decorator of a handler that shows `what` (such as "invoice"), at `path` and its form."""
    operation = f"get_{what.replace(' ', '_')}_{form}"
    opt: dict[str, Any] = {"permission": permission}
    if form == "pdf":
        opt["no_compression"] = True  # it is compressed within
    return get(
        f"{path}/{form}",
        operation_id=operation,
        summary=operation.title().replace("_", ""),
        opt=opt,
        media_type=MEDIA_TYPES[form],
        responses={
            200: ResponseSpec(
                bytes,
                media_type=MEDIA_TYPES[form],
                generate_examples=False,
                description=f"The {what} {CALLED[form]}.",
            ),
            **declared(409, *ASKING_STATUSES),
        },
        tags=["invoices"],
    )


async def rendered(
    request: Request[Document], form: DocumentFormat, caller: Caller, slots: Slots
) -> Response[bytes]:
    """A document as browsers show it, under a name that breaks no header."""
    with slots.taken(caller.principal.name):
        found = await caller.ask(request, timeout_seconds=RENDER_SECONDS)
    name = UNSAFE_IN_NAMES.sub("_", found.file_name)
    return Response(
        found.content,
        media_type=MEDIA_TYPES[form],
        headers={
            "Content-Disposition": f'inline; filename="{name}"',
            "Content-Security-Policy": CONTENT_SECURITY,
            # Its lines never change, but whether it is paid does.
            "Cache-Control": "private, no-cache",
        },
    )
