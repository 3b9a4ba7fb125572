"""Units of money: integers everywhere, pico-dollars for costs and cents for charges."""

PICOUSD_PER_USD = 10**12
PICOUSD_PER_CENT = 10**10
