"""Keys that an issuer publishes (JWKS), fetched rarely and kept through its outages."""

import asyncio
import logging
import urllib.request
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt

from services.gateway.verification import TOKEN_INVALID, KeysUnavailable, TokenRefused
from shared.clock import Clock

logger = logging.getLogger(__name__)

FRESH_FOR = timedelta(minutes=5)
# Keys outlive the issuer's outage this long; then nothing vouches for them any more.
STALE_FOR = timedelta(hours=24)
# A token with an unknown key id makes us look again, but not more often than this.
PAUSE = timedelta(seconds=30)
FETCH_TIMEOUT_SECONDS = 5
MAX_DOCUMENT_BYTES = 256 * 1024
NEVER = datetime.min.replace(tzinfo=UTC)


class PublishedKeys:
    """The issuer's public keys by key id; only asymmetric algorithms."""

    algorithms = ("RS256", "ES256", "EdDSA")

    def __init__(self, fetch: Callable[[], Awaitable[bytes]], clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at = NEVER
        self._tried_at = NEVER
        self._refreshing: asyncio.Task[None] | None = None

    async def key_for(self, header: dict[str, Any]) -> jwt.PyJWK:
        """The key with the header's id, if its own algorithm is the header's."""
        kid = header.get("kid")
        if not isinstance(kid, str):
            raise TokenRefused(TOKEN_INVALID)
        if kid not in self._keys or self._age() > STALE_FOR:
            await asyncio.shield(self._refresh())
        elif self._age() > FRESH_FOR:
            self._refresh()  # the known key serves meanwhile, so a slow issuer delays nobody
        if self._age() > STALE_FOR:
            raise KeysUnavailable
        key = self._keys.get(kid)
        if key is None or key.algorithm_name != header.get("alg"):
            raise TokenRefused(TOKEN_INVALID)
        return key

    def _age(self) -> timedelta:
        return self._clock.now() - self._fetched_at

    def _refresh(self) -> asyncio.Task[None]:
        """The one fetch under way, or the last one while it is too early for another."""
        now = self._clock.now()
        if self._refreshing is None or (self._refreshing.done() and now - self._tried_at >= PAUSE):
            self._tried_at = now
            self._refreshing = asyncio.create_task(self._read())
        return self._refreshing

    async def _read(self) -> None:
        try:
            self._keys = read_keys(await self._fetch(), self.algorithms)
            self._fetched_at = self._clock.now()
        except (OSError, ValueError, jwt.PyJWTError, RecursionError) as error:
            logger.warning("key set not read", extra={"fields": {"error": repr(error)}})


def read_keys(document: bytes, algorithms: tuple[str, ...]) -> dict[str, jwt.PyJWK]:
    """The signing keys of a key set by id; keys of another use or kind are left out.

    Raises PyJWTError or ValueError when it is no key set or has no usable key.
    """
    key_set = jwt.PyJWKSet.from_json(document.decode())
    return {
        key.key_id: key
        for key in key_set.keys
        if key.key_id and key.algorithm_name in algorithms and key.public_key_use in {None, "sig"}
    }


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Keys come from the address that was configured, or not at all."""


def fetch_from(url: str) -> Callable[[], Awaitable[bytes]]:
    """Fetches the key set; `url` has been checked to be https (or loopback)."""
    opener = urllib.request.build_opener(_NoRedirect)

    def read() -> bytes:
        with opener.open(url, timeout=FETCH_TIMEOUT_SECONDS) as answer:
            return bytes(answer.read(MAX_DOCUMENT_BYTES))

    async def fetch() -> bytes:
        return await asyncio.to_thread(read)

    return fetch
