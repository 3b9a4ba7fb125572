"""Every call to Stripe. Its objects are converted here and go no further."""

from services.stripe_gateway.stripe_api.connection import (
    Mark,
    OutcomeUnknown,
    StripeApi,
    StripeRefused,
)

__all__ = ["Mark", "OutcomeUnknown", "StripeApi", "StripeRefused"]
