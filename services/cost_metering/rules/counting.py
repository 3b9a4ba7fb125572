"""Six kinds of tokens that never overlap, and how overlapping counts are taken apart."""

from typing import Final, NamedTuple

import msgspec

from services.cost_metering.rules.parking import Parked

NO_KINDS: Final[frozenset[str]] = frozenset()


class Tokens(msgspec.Struct, frozen=True, gc=False):
    """Disjoint counts of one call.

    Short cache writes (`5m`) are Anthropic's of 5 minutes and OpenAI's of 30 minutes; long ones
    (`1h`) Anthropic's of 1 hour and OpenAI's of 12 hours.
    """

    input_uncached: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    output_text: int
    output_reasoning: int

    @property
    def prompt(self) -> int:
        """Everything that went in; decides the tier of a price."""
        return self.input_uncached + self.cache_read + self.cache_write_5m + self.cache_write_1h

    @property
    def completion(self) -> int:
        """Everything that came out."""
        return self.output_text + self.output_reasoning

    @property
    def total(self) -> int:
        """What the provider's own total says, where it gives one."""
        return self.prompt + self.completion


class Usage(msgspec.Struct, frozen=True, gc=False):
    """What a usage object says: tokens, what remains in doubt, and the price list it names.

    `complete`: nothing is known to be missing. `cache_ttl_known`: the cache writes are split by
    their time to live. `other_kinds`: audio, image, video or document tokens are in the counts.
    """

    tokens: Tokens
    complete: bool = True
    cache_ttl_known: bool = True
    other_kinds: frozenset[str] = NO_KINDS
    service_tier: str | None = None
    speed: str | None = None
    region: str | None = None


class Writes(msgspec.Struct, frozen=True, gc=False):
    """Cache writes by time to live."""

    short: int
    long: int
    ttl_known: bool = True


NO_WRITES: Final = Writes(0, 0)


class Counts(msgspec.Struct, frozen=True, gc=False):
    """Counts where input includes cache reads and writes, and output includes reasoning."""

    input: int | None
    output: int | None
    total: int | None
    cache_read: int
    writes: Writes
    reasoning: int


class Names(NamedTuple):
    """What a format calls its three sums."""

    input: str
    output: str
    total: str


def split_writes(
    total: int | None, short: int | None = None, long: int | None = None
) -> Writes | Parked:
    """Writes by time to live; a total that is not split counts as short, and is marked."""
    if not (short or long):
        return Writes(total, 0, ttl_known=False) if total else NO_WRITES
    split = (short or 0) + (long or 0)
    if total is not None and total != split:
        rule = f"cache writes ({total}) are not the sum of their times to live ({split})"
        return Parked("ambiguous_cache_writes", f"Field `usage`: {rule}.")
    return Writes(short or 0, long or 0)


def take_apart(names: Names, counts: Counts) -> Tokens | Parked:
    """Take the parts out of their parents, after checking them against the provider's total."""
    given, output = counts.input or 0, counts.output or 0
    if counts.total is not None and counts.total != given + output:
        return total_mismatch(names.total, counts.total, given + output)
    cached = counts.cache_read + counts.writes.short + counts.writes.long
    if cached > given:
        rule = f"cache reads and writes ({cached}) exceed `{names.input}` ({given})"
        return Parked("cache_exceeds_input", f"Field `usage`: {rule}, which includes them.")
    if counts.reasoning > output:
        return reasoning_exceeds(names.output, counts.reasoning, output)
    return Tokens(
        given - cached,
        counts.cache_read,
        counts.writes.short,
        counts.writes.long,
        output - counts.reasoning,
        counts.reasoning,
    )


def is_complete(counts: Counts) -> bool:
    """Both sums are there, or a total vouches for the one left out (embeddings have no output)."""
    return counts.total is not None or (counts.input is not None and counts.output is not None)


def total_mismatch(name: str, total: int, found: int) -> Parked:
    """The provider's own total contradicts its parts."""
    rule = f"is {total}, but the counts it sums up make {found}"
    return Parked("total_mismatch", f"Field `usage.{name}` {rule}.")


def reasoning_exceeds(name: str, reasoning: int, output: int) -> Parked:
    """A part is larger than what includes it."""
    rule = f"reasoning tokens ({reasoning}) exceed `{name}` ({output})"
    return Parked("reasoning_exceeds_output", f"Field `usage`: {rule}, which includes them.")
