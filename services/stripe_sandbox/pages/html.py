"""Templates: plain HTML files with `$names`; whatever is put in is escaped, unless it is Html."""

import html
from functools import cache
from pathlib import Path
from string import Template
from typing import Any

from litestar import Response
from litestar.response import Redirect

TEMPLATES = Path(__file__).parent / "templates"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


@cache
def _template(name: str) -> Template:
    return Template((TEMPLATES / f"{name}.html").read_text(encoding="utf-8"))


def fill(name: str, /, **values: Any) -> Html:
    """A template with its names filled in."""
    safe = {
        key: value if isinstance(value, Html) else html.escape(str(value))
        for key, value in values.items()
    }
    return Html(_template(name).substitute(safe))


def joined(parts: list[Html]) -> Html:
    """Pieces of HTML, one after the other."""
    return Html("\n".join(parts))


def page(title: str, body: Html, *, status: int = 200, framed: bool = False) -> Response[bytes]:
    """A whole page; only `framed` ones may be shown inside of another site."""
    text = fill("layout", title=title, body=body)
    headers = dict(HEADERS)
    if not framed:
        headers["Content-Security-Policy"] += "; frame-ancestors 'none'"
    return Response(
        text.encode(), status_code=status, media_type="text/html; charset=utf-8", headers=headers
    )


def notice(title: str, text: str, *, status: int = 200, link: str | None = None) -> Response[bytes]:
    """A page that says one thing, with a way back if there is one."""
    return page(title, fill("notice", title=title, text=text, link=way_back(link)), status=status)


def way_back(url: str | None) -> Html:
    """A link back to where the customer came from."""
    return fill("back", url=url) if url else Html("")


def see_other(url: str) -> Redirect:
    """On to another page, after a form was sent."""
    return Redirect(url, status_code=303, headers={"Cache-Control": "no-store"})
