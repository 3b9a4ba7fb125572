"""What customers are told, live and in lists, and what operators see of its mails."""

from datetime import datetime
from typing import Annotated

from litestar import Response, get
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import PathParameter, QueryParameter

from services.gateway.asks import Caller
from services.gateway.document_routes import CONTENT_SECURITY, HTML
from services.gateway.errors import ASKING_STATUSES, declared
from services.gateway.paging import PageRequest, page
from services.gateway.parameters import (
    ID_PATTERN,
    TEXT_PATTERN,
    Cursor,
    Given,
    Limit,
    OrganizationId,
)
from services.gateway.responses import ApiResponse
from shared.contracts.notices import (
    GetNoticePreview,
    ListNotices,
    Notice,
    NoticeKind,
    NoticeRaised,
    Severity,
)


class NoticeResponse(ApiResponse, frozen=True, kw_only=True):
    """Something a customer should know; `reference` names the occasion, an invoice for example."""

    id: str
    kind: NoticeKind
    severity: Severity
    title: str
    text: str
    reference: str
    raised_at: datetime


class LiveNotice(NoticeResponse, frozen=True, kw_only=True):
    """Data of `notice_raised`, once an occasion."""

    organization_id: str


def live_notice(fact: NoticeRaised) -> LiveNotice:
    """As it is told to open pages."""
    return LiveNotice(
        organization_id=fact.organization_id,
        id=fact.notice_id,
        kind=fact.kind,
        severity=fact.severity,
        title=fact.title,
        text=fact.text,
        reference=fact.reference,
        raised_at=fact.raised_at,
    )


def _notice(found: Notice) -> NoticeResponse:
    return NoticeResponse(
        id=found.notice_id,
        kind=found.kind,
        severity=found.severity,
        title=found.title,
        text=found.text,
        reference=found.reference,
        raised_at=found.raised_at,
    )


@get(
    "/account/{organization_id:str}/notices",
    operation_id="list_notices",
    opt={"permission": "read"},
    responses=declared(*ASKING_STATUSES),
    tags=["account"],
)
async def list_notices(
    request: PageRequest,
    organization_id: OrganizationId,
    caller: Given[Caller],
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response[list[NoticeResponse]]:
    """List what the organization was told, newest first."""
    found = await caller.ask(
        ListNotices(organization_id=organization_id, limit=limit, cursor=cursor)
    )
    return page(request, [_notice(each) for each in found.notices], found.next_cursor)


@get(
    "/notices",
    operation_id="list_all_notices",
    opt={"permission": "operate"},
    responses=declared(*ASKING_STATUSES),
    tags=["admin"],
)
async def list_all_notices(
    request: PageRequest,
    caller: Given[Caller],
    organization_id: Annotated[
        str | None, QueryParameter(description="Only this one's.", pattern=ID_PATTERN)
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response[list[Notice]]:
    """List what customers were told, newest first, and what became of each mail."""
    found = await caller.ask(
        ListNotices(organization_id=organization_id, limit=limit, cursor=cursor)
    )
    return page(request, found.notices, found.next_cursor)


@get(
    "/notices/{notice_id:str}/preview",
    operation_id="preview_notice",
    opt={"permission": "operate"},
    media_type=HTML,
    responses={
        200: ResponseSpec(
            str, media_type=HTML, generate_examples=False, description="The mail as a page."
        ),
        **declared(*ASKING_STATUSES),
    },
    tags=["admin"],
)
async def preview_notice(
    notice_id: Annotated[str, PathParameter(pattern=TEXT_PATTERN, min_length=1, max_length=128)],
    caller: Given[Caller],
    organization_id: Annotated[str, QueryParameter(description="Whose it is.", pattern=ID_PATTERN)],
) -> Response[str]:
    """Show the mail of a notice as it looks, whether it was sent or not."""
    found = await caller.ask(GetNoticePreview(organization_id=organization_id, notice_id=notice_id))
    return Response(
        found.html, media_type=HTML, headers={"Content-Security-Policy": CONTENT_SECURITY}
    )
