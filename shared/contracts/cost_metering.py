"""What cost_metering says and answers. Money is integer pico-dollars (1e-12 USD)."""

from datetime import date, datetime
from typing import Literal

from shared.contracts.base import (
    Agent,
    AwareTime,
    Contract,
    Count,
    Done,
    Event,
    Organization,
    PageLimit,
    Reply,
    Request,
    Text,
)

PricingStatus = Literal["priced", "free", "unpriced", "suspect"]
CostScope = Literal["billing_account", "task", "agent", "sandbox"]


class CostByModel(Contract, frozen=True, kw_only=True):
    """Sums over the records of one provider and model."""

    provider: str
    model: str
    cost_picousd: int
    tokens: int
    records: int
    unpriced_records: int = 0
    unpriced_tokens: int = 0
    suspect_records: int = 0


class CostsRecorded(Event, frozen=True, kw_only=True):
    """Costs of one organization were merged; `sequence` is gapless per organization.

    `cost_picousd` is the change, `total_*` the sums since the beginning. `billable` leaves out
    calls made with the customer's own provider key. `changes` holds the largest 50 by model.
    """

    sequence: int
    cost_picousd: int
    billable_cost_picousd: int
    tokens: int
    records: int
    total_cost_picousd: int
    total_billable_cost_picousd: int
    total_tokens: int
    total_records: int
    unpriced_records: int
    changes: tuple[CostByModel, ...] = ()
    recorded_at: datetime


class PriceBookChanged(Event, frozen=True, kw_only=True):
    """Prices changed for an organization, or for all (`organization_id` = `all`)."""

    override_id: str


class CostSummary(Reply, frozen=True, kw_only=True):
    """Sums over a scope and the time asked for, largest cost first."""

    cost_picousd: int
    tokens: int
    records: int
    unpriced_records: int
    unpriced_tokens: int
    suspect_records: int
    breakdown: tuple[CostByModel, ...] = ()


class GetCostSummary(Request[CostSummary], frozen=True, kw_only=True):
    """Sum an organization's costs; the time is half-open in event time: from ≤ occurred < to."""

    organization_id: Organization
    scope_type: CostScope = "billing_account"
    scope_id: Text | None = None
    occurred_from: AwareTime | None = None
    occurred_to: AwareTime | None = None


class CostRecord(Contract, frozen=True, kw_only=True):
    """One LLM call as it stands now, that is, after its latest revision."""

    record_id: str
    event_id: str
    task_id: str
    agent_id: str
    sandbox_id: str | None
    provider: str
    model: str
    matched_model: str | None
    prompt_tokens: int
    completion_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    prompt_cost_picousd: int | None
    completion_cost_picousd: int | None
    pricing_status: PricingStatus
    suspect_reason: str | None
    billable: bool
    occurred_at: datetime
    recorded_at: datetime
    revision: int = 0


class CostPage(Reply, frozen=True, kw_only=True):
    """Newest first; `next_cursor` asks for the page that follows, null on the last."""

    records: tuple[CostRecord, ...]
    next_cursor: str | None = None


class ListCosts(Request[CostPage], frozen=True, kw_only=True):
    """One page of an organization's cost records, newest first by event time."""

    organization_id: Organization
    occurred_from: AwareTime | None = None
    occurred_to: AwareTime | None = None
    provider: Text | None = None
    model: Text | None = None
    task_id: Text | None = None
    agent_id: Agent | None = None
    limit: PageLimit = 50
    cursor: Text | None = None


class DailyCost(Contract, frozen=True, kw_only=True):
    """One UTC day and one group; `model` is null when grouped by provider."""

    day: date
    provider: str
    model: str | None
    cost_picousd: int
    tokens: int
    records: int
    unpriced_records: int


class DailyCosts(Reply, frozen=True, kw_only=True):
    """Days that have costs, oldest first."""

    days: tuple[DailyCost, ...]


class GetDailyCosts(Request[DailyCosts], frozen=True, kw_only=True):
    """Costs by UTC day of the event, `first_day` ≤ day < `end_day`, at most 366 days."""

    organization_id: Organization
    first_day: date
    end_day: date
    group_by: Literal["provider", "model"] = "provider"


class TokenRates(Contract, frozen=True, kw_only=True):
    """US dollars per million tokens, as decimal strings; a missing rate is the input's or 0."""

    input: str
    output: str
    cache_read: str | None = None
    cache_write_5m: str | None = None
    cache_write_1h: str | None = None
    reasoning: str | None = None


class PriceOverride(Contract, frozen=True, kw_only=True):
    """An operator's price, asked before the book; the most specific wins, then the latest."""

    override_id: str
    provider: str
    model: str
    match: Literal["exact", "prefix"]
    organization_id: str | None
    rates: TokenRates
    effective_from: datetime
    effective_to: datetime | None
    reason: str
    created_by: str
    created_at: datetime


class PriceOverrides(Reply, frozen=True, kw_only=True):
    """All overrides, newest first."""

    overrides: tuple[PriceOverride, ...]


class ListPriceOverrides(Request[PriceOverrides], frozen=True, kw_only=True):
    """The latest overrides."""

    limit: PageLimit = 50


class SetPriceOverride(Request[PriceOverrides], frozen=True, kw_only=True):
    """Add an override; a record that no price fitted is then priced within seconds."""

    provider: Text
    model: Text
    match: Literal["exact", "prefix"] = "exact"
    organization_id: Organization | None = None
    rates: TokenRates
    effective_from: datetime | None = None
    effective_to: datetime | None = None
    reason: Text
    requested_by: Text


class UnpricedModel(Contract, frozen=True, kw_only=True):
    """A model that no price fits, and what waits for one."""

    provider: str
    model: str
    records: int
    tokens: int
    organizations: int
    first_seen_at: datetime


class UnpricedModels(Reply, frozen=True, kw_only=True):
    """Models without a price, most records first."""

    models: tuple[UnpricedModel, ...]


class ListUnpricedModels(Request[UnpricedModels], frozen=True, kw_only=True):
    """What waits for a price, over all organizations."""

    limit: PageLimit = 50


class RepriceCosts(Request[Done], frozen=True, kw_only=True):
    """Price again what is already priced, as revisions; only an operator may ask."""

    organization_id: Organization
    provider: Text | None = None
    model: Text | None = None
    occurred_from: AwareTime
    occurred_to: AwareTime
    reason: Text
    requested_by: Text


class ProducerHole(Contract, frozen=True, kw_only=True):
    """Sequence numbers `first`..`last` of a producer that never came."""

    organization_id: str
    agent_id: str
    producer: str
    first: int
    last: int
    noticed_at: datetime


class ProducerHoles(Reply, frozen=True, kw_only=True):
    """Holes in producers' sequences, oldest first."""

    holes: tuple[ProducerHole, ...]


class ListProducerHoles(Request[ProducerHoles], frozen=True, kw_only=True):
    """What producers have sent and the meter has not seen."""

    organization_id: Organization | None = None
    limit: PageLimit = 50


class AgentRegistered(Reply, frozen=True, kw_only=True):
    """The agent may be given a credential; `agents` counts the organization's."""

    agents: int


class RegisterAgent(Request[AgentRegistered], frozen=True, kw_only=True):
    """Count an agent before it gets a credential; refused beyond the organization's cap."""

    organization_id: Organization
    agent_id: Agent


class ControlTotals(Reply, frozen=True, kw_only=True):
    """Sums of one organization by three roads; equal when invariant I3 holds.

    `records*` and `window_rollups*` are sums over the hours asked for, the others over all.
    `sequence` is that of the last announcement; what is merged but not announced is added to it.
    """

    records: Count
    records_cost_picousd: int
    rollups_cost_picousd: int
    rollups_records: int
    announced_cost_picousd: int
    announced_records: int
    dead_letters: int
    holes: int
    window_rollups_records: int = 0
    window_rollups_cost_picousd: int = 0
    sequence: int = 0
    untold: int = 0


class GetControlTotals(Request[ControlTotals], frozen=True, kw_only=True):
    """What the auditor compares, in one snapshot; of large ones only some hours at a time
    (`first_hour` ≤ hour < `end_hour`, whole hours of events).
    """

    organization_id: Organization
    first_hour: AwareTime | None = None
    end_hour: AwareTime | None = None
