"""Finds invoices for one caller, in an organization of theirs or not at all."""

from collections.abc import Sequence

import msgspec

from services.gateway.account_ids import AccountIds
from services.gateway.asks import Caller
from services.gateway.authentication import error_of
from services.gateway.errors import ApiError
from services.gateway.invoice_responses import (
    InvoiceResponse,
    PaymentResponse,
    UsageRecordResponse,
)
from services.gateway.invoice_translations import (
    invoice_response,
    payment_response,
    usage_record,
)
from services.gateway.permissions import MANAGERS, ROLE_TOO_LOW
from shared.contracts.invoicing import GetInvoice, Invoice, Payment, UsageRecord


class InvoiceDesk:
    """Looks up what has no organization in its address, and says who it belongs to."""

    def __init__(self, caller: Caller, account_ids: AccountIds) -> None:
        self._caller = caller
        self._account_ids = account_ids

    @property
    def organizations(self) -> tuple[str, ...]:
        """Where the caller may look; the guard has refused who may look nowhere."""
        return tuple(sorted(self._caller.principal.roles))

    async def find(self, invoice_id: str) -> Invoice:
        """An invoice that the caller may read; raises a 404 for any other."""
        found = await self._caller.ask(
            GetInvoice(organization_ids=self.organizations, invoice_id=invoice_id)
        )
        # Asked for above as well; money is worth looking twice.
        if found.organization_id not in self._caller.principal.roles:
            raise ApiError(404, "invoice_not_found", "There is no such invoice.")
        return found

    async def find_to_pay(self, invoice_id: str) -> Invoice:
        """An invoice that the caller may pay; raises a 404, or a 403 to who may only read it."""
        found = await self.find(invoice_id)
        if self._caller.principal.roles[found.organization_id] not in MANAGERS:
            raise error_of(ROLE_TOO_LOW)
        return found

    async def tell(self, invoice: Invoice) -> InvoiceResponse:
        """In the form of the client's document."""
        account_id = await self._account_of(invoice.organization_id, invoice.billing_account_id)
        return invoice_response(invoice, account_id)

    async def tell_payment(self, payment: Payment) -> PaymentResponse:
        """In the form of the client's document."""
        account_id = await self._account_of(payment.organization_id, payment.billing_account_id)
        return payment_response(payment, account_id)

    async def list_invoices(self, invoices: Sequence[Invoice]) -> list[InvoiceResponse]:
        """Some invoices; the account is asked for once."""
        return [await self.tell(each) for each in invoices]

    async def list_payments(self, payments: Sequence[Payment]) -> list[PaymentResponse]:
        """Some payments, without what finishes them: who pays is told that in the answer."""
        return [
            await self.tell_payment(msgspec.structs.replace(each, client_secret=None))
            for each in payments
        ]

    async def list_usage(self, records: Sequence[UsageRecord]) -> list[UsageRecordResponse]:
        """Some usage records; the account is asked for once."""
        return [
            usage_record(
                each, await self._account_of(each.organization_id, each.billing_account_id)
            )
            for each in records
        ]

    async def _account_of(self, organization_id: str, known: str | None) -> str:
        """The account, which is opened if there is none."""
        return known or await self._account_ids.of(organization_id, self._caller)
