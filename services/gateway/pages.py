"""The web page's addresses, beside the API and on the same origin."""

from typing import Annotated

from litestar import MediaType, Request, Response, get
from litestar.datastructures import State
from litestar.params import HeaderParameter
from litestar.response import Redirect

from services.gateway.errors import NOT_FOUND
from services.gateway.parameters import Given
from services.gateway.permissions import Principal
from services.gateway.site import Site, SiteFile

BILLING_PAGE = "/settings/billing/"
NOT_FOUND_PAGE = "/404.html"
# Behind these are pages, which a person may have mistyped.
PAGE_FOLDERS = ("/settings/", "/billing/")

NOT_BUILT = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>OmoiOS Billing</title>
<h1>OmoiOS Billing</h1>
<p>This is the billing API for platforms that run AI coding agents; it works.</p>
<p>Its web page is not built yet. <code>make run</code> builds it by itself, which takes a minute
or two the first time, and <code>make ui</code> builds it alone. Then load this page again.</p>
<ul>
<li><a href="/schema">OpenAPI document</a></li>
<li><a href="/api/billing/config">/api/billing/config</a></li>
<li><a href="/readyz">/readyz</a></li>
</ul>
</html>
"""

PUBLIC = {"permission": "public", "quiet": True, "no_compression": True}

# What only pages carry; everything else is the same as with the API's answers.
PAGE_HEADERS = {"Referrer-Policy": "strict-origin-when-cross-origin"}

AcceptEncoding = Annotated[str, HeaderParameter(name="Accept-Encoding")]
IfNoneMatch = Annotated[str, HeaderParameter(name="If-None-Match")]
PageRequest = Request[Principal | None, None, State]


@get("/", opt=PUBLIC, include_in_schema=False)
async def get_front_page(site: Given[Site]) -> Response[str]:
    """Lead on to the page there is, or say how to get it."""
    if await site.is_built():
        return Redirect(BILLING_PAGE, status_code=307)
    return Response(NOT_BUILT, media_type=MediaType.HTML)


@get(
    ["/settings/{rest:path}", "/billing/{rest:path}", "/_next/{rest:path}", "/icon.svg"],
    opt=PUBLIC,
    include_in_schema=False,
)
async def get_page(
    request: PageRequest,
    site: Given[Site],
    accept_encoding: AcceptEncoding = "",
    if_none_match: IfNoneMatch = "",
) -> Response[bytes]:
    """A page, or a part of one."""
    path = request.scope["path"]
    found = await site.find(path)
    if found is not None:
        return _response(found, accept_encoding, if_none_match)
    if not path.startswith(PAGE_FOLDERS):
        raise NOT_FOUND
    missing = await site.find(NOT_FOUND_PAGE)
    if missing is None:
        return Response(NOT_BUILT.encode(), media_type=MediaType.HTML)
    return _response(missing, accept_encoding, "", status=404)


def _response(
    file: SiteFile, accept_encoding: str, if_none_match: str, status: int = 200
) -> Response[bytes]:
    headers = {"ETag": file.etag, "Cache-Control": file.cache_control, "Vary": "Accept-Encoding"}
    if file.policy is not None:
        headers |= {"Content-Security-Policy": file.policy, **PAGE_HEADERS}
    if file.etag in if_none_match:
        return Response(b"", status_code=304, headers=headers)
    content, encoding = file.encoded(accept_encoding)
    if encoding is not None:
        headers["Content-Encoding"] = encoding
    return Response(content, status_code=status, headers=headers, media_type=file.media_type)
