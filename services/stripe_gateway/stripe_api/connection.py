"""The connection to Stripe: what an error means, when to try again, and keys that outlive us."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

import httpx
import msgspec
import stripe

from services.stripe_gateway.settings import StripeSettings
from shared.bus import backoff_seconds
from shared.clock import Clock, SystemClock
from shared.failpoints import failpoint

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 5.0
# How often we wait when Stripe says that it is asked too often; the SDK itself does not.
PATIENT_TRIES = 5
# Stripe forgets keys after 24 hours; past this age an object is looked for before it is made.
KEYS_LIVE_FOR = timedelta(hours=23)
# New keys for one intention, each after an answer that says nothing was done.
MOST_ATTEMPTS = 5

T = TypeVar("T")
O = TypeVar("O", bound=msgspec.Struct)  # noqa: E741


class OutcomeUnknown(Exception):
    """Whether it was done is not known, or it cannot be done now: the same call again will tell."""


class FailureReplayed(OutcomeUnknown):
    """The key is spent on an error of Stripe's: what it did has to be looked up."""


class StripeRefused(Exception):
    """A definite "no": nothing was done, or a payment was declined. Never shown to customers."""

    def __init__(
        self,
        code: str,
        *,
        declined: bool = False,
        param: str | None = None,
        intent: str | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.declined = declined
        self.param = param
        self.intent = intent

    @property
    def may_miss_customer(self) -> bool:
        """Whether it may be the customer that is not there."""
        return self.code == "resource_missing" and self.param in {"customer", "id"}


class Mark(msgspec.Struct, frozen=True):
    """What Stripe knows an intention by: it is stored before the call, and gives all its keys."""

    local_id: str
    begun_at: datetime

    def key(self, operation: str, attempt: int) -> str:
        """The idempotency key of a call; Stripe takes at most 255 characters."""
        return f"{operation}:{self.local_id}:{attempt}"


class StripeApi:
    """A client, with our way of trying again."""

    def __init__(self, settings: StripeSettings, clock: Clock | None = None) -> None:
        stripe.enable_telemetry = False
        # They write addresses, and at DEBUG whole forms.
        for name in ("stripe", "httpx", "httpcore"):
            logging.getLogger(name).setLevel(logging.WARNING)
        timeout = httpx.Timeout(settings.stripe_timeout_seconds, connect=CONNECT_SECONDS)
        self._http = stripe.HTTPXClient(timeout=timeout)
        self._clock = clock or SystemClock()
        base = settings.stripe_api_base.rstrip("/")
        client = stripe.StripeClient(
            settings.stripe_secret_key,
            http_client=self._http,
            max_network_retries=2,
            base_addresses={"api": base, "files": base, "meter_events": base},
        )
        self.v1 = client.v1
        self.livemode = settings.livemode
        self.environment = settings.environment

    async def close(self) -> None:
        """Close its connections."""
        await self._http.close_async()  # type: ignore[no-untyped-call]

    def metadata(self, organization_id: str, **more: str | None) -> dict[str, str]:
        """What everything that we make at Stripe is marked with."""
        given = {name: value for name, value in more.items() if value is not None}
        return {"organization_id": organization_id, "environment": self.environment, **given}

    def is_foreign(self, metadata: Mapping[str, str] | None) -> bool:
        """Whether what is marked so was made by another installation on the same Stripe account."""
        return (metadata or {}).get("environment") not in {None, self.environment}

    async def send(self, call: Callable[[], Awaitable[T]]) -> T:
        """Make a call, patiently when Stripe is asked too often.

        Raises StripeRefused for a definite "no", OutcomeUnknown for everything else.
        """
        for attempt in range(1, PATIENT_TRIES + 1):
            try:
                return await call()
            except stripe.RateLimitError:
                # Two writers on one object, or simply too many: both pass.
                await asyncio.sleep(backoff_seconds(attempt, longest=2.0))
            except stripe.StripeError as error:
                raise _meaning(error) from None
        raise OutcomeUnknown("asked too often")

    async def once(
        self,
        mark: Mark,
        operation: str,
        make: Callable[[str], Awaitable[T]],
        find: Callable[[], Awaitable[T | None]] | None = None,
    ) -> T:
        """Make one object, whatever happens: `make(key)` makes it, `find()` looks for it.

        Without `find` it is a change that may be made again. Attempts follow from the mark alone,
        so a repetition after a crash goes the same way.
        """
        old = self._clock.now() - mark.begun_at > KEYS_LIVE_FOR
        for attempt in range(1, MOST_ATTEMPTS + 1):
            if find and (attempt > 1 or old):
                found = await find()
                if found is not None:
                    return found
            try:
                made = await self.send(partial(make, mark.key(operation, attempt)))
            except FailureReplayed:
                continue
            failpoint(f"stripe.{operation}")
            return made
        raise OutcomeUnknown("every attempt met an error at Stripe")


def read(kind: type[O], found: stripe.StripeObject) -> O:
    """Take what we use of an object. Raises msgspec.ValidationError for an unreadable one."""
    return msgspec.convert(found.to_dict(), kind)


def _meaning(error: stripe.StripeError) -> Exception:
    code = error.code or (error.error.code if error.error else None) or "refused"
    if isinstance(error, stripe.CardError):
        details = error.error
        intent = details.payment_intent if details else None
        reason = (details.decline_code if details else None) or code
        return StripeRefused(reason, declined=True, intent=intent.id if intent else None)
    if isinstance(error, stripe.IdempotencyError):
        # The same key with another body is a bug of ours: never try again.
        logger.error("an idempotency key was used with another body")
        return StripeRefused("idempotency_error")
    if isinstance(error, stripe.InvalidRequestError):
        return StripeRefused(code, param=error.param)
    if isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
        logger.error("Stripe does not accept our key", extra={"fields": {"code": code}})
    replayed = (error.headers or {}).get("idempotent-replayed") == "true"
    kind = FailureReplayed if replayed and (error.http_status or 0) >= 500 else OutcomeUnknown
    return kind(f"{type(error).__name__} {error.http_status or ''}".strip())
