"""A sheet as a page of HTML: no script, nothing loaded, everything escaped, printable on A4."""

from collections.abc import Iterable
from pathlib import Path

from markupsafe import Markup

from services.invoicing.documents.document import InvoiceDocument
from services.invoicing.documents.sheet import Person, Row, Sheet, Sum, sheet_of

STYLE = Markup(Path(__file__).with_name("sheet.css").read_text(encoding="utf-8"))  # noqa: S704
# The page needs its own style sheet and nothing else.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; sandbox allow-modals"
)

PAGE = Markup("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{title} {number}</title>
<style>
{style}</style>
</head>
<body>
<main>
<header>
<div><h1>{title}</h1>
<p class="headline">{headline}</p></div>
<p class="stamp {tone}">{stamp}</p>
</header>
<div class="parties">
<section><h2>From</h2>
{seller}</section>
<section><h2>To</h2>
{buyer}</section>
</div>
<dl class="facts">
{facts}</dl>
<table>
<thead><tr><th>Description</th><th>Quantity</th><th>Unit price</th><th>Amount</th></tr></thead>
<tbody>
{rows}</tbody>
</table>
<div class="end">
<dl class="sums">
{sums}</dl>
{note}</div>
</main>
</body>
</html>
""")
PERSON = Markup('<p><strong dir="auto">{}</strong>{}</p>\n')
PERSON_LINE = Markup('<br>\n<span dir="auto">{}</span>')
FACT = Markup("<div><dt>{}</dt><dd>{}</dd></div>\n")
ROW = Markup('<tr><td><span dir="auto">{}</span>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n')
ROW_LINE = Markup('<small dir="auto">{}</small>')
SUM = Markup("<dt>{}</dt><dd>{}</dd>\n")
STRONG_SUM = Markup("<dt><strong>{}</strong></dt><dd><strong>{}</strong></dd>\n")
NOTE = Markup('<section class="note {}"><h2>Payment</h2>\n<p dir="auto">{}</p></section>\n')


def render_html(document: InvoiceDocument) -> bytes:
    """The same bytes for the same document; `Markup.format` escapes whatever it puts in."""
    sheet = sheet_of(document)
    return _page(sheet).encode()


def _page(sheet: Sheet) -> Markup:
    return PAGE.format(
        style=STYLE,
        title=sheet.title,
        number=sheet.number,
        headline=sheet.headline,
        stamp=sheet.stamp,
        tone=sheet.tone,
        seller=_person(sheet.seller),
        buyer=_person(sheet.buyer),
        facts=_joined(FACT.format(label, value) for label, value in sheet.facts),
        rows=_joined(_row(row) for row in sheet.rows),
        sums=_joined(_sum(each) for each in sheet.sums),
        note=NOTE.format(sheet.tone, sheet.note) if sheet.note else "",
    )


def _person(person: Person) -> Markup:
    return PERSON.format(person.name, _joined(PERSON_LINE.format(line) for line in person.lines))


def _row(row: Row) -> Markup:
    small = _joined(ROW_LINE.format(line) for line in row.small)
    return ROW.format(row.description, small, row.quantity, row.unit_price, row.total)


def _sum(each: Sum) -> Markup:
    return (STRONG_SUM if each.strong else SUM).format(each.label, each.amount)


def _joined(parts: Iterable[Markup]) -> Markup:
    return Markup("").join(parts)
