"""What the auditor is told by its environment: how often it looks, and how patient it is."""

from datetime import timedelta
from typing import Annotated

from msgspec import Meta

from shared.settings import ServiceSettings

Seconds = Annotated[float, Meta(ge=0.05, le=3600)]


class AuditorSettings(ServiceSettings, frozen=True, kw_only=True):
    """A round every `audit_seconds`; a difference is looked at again after `audit_again_seconds`.

    What moves all the time is judged up to `audit_settle_seconds` ago: longer than a transaction
    may take. Beside what has changed, a round looks at `audit_sweep` organizations.
    """

    audit_seconds: Seconds = 30.0
    audit_again_seconds: Seconds = 5.0
    audit_settle_seconds: Seconds = 45.0
    audit_sweep: Annotated[int, Meta(ge=1, le=10_000)] = 200

    @property
    def every(self) -> timedelta:
        """From the beginning of one round to that of the next."""
        return timedelta(seconds=self.audit_seconds)

    @property
    def again(self) -> timedelta:
        """From a difference to the second look at it."""
        return timedelta(seconds=self.audit_again_seconds)

    @property
    def settle(self) -> timedelta:
        """How long ago something was, to be judged."""
        return timedelta(seconds=self.audit_settle_seconds)
