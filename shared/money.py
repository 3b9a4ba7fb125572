"""Units of money: integers everywhere, pico-dollars for costs and cents for charges."""

PICOUSD_PER_USD = 10**12
PICOUSD_PER_CENT = 10**10
# 100%.
BASIS_POINTS = 10_000


def half_even(numerator: int, denominator: int) -> int:
    """The nearest whole number, of two equally near the even one: the one way money is rounded."""
    quotient, rest = divmod(numerator, denominator)
    over = 2 * rest - denominator
    return quotient + int(over > 0 or (over == 0 and quotient % 2 == 1))
