"""Contracts become responses. Pure; the one place where pico-dollars turn into dollars."""

from collections.abc import Iterable

from services.gateway.dollars import dollars
from services.gateway.responses import (
    CostBreakdownItem,
    CostRecordResponse,
    CostSummaryResponse,
    DailyCostResponse,
    LiveCosts,
)
from shared.contracts.cost_metering import (
    CostByModel,
    CostRecord,
    CostScope,
    CostsRecorded,
    CostSummary,
    DailyCost,
)


def cost_summary(
    summary: CostSummary, scope_type: CostScope, scope_id: str | None
) -> CostSummaryResponse:
    """Sums of a scope."""
    return CostSummaryResponse(
        scope_type=scope_type,
        scope_id=scope_id,
        total_cost=dollars(summary.cost_picousd),
        total_tokens=summary.tokens,
        record_count=summary.records,
        breakdown=_by_model(summary.breakdown),
        unpriced_records=summary.unpriced_records,
        unpriced_tokens=summary.unpriced_tokens,
        suspect_records=summary.suspect_records,
    )


def _by_model(items: Iterable[CostByModel]) -> list[CostBreakdownItem]:
    return [
        CostBreakdownItem(
            provider=item.provider,
            model=item.model,
            cost=dollars(item.cost_picousd),
            tokens=item.tokens,
            records=item.records,
            unpriced_records=item.unpriced_records,
        )
        for item in items
    ]


def cost_record(record: CostRecord, billing_account_id: str | None) -> CostRecordResponse:
    """One call. The total is added up before it is divided, so that it is rounded once."""
    prompt = record.prompt_cost_picousd or 0
    completion = record.completion_cost_picousd or 0
    return CostRecordResponse(
        id=record.record_id,
        task_id=record.task_id,
        agent_id=record.agent_id,
        sandbox_id=record.sandbox_id,
        billing_account_id=billing_account_id,
        provider=record.provider,
        model=record.model,
        prompt_tokens=record.prompt_tokens,
        completion_tokens=record.completion_tokens,
        total_tokens=record.prompt_tokens + record.completion_tokens,
        prompt_cost=dollars(prompt),
        completion_cost=dollars(completion),
        total_cost=dollars(prompt + completion),
        recorded_at=record.recorded_at,
        occurred_at=record.occurred_at,
        cache_read_tokens=record.cache_read_tokens,
        cache_write_tokens=record.cache_write_tokens,
        reasoning_tokens=record.reasoning_tokens,
        pricing_status=record.pricing_status,
        suspect_reason=record.suspect_reason,
    )


def daily_cost(day: DailyCost) -> DailyCostResponse:
    """One day of one group."""
    return DailyCostResponse(
        date=day.day,
        provider=day.provider,
        model=day.model,
        cost=dollars(day.cost_picousd),
        tokens=day.tokens,
        records=day.records,
        unpriced_records=day.unpriced_records,
    )


def live_costs(event: CostsRecorded) -> LiveCosts:
    """What a browser is told when costs were merged."""
    return LiveCosts(
        organization_id=event.organization_id,
        sequence=event.sequence,
        cost=dollars(event.cost_picousd),
        tokens=event.tokens,
        records=event.records,
        total_cost=dollars(event.total_cost_picousd),
        total_tokens=event.total_tokens,
        total_records=event.total_records,
        unpriced_records=event.unpriced_records,
        changes=_by_model(event.changes),
        recorded_at=event.recorded_at,
    )
