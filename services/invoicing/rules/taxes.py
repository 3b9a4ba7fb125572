"""Tax: the rate of an account. Another source of rates, such as a tax service, takes its place."""

from collections.abc import Callable
from typing import NamedTuple

from services.invoicing.tables.rows import ProfileRow


class TaxRate(NamedTuple):
    """A rate in basis points (10,000 are 100%), and what the tax is called."""

    basis_points: int
    name: str | None


NO_TAX = TaxRate(0, None)
# What a provider of rates is; it looks up what it keeps, for an invoice waits for nobody.
TaxRates = Callable[[ProfileRow], TaxRate]


def rate_of_account(profile: ProfileRow) -> TaxRate:
    """What an operator has set for the account; nothing for who is exempt."""
    if profile.tax_exempt or not profile.tax_basis_points:
        return NO_TAX
    return TaxRate(profile.tax_basis_points, profile.tax_name)
