"""What the auditor asks of accounts."""

from services.account.store import control
from shared.contracts.account import AccountTotals, GetAccountTotals
from shared.control import organizations_of, rows_of
from shared.database import Db

list_control_rows = rows_of(control.BOOKS)
list_organizations = organizations_of("accounts")


async def get_account_totals(request: GetAccountTotals, db: Db) -> AccountTotals:
    """An account's sums by every road."""
    return await control.get_totals(db, request.organization_id)
