"""A sheet as PDF: set by Typst with fonts of ours, which reads nothing else and loads nothing."""

import tempfile
from datetime import UTC
from functools import cache
from importlib.resources import files
from pathlib import Path

import msgspec
import pymupdf_fonts
import typst

from services.invoicing.documents.document import InvoiceDocument
from services.invoicing.documents.sheet import sheet_of

# Beyond these a document is not drawn.
MOST_LINES = 2_000
LARGEST_PDF_BYTES = 600 * 1024

TEMPLATE = Path(__file__).with_name("sheet.typ")
# FiraGO: Latin, Greek, Cyrillic, Arabic, Hebrew, Georgian, Thai, Devanagari.
OWN_FONTS = {"FiraGO-Regular.ttf": "figo", "FiraGO-Bold.ttf": "figbo"}
# Chinese, Japanese, Korean.
CJK_FONTS = "noto_cjk_sans_otc"


class NotDrawn(Exception):
    """A document was too large, took too long, or could not be set; the message says which."""


@cache
def _own_fonts() -> tempfile.TemporaryDirectory[str]:
    """FiraGO as files, for the life of this process; its package carries them as text."""
    folder = tempfile.TemporaryDirectory(prefix="invoice-fonts-")
    for name, code in OWN_FONTS.items():
        (Path(folder.name) / name).write_bytes(pymupdf_fonts.fontbuffers[code]())
    return folder


def fonts_folder() -> str:
    """Where the fonts are that Typst cannot read from a package."""
    return _own_fonts().name


def render_pdf(document: InvoiceDocument, folder: str | None = None) -> bytes:
    """The same bytes for the same document; raises NotDrawn.

    Whatever a customer wrote reaches Typst as data, not as a part of its source.
    """
    if len(document.lines) > MOST_LINES:
        raise NotDrawn(f"a document has at most {MOST_LINES} lines")
    fonts = typst.Fonts(
        include_system_fonts=False,
        include_embedded_fonts=False,
        font_paths=[folder or fonts_folder(), str(files(CJK_FONTS))],
    )
    compiler = typst.Compiler(
        TEMPLATE.read_bytes(),
        font_paths=fonts,
        ignore_system_fonts=True,
        sys_inputs={"sheet": msgspec.json.encode(sheet_of(document)).decode()},
    )
    # Typst refuses a time with a fraction of a second, which every real one has.
    issued_at = document.issued_at.astimezone(UTC).replace(microsecond=0)
    try:
        drawn = compiler.compile(format="pdf", timestamp=issued_at)
    except typst.TypstError as error:
        raise NotDrawn(f"it cannot be set: {error.message}"[:300]) from error
    if not isinstance(drawn, bytes) or len(drawn) > LARGEST_PDF_BYTES:
        raise NotDrawn(f"a PDF has at most {LARGEST_PDF_BYTES} bytes")
    return drawn
