"""The form of a check, and of the road by which one owner's numbers reach another's."""

from typing import Literal, NamedTuple

from shared.contracts.base import Event


class Pipe(NamedTuple):
    """A fact by which one owner's numbers reach another's."""

    fact: type[Event]
    consumer: str


class Check(NamedTuple):
    """The sum of `left` must be the sum of `right` (or `at_least` it); a figure is named
    `owner.figure`, a book of rows `owner.book`.

    Between owners it is judged only when all that the left one told has been heard (`pipes`), and
    while nothing moves that `quiet` counts. One that does not park only tells. A difference may be
    accepted by who releases an account; one whose figure says no more than yes or no may not, for
    the next difference would look the same.
    """

    name: str
    invariant: str
    sentence: str
    left: tuple[str, ...]
    right: tuple[str, ...] = ()
    relation: Literal["equal", "at_least"] = "equal"
    left_rows: str | None = None
    right_rows: str | None = None
    pipes: tuple[Pipe, ...] = ()
    quiet: tuple[str, ...] = ()
    parks: bool = True
    accepts: bool = True

    @property
    def owners(self) -> frozenset[str]:
        """Those who must have answered."""
        figures = (*self.left, *self.right, *self.quiet)
        return frozenset(figure.partition(".")[0] for figure in figures)

    @property
    def is_within_one(self) -> bool:
        """Whether one owner's snapshot decides it, so that nothing can be in flight."""
        return len(self.owners) == 1 and not self.quiet
