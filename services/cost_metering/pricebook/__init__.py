"""What a call costs: immutable integer rate cards, from operators' overrides and list prices."""

from services.cost_metering.pricebook.book import PriceBook, Priced, price_call
from services.cost_metering.pricebook.cards import MAX_RATE_PICOUSD, RateCard, Tier, cost
from services.cost_metering.pricebook.list_prices import SOURCE as LIST_PRICES
from services.cost_metering.pricebook.overrides import refuse_override

__all__ = [
    "LIST_PRICES",
    "MAX_RATE_PICOUSD",
    "PriceBook",
    "Priced",
    "RateCard",
    "Tier",
    "cost",
    "price_call",
    "refuse_override",
]
