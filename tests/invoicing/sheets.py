"""Documents to be drawn, and what can be read from a PDF."""

from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO
from typing import Any

from pypdf import PageObject, PdfReader
from pypdf.generic import ContentStream

from services.invoicing.documents.document import DocumentLine, InvoiceDocument, Party

OCTOBER = datetime(2026, 10, 1, tzinfo=UTC)
NOVEMBER = datetime(2026, 11, 1, tzinfo=UTC)
SELLER = Party(
    name="OmoiOS Inc.",
    address=("548 Market Street", "San Francisco, CA 94104", "US"),
    tax_id="US 12-3456789",
    email="billing@omoios.example",
)
BUYER = Party(
    name="Łukasz & Søn Sp. z o.o.",
    address=("Krakowskie Przedmieście 1", "00-001 Warszawa", "PL"),
    tax_id="PL 5260001246",
)

ALPHABETS = {
    "Latin": "Żółć ąęłńśź ğüşıöç đơ ưễ Þórður €",
    "Greek": "Ελληνική Εταιρεία Λογισμικού",
    "Cyrillic": "ООО «Ромашка» Київ Ђорђе",
    "Arabic": "شركة المثال للتجارة المحدودة",
    "Persian": "شرکت نمونه می\u200cشود",
    "Hebrew": "חברה לדוגמה בעברית",
    "Chinese": "示例软件有限公司 範例軟體有限公司",
    "Japanese": "株式会社サンプル こんにちは",
    "Korean": "주식회사 안녕하세요 뷁",
    "Thai": "บริษัท ตัวอย่าง จำกัด",
    "Georgian": "შპს მაგალითი",
    "Devanagari": "उदाहरण कंपनी",
}


def line(**changes: Any) -> DocumentLine:
    """Three workflows of October at $10.00."""
    said: dict[str, Any] = {
        "description": "Completed workflows",
        "quantity": Decimal(3),
        "unit_price_cents": Decimal(1000),
        "total_cents": 3000,
        "period_start": OCTOBER,
        "period_end": NOVEMBER,
    }
    return DocumentLine(**said | changes)


def document(**changes: Any) -> InvoiceDocument:
    """$1,234.56 of work, less $10.00, with 19% tax and $20.00 of credits."""
    said: dict[str, Any] = {
        "number": "INV-ACME-000042",
        "status": "open",
        "seller": SELLER,
        "buyer": BUYER,
        "issued_at": NOVEMBER,
        "due_at": datetime(2026, 11, 8, tzinfo=UTC),
        "period_start": OCTOBER,
        "period_end": NOVEMBER,
        "lines": (line(total_cents=123_456),),
        "subtotal_cents": 123_456,
        "discount_cents": 1_000,
        "tax_cents": 23_267,
        "tax_rate_percent": Decimal("19.00"),
        "total_cents": 145_723,
        "credits_applied_cents": 2_000,
        "amount_due_cents": 143_723,
        "payment_note": "Pay by card on the billing page.",
    }
    return InvoiceDocument(**said | changes)


def pages_of(pdf: bytes) -> list[PageObject]:
    """The pages of a PDF."""
    return list(PdfReader(BytesIO(pdf)).pages)


def text_of(pdf: bytes) -> str:
    """What can be copied from a PDF, each run of space one space."""
    text = " ".join(page.extract_text() for page in pages_of(pdf))
    return " ".join(text.split())


def missing_glyphs(pdf: bytes) -> int:
    """Characters that were drawn as an empty box: glyph 0 of their font."""
    reader = PdfReader(BytesIO(pdf))
    shown = [
        part
        for page in reader.pages
        for operands, operator in ContentStream(page.get_contents(), reader).operations
        if operator in {b"Tj", b"TJ"}
        for part in (operands[0] if isinstance(operands[0], list) else operands)
    ]
    drawn = [getattr(part, "original_bytes", None) for part in shown]
    glyphs = [each[at : at + 2] for each in drawn if each for at in range(0, len(each), 2)]
    assert glyphs
    return glyphs.count(b"\x00\x00")
