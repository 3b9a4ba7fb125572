"""Token buckets: so many requests of a principal or organization, in memory that stays small."""

import math
import time
from collections import OrderedDict

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from services.gateway.errors import ApiError

# One entry is about 200 bytes; who is forgotten starts with a full bucket again.
MAX_BUCKETS = 10_000


class TokenBuckets:
    """One bucket per key; the least recently used are forgotten beyond `capacity`."""

    def __init__(self, *, rate_per_second: float, burst: int, capacity: int = MAX_BUCKETS) -> None:
        self._rate = rate_per_second
        self._burst = float(burst)
        self._capacity = capacity
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: str, now: float) -> float:
        """Take one token at `now` (seconds, monotonic); answers how long to wait, 0 if taken."""
        tokens, at = self._buckets.pop(key, (self._burst, now))
        tokens = min(self._burst, tokens + (now - at) * self._rate)
        wait = 0.0 if tokens >= 1.0 else (1.0 - tokens) / self._rate
        self._buckets[key] = (tokens if wait else tokens - 1.0, now)
        if len(self._buckets) > self._capacity:
            self._buckets.popitem(last=False)
        return wait


class HourlyLimit:
    """So many of what costs money to abuse, for one organization in an hour."""

    def __init__(self, what: str, per_hour: int) -> None:
        self._what = what
        self._buckets = TokenBuckets(rate_per_second=per_hour / 3600, burst=per_hour)

    def take(self, organization_id: str) -> None:
        """Count one; raises a 429 that says when the next is possible."""
        wait = self._buckets.take(organization_id, time.monotonic())
        if wait:
            raise ApiError(
                429,
                f"too_many_{self._what}",
                f"That was tried too often; try again in {math.ceil(wait / 60)} minutes.",
                headers={"Retry-After": str(math.ceil(wait))},
            )


class RateLimitMiddleware:
    """Stands behind authentication: principals have their own buckets, strangers their address's.

    The two are kept apart, so that a flood of strange addresses forgets no principal.
    """

    def __init__(self, app: ASGIApp, *, principals: TokenBuckets, addresses: TokenBuckets) -> None:
        self._app = app
        self._principals = principals
        self._addresses = addresses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or refuse with 429 and the whole seconds to wait."""
        if scope["type"] == ScopeType.HTTP and not scope["route_handler"].opt.get("unlimited"):
            wait = self._take(scope, time.monotonic())
            if wait:
                raise ApiError(
                    429,
                    "rate_limited",
                    "Too many requests; slow down.",
                    headers={"Retry-After": str(math.ceil(wait))},
                )
        await self._app(scope, receive, send)

    def _take(self, scope: Scope, now: float) -> float:
        principal = scope["user"]
        if principal is not None:
            return self._principals.take(principal.name, now)
        client = scope.get("client")
        return self._addresses.take(client[0] if client else "unknown", now)
