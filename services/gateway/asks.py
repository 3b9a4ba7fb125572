"""Asking services on somebody's behalf; what goes wrong becomes an HTTP error here."""

from typing import Protocol, TypeVar

from services.gateway.errors import ApiError, unavailable
from services.gateway.permissions import Principal
from shared.bus import AnswerFailed, AnswerTimedOut, NoAnswerer
from shared.contracts.base import Refusal, Reply, Request

R = TypeVar("R", bound=Reply)


class Asks(Protocol):
    """What the gateway needs of the bus."""

    async def ask(
        self,
        request: Request[R],
        *,
        owner: str | None = None,
        principal: str | None = None,
        idempotency_key: str | None = None,
        timeout_seconds: float = 5.0,
    ) -> R | Refusal:
        """The answer, or a business "no"; raises NoAnswerer, AnswerTimedOut or AnswerFailed."""
        ...


class Caller:
    """Asks services for one principal."""

    def __init__(self, bus: Asks, principal: Principal) -> None:
        self._bus = bus
        self.principal = principal

    async def ask(
        self, request: Request[R], *, owner: str | None = None, idempotency_key: str | None = None
    ) -> R:
        """The answer; a refusal, a missing service or a late answer is an ApiError."""
        try:
            answer = await self._bus.ask(
                request,
                owner=owner,
                principal=self.principal.name,
                idempotency_key=idempotency_key,
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
            raise ApiError(answer.status, answer.code, answer.detail)
        return answer
