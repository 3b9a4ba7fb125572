"""Wires subscription: what it hears, takes, answers and does again and again."""

from pathlib import Path

from services.subscription.handlers import account_facts
from services.subscription.handlers.at_stripe import EndAtStripe, RefundPurchase
from services.subscription.handlers.changes import Cancels, ChangesPlan, Reactivates
from services.subscription.handlers.crediting import CoverCompletions
from services.subscription.handlers.holds import SettleHolds
from services.subscription.handlers.means import Means
from services.subscription.handlers.operators import Operators
from services.subscription.handlers.plans import Plans
from services.subscription.handlers.previews import Previews
from services.subscription.handlers.reserving import ReserveMany, ReserveOne
from services.subscription.handlers.storage import StorageMonths
from services.subscription.handlers.usage import Usage, split
from services.subscription.handlers.views import Views
from services.subscription.handlers.workflows import Workflows, list_control_rows
from services.subscription.settings import SubscriptionSettings
from services.subscription.tables.schema import metadata
from shared.contracts import account, stripe_gateway
from shared.contracts import subscription as contracts
from shared.contracts.operations import ListControlRows
from shared.requests import ReadThen
from shared.service import Service

EXPIRE_SECONDS = 5.0
SUSPEND_SECONDS = 30.0
STORAGE_SECONDS = 5.0

service = Service(
    "subscription",
    metadata,
    Path(__file__).parent / "migrations" / "versions",
    SubscriptionSettings,
)
means = Means(service.asks)
plans, operators, views = Plans(means), Operators(means), Views(means)
workflows = Workflows(means)
usage = Usage(means, workflows)
storage_months = StorageMonths(means)

service.opens(means.open)

service.hears(account.AccountOpened)(account_facts.meet_organization)
service.hears(account.AccountChanged)(account_facts.follow_account)
service.hears(stripe_gateway.SubscriptionChanged)(plans.follow_stripe)
service.hears(stripe_gateway.PurchasePaid)(plans.begin_lifetime)
service.hears(stripe_gateway.PurchaseReversed)(plans.reverse_lifetime)

service.takes("usage.workflow.*.*", "USAGE", split=split)(usage.end_workflows)
service.takes("usage.gauge.*.*", "USAGE", split=split)(usage.read_gauges)

service.answers(contracts.GetPlans)(views.plans)
service.answers(contracts.OfferTier)(views.offer)
service.answers(contracts.GetSubscription)(views.subscription)
service.answers(contracts.GetUsageSummary)(views.usage_summary)
service.answers(contracts.CheckExecution)(ReadThen(views.look_ahead, views.check_execution))
service.answers(contracts.GetWorkflowTotals)(workflows.totals)
service.answers(ListControlRows)(list_control_rows)
service.answers(contracts.SetByoProviders, writes=True)(operators.set_byo_providers)
service.answers(contracts.SetTier, writes=True)(operators.set_tier)
service.answers(contracts.SetGauge, writes=True)(usage.set_gauge)
service.answers(contracts.RenewReservation, writes=True)(workflows.renew)
service.answers(contracts.CompleteWorkflow, writes=True)(workflows.complete)
service.answers(contracts.ReleaseWorkflow, writes=True)(workflows.release)

for step in (ReserveOne, ReserveMany, ChangesPlan, Cancels, Reactivates, Previews):
    service.step(step(means))
for background in (CoverCompletions, SettleHolds, EndAtStripe, RefundPurchase):
    service.step(background(means))

service.every(EXPIRE_SECONDS, "expire_reservations")(workflows.expire)
service.every(SUSPEND_SECONDS, "suspend_overdue")(plans.suspend_overdue)
service.every(STORAGE_SECONDS, "tell_storage")(storage_months.tell)
service.due(workflows.next_expiry)
service.due(plans.next_suspension)
service.due(storage_months.next_due)
