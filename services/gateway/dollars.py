"""Pico-dollars and cents become dollars here, at the border, and nowhere else."""

from shared.money import PICOUSD_PER_USD


def dollars(picousd: int) -> float:
    """The JSON number nearest to an exact amount: one correctly rounded division."""
    return picousd / PICOUSD_PER_USD


def dollars_of_cents(cents: int) -> float:
    """The JSON number nearest to whole cents: `19.99` for 1999."""
    return cents / 100


def exact_dollars(picousd: int) -> str:
    """The exact amount as text with 12 decimals, for files that people add up."""
    whole, fraction = divmod(abs(picousd), PICOUSD_PER_USD)
    return f"{'-' if picousd < 0 else ''}{whole}.{fraction:012d}"
