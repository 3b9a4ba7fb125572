"""Wires invoicing: what it hears, answers and does again and again."""

from pathlib import Path

from services.invoicing.handlers import profiles, usage, views
from services.invoicing.handlers.generating import GeneratesInvoice, PreviewsInvoice
from services.invoicing.handlers.means import Means
from services.invoicing.settings import InvoicingSettings
from services.invoicing.tables.payments import metadata
from shared.contracts import account, subscription
from shared.contracts import invoicing as contracts
from shared.service import Service

service = Service(
    "invoicing",
    metadata,
    Path(__file__).parent / "migrations" / "versions",
    InvoicingSettings,
)
means = Means()

service.opens(means.open)

service.hears(account.AccountOpened)(profiles.meet_account)
service.hears(account.AccountChanged)(profiles.follow_account)
service.hears(subscription.PlanChanged)(profiles.follow_plan)
service.hears(subscription.WorkflowCharged)(usage.add_workflow)

service.answers(contracts.ListUsageRecords)(usage.list_usage)
service.answers(contracts.ListInvoices)(views.list_invoices)
service.answers(contracts.GetInvoice)(views.get_invoice)
service.answers(contracts.ListInvoiceUsage)(views.list_invoice_usage)

for step in (GeneratesInvoice, PreviewsInvoice):
    service.step(step(means))
