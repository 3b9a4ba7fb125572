"""Plans, and the one that an organization has."""

from typing import Annotated

from litestar import get, post, put
from litestar.params import JSONBody, QueryParameter
from msgspec import Meta

from services.gateway.account_ids import AccountIds
from services.gateway.account_responses import StatusResponse
from services.gateway.asks import STRIPE_SECONDS, Caller
from services.gateway.errors import ASKING_STATUSES, WRITING_STATUSES, declared
from services.gateway.parameters import (
    END,
    AwareTime,
    Given,
    IdempotencyKey,
    OrganizationId,
    RequestBody,
    time_range,
)
from services.gateway.subscription_responses import (
    ChangePreviewResponse,
    PlansResponse,
    SubscriptionResponse,
)
from services.gateway.subscription_translations import change_preview, plans, subscription
from shared.contracts.subscription import (
    CancelSubscription,
    ChangePlan,
    GetPlans,
    GetSubscription,
    PreviewChange,
    ReactivateSubscription,
    SetByoProviders,
    Subscription,
    TierName,
)

Provider = Annotated[str, Meta(pattern=rf"^[a-z0-9][a-z0-9._-]{{0,63}}{END}")]


class PreviewBody(RequestBody, frozen=True, kw_only=True):
    """The tier to have."""

    tier: TierName


class ChangeBody(RequestBody, frozen=True, kw_only=True):
    """The tier to have, and the `proration_date` of the preview that was agreed to: for an hour
    it costs what was shown, and later a new preview is asked for (409 `preview_outdated`).
    """

    tier: TierName
    proration_date: AwareTime | None = None


class ProvidersBody(RequestBody, frozen=True, kw_only=True):
    """Every LLM provider that runs on the customer's own keys, such as `anthropic`."""

    providers: Annotated[list[Provider], Meta(max_length=50)]


class Teller:
    """Puts subscriptions into the form of the client's document."""

    def __init__(self, caller: Caller, account_ids: AccountIds) -> None:
        self._caller = caller
        self._account_ids = account_ids

    async def tell(self, found: Subscription) -> SubscriptionResponse:
        """A subscription with its account, which is opened if there is none."""
        account_id = found.billing_account_id
        if account_id is None:
            account_id = await self._account_ids.of(found.organization_id, self._caller)
        return subscription(found, account_id)


@get(
    "/plans",
    operation_id="list_plans",
    opt={"permission": "public"},
    security=[{}],
    responses=declared(400, 422, 429, 503, 504),
    tags=["subscription"],
)
async def list_plans(caller: Given[Caller]) -> PlansResponse:
    """Show the catalogue: every tier with its price and limits."""
    return plans(await caller.ask(GetPlans()))


@get(
    "/account/{organization_id:str}/subscription",
    operation_id="get_subscription",
    opt={"permission": "read"},
    responses=declared(*ASKING_STATUSES),
    tags=["subscription"],
)
async def get_subscription(
    organization_id: OrganizationId, caller: Given[Caller], teller: Given[Teller]
) -> SubscriptionResponse:
    """Get what the organization has; without a paid plan it is the free tier."""
    return await teller.tell(await caller.ask(GetSubscription(organization_id=organization_id)))


@post(
    "/account/{organization_id:str}/subscription/cancel",
    operation_id="cancel_subscription",
    opt={"permission": "manage"},
    status_code=200,
    responses=declared(*WRITING_STATUSES),
    tags=["subscription"],
)
async def cancel_subscription(
    organization_id: OrganizationId,
    caller: Given[Caller],
    at_period_end: Annotated[
        bool, QueryParameter(description="Or at once, which refunds nothing.")
    ] = True,
    idempotency_key: IdempotencyKey = None,
) -> StatusResponse:
    """End the paid plan."""
    await caller.ask(
        CancelSubscription(
            organization_id=organization_id,
            at_period_end=at_period_end,
            requested_by=caller.principal.name,
        ),
        idempotency_key=idempotency_key,
        timeout_seconds=STRIPE_SECONDS,
    )
    return StatusResponse(message="Subscription canceled")


@post(
    "/account/{organization_id:str}/subscription/reactivate",
    operation_id="reactivate_subscription",
    opt={"permission": "manage"},
    status_code=200,
    responses=declared(402, *WRITING_STATUSES),
    tags=["subscription"],
)
async def reactivate_subscription(
    organization_id: OrganizationId,
    caller: Given[Caller],
    idempotency_key: IdempotencyKey = None,
) -> StatusResponse:
    """Take a cancellation back, until the period ends."""
    await caller.ask(
        ReactivateSubscription(organization_id=organization_id, requested_by=caller.principal.name),
        idempotency_key=idempotency_key,
        timeout_seconds=STRIPE_SECONDS,
    )
    return StatusResponse(message="Subscription reactivated")


@post(
    "/account/{organization_id:str}/subscription/preview",
    operation_id="preview_change",
    opt={"permission": "read"},
    status_code=200,
    responses=declared(*WRITING_STATUSES),
    tags=["subscription"],
)
async def preview_change(
    organization_id: OrganizationId,
    data: JSONBody[PreviewBody],
    caller: Given[Caller],
    idempotency_key: IdempotencyKey = None,
) -> ChangePreviewResponse:
    """Tell what choosing a tier would cost and when it would take effect; changes nothing."""
    return change_preview(
        await caller.ask(
            PreviewChange(organization_id=organization_id, tier=data.tier),
            idempotency_key=idempotency_key,
            timeout_seconds=STRIPE_SECONDS,
        )
    )


@post(
    "/account/{organization_id:str}/subscription/change",
    operation_id="change_plan",
    opt={"permission": "manage"},
    status_code=200,
    responses=declared(402, *WRITING_STATUSES),
    tags=["subscription"],
)
async def change_plan(
    organization_id: OrganizationId,
    data: JSONBody[ChangeBody],
    caller: Given[Caller],
    teller: Given[Teller],
    idempotency_key: IdempotencyKey = None,
) -> SubscriptionResponse:
    """Upgrade at once, when it is paid; downgrade at the period's end; or keep the current tier."""
    times = time_range(data.proration_date, None, names=("proration_date", ""), source="body")
    changed = await caller.ask(
        ChangePlan(
            organization_id=organization_id,
            tier=data.tier,
            proration_date=times.start,
            requested_by=caller.principal.name,
        ),
        idempotency_key=idempotency_key,
        timeout_seconds=STRIPE_SECONDS,
    )
    return await teller.tell(changed)


@put(
    "/account/{organization_id:str}/subscription/byo-providers",
    operation_id="set_byo_providers",
    opt={"permission": "manage"},
    responses=declared(*WRITING_STATUSES),
    tags=["subscription"],
)
async def set_byo_providers(
    organization_id: OrganizationId,
    data: JSONBody[ProvidersBody],
    caller: Given[Caller],
    teller: Given[Teller],
    idempotency_key: IdempotencyKey = None,
) -> SubscriptionResponse:
    """Name the providers that run on the customer's own keys; only on the byo tier."""
    changed = await caller.ask(
        SetByoProviders(
            organization_id=organization_id,
            providers=tuple(data.providers),
            requested_by=caller.principal.name,
        ),
        idempotency_key=idempotency_key,
    )
    return await teller.tell(changed)
