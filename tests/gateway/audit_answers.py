"""What the auditor answers in tests of the gateway."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from shared.contracts.auditor import (
    ExplainFinding,
    Explanation,
    Figure,
    Finding,
    Findings,
    GetParked,
    ListFindings,
    ParkedAccount,
    ParkedAccounts,
    ReleaseAccount,
    RowDifference,
)
from shared.contracts.base import Reply, Request

AT = datetime(2026, 11, 22, 11, 0, tzinfo=UTC)
FINDING = Finding(
    finding_id="0199-finding",
    organization_id="acme",
    invariant="I6",
    check="balance_is_the_ledgers",
    sentence="The account's credits are what its ledger's entries sum to.",
    difference=100,
    parks=True,
    status="open",
    found_at=AT,
    seen_at=AT,
)
EXPLANATION = Explanation(
    finding=FINDING,
    left=(Figure(owner="account", name="account_ledger_cents", value=5100, sequence=3),),
    right=(Figure(owner="account", name="credits_ledger_cents", value=5000, sequence=3),),
    judged_until=AT,
    left_rows="account.lots",
    right_rows="account.lots_by_entries",
    rows=(RowDifference(key="lot-1", left=5100, right=5000),),
    rows_complete=True,
)
PARKED = ParkedAccount(
    organization_id="acme",
    parked=True,
    version=1,
    parked_at=AT,
    reason=f"I6: {FINDING.sentence}",
    findings=(FINDING,),
)
ANSWERS: Mapping[type[Request[Any]], Reply] = {
    ListFindings: Findings(findings=(FINDING,)),
    ExplainFinding: EXPLANATION,
    GetParked: ParkedAccounts(accounts=(PARKED,)),
    ReleaseAccount: PARKED,
}
