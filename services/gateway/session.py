"""Who is signed in, and the cookie that a browser signs in with."""

from datetime import datetime

from litestar import Request, Response, delete, get, post
from litestar.datastructures import Cookie, State
from litestar.openapi.datastructures import ResponseSpec

from services.gateway.authentication import SESSION_COOKIE
from services.gateway.errors import ApiError, declared
from services.gateway.parameters import Given
from services.gateway.permissions import Principal
from services.gateway.responses import Membership, SessionResponse
from services.gateway.settings import GatewaySettings
from shared.clock import Clock

# Browsers drop a cookie beyond 4096 bytes, name and attributes included.
MAX_COOKIE_BYTES = 3800
COOKIE_PATH = "/api/billing"

SessionRequest = Request[Principal, None, State]


def session_of(principal: Principal, now: datetime) -> SessionResponse:
    """What a client may know about its own token, and the time that bills are written by."""
    return SessionResponse(
        subject=principal.name.removeprefix("user:"),
        is_operator=principal.is_operator,
        organizations=[
            Membership(organization_id=organization_id, role=role)
            for organization_id, role in sorted(principal.roles.items())
        ],
        expires_at=principal.expires_at,
        now=now,
    )


@get(
    "/session",
    operation_id="get_session",
    opt={"permission": "signed_in"},
    responses=declared(400, 401, 403, 429, 503),
    tags=["session"],
)
async def get_session(request: SessionRequest, clock: Given[Clock]) -> SessionResponse:
    """Tell who is signed in, with which role in which organization."""
    return session_of(request.user, clock.now())


@post(
    "/session",
    operation_id="create_session",
    opt={"permission": "signed_in"},
    status_code=200,
    responses=declared(400, 401, 403, 422, 429, 503),
    tags=["session"],
)
async def create_session(
    request: SessionRequest,
    settings: Given[GatewaySettings],
    clock: Given[Clock],
    wall_clock: Given[Clock],
) -> Response[SessionResponse]:
    """Exchange the token of the `Authorization` header for a cookie that scripts cannot read.

    Only a page of ours can send that header, so no other page can sign somebody in. Links, files
    and EventSource then work without a header, until the token ends.
    """
    principal = request.user
    if principal.by_cookie or principal.expires_at is None:
        raise ApiError(401, "token_missing", "Send the token in the Authorization header.")
    origin = request.headers.get("origin")
    if origin is not None and origin not in settings.frontend_origins:
        raise ApiError(403, "origin_refused", "This page may not sign anybody in here.")
    token = request.headers["authorization"].partition(" ")[2]
    if len(token) > MAX_COOKIE_BYTES:
        raise ApiError(422, "token_too_large", "This token is too large for a cookie.")
    lasts = int((principal.expires_at - wall_clock.now()).total_seconds())
    return Response(
        session_of(principal, clock.now()), cookies=[_cookie(settings, token, max(0, lasts))]
    )


@delete(
    "/session",
    operation_id="delete_session",
    opt={"permission": "public"},
    security=[{}],
    status_code=204,
    responses={
        204: ResponseSpec(None, description="Signed out."),
        **declared(400, 403, 429),
    },
    tags=["session"],
)
async def delete_session(settings: Given[GatewaySettings]) -> Response[None]:
    """Take the cookie back; works with one that has ended, too."""
    return Response(None, status_code=204, cookies=[_cookie(settings, "", 0)])


def _cookie(settings: GatewaySettings, value: str, max_age: int) -> Cookie:
    # Lax: a link in a mail opens a file, and another site's form still changes nothing.
    return Cookie(
        key=SESSION_COOKIE,
        value=value,
        max_age=max_age,
        path=COOKIE_PATH,
        httponly=True,
        samesite="lax",
        secure=settings.environment == "production",
    )
