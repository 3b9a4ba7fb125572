"""What subscription is told by its environment: the catalogue, prices, periods of grace."""

from datetime import timedelta
from typing import Annotated

from msgspec import Meta

from services.subscription.tiers import Catalogue, read_catalogue
from shared.settings import ServiceSettings


class SubscriptionSettings(ServiceSettings, frozen=True, kw_only=True):
    """`tiers` is JSON that changes tiers (`TIERS_FILE` names a file with it); "" changes none."""

    tiers: str = ""
    workflow_price_cents: Annotated[int, Meta(ge=1, le=1_000_000)] = 1_000
    grace_days: Annotated[int, Meta(ge=0, le=90)] = 7

    def __post_init__(self) -> None:
        """Raise ValueError naming what in the catalogue does not fit."""
        read_catalogue(self.tiers)

    @property
    def catalogue(self) -> Catalogue:
        """The tiers of this installation."""
        return read_catalogue(self.tiers)

    @property
    def grace(self) -> timedelta:
        """How long a plan whose payment failed keeps its service."""
        return timedelta(days=self.grace_days)
