"""What the meter decides about a message, purely: read it, or park it with a reason."""

from services.cost_metering.rules.counting import Tokens, Usage
from services.cost_metering.rules.decoding import Call, decode_call, decode_envelope
from services.cost_metering.rules.parking import Parked
from services.cost_metering.rules.price_context import PriceContext
from services.cost_metering.rules.usage_formats import MAX_CALL_TOKENS, read_usage

__all__ = [
    "MAX_CALL_TOKENS",
    "Call",
    "Parked",
    "PriceContext",
    "Tokens",
    "Usage",
    "decode_call",
    "decode_envelope",
    "read_usage",
]
