"""Wires invoicing: what it hears, answers and does again and again."""

from pathlib import Path

from services.invoicing.documents.drawing import Drawing
from services.invoicing.handlers import (
    autobilling,
    charging,
    control,
    llm_costs,
    mirroring,
    paying,
    profiles,
    terms,
    usage,
    views,
)
from services.invoicing.handlers.closing import FinishesInvoices, MonthlyClose
from services.invoicing.handlers.generating import GeneratesInvoice, PreviewsInvoice
from services.invoicing.handlers.means import Means
from services.invoicing.handlers.notes import IssuesCreditNote, void_note
from services.invoicing.handlers.rendering import Rendering, list_credit_notes
from services.invoicing.handlers.returning import GiveBack
from services.invoicing.handlers.voiding import VoidsInvoice
from services.invoicing.settings import InvoicingSettings
from services.invoicing.store.dunning import next_due
from services.invoicing.tables.database import metadata
from shared.contracts import account, auditor, cost_metering, stripe_gateway, subscription
from shared.contracts import invoicing as contracts
from shared.contracts.operations import ListControlRows
from shared.requests import ReadThen
from shared.service import Service

CLOSE_SECONDS = 0.25
LEFT_SECONDS = 60.0
COSTS_SECONDS = 1.0
# How soon after its moment an invoice is charged again, or reminded of.
DUNNING_SECONDS = 5.0

service = Service(
    "invoicing",
    metadata,
    Path(__file__).parent / "migrations" / "versions",
    InvoicingSettings,
)
means = Means(service.asks)
monthly_close = MonthlyClose(means)
rendering = Rendering(means, Drawing())

service.opens(means.open)

service.hears(account.AccountOpened)(profiles.meet_account)
service.hears(account.AccountChanged)(profiles.follow_account)
service.hears(auditor.AccountParked)(control.park_account)
service.hears(auditor.AccountReleased)(control.release_account)
service.hears(subscription.PlanChanged)(llm_costs.follow_plan)
service.hears(subscription.WorkflowCharged)(usage.add_workflow)
service.hears(subscription.StorageMeasured)(usage.add_storage)
service.hears(cost_metering.CostsRecorded)(llm_costs.add_llm_cost)
service.hears(stripe_gateway.PaymentMethodsChanged)(autobilling.follow_methods)
service.hears(stripe_gateway.ChargeChanged)(paying.follow_charge)
service.hears(stripe_gateway.RefundFailed)(void_note)
service.hears(stripe_gateway.StripeInvoiceChanged)(mirroring.follow_stripe_invoice)

service.answers(contracts.ListUsageRecords)(usage.list_usage)
service.answers(contracts.ListInvoices)(views.list_invoices)
service.answers(contracts.GetInvoice)(views.get_invoice)
service.answers(contracts.ListInvoiceUsage)(views.list_invoice_usage)
service.answers(contracts.ListPayments)(paying.list_attempts)

service.answers(contracts.RenderInvoice)(ReadThen(rendering.read_invoice, rendering.render))
service.answers(contracts.RenderCreditNote)(ReadThen(rendering.read_credit_note, rendering.render))
service.answers(contracts.ListCreditNotes)(list_credit_notes)

service.answers(contracts.GetInvoicingTotals)(control.get_invoicing_totals)
service.answers(ListControlRows)(control.list_control_rows)

service.answers(contracts.GetBillingTerms)(terms.get_terms)
service.answers(contracts.SetBillingTerms, writes=True)(terms.set_terms)

for step in (GeneratesInvoice, PreviewsInvoice, VoidsInvoice, IssuesCreditNote):
    service.step(step(means))
for collecting in (paying.Pay, charging.Collect, charging.Stop, GiveBack):
    service.step(collecting(means))
service.step(FinishesInvoices(means))

service.every(CLOSE_SECONDS, "close_months")(monthly_close.close)
service.every(LEFT_SECONDS, "finish_left_drafts")(monthly_close.finish_left)
service.due(monthly_close.next_due)
service.every(COSTS_SECONDS, "pass_on_llm_costs")(llm_costs.pass_on_left)
# As often, so that they go as fast as they come.
service.every(COSTS_SECONDS, "forget_llm_costs")(llm_costs.forget_costs)
service.due(llm_costs.next_left)
service.every(DUNNING_SECONDS, "collect_due")(autobilling.act_on_due)
service.every(DUNNING_SECONDS, "remind")(autobilling.remind)
service.due(next_due)
