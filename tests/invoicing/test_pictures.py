"""Documents looked at as pictures: nothing is beyond the margins, and no two words overlap."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from services.invoicing.documents.document import InvoiceDocument, Party
from services.invoicing.documents.pdf import render_pdf
from tests.invoicing.pictures import ink_of, overlapping
from tests.invoicing.sheets import ALPHABETS, document, line

# Millimetres; half of a line that is drawn on the edge of a box is outside of it.
SIDES, HEAD, FOOT, HAIR = 20, 20, 8, 0.5
WORD = "Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz"


def stays_inside(said: InvoiceDocument) -> None:
    pdf = render_pdf(said)
    for page in ink_of(pdf):
        assert page.left >= SIDES - HAIR
        assert page.right >= SIDES - HAIR
        assert page.top >= HEAD - HAIR
        assert page.bottom >= FOOT - HAIR


def test_200_lines_with_long_names_stay_inside() -> None:
    name = "Completed workflows of team number {} in the department with the long name"
    lines = tuple(
        line(description=name.format(number), notes=("Corrects INV-ACME-000041",) * (number % 3))
        for number in range(200)
    )
    buyer = Party(
        name="The Honourable Society of " + "Very Long Names " * 8,
        address=("A street whose name goes on and on " * 4, "City"),
        tax_id="X" * 60,
    )
    stays_inside(document(lines=lines, buyer=buyer))


def test_words_without_an_end_stay_inside() -> None:
    vast = {"quantity": Decimal(10**15), "unit_price_cents": Decimal(10**17)}
    stays_inside(
        document(
            number="INV-" + "9" * 60,
            corrects="C" * 60,
            seller=Party(name="S" * 200, address=("a" * 200,), tax_id="T" * 200, email="e" * 200),
            buyer=Party(name="W" * 200, address=(WORD * 3,), tax_id="Q" * 120),
            lines=(line(description="Q" * 200, notes=("n" * 200,)), line(**vast)),
            payment_note="P" * 300 + WORD,
            tax_name="W" * 128,
            total_cents=10**17,
            amount_due_cents=10**17,
        )
    )


@pytest.mark.parametrize("alphabet", ALPHABETS)
def test_every_alphabet_stays_inside_with_and_without_spaces(alphabet: str) -> None:
    words = ALPHABETS[alphabet] + " "
    one = "".join(words.split())
    stays_inside(
        document(
            seller=Party(name=words * 6, address=(one * 8,)),
            buyer=Party(name=one * 8, address=(words * 6,), tax_id=one * 3),
            lines=(line(description=one * 10, notes=(words * 8,)), line(description=words * 9)),
            payment_note=one * 12,
            tax_name=(one * 8)[:128],
        )
    )


def test_long_names_of_taxes_do_not_run_into_their_amounts() -> None:
    said = document(tax_name="VAT" * 40, total_cents=10**15)
    assert overlapping(render_pdf(said)) == []


def test_numbers_as_long_as_ours_do_not_overlap_what_is_beside_them() -> None:
    said = document(
        kind="credit_note",
        number="CN-7K2M9QX4TB3C-000001",
        corrects="INV-7K2M9QX4TB3C-000042",
        period_start=datetime(2026, 12, 28, tzinfo=UTC),
        period_end=datetime(2027, 2, 1, tzinfo=UTC),
    )
    assert overlapping(render_pdf(said)) == []
