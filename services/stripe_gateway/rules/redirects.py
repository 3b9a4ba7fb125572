"""Which pages a hosted page may lead back to."""

from urllib.parse import urlsplit

Origin = tuple[str, str, int]
PORTS = {"http": 80, "https": 443}


def origin_of(url: str) -> Origin | None:
    """Scheme, host and port; None for what browsers might read differently than we do."""
    # Browsers take a backslash for a slash, so that `http://good\@bad` leads to `good` or `bad`.
    if "\\" in url or not url.isascii() or not url.isprintable() or " " in url:
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in PORTS or not parts.hostname or "@" in parts.netloc:
        return None
    return parts.scheme, parts.hostname, PORTS[parts.scheme] if port is None else port


def may_lead_to(url: str, origins: frozenset[Origin]) -> bool:
    """Whether a page of ours is there: exact scheme, host and port."""
    return origin_of(url) in origins
