"""Asking services on somebody's behalf; what goes wrong becomes an HTTP error here."""

import asyncio
from typing import Any, Protocol, TypeVar

from services.gateway.errors import RETRY_AFTER_SECONDS, ApiError, unavailable
from services.gateway.permissions import Principal
from shared.bus import AnswerFailed, AnswerTimedOut, NoAnswerer
from shared.contracts.account import GetAccount
from shared.contracts.base import Refusal, Reply, Request

R = TypeVar("R", bound=Reply)

ANSWER_SECONDS = 5.0
# What Stripe has to do with takes as long as Stripe takes.
STRIPE_SECONDS = 30.0
# The customer of a new account is made at Stripe in the background, usually within a second: who
# needs it is kept waiting so long, and it is looked for so often, before the answer is "later".
SET_UP_SECONDS = 5.0
LOOK_SECONDS = 0.2
CUSTOMER_PENDING = "customer_pending"


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
        """The answer; a refusal, a missing service or a late answer is an ApiError.

        What needs a customer at Stripe waits a moment for the one of a new account.
        """
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + SET_UP_SECONDS
        while True:
            answer = await self._answer(request, owner, idempotency_key, timeout_seconds)
            if not isinstance(answer, Refusal):
                return answer
            if answer.code != CUSTOMER_PENDING or loop.time() > give_up_at:
                later = {"Retry-After": str(RETRY_AFTER_SECONDS)}
                raise ApiError(
                    answer.status,
                    answer.code,
                    answer.detail,
                    headers=later if answer.passes else {},
                )
            await self._open_account(request)
            await asyncio.sleep(LOOK_SECONDS)

    async def _open_account(self, request: Request[Any]) -> None:
        """Have the customer made: whoever asks for an account opens it, and maybe nobody has."""
        organization_id: str = request.organization_id  # type: ignore[attr-defined]
        await self._answer(GetAccount(organization_id=organization_id))

    async def _answer(
        self,
        request: Request[R],
        owner: str | None = None,
        idempotency_key: str | None = None,
        timeout_seconds: float = ANSWER_SECONDS,
    ) -> R | Refusal:
        try:
            return await self._bus.ask(
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
