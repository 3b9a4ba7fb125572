"""The services of this installation: every list of processes begins here."""

from importlib import import_module
from typing import cast

from shared.service import Service
from shared.topology import OWNERS

GATEWAY = "gateway"
# What the gateway hears to keep pages live, beside the answers to its own requests.
GATEWAY_HEARS = ("event.>",)
# What the auditor may ask the bus: how far others have worked.
AUDITOR = "auditor"
AUDITOR_ASKS = ("$JS.API.CONSUMER.INFO.EVENTS.*",)


def load_services() -> tuple[Service, ...]:
    """What each of them declares: tables, migrations, consumers."""
    return tuple(cast("Service", import_module(f"services.{name}.app").service) for name in OWNERS)
