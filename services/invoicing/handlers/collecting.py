"""Where issuing invoices meets collecting them. Both are called in the transaction of whoever
calls, with the profile locked; the card is charged by a step, after the commit.
"""

from collections.abc import Sequence

from services.invoicing.handlers import autobilling, dunning
from services.invoicing.handlers.charging import Stop, Stopping
from services.invoicing.store.payments import find_under_way
from services.invoicing.tables import InvoiceRow, ProfileRow
from shared.contracts.base import Event
from shared.database import Db
from shared.steps import prepare_step


async def begin_collecting(db: Db, profile: ProfileRow, invoice: InvoiceRow) -> Sequence[Event]:
    """Collect an invoice that became open a moment ago, with something due: by auto-billing at
    once, or by hand, with reminders. The invoice is written already.
    """
    return await autobilling.begin(db, profile, invoice)


async def stop_collecting(
    db: Db,
    profile: ProfileRow,  # noqa: ARG001 -- says that it is locked
    invoice: InvoiceRow,
) -> Sequence[Event]:
    """Ask for an invoice no more, because it was taken back. An attempt under way is ended; what
    it collects all the same goes back. A suspension for it is lifted.

    `invoice` is how it stands now, and written already. The profile's suspension is written here:
    do not save it anew afterwards.
    """
    under_way = await find_under_way(db, invoice.organization_id, invoice.invoice_id)
    if under_way is not None:
        state = Stopping(under_way.organization_id, under_way.payment_id)
        await prepare_step(db, Stop, f"stop_attempt:{under_way.payment_id}", state)
    return await dunning.end(db, invoice)
