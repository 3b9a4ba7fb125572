"""Which of a model's price lists a call is billed on: standard, batch, flex, priority or fast."""

from typing import Final, Literal

from services.cost_metering.rules.counting import Usage
from shared.contracts.usage import LlmCall

PriceContext = Literal["standard", "batch", "flex", "priority", "fast"]

# Lower case. The tier the response reports counts, not the one asked for; "auto" tells nothing.
# Google names its tiers as traffic types.
_TIERS: Final[dict[str | None, PriceContext]] = {
    None: "standard",
    "auto": "standard",
    "batch": "batch",
    "default": "standard",
    "fast": "fast",
    "flex": "flex",
    "on_demand": "standard",
    "on_demand_flex": "flex",
    "on_demand_priority": "priority",
    "priority": "priority",
    "standard": "standard",
    "standard_only": "standard",
    "traffic_type_unspecified": "standard",
    "unspecified": "standard",
}
_SPEEDS: Final[dict[str | None, PriceContext]] = {
    None: "standard",
    "fast": "fast",
    "standard": "standard",
}
# Anthropic reports an empty or a "not_available" geography for models that know none.
_PRICED_REGIONS: Final = frozenset({None, "", "default", "global", "not_available"})


def price_context(call: LlmCall, usage: Usage) -> tuple[PriceContext, str | None]:
    """The price list of a call, and why it is in doubt.

    What is not known is never taken for standard silently: the call is then priced on the
    standard list and marked `unknown_service_tier`, `unknown_speed` or
    `conflicting_price_context` (batch and priority at once). A region keeps its list, but no
    book holds regional surcharges: `region_not_priced`.
    """
    tier = _TIERS.get(_word(usage.service_tier or call.service_tier))
    speed = _SPEEDS.get(_word(usage.speed or call.speed))
    if tier is None or speed is None:
        return "standard", "unknown_speed" if tier else "unknown_service_tier"
    doubt = None
    if _word(usage.region or call.region) not in _PRICED_REGIONS:
        doubt = "region_not_priced"
    if tier == speed == "standard":
        return ("batch" if call.batch else "standard"), doubt
    special: set[PriceContext] = {tier, speed, "batch" if call.batch else "standard"}
    special.discard("standard")
    if len(special) > 1:
        return "standard", "conflicting_price_context"
    return special.pop(), doubt


def _word(reported: str | None) -> str | None:
    return reported.lower() if reported else None
