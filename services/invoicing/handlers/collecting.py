"""Where issuing invoices meets collecting them. Both are called in the transaction of whoever
calls, with the profile locked; the card is charged by a step, after the commit.
"""

from collections.abc import Sequence

from services.invoicing.tables import InvoiceRow, ProfileRow
from shared.contracts.base import Event
from shared.database import Db


async def begin_collecting(db: Db, profile: ProfileRow, invoice: InvoiceRow) -> Sequence[Event]:  # noqa: ARG001
    """Collect an invoice that became open a moment ago, with something due: by auto-billing at
    once, or by hand, with reminders.
    """
    return ()


async def stop_collecting(db: Db, profile: ProfileRow, invoice: InvoiceRow) -> Sequence[Event]:  # noqa: ARG001
    """Ask for an invoice no more, because it was taken back. An attempt under way is ended; what
    it collects all the same goes back. A suspension for it is lifted.

    `invoice` is how it stands now, written already; the profile may be written here.
    """
    return ()
