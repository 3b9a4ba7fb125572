"""Which billing account an organization has; it never changes, so it is asked for once."""

from collections import OrderedDict

from services.gateway.asks import Caller
from services.gateway.errors import ApiError
from shared.contracts.account import GetAccount

# About 200 bytes each; who is forgotten is asked for again.
MAX_REMEMBERED = 10_000


class AccountIds:
    """Billing account ids by organization, in memory that does not grow."""

    def __init__(self, capacity: int = MAX_REMEMBERED) -> None:
        self._capacity = capacity
        self._ids: OrderedDict[str, str] = OrderedDict()

    def __len__(self) -> int:
        return len(self._ids)

    async def of(self, organization_id: str, caller: Caller) -> str:
        """The account's id; the first to ask opens it. Raises ApiError when it is not known."""
        found = self._ids.get(organization_id)
        if found is None:
            account = await caller.ask(GetAccount(organization_id=organization_id))
            found = self._ids[organization_id] = account.billing_account_id
            if len(self._ids) > self._capacity:
                self._ids.popitem(last=False)
        else:
            self._ids.move_to_end(organization_id)
        return found

    async def known(self, organization_id: str, caller: Caller) -> str | None:
        """The account's id, or None while nobody can tell: what it adorns does not need it."""
        try:
            return await self.of(organization_id, caller)
        except ApiError:
            return None
