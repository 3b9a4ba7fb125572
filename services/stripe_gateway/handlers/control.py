"""What the auditor asks about money at Stripe."""

from services.stripe_gateway.store import control
from shared.contracts.stripe_gateway import GetPaymentTotals, PaymentTotals
from shared.control import rows_of
from shared.database import Db

list_control_rows = rows_of(control.BOOKS)


async def get_payment_totals(request: GetPaymentTotals, db: Db) -> PaymentTotals:
    """An organization's money by every road."""
    return await control.get_totals(db, request.organization_id)
