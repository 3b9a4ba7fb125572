"""Cost records as a CSV file, page by page, so that memory stays flat however many there are."""

from collections.abc import AsyncIterator

import msgspec
from litestar import get
from litestar.openapi.datastructures import ResponseSpec
from litestar.response import Stream

from services.gateway.asks import Caller
from services.gateway.csv_cells import BYTE_ORDER_MARK, csv_row
from services.gateway.dollars import exact_dollars
from services.gateway.errors import ASKING_STATUSES, ApiError, declared
from services.gateway.parameters import From, Given, OrganizationId, TimeRange, To, time_range
from services.gateway.slots import Slots
from shared.contracts.cost_metering import CostPage, CostRecord, GetCostSummary, ListCosts

MAX_RECORDS = 100_000
PAGE_RECORDS = 200

COLUMNS = (
    "record_id",
    "occurred_at",
    "recorded_at",
    "task_id",
    "agent_id",
    "sandbox_id",
    "provider",
    "model",
    "prompt_tokens",
    "completion_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "prompt_cost_usd",
    "completion_cost_usd",
    "total_cost_usd",
    "pricing_status",
    "suspect_reason",
)


def record_row(record: CostRecord) -> str:
    """One record; costs are exact, and empty while they are not known."""
    prompt, completion = record.prompt_cost_picousd, record.completion_cost_picousd
    known = prompt is not None and completion is not None
    return csv_row(
        [
            record.record_id,
            record.occurred_at.isoformat(),
            record.recorded_at.isoformat(),
            record.task_id,
            record.agent_id,
            record.sandbox_id,
            record.provider,
            record.model,
            record.prompt_tokens,
            record.completion_tokens,
            record.cache_read_tokens,
            record.cache_write_tokens,
            record.reasoning_tokens,
            None if prompt is None else exact_dollars(prompt),
            None if completion is None else exact_dollars(completion),
            exact_dollars((prompt or 0) + (completion or 0)) if known else None,
            record.pricing_status,
            record.suspect_reason,
        ]
    )


@get(
    "/account/{organization_id:str}/costs/export.csv",
    operation_id="export_costs",
    opt={"permission": "read"},
    media_type="text/csv",
    responses={
        200: ResponseSpec(
            str,
            media_type="text/csv",
            generate_examples=False,
            description="One line per call, newest first.",
        ),
        **declared(*ASKING_STATUSES),
    },
    tags=["costs"],
)
async def export_costs(
    organization_id: OrganizationId,
    caller: Given[Caller],
    export_slots: Given[Slots],
    from_: From = None,
    to: To = None,
) -> Stream:
    """Download cost records as CSV, at most 100,000; text that a spreadsheet would run is guarded.

    A file that could not be finished ends in an aborted transfer, never in a short file.
    """
    times = time_range(from_, to)
    await _require_bounded(caller, organization_id, times)
    lines = _lines(caller, organization_id, times, export_slots)
    # The first page is fetched now, so that its failure still has a status of its own.
    first = await anext(lines)

    async def whole() -> AsyncIterator[str]:
        yield first
        async for text in lines:
            yield text

    return Stream(
        whole(), headers={"Content-Disposition": f'attachment; filename="{_name(times)}"'}
    )


def _name(times: TimeRange) -> str:
    days = [f"-{at:%Y-%m-%d}" for at in (times.start, times.end) if at is not None]
    return f"costs{''.join(days)}.csv"


async def _require_bounded(caller: Caller, organization_id: str, times: TimeRange) -> None:
    summary = await caller.ask(
        GetCostSummary(
            organization_id=organization_id, occurred_from=times.start, occurred_to=times.end
        )
    )
    if summary.records > MAX_RECORDS:
        detail = (
            f"This export has {summary.records:,} records and at most {MAX_RECORDS:,} fit; "
            "choose a shorter time with `from` and `to`."
        )
        raise ApiError(422, "export_too_large", detail)


async def _lines(
    caller: Caller, organization_id: str, times: TimeRange, slots: Slots
) -> AsyncIterator[str]:
    """The file, a page at a time."""
    with slots.taken(caller.principal.name):
        request = ListCosts(
            organization_id=organization_id,
            occurred_from=times.start,
            occurred_to=times.end,
            limit=PAGE_RECORDS,
        )
        page = await caller.ask(request)
        yield BYTE_ORDER_MARK + csv_row(COLUMNS) + _rows(page)
        pages = 1
        while page.next_cursor is not None:
            # Late records may push it past the limit a little; without an end it may not go on.
            if pages > 2 * MAX_RECORDS // PAGE_RECORDS:
                raise ApiError(422, "export_too_large", "The export grew while it was made.")
            page = await caller.ask(msgspec.structs.replace(request, cursor=page.next_cursor))
            yield _rows(page)
            pages += 1


def _rows(page: CostPage) -> str:
    return "".join(record_row(record) for record in page.records)
