"""What every answer carries, and what is noted of every request: trace, headers, metrics, log."""

import logging
import time
from typing import Any

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from prometheus_client import Counter, Gauge, Histogram

from shared.logs import begin_trace

logger = logging.getLogger(__name__)

requests_total = Counter(
    "billing_http_requests_total", "HTTP requests", ["method", "route", "status"]
)
request_seconds = Histogram(
    "billing_http_request_seconds", "Time until an answer begins", ["method", "route"]
)
live_streams = Gauge("billing_live_streams", "Open live streams")

SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'"),
    (b"cross-origin-resource-policy", b"same-site"),
    # Money is nobody's cache's business.
    (b"cache-control", b"no-store"),
)
STRICT_TRANSPORT = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class TraceMiddleware:
    """Joins the caller's trace, or begins one, and remembers when the request came."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on."""
        if scope["type"] == ScopeType.HTTP:
            _note(scope)
        await self._app(scope, receive, send)


def _note(scope: Scope) -> dict[str, Any]:
    """The trace id and the time of a request; a route that was not found passes no middleware."""
    noted: dict[str, Any] | None = scope["state"].get("noted")
    if noted is None:
        header = dict(scope["headers"]).get(b"traceparent", b"").decode("latin-1")
        noted = {"trace_id": begin_trace(header), "began": time.monotonic()}
        scope["state"]["noted"] = noted
    return noted


class OutgoingHeaders:
    """A hook before each answer: security headers, the trace id, and the request's numbers."""

    def __init__(self, *, strict_transport: bool) -> None:
        self._headers = (*SECURITY_HEADERS, *((STRICT_TRANSPORT,) if strict_transport else ()))

    async def __call__(self, message: Message, scope: Scope) -> None:
        """Complete the beginning of an answer."""
        if message["type"] != "http.response.start" or scope["type"] != ScopeType.HTTP:
            return
        noted = _note(scope)
        headers = list(message["headers"])
        present = {name for name, _ in headers}
        headers += [pair for pair in self._headers if pair[0] not in present]
        headers.append((b"x-trace-id", noted["trace_id"].encode()))
        message["headers"] = headers
        _count(scope, message["status"], time.monotonic() - noted["began"])


def _count(scope: Scope, status: int, seconds: float) -> None:
    # Only declared routes and real methods become labels: a stranger may not fill our memory.
    route = scope.get("path_template") or "unknown"
    method = scope["method"] if scope["method"] in METHODS else "other"  # type: ignore[typeddict-item]
    requests_total.labels(method, route, str(status)).inc()
    request_seconds.labels(method, route).observe(seconds)
    handler = scope.get("route_handler")
    if handler is None or not handler.opt.get("quiet"):
        level = logging.INFO if method != "GET" or status >= 500 else logging.DEBUG
        who = scope.get("user")
        fields = {
            "method": method,
            "route": route,
            "status": status,
            "seconds": seconds,
            "principal": who.name if who is not None else None,
        }
        logger.log(level, "request", extra={"fields": fields})
