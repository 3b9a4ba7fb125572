"""Lists in pages: the next one is linked, with the same filters."""

from collections.abc import Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

from litestar import Request, Response
from litestar.datastructures import State

from services.gateway.permissions import Principal

T = TypeVar("T")
PageRequest = Request[Principal, None, State]


def page(request: PageRequest, items: Sequence[T], next_cursor: str | None) -> Response[list[T]]:
    """One page, with a `Link` to the page that follows."""
    headers = {"Link": next_link(request, next_cursor)} if next_cursor else {}
    return Response(list(items), headers=headers)


def next_link(request: Request[Any, Any, Any], cursor: str) -> str:
    """The same request with another cursor, relative to this host (RFC 8288)."""
    query = [(key, value) for key, value in request.query_params.multi_items() if key != "cursor"]
    return f'<{request.url.path}?{urlencode([*query, ("cursor", cursor)])}>; rel="next"'
