"""The only language that services share: one module per owner, frozen Structs."""

from shared.contracts.base import (
    Agent,
    Contract,
    Count,
    Done,
    Event,
    Organization,
    PageLimit,
    Refusal,
    Reply,
    Request,
    Text,
)

__all__ = [
    "Agent",
    "Contract",
    "Count",
    "Done",
    "Event",
    "Organization",
    "PageLimit",
    "Refusal",
    "Reply",
    "Request",
    "Text",
]
