"""A plan ends at once: nothing more is collected for it, and what nothing was had for goes back."""

from datetime import datetime

import msgspec
from msgspec import Struct

from services.stripe_gateway.handlers.giving_back import order_give_back
from services.stripe_gateway.handlers.workshop import Workshop
from services.stripe_gateway.rules.invoice_objects import Invoice
from services.stripe_gateway.rules.invoices import (
    begins_since,
    is_first,
    is_of_period,
    is_untried_renewal,
)
from services.stripe_gateway.rules.lowering import main_item
from services.stripe_gateway.rules.objects import Subscription
from services.stripe_gateway.stripe_api import Mark, OutcomeUnknown
from services.stripe_gateway.stripe_api import subscriptions as at_stripe
from services.stripe_gateway.stripe_api.invoices import list_invoices, withdraw_invoice
from shared.clock import hourly


class End(Struct, frozen=True):
    """The end of one plan. `refund` gives back what its running period was paid with, `since` what
    every period was paid with that began then or later: it may renew while its end is under way.
    """

    organization_id: str
    mark: Mark
    plan: Subscription
    refund: bool
    since: datetime | None

    @property
    def runs(self) -> bool:
        """Whether the plan had not ended when it was looked at."""
        return self.plan.status not in at_stripe.ENDED

    def gives_back(self, invoice: Invoice) -> bool:
        """Whether what an invoice was or would be paid with goes back."""
        if self.since is not None and begins_since(invoice, self.since.timestamp()):
            return True
        # What somebody else has ended is not for us to give back.
        if not (self.refund and self.runs):
            return False
        item = main_item(self.plan)
        begun_at = item.current_period_start if item else None
        return is_of_period(invoice, begun_at or self.plan.created)


async def end_now(workshop: Workshop, end: End) -> None:
    """End a plan, if it runs.

    Before it ends, for when a process dies in between the next one finds it ended, and does not
    know that it was us; and after, for it may have renewed meanwhile, and now does no more.
    """
    if end.runs:
        await _settle(workshop, end)
        await at_stripe.cancel_now(workshop.api, end.mark, end.plan.id)
    owed = await _settle(workshop, end)
    if owed:
        # Its payment is under way, say: if it succeeds, it goes back.
        raise OutcomeUnknown(f"not withdrawn: {', '.join(owed)}")


async def _settle(workshop: Workshop, end: End) -> list[str]:
    """Withdraw what is not paid, so that it is not paid either while we look at what is; the
    invoices that Stripe refuses to withdraw, and that would have to go back once they are paid.
    """
    api, owed = workshop.api, []
    local_id = hourly(end.mark.local_id, workshop.database.clock.now())
    mark = msgspec.structs.replace(end.mark, local_id=local_id)
    drafts = await list_invoices(api, end.plan.id, "draft")
    # A process that died has perhaps finalized one, and not voided it.
    for invoice in (*drafts, *await list_invoices(api, end.plan.id, "open")):
        # Without its first invoice a plan ends by itself, and its first invoice ends with a plan.
        goes_back = end.gives_back(invoice) and not is_first(invoice)
        if not (goes_back or is_untried_renewal(invoice)):
            continue
        if not await withdraw_invoice(api, mark, invoice) and goes_back:
            owed.append(invoice.id)
    if end.refund or end.since is not None:
        await order_give_back(workshop, end.organization_id, end.plan.id, end.gives_back)
    return owed
