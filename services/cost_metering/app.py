"""Wires cost_metering: what it takes, answers and does again and again."""

from pathlib import Path

from services.cost_metering.handlers import costs, prices
from services.cost_metering.handlers.envelopes import split_envelope
from services.cost_metering.handlers.repricing import Repricing
from services.cost_metering.handlers.usage import Meter
from services.cost_metering.tables import metadata
from shared.contracts import cost_metering as contracts
from shared.contracts.operations import ListControlRows, ListOrganizations
from shared.service import Service

MERGE_SECONDS = 0.5
REVISE_SECONDS = 0.5

service = Service("cost_metering", metadata, Path(__file__).parent / "migrations" / "versions")
meter = Meter()
repricing = Repricing(meter)

service.takes("usage.llm.*.*", "USAGE", split=split_envelope)(meter.record_usage)

service.answers(contracts.GetCostSummary)(costs.get_cost_summary)
service.answers(contracts.ListCosts)(costs.list_costs)
service.answers(contracts.GetDailyCosts)(costs.get_daily_costs)
service.answers(contracts.GetControlTotals)(costs.get_control_totals)
service.answers(ListControlRows)(costs.list_control_rows)
service.answers(ListOrganizations)(costs.list_organizations)
service.answers(contracts.ListProducerHoles)(costs.list_producer_holes)
service.answers(contracts.RegisterAgent, writes=True)(costs.register_agent)
service.answers(contracts.SetPriceOverride, writes=True)(prices.set_price_override)
service.answers(contracts.ListPriceOverrides)(prices.list_price_overrides)
service.answers(contracts.ListUnpricedModels)(prices.list_unpriced_models)
service.answers(contracts.RepriceCosts, writes=True)(prices.order_repricing)

service.every(MERGE_SECONDS, "announce_costs")(costs.announce_costs)
service.every(REVISE_SECONDS, "apply_corrections")(repricing.apply_corrections)
service.every(REVISE_SECONDS, "price_the_unpriced")(repricing.price_the_unpriced)
service.every(REVISE_SECONDS, "work_off_orders")(repricing.work_off_orders)
