"""Finds out who asks, on every route; a guard then decides, and refuses by default."""

from typing import Any

import msgspec
from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.exceptions import ImproperlyConfiguredException
from litestar.handlers import BaseRouteHandler
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult
from litestar.types import ASGIApp

from services.gateway.errors import ApiError, unavailable
from services.gateway.permissions import PERMISSIONS, Denial, Permission, Principal, denial
from services.gateway.service_keys import KEY_PREFIX, ServiceKeys
from services.gateway.verification import (
    TOKEN_INVALID,
    KeysUnavailable,
    TokenRefused,
    TokenVerifier,
)

SESSION_COOKIE = "billing_session"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

Connection = ASGIConnection[Any, Any, Any, Any]


class AuthenticationMiddleware(AbstractAuthenticationMiddleware):
    """Reads the bearer token, service key or session cookie of every request.

    `user` becomes the Principal or None, `auth` why there is none. Nothing is excluded, neither
    paths nor methods nor routes by an option.
    """

    def __init__(self, app: ASGIApp, *, tokens: TokenVerifier, service_keys: ServiceKeys) -> None:
        super().__init__(app, exclude=None, exclude_from_auth_key="", exclude_http_methods=())
        self._tokens = tokens
        self._service_keys = service_keys

    async def authenticate_request(self, connection: Connection) -> AuthenticationResult:
        """Who asks; never raises for a bad token, because a public route does not mind it."""
        try:
            return AuthenticationResult(user=await self._principal(connection), auth=None)
        except TokenRefused as refused:
            return AuthenticationResult(user=None, auth=refused.denial)
        except KeysUnavailable:
            return AuthenticationResult(user=None, auth=KEYS_AWAY)

    async def _principal(self, connection: Connection) -> Principal | None:
        header = connection.headers.get("authorization")
        if header is None:
            cookie = connection.cookies.get(SESSION_COOKIE)
            if not cookie:
                return None
            return msgspec.structs.replace(await self._tokens.verify(cookie), by_cookie=True)
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer":
            raise TokenRefused(TOKEN_INVALID)
        if not token.startswith(KEY_PREFIX):
            return await self._tokens.verify(token)
        service = self._service_keys.find(token)
        if service is None:
            raise TokenRefused(TOKEN_INVALID)
        return service


KEYS_AWAY = Denial(503, "keys_unavailable", "Tokens cannot be checked right now; try again.")


class Authorization:
    """The guard of every route: its permission against the principal, and the Origin of writes."""

    def __init__(self, origins: tuple[str, ...]) -> None:
        self._origins = frozenset(origins)

    async def __call__(self, connection: Connection, handler: BaseRouteHandler) -> None:
        """Raise 401, 403 or 404, or let pass."""
        self._require_own_origin(connection)
        principal: Principal | None = connection.user
        found = denial(
            permission_of(handler), principal, connection.path_params.get("organization_id")
        )
        if found is None:
            return
        if principal is None and connection.auth is not None:
            found = connection.auth
        raise error_of(found)

    def _require_own_origin(self, connection: Connection) -> None:
        """A cookie goes along with whatever page asks, so the page must be one of ours."""
        by_cookie = (
            "authorization" not in connection.headers and SESSION_COOKIE in connection.cookies
        )
        if not by_cookie or connection.scope["method"] in SAFE_METHODS:  # type: ignore[typeddict-item]
            return
        if connection.headers.get("origin") not in self._origins:
            raise ApiError(403, "origin_refused", "This page may not change anything here.")


def error_of(found: Denial) -> ApiError:
    """The HTTP error of a denial."""
    if found.status == 503:
        return unavailable(found.code, found.detail)
    headers = {"WWW-Authenticate": "Bearer"} if found.status == 401 else {}
    return ApiError(found.status, found.code, found.detail, headers=headers)


def permission_of(handler: BaseRouteHandler) -> Permission:
    """What a handler demands. Litestar's own OPTIONS handlers name nothing: signed in, then."""
    return PERMISSIONS[str(handler.opt.get("permission", "signed_in"))]


def require_permissions(app: Litestar) -> None:
    """Refuse to boot when a route does not say who may use it, or says it in a way that leaks.

    Raises ImproperlyConfiguredException naming the route.
    """
    for route in app.routes:
        for handler in getattr(route, "route_handlers", [getattr(route, "route_handler", None)]):
            if set(getattr(handler, "http_methods", ())) == {"OPTIONS"}:
                continue
            _require_permission(route.path, handler)


def _require_permission(path: str, handler: BaseRouteHandler) -> None:
    name = handler.opt.get("permission")
    if name not in PERMISSIONS:
        raise ImproperlyConfiguredException(f"{path} declares no known permission: {name!r}")
    permission = permission_of(handler)
    if ("{organization_id" in path) != bool(permission.roles):
        raise ImproperlyConfiguredException(
            f"{path}: {name!r} does not fit, roles are held in the organization of the path"
        )
