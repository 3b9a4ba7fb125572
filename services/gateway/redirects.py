"""Which pages of ours Stripe's pages may lead back to. Pure."""

import re

from services.gateway.errors import invalid

MAX_URL_CHARACTERS = 1900
# Stripe puts the session's id in its place.
SESSION_PLACEHOLDER = "{CHECKOUT_SESSION_ID}"
# What stands behind the origin, in characters that every reader of addresses reads alike. There
# is no backslash (browsers take it for a slash), no fragment (pages hand tokens around in it) and
# no empty or dotted part (`//host` and `..` become other addresses where a page passes them on).
REST = re.compile(r"(/(?!/)[A-Za-z0-9._~%!$&'()*+,;=:@-]*)*(\?[A-Za-z0-9._~%!$&'()*+,;=:@/?-]*)?\Z")
DOTTED = re.compile(r"/(\.|%2e){1,2}(/|\Z)", re.IGNORECASE)
# Encoded: controls, slash and backslash, which some servers decode before they look.
ENCODED = re.compile(r"%([01][0-9a-f]|2f|5c|7f|(?![0-9a-f]{2}))", re.IGNORECASE)


def is_ours(url: str, origins: tuple[str, ...]) -> bool:
    """Whether an address begins with one of our origins as it is written there, and has nothing
    in it that could be read as another host.
    """
    if len(url) > MAX_URL_CHARACTERS:
        return False
    plain = url.replace(SESSION_PLACEHOLDER, "", 1)
    for origin in origins:
        rest = plain.removeprefix(origin)
        if plain.startswith(origin) and REST.match(rest):
            path = rest.partition("?")[0]
            return not DOTTED.search(path) and not ENCODED.search(path)
    return False


def page_of(url: str | None, default_path: str, origins: tuple[str, ...], key: str) -> str:
    """The page to lead back to; raises the 422 that names `key` when it is not one of ours."""
    if url is None:
        return f"{origins[0]}{default_path}"
    if not is_ours(url, origins):
        raise invalid(key, "must be a page of this site", "body")
    return url
