"""Wires stripe_gateway: what it hears, answers, does step by step, and reconciles."""

from pathlib import Path

from services.stripe_gateway.handlers import (
    charges,
    checkout,
    control,
    giving_back,
    invoices,
    links,
    methods,
    refunds,
    subscriptions,
)
from services.stripe_gateway.handlers.looks import Look, Subjects
from services.stripe_gateway.handlers.looks.customers import CustomerLook
from services.stripe_gateway.handlers.looks.invoices import InvoiceLook
from services.stripe_gateway.handlers.looks.payments import IntentLook, ReversalLook
from services.stripe_gateway.handlers.looks.sessions import SessionLook
from services.stripe_gateway.handlers.looks.subscriptions import SubscriptionLook
from services.stripe_gateway.handlers.reconciling import Reconciler, WalkEvents
from services.stripe_gateway.handlers.webhooks import Webhooks
from services.stripe_gateway.handlers.workshop import Workshop
from services.stripe_gateway.settings import StripeSettings
from services.stripe_gateway.tables import metadata
from shared.contracts import stripe_gateway as contracts
from shared.contracts.account import AccountOpened
from shared.contracts.operations import ListControlRows
from shared.service import Service

# How often the reconciler asks whether its next round is due (`STRIPE_RECONCILE_SECONDS`).
RECONCILER_SECONDS = 5.0

service = Service(
    "stripe_gateway",
    metadata,
    Path(__file__).parent / "migrations" / "versions",
    settings=StripeSettings,
)
workshop = Workshop()
customers, reversals = CustomerLook(workshop), ReversalLook(workshop)
subjects: Subjects = {
    "customer": customers,
    "method": customers,
    "session": SessionLook(workshop),
    "intent": IntentLook(workshop),
    "refund": reversals,
    "dispute": reversals,
    "subscription": SubscriptionLook(workshop),
    "invoice": InvoiceLook(workshop),
}

service.opens(workshop.open)

service.hears(AccountOpened)(links.expect_customer)

service.answers(contracts.ListPaymentMethods)(methods.list_payment_methods)
service.answers(contracts.GetCheckout)(checkout.get_checkout)
service.answers(contracts.GetPaymentTotals)(control.get_payment_totals)
service.answers(ListControlRows)(control.list_control_rows)
service.answers(contracts.ReceiveWebhook, writes=True)(Webhooks(workshop).receive)

service.step(links.CreateCustomer(workshop))
service.step(methods.Attach(workshop))
service.step(methods.Detach(workshop))
service.step(methods.Setup(workshop))
service.step(checkout.OpenCheckout(workshop))
service.step(checkout.OpenPortal(workshop))
service.step(charges.Collect(workshop))
service.step(charges.Cancel(workshop))
service.step(invoices.PayInvoice(workshop))
service.step(refunds.Refund(workshop))
service.step(subscriptions.PreviewChange(workshop))
service.step(subscriptions.Change(workshop))
service.step(giving_back.GiveBack(workshop))
service.step(Look(workshop, subjects))
service.step(WalkEvents(workshop))

service.every(RECONCILER_SECONDS, "reconcile")(Reconciler(workshop).begin_round)
