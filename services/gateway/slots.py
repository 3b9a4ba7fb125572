"""How many long answers may be under way at once, in all and for one principal."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from services.gateway.errors import ApiError


class Slots:
    """Counts what is under way; memory is bounded by `total`."""

    def __init__(self, kind: str, *, total: int, each: int) -> None:
        self._kind = kind
        self._total = total
        self._each = each
        self._taken: Counter[str] = Counter()

    @contextmanager
    def taken(self, principal: str) -> Iterator[None]:
        """Hold a slot; raises a 429 when `principal` or all together hold too many already."""
        if self._taken[principal] >= self._each or self._taken.total() >= self._total:
            raise ApiError(
                429,
                f"too_many_{self._kind}",
                f"Too many {self._kind} are open; close one or try again shortly.",
                headers={"Retry-After": "5"},
            )
        self._taken[principal] += 1
        try:
            yield
        finally:
            self._taken[principal] -= 1
            if not self._taken[principal]:
                del self._taken[principal]
