"""Discount comes off first, then tax is added, then credits pay; money is rounded once a line."""

from datetime import timedelta

from shared.contracts.account import Buyer
from shared.contracts.invoicing import GetBillingTerms
from tests.invoicing.customer import Customer


async def test_discount_then_tax_then_credits(customer: Customer) -> None:
    await customer.terms(discount_basis_points=1000, tax_basis_points=1900, tax_name="VAT")
    await customer.grant(571)
    await customer.complete(2)
    invoice = await customer.invoice()
    assert (invoice.subtotal_cents, invoice.discount_cents, invoice.tax_cents) == (2000, 200, 342)
    assert (invoice.total_cents, invoice.credits_applied_cents) == (2142, 571)
    assert invoice.amount_due_cents == 1571


async def test_half_a_cent_goes_to_the_even_one(customer: Customer) -> None:
    await customer.terms(tax_basis_points=250)
    await customer.complete(cents=980)
    await customer.complete(cents=40)
    # 2.5% of $10.20 is 25.5 cents.
    assert (await customer.invoice()).tax_cents == 26
    await customer.complete(cents=980)
    # 24.5 cents.
    assert (await customer.invoice()).tax_cents == 24


async def test_who_is_exempt_pays_no_tax(customer: Customer) -> None:
    await customer.terms(tax_basis_points=1900)
    await customer.account_stands(tax_exempt=True, buyer=Buyer(name="Charity", tax_id="X1"))
    await customer.complete()
    invoice = await customer.invoice()
    assert (invoice.tax_cents, invoice.total_cents) == (0, 1000)
    (row,) = await customer.sql("SELECT buyer, seller FROM invoices WHERE organization_id = $1")
    assert '"Charity"' in row["buyer"]
    assert '"OmoiOS"' in row["seller"]


async def test_a_discount_ends(customer: Customer) -> None:
    until = customer.clock.now() + timedelta(days=1)
    await customer.terms(discount_basis_points=5000, discount_until=until)
    await customer.complete()
    assert (await customer.invoice()).total_cents == 500
    customer.clock.advance(timedelta(days=1))
    await customer.complete()
    assert (await customer.invoice()).total_cents == 1000
    terms = await customer.ask(GetBillingTerms(organization_id=customer.organization_id))
    assert (terms.discount_basis_points, terms.discount_until) == (5000, until)


async def test_all_of_it_discounted_is_a_paid_invoice_of_nothing(customer: Customer) -> None:
    await customer.terms(discount_basis_points=10_000)
    await customer.complete()
    invoice = await customer.invoice()
    assert (invoice.subtotal_cents, invoice.total_cents, invoice.status) == (1000, 0, "paid")


async def test_terms_of_somebody_unknown_are_nothing_special(customer: Customer) -> None:
    terms = await customer.ask(GetBillingTerms(organization_id=customer.organization_id))
    assert (terms.discount_basis_points, terms.tax_basis_points, terms.parked_reason) == (
        0,
        0,
        None,
    )
    assert terms.discount_until is None
