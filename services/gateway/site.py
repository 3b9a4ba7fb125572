"""The web page: the export of services/frontend, held in memory and answered from there.

It may appear, or be replaced, while the gateway runs: `site.json` is written last, so it says that
the export is whole, and when it changes everything is read anew.
"""

import asyncio
import base64
import hashlib
import mimetypes
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

FRONTEND = Path(__file__).resolve().parents[1] / "frontend" / "out"
COMPLETE = "site.json"
LOOK_AGAIN_SECONDS = 1.0
MAX_FILES = 2000
MAX_BYTES = 64 * 1024 * 1024

IMMUTABLE = "public, max-age=31536000, immutable"
# Kept, but asked for each time whether it is still the newest.
REVALIDATED = "no-cache"
MEDIA_TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".txt": "text/x-component",  # what React asks for when it changes pages
    ".woff2": "font/woff2",
}
INLINE_SCRIPT = re.compile(rb"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL)
STRIPE_SCRIPTS = "https://js.stripe.com https://*.js.stripe.com"
STRIPE_FRAMES = f"{STRIPE_SCRIPTS} https://hooks.stripe.com"
STRIPE_API = "https://api.stripe.com"


class SiteFile(NamedTuple):
    """One file of the export, as it is sent."""

    content: bytes
    gzip: bytes | None
    brotli: bytes | None
    etag: str
    media_type: str
    cache_control: str
    policy: str | None

    def encoded(self, accepted: str) -> tuple[bytes, str | None]:
        """The smallest form that a client takes, and what it is called."""
        if self.brotli is not None and "br" in accepted:
            return self.brotli, "br"
        if self.gzip is not None and "gzip" in accepted:
            return self.gzip, "gzip"
        return self.content, None


class Site:
    """Files by the path they are asked for; empty while there is no export."""

    def __init__(self, folder: Path, stripe_js_url: str | None) -> None:
        self._folder = folder
        self._stripe_js_url = stripe_js_url
        self._files: Mapping[str, SiteFile] = {}
        self._version: int | None = None
        self._looked_at = float("-inf")
        self._lock = asyncio.Lock()

    async def find(self, path: str) -> SiteFile | None:
        """The file for a path such as `/settings/billing/`, with or without its last slash."""
        files = await self._current()
        return files.get(path) or files.get(f"{path.rstrip('/')}/index.html")

    async def is_built(self) -> bool:
        """Whether there is an export at all."""
        return bool(await self._current())

    async def _current(self) -> Mapping[str, SiteFile]:
        async with self._lock:
            if time.monotonic() - self._looked_at < LOOK_AGAIN_SECONDS:
                return self._files
            version = await asyncio.to_thread(_version_of, self._folder)
            # While a new export is being made, the one before goes on.
            if version is not None and version != self._version:
                self._files = await asyncio.to_thread(_read, self._folder, self._stripe_js_url)
                self._version = version
            self._looked_at = time.monotonic()
            return self._files


def _version_of(folder: Path) -> int | None:
    try:
        return (folder / COMPLETE).stat().st_mtime_ns
    except OSError:
        return None


def _read(folder: Path, stripe_js_url: str | None) -> Mapping[str, SiteFile]:
    contents = {
        f"/{path.relative_to(folder).as_posix()}": path.read_bytes()
        for path in sorted(folder.rglob("*"))[:MAX_FILES]
        if path.is_file()
    }
    if sum(map(len, contents.values())) > MAX_BYTES:
        raise OSError(f"{folder} is larger than a web page may be.")
    return {
        path: _file(path, contents, stripe_js_url)
        for path in contents
        if not path.endswith((".gz", ".br", COMPLETE))
    }


def _file(path: str, contents: Mapping[str, bytes], stripe_js_url: str | None) -> SiteFile:
    content = contents[path]
    suffix = Path(path).suffix
    media_type = MEDIA_TYPES.get(suffix) or mimetypes.guess_type(path)[0]
    return SiteFile(
        content=content,
        gzip=contents.get(f"{path}.gz"),
        brotli=contents.get(f"{path}.br"),
        etag=f'"{hashlib.sha256(content).hexdigest()[:32]}"',
        media_type=media_type or "application/octet-stream",
        cache_control=IMMUTABLE if path.startswith("/_next/static/") else REVALIDATED,
        policy=page_policy(content, stripe_js_url) if suffix == ".html" else None,
    )


def page_policy(html: bytes, stripe_js_url: str | None) -> str:
    """The Content-Security-Policy of one page: its own scripts by their hashes, and Stripe's.

    `stripe_js_url` is the sandbox's script; with it Stripe itself is not allowed.
    """
    hashes = {
        base64.b64encode(hashlib.sha256(script).digest()).decode()
        for script in INLINE_SCRIPT.findall(html)
    }
    scripts, frames, calls = STRIPE_SCRIPTS, STRIPE_FRAMES, STRIPE_API
    if stripe_js_url is not None:
        parts = urlsplit(stripe_js_url)
        scripts = frames = calls = f"{parts.scheme}://{parts.netloc}"
    inline = " ".join(f"'sha256-{each}'" for each in sorted(hashes))
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' {inline} {scripts}",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data:",
            "font-src 'self'",
            f"connect-src 'self' {calls}",
            f"frame-src {frames}",
            "manifest-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )
