"""Wires notices: what it hears, answers and does again and again."""

from pathlib import Path

from services.notices.handlers.endings import Endings
from services.notices.handlers.facts import Facts
from services.notices.handlers.mailing import SendMail
from services.notices.handlers.means import Means
from services.notices.handlers.raising import Raising
from services.notices.handlers.views import Views
from services.notices.rules import wording
from services.notices.settings import NoticesSettings
from services.notices.tables.schema import metadata
from shared.contracts import account, invoicing, stripe_gateway, subscription
from shared.contracts import notices as contracts
from shared.service import Service

ENDING_SECONDS = 30.0

service = Service(
    "notices",
    metadata,
    Path(__file__).parent / "migrations" / "versions",
    NoticesSettings,
)
means = Means()
raising = Raising(means)
facts, endings, views = Facts(raising), Endings(raising), Views(means)

service.opens(means.open)

service.hears(account.AccountChanged)(facts.follow_account)
service.hears(account.CreditsLow)(facts.say(wording.credits_low))
service.hears(stripe_gateway.PaymentMethodsChanged)(facts.follow_methods)
service.hears(subscription.PlanChanged)(facts.follow_plan)
service.hears(subscription.LimitReached)(facts.say(wording.limit_reached))
service.hears(invoicing.InvoiceIssued)(facts.say(wording.invoice_issued))
service.hears(invoicing.InvoicePaid)(facts.say(wording.invoice_paid))
service.hears(invoicing.PaymentReminder)(facts.say(wording.payment_reminder))
service.hears(invoicing.PaymentFailed)(facts.say(wording.payment_failed))
service.hears(invoicing.AccountSuspended)(facts.suspend)
service.hears(invoicing.AccountReinstated)(facts.reinstate)

service.answers(contracts.ListNotices)(views.list_notices)
service.answers(contracts.GetNoticePreview)(views.preview)

service.step(SendMail(means))

service.every(ENDING_SECONDS, "tell_endings")(endings.tell)
service.due(endings.next_due)
