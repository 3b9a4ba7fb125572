"""Invoices as PDF and HTML: true to the document, harmless, readable in many alphabets."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from io import BytesIO
from typing import cast

import pytest
from pypdf import PdfReader
from pypdf.generic import DictionaryObject

from services.invoicing.documents import drawing as drawing_module
from services.invoicing.documents import pdf as pdf_module
from services.invoicing.documents.document import DocumentStatus, InvoiceDocument, Party
from services.invoicing.documents.drawing import Drawing
from services.invoicing.documents.html import CONTENT_SECURITY_POLICY, render_html
from services.invoicing.documents.pdf import NotDrawn, render_pdf
from services.invoicing.documents.sheet import clean, money, period, sheet_of
from tests.invoicing.sheets import (
    ALPHABETS,
    NOVEMBER,
    OCTOBER,
    document,
    line,
    missing_glyphs,
    pages_of,
    text_of,
)

HOSTILE = (
    '#read("/etc/passwd")',
    '#import "@preview/evil:1.0.0"',
    "] #panic() [",
    "$ x^2 $ *bold* _italic_ `raw` <label> @ref \\ = heading // not a comment /* nor this",
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{style} {0} %s {{7*7}} ${7*7}",
    "&lt;b&gt; &amp;",
)


class Text(HTMLParser):
    """The words of a page, and the tags they came in."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[str] = []
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not [name for name, _ in attrs if name.startswith("on") or name in {"src", "href"}]

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def all(self) -> str:
        return " ".join(" ".join(self.words).split())


def every_word(said: InvoiceDocument) -> list[str]:
    sheet = sheet_of(said)
    words = [sheet.title, sheet.number, sheet.stamp, sheet.headline, sheet.note or ""]
    for person in (sheet.seller, sheet.buyer):
        words += [person.name, *person.lines]
    words += [word for fact in sheet.facts for word in fact]
    for row in sheet.rows:
        words += [row.description, *row.small, row.quantity, row.unit_price, row.total]
    return words + [word for each in sheet.sums for word in (each.label, each.amount)]


def test_a_pdf_says_what_the_document_says() -> None:
    said = document(lines=(line(), line(description="Late ones", notes=("Corrects INV-1",))))
    text = text_of(render_pdf(said)).lower()
    for word in every_word(said):
        assert word.lower() in text


def test_a_page_of_html_says_what_the_document_says() -> None:
    said = document(lines=(line(), line(description="Late ones", notes=("Corrects INV-1",))))
    text = Text(render_html(said)).all
    for word in every_word(said):
        assert word in text


def test_the_sheet_has_the_figures_in_the_order_in_which_they_are_computed() -> None:
    sums = [(each.label, each.amount) for each in sheet_of(document()).sums]
    assert sums == [
        ("Subtotal", "$1,234.56"),
        ("Discount", "−$10.00"),
        ("Tax (19%)", "$232.67"),
        ("Total", "$1,457.23"),
        ("Credits applied", "−$20.00"),
        ("Amount due", "$1,437.23"),
    ]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_whatever_a_customer_writes_stays_text(hostile: str) -> None:
    party = Party(name=hostile, address=(hostile,), tax_id=hostile)
    said = document(
        buyer=party, lines=(line(description=hostile, notes=(hostile,)),), payment_note=hostile
    )
    # A long word may be cut into two lines.
    shown = "".join(hostile.split())
    assert text_of(render_pdf(said)).replace(" ", "").count(shown) == 6
    page = Text(render_html(said))
    assert page.all.replace(" ", "").count(shown) == 6
    assert not {"script", "img", "b"} & set(page.tags)


def test_controls_and_direction_overrides_are_not_printed() -> None:
    assert clean("a\x00b\r\nc\u202ed\u2066e\ufefff\ud800g") == "a b c d e f g"
    assert len(clean("x" * 5000)) == 500
    said = document(buyer=Party(name="Evil\u202eCorp\r\nBcc: x\x00"))
    assert "Evil Corp Bcc: x" in text_of(render_pdf(said))


@pytest.mark.parametrize("alphabet", ALPHABETS)
def test_an_alphabet_has_no_missing_glyph(alphabet: str) -> None:
    name = ALPHABETS[alphabet]
    pdf = render_pdf(document(buyer=Party(name=name), lines=(line(description=name),)))
    assert missing_glyphs(pdf) == 0


def test_a_missing_glyph_would_be_noticed() -> None:
    assert missing_glyphs(render_pdf(document(buyer=Party(name="ᚠᚢᚦ")))) > 0


def test_200_lines_paginate_with_heads_and_numbers() -> None:
    lines = tuple(line(description=f"Line {number:03}") for number in range(1, 201))
    drawn = pages_of(render_pdf(document(lines=lines)))
    pages = [" ".join(page.extract_text().split()) for page in drawn]
    assert 5 <= len(pages) <= 12
    for number, text in enumerate(pages, 1):
        assert f"Page {number} of {len(pages)}" in text
        assert "Description Quantity Unit price Amount" in text or "Subtotal" in text
    whole = " ".join(pages)
    assert [f"Line {number:03}" in whole for number in range(1, 201)] == [True] * 200
    # What it comes to stands on one page.
    assert all(each.label in pages[-1] for each in sheet_of(document()).sums)


@pytest.mark.parametrize("status", ["draft", "open", "paid", "past_due", "void"])
def test_a_status_is_stamped_in_words(status: DocumentStatus) -> None:
    said = document(status=status, paid_at=NOVEMBER if status == "paid" else None)
    stamp = status.replace("_", " ")
    assert f"{stamp.upper()} " in text_of(render_pdf(said))
    assert f'class="stamp {status}">{stamp.capitalize()}<' in render_html(said).decode()


def test_a_credit_note_names_the_invoice_it_corrects() -> None:
    said = document(kind="credit_note", number="CN-ACME-000001", corrects="INV-ACME-000042")
    text = text_of(render_pdf(said))
    assert "CREDIT NOTE" in text
    assert "For invoice INV-ACME-000042" in text
    assert "Total credited $1,457.23" in text
    assert "Amount due" not in text


def test_long_words_stay_on_the_page() -> None:
    said = document(
        number="INV-" + "9" * 60,
        seller=Party(name="S" * 200, tax_id="T" * 200),
        buyer=Party(name="W" * 200, address=("x" * 200,)),
        lines=(line(description="Q" * 200, notes=("n" * 200,)),),
    )
    pages = pages_of(render_pdf(said))
    words: list[tuple[float, str]] = []

    def note(
        text: str, outer: list[float], inner: list[float], _font: object, _size: float
    ) -> None:
        words.append((outer[0] * inner[4] + outer[4], text))

    for page in pages:
        page.extract_text(visitor_text=note)
    left, right = 55, float(pages[0].mediabox.right) - 55
    assert all(left < place < right for place, text in words if text.strip())
    # In the narrowest column a line of the widest letters is no longer than this.
    assert max(len(line) for _, text in words for line in text.split() if set(line) == {"W"}) < 20
    assert "W" * 200 in text_of(render_pdf(said)).replace(" ", "")


def test_the_same_document_is_the_same_bytes() -> None:
    assert render_pdf(document()) == render_pdf(document())
    assert render_html(document()) == render_html(document())
    assert render_pdf(document()) != render_pdf(document(status="void"))


def test_a_pdf_tells_readers_what_it_is() -> None:
    reader = PdfReader(BytesIO(render_pdf(document())))
    assert reader.metadata is not None
    assert reader.metadata.title == "Invoice INV-ACME-000042"
    assert reader.metadata.author == "OmoiOS Inc."
    assert reader.metadata.creation_date == NOVEMBER
    root = reader.root_object
    assert cast("DictionaryObject", root["/MarkInfo"])["/Marked"]  # for who listens to it
    assert str(root["/Lang"]) == "en"


def test_an_invoice_is_finalized_within_a_second() -> None:
    moment = NOVEMBER + timedelta(microseconds=123_456)
    reader = PdfReader(BytesIO(render_pdf(document(issued_at=moment))))
    assert reader.metadata is not None
    assert reader.metadata.creation_date == NOVEMBER


async def test_it_is_drawn_apart_just_the_same() -> None:
    drawing = Drawing()
    drawn = await asyncio.gather(*(drawing.pdf(document()) for _ in range(3)))
    assert set(drawn) == {render_pdf(document())}


async def test_what_takes_too_long_is_given_up() -> None:
    with pytest.raises(NotDrawn, match="longer than"):
        await Drawing(seconds=0.001).pdf(document())


async def test_what_is_too_large_is_not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotDrawn, match="at most 2000 lines"):
        await Drawing().pdf(document(lines=(line(),) * 2001))
    with pytest.raises(NotDrawn, match="too large"):
        await Drawing().pdf(document(lines=(line(notes=("n" * 2000,)),) * 2000))
    monkeypatch.setattr(pdf_module, "LARGEST_PDF_BYTES", 1000)
    with pytest.raises(NotDrawn, match="bytes"):
        render_pdf(document())


def test_what_credit_notes_took_off_and_a_taxs_own_name_are_printed() -> None:
    said = document(tax_name="VAT", credited_cents=1_000, amount_due_cents=142_723)
    sums = [(each.label, each.amount) for each in sheet_of(said).sums]
    assert ("VAT (19%)", "$232.67") in sums
    assert sums[-2:] == [("Credit notes", "−$10.00"), ("Amount due", "$1,427.23")]


def test_an_invoice_that_credit_notes_settled_does_not_say_that_anybody_paid() -> None:
    due = {"status": "paid", "paid_at": NOVEMBER, "amount_due_cents": 0}
    settled = document(**due, credited_cents=143_723)
    said = sheet_of(settled)
    assert (said.stamp, said.headline) == ("Settled", "Settled by credit notes on 1 November 2026")
    assert ("Settled", "1 November 2026") in said.facts
    assert "SETTLED " in text_of(render_pdf(settled))
    partly = sheet_of(document(**due, credited_cents=100_000, amount_paid_cents=43_723))
    assert (partly.stamp, partly.headline) == ("Paid", "$457.23 paid on 1 November 2026")
    by_credits = sheet_of(document(**due, credits_applied_cents=145_723))
    assert by_credits.headline == "$1,457.23 paid on 1 November 2026"


async def test_a_drawing_that_breaks_is_told_without_what_was_to_be_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(drawing_module, "MODULE", "tests.invoicing.broken_drawing")
    with pytest.raises(NotDrawn) as error:
        await Drawing().pdf(document(buyer=Party(name="CANARY")))
    assert str(error.value) == "drawing ended with 1, ValueError"


def test_html_needs_nothing_but_its_own_style() -> None:
    page = render_html(document()).decode()
    assert "<script" not in page
    assert "http" not in page
    assert "url(" not in page
    assert "default-src 'none'" in CONTENT_SECURITY_POLICY


def test_money_and_periods_are_written_one_way() -> None:
    assert money(-5, "usd") == "−$0.05"
    assert money(123_456_789, "usd") == "$1,234,567.89"
    assert money(Decimal("0.0315"), "usd") == "$0.000315"
    assert money(100, "chf") == "CHF 1.00"
    assert period(OCTOBER, NOVEMBER) == "1 – 31 October 2026"
    assert period(OCTOBER, datetime(2026, 11, 6, tzinfo=UTC)) == "1 October – 5 November 2026"
    assert period(datetime(2026, 12, 31, tzinfo=UTC), datetime(2027, 1, 2, tzinfo=UTC)) == (
        "31 December 2026 – 1 January 2027"
    )
    assert period(OCTOBER, OCTOBER) == "1 October 2026"
