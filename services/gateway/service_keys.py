"""Service keys: long random words that programs of the platform carry; only hashes are kept."""

import hashlib
import hmac
import re
import secrets

from services.gateway.permissions import Principal
from shared.settings import SettingsError

KEY_PREFIX = "bk_"
ENTRY = re.compile(r"([a-z][a-z0-9_-]{0,31})=([0-9a-f]{64})\Z")


def new_service_key(name: str) -> tuple[str, str]:
    """A key to hand out and the entry of SERVICE_KEYS that lets it in."""
    key = f"{KEY_PREFIX}{secrets.token_urlsafe(32)}"
    return key, f"{name}={_digest(key)}"


class ServiceKeys:
    """The keys that are let in."""

    def __init__(self, text: str) -> None:
        """Read `name=hash,name=hash`; raises SettingsError."""
        self._names: list[tuple[str, str]] = []
        for entry in filter(None, (each.strip() for each in text.split(","))):
            match = ENTRY.match(entry)
            if match is None:
                raise SettingsError("Setting SERVICE_KEYS: needs name=<SHA-256 of the key, hex>.")
            self._names.append((match[2], match[1]))

    def find(self, key: str) -> Principal | None:
        """Whose key this is. Every entry is compared, in constant time each."""
        digest = _digest(key)
        found = None
        for known, name in self._names:
            if hmac.compare_digest(known, digest):
                found = Principal(kind="service", name=f"service:{name}")
        return found


def _digest(key: str) -> str:
    # 256 random bits need no slow hash.
    return hashlib.sha256(key.encode()).hexdigest()
