"""The catalogue: the seven tiers as data, and how an operator changes prices and limits."""

from types import MappingProxyType
from typing import Annotated, Final, get_args

import msgspec
from msgspec import UNSET, Meta, UnsetType

from shared.contracts.subscription import UNLIMITED, Limit, Plan, TierName

Catalogue = MappingProxyType[str, Plan]

# Stripe takes 50 cents at least.
PriceCents = Annotated[int, Meta(ge=50, le=99_999_999)]
# Stripe lets a trial last two years at most.
TrialDays = Annotated[int, Meta(ge=0, le=730)]
# LLM costs are passed on for up to ten times what they are.
Markup = Annotated[int, Meta(ge=0, le=90_000)]
OverageCents = Annotated[int, Meta(ge=0, le=1_000_000)]
# What nobody buys by checkout keeps its price.
WITHOUT_PRICE = frozenset({"free", "enterprise"})
WITHOUT_LLM_COSTS = frozenset({"byo"})

DEFAULTS: Final = (
    Plan(
        tier="free",
        name="Free",
        price_cents=0,
        interval=None,
        workflows_limit=5,
        agents_limit=1,
        storage_limit_gb=2,
        notes=("Workflows reset on the 1st of each month",),
    ),
    Plan(
        tier="starter",
        name="Starter",
        price_cents=2_900,
        interval="month",
        workflows_limit=20,
        agents_limit=2,
        storage_limit_gb=10,
    ),
    Plan(
        tier="pro",
        name="Pro",
        price_cents=7_900,
        interval="month",
        workflows_limit=100,
        agents_limit=5,
        storage_limit_gb=50,
    ),
    Plan(
        tier="team",
        name="Team",
        price_cents=19_900,
        interval="month",
        workflows_limit=500,
        agents_limit=15,
        storage_limit_gb=200,
    ),
    Plan(
        tier="enterprise",
        name="Enterprise",
        price_cents=None,
        interval=None,
        workflows_limit=UNLIMITED,
        agents_limit=UNLIMITED,
        storage_limit_gb=UNLIMITED,
        notes=("Contact us",),
    ),
    Plan(
        tier="lifetime",
        name="Lifetime",
        price_cents=49_900,
        interval="once",
        workflows_limit=50,
        agents_limit=5,
        storage_limit_gb=100,
        notes=("One payment, no renewal", "Workflows reset every month"),
    ),
    Plan(
        tier="byo",
        name="Bring your own keys",
        price_cents=1_900,
        interval="month",
        workflows_limit=UNLIMITED,
        agents_limit=UNLIMITED,
        storage_limit_gb=50,
        notes=("You pay the LLM providers directly", "LLM costs are shown, never charged"),
    ),
)


class TierOverride(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an operator may say of a tier; prices in cents, -1 for no limit."""

    name: Annotated[str, Meta(min_length=1, max_length=64)] | UnsetType = UNSET
    price_cents: PriceCents | UnsetType = UNSET
    workflows_limit: Limit | UnsetType = UNSET
    agents_limit: Limit | UnsetType = UNSET
    storage_limit_gb: Limit | UnsetType = UNSET
    trial_days: TrialDays | UnsetType = UNSET
    notes: tuple[str, ...] | UnsetType = UNSET
    llm_markup_basis_points: Markup | UnsetType | None = UNSET
    storage_overage_cents_per_gb: OverageCents | UnsetType = UNSET


def read_catalogue(overrides: str) -> Catalogue:
    """The defaults, changed by JSON such as `{"pro": {"price_cents": 8900}}`; "" changes nothing.

    Raises ValueError with a sentence that names the tier or field that does not fit.
    """
    plans = {plan.tier: plan for plan in DEFAULTS}
    for tier, override in _decoded(overrides).items():
        if override.price_cents is not UNSET and tier in WITHOUT_PRICE:
            raise ValueError(f"`tiers` gives {tier} a price, which it cannot have")
        if override.trial_days and plans[tier].interval != "month":
            raise ValueError(f"`tiers` gives {tier} a trial, which it cannot have")
        if tier in WITHOUT_LLM_COSTS and override.llm_markup_basis_points not in {UNSET, None}:
            raise ValueError(f"`tiers` charges LLM costs on {tier}, whose customers pay their own")
        plan = msgspec.structs.replace(plans[tier], **_given(override))
        if plan.storage_overage_cents_per_gb and plan.storage_limit_gb == UNLIMITED:
            raise ValueError(f"`tiers` charges storage on {tier}, which has no limit of it")
        plans[tier] = plan
    return MappingProxyType(dict(plans))


def _given(override: TierOverride) -> dict[str, object]:
    values = msgspec.structs.asdict(override)
    return {name: value for name, value in values.items() if value is not UNSET}


def _decoded(overrides: str) -> dict[TierName, TierOverride]:
    if not overrides.strip():
        return {}
    try:
        return msgspec.json.decode(overrides, type=dict[TierName, TierOverride])
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        problem = str(error).replace("`", "'")
        names = ", ".join(get_args(TierName))
        raise ValueError(f"`tiers` is not JSON of tiers ({names}): {problem}") from None
