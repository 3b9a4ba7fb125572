"""The invariants as sums that must be equal: the one list that auditor and commands go by."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from services.auditor.rules.billing import BILLING
from services.auditor.rules.credits import LEDGER, MONEY
from services.auditor.rules.forms import Check
from services.auditor.rules.usage import COSTS, WORKFLOWS
from shared.contracts.account import AccountTotals, GetAccountTotals
from shared.contracts.base import Reply, Request
from shared.contracts.cost_metering import ControlTotals, GetControlTotals
from shared.contracts.invoicing import GetInvoicingTotals, InvoicingTotals
from shared.contracts.stripe_gateway import GetPaymentTotals, PaymentTotals
from shared.contracts.subscription import GetWorkflowTotals, WorkflowTotals


class Owner(NamedTuple):
    """Whom the auditor asks, for what, and what comes back."""

    request: type[Request[Any]]
    totals: type[Reply]


OWNERS: Mapping[str, Owner] = {
    "account": Owner(GetAccountTotals, AccountTotals),
    "cost_metering": Owner(GetControlTotals, ControlTotals),
    "invoicing": Owner(GetInvoicingTotals, InvoicingTotals),
    "stripe_gateway": Owner(GetPaymentTotals, PaymentTotals),
    "subscription": Owner(GetWorkflowTotals, WorkflowTotals),
}


CHECKS = (*LEDGER, *COSTS, *WORKFLOWS, *MONEY, *BILLING)
BY_NAME: Mapping[str, Check] = {check.name: check for check in CHECKS}
NEVER_ACCEPTED = frozenset(check.name for check in CHECKS if not check.accepts)
