"""Wires the auditor: what it hears, looks at again and again, and answers."""

from pathlib import Path

from services.auditor.handlers import operators
from services.auditor.handlers.hearing import note_change
from services.auditor.handlers.looking import Look
from services.auditor.handlers.means import Means
from services.auditor.handlers.rounds import Discover, Rounds
from services.auditor.settings import AuditorSettings
from services.auditor.tables import metadata
from shared.contracts import account, cost_metering, invoicing, stripe_gateway, subscription
from shared.contracts import auditor as contracts
from shared.contracts.base import Event
from shared.service import Service

# How often it is asked whether a round or a second look is due.
TICK_SECONDS = 0.5
# Facts after which an organization's numbers have moved.
HINTS: tuple[type[Event], ...] = (
    account.AccountOpened,
    account.CreditsChanged,
    cost_metering.CostsRecorded,
    invoicing.InvoiceChanged,
    invoicing.PaymentChanged,
    stripe_gateway.ChargeChanged,
    stripe_gateway.MoneyMoved,
    stripe_gateway.PurchaseReversed,
    subscription.WorkflowCharged,
    subscription.WorkflowReleased,
)

service = Service(
    "auditor",
    metadata,
    Path(__file__).parent / "migrations" / "versions",
    settings=AuditorSettings,
)
means = Means(service.asks)

service.opens(means.open)

for hint in HINTS:
    service.hears(hint)(note_change)

service.answers(contracts.ListFindings)(operators.list_findings)
service.answers(contracts.ExplainFinding)(operators.explain_finding)
service.answers(contracts.GetParked)(operators.get_parked)
service.answers(contracts.ReleaseAccount, writes=True)(operators.release_account)

service.step(Look(means))
service.step(Discover(means))

service.every(TICK_SECONDS, "begin_looks")(Rounds(means).begin)
