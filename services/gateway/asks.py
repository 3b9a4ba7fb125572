"""Asking services on somebody's behalf; what goes wrong becomes an HTTP error here."""

from typing import Protocol, TypeVar

from services.gateway.errors import RETRY_AFTER_SECONDS, ApiError, unavailable
from services.gateway.permissions import Principal
from shared.bus import AnswerFailed, AnswerTimedOut, NoAnswerer
from shared.contracts.base import Refusal, Reply, Request

R = TypeVar("R", bound=Reply)

ANSWER_SECONDS = 5.0
# What Stripe has to do with takes as long as Stripe takes.
STRIPE_SECONDS = 30.0
# Refusals that time alone mends: what is asked for, or what it needs, is still being worked on.
UNDER_WAY = frozenset(
    {
        "pending",
        "idempotency_key_in_flight",
        "charge_in_flight",
        "customer_pending",
        "customer_replaced",
        "stripe_busy",
    }
)


class Asks(Protocol):
    """What the gateway needs of the bus."""

    async def ask(
        self,
        request: Request[R],
        *,
        owner: str | None = None,
        principal: str | None = None,
        idempotency_key: str | None = None,
        timeout_seconds: float = ANSWER_SECONDS,
    ) -> R | Refusal:
        """The answer, or a business "no"; raises NoAnswerer, AnswerTimedOut or AnswerFailed."""
        ...


class Caller:
    """Asks services for one principal."""

    def __init__(self, bus: Asks, principal: Principal) -> None:
        self._bus = bus
        self.principal = principal

    async def ask(
        self,
        request: Request[R],
        *,
        owner: str | None = None,
        idempotency_key: str | None = None,
        timeout_seconds: float = ANSWER_SECONDS,
    ) -> R:
        """The answer; a refusal, a missing service or a late answer is an ApiError."""
        try:
            answer = await self._bus.ask(
                request,
                owner=owner,
                principal=self.principal.name,
                idempotency_key=idempotency_key,
                timeout_seconds=timeout_seconds,
            )
        except NoAnswerer:
            raise unavailable(
                "service_unavailable", "This part of billing is not available right now."
            ) from None
        except AnswerTimedOut:
            raise unavailable(
                "no_answer_in_time",
                "No answer came in time; if this was a change, it may have been made.",
                status=504,
            ) from None
        except AnswerFailed:
            raise unavailable(
                "service_failed", "This part of billing met a problem; it has been logged."
            ) from None
        if isinstance(answer, Refusal):
            later = {"Retry-After": str(RETRY_AFTER_SECONDS)} if answer.code in UNDER_WAY else {}
            raise ApiError(answer.status, answer.code, answer.detail, headers=later)
        return answer
