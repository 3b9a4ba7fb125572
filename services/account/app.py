"""Wires account: what it hears, answers and does again and again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from services.account.handlers import accounts, audit, control
from services.account.handlers.books import LOW_CREDIT_CENTS, Books
from services.account.handlers.credits import Credits, list_credit_entries
from services.account.handlers.expiry import Expiry
from services.account.handlers.holds import Holds
from services.account.handlers.many import ManyCredits
from services.account.handlers.purchases import Purchases
from services.account.tables.schema import metadata
from shared.contracts import account as contracts
from shared.contracts import invoicing, subscription
from shared.contracts import stripe_gateway as stripe
from shared.contracts.operations import ListControlRows, ListOrganizations
from shared.database import Database
from shared.requests import ReadFirst
from shared.service import Service
from shared.settings import ServiceSettings

EXPIRE_SECONDS = 1.0


class AccountSettings(ServiceSettings, frozen=True, kw_only=True):
    """Below `low_credit_cents` a customer is told that credits run low."""

    low_credit_cents: Annotated[int, Meta(ge=0)] = LOW_CREDIT_CENTS


service = Service(
    "account", metadata, Path(__file__).parent / "migrations" / "versions", AccountSettings
)
books = Books()
credits_ = Credits(books)
many = ManyCredits(credits_)
holds = Holds(books)
purchases = Purchases(books)
expiry = Expiry(books)


@service.opens
@asynccontextmanager
async def read_settings(_database: Database, settings: AccountSettings) -> AsyncIterator[None]:
    """Take the threshold from the environment."""
    books.low_credit_cents = settings.low_credit_cents
    yield


service.hears(stripe.CustomerLinked)(accounts.link_customer)
service.hears(stripe.PaymentMethodsChanged)(accounts.set_payment_methods)
service.hears(stripe.PurchasePaid)(purchases.grant_purchase)
service.hears(stripe.PurchaseReversed)(purchases.reverse_purchase)
service.hears(stripe.MoneyMoved)(accounts.count_money)
service.hears(subscription.WorkflowCharged)(accounts.count_workflow)
service.hears(subscription.PlanChanged)(accounts.follow_plan)
service.hears(subscription.PlanSetByHand)(accounts.note_plan)
service.hears(invoicing.AccountSuspended)(accounts.suspend)
service.hears(invoicing.AccountReinstated)(accounts.reinstate)

service.answers(contracts.GetAccount, writes=True)(
    ReadFirst(accounts.find_account, accounts.get_account)
)
service.answers(contracts.UpdateAccount, writes=True)(accounts.update_account)
service.answers(contracts.ListCreditEntries)(list_credit_entries)
service.answers(contracts.GrantCredits, writes=True)(credits_.grant_credits)
service.answers(contracts.TakeCredits, writes=True)(credits_.take_credits)
service.answers(contracts.HoldCredits, writes=True)(holds.hold_credits)
service.answers(contracts.SettleHold, writes=True)(holds.settle_hold)
service.answers(contracts.ApplyCredits, writes=True)(credits_.apply_credits)
service.answers(contracts.ApplyManyCredits, writes=True)(many.apply_many)
service.answers(contracts.RestoreCredits, writes=True)(credits_.restore_credits)
service.answers(contracts.ListAudit)(audit.list_audit)
service.answers(contracts.GetAccountTotals)(control.get_account_totals)
service.answers(ListControlRows)(control.list_control_rows)
service.answers(ListOrganizations)(control.list_organizations)

service.every(EXPIRE_SECONDS, "expire_credits")(expiry.expire)
service.due(expiry.next_due)
