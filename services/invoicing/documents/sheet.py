"""A document in words: every string as it is printed, for the PDF and the HTML alike."""

import unicodedata
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

import msgspec

from services.invoicing.documents.document import DocumentLine, InvoiceDocument, Party

TITLES = {"invoice": "Invoice", "credit_note": "Credit note", "receipt": "Receipt"}
STAMPS = {
    "draft": "Draft",
    "open": "Open",
    "paid": "Paid",
    "past_due": "Past due",
    "void": "Void",
}
SYMBOLS = {"usd": "$", "eur": "€", "gbp": "£"}
LONGEST_TEXT = 500
UNPRINTABLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
# Persian and Indian scripts are spelled with them.
JOINERS = "\u200c\u200d"

Tone = Literal["draft", "open", "paid", "past_due", "void", "credit"]


class Person(msgspec.Struct, frozen=True):
    """A name and what stands below it."""

    name: str
    lines: tuple[str, ...]


class Row(msgspec.Struct, frozen=True):
    """A line of the table; `small` is what stands below the description."""

    description: str
    small: tuple[str, ...]
    quantity: str
    unit_price: str
    total: str


class Sum(msgspec.Struct, frozen=True):
    """A line below the table; the strong one is what it comes to."""

    label: str
    amount: str
    strong: bool = False


class Sheet(msgspec.Struct, frozen=True):
    """What both pages print; `facts` are label and value, the headline says it all in one line."""

    title: str
    number: str
    stamp: str
    tone: Tone
    headline: str
    seller: Person
    buyer: Person
    facts: tuple[tuple[str, str], ...]
    rows: tuple[Row, ...]
    sums: tuple[Sum, ...]
    note: str | None


def sheet_of(document: InvoiceDocument) -> Sheet:
    """A document as it is printed; nothing of it can be more than text."""
    credit = document.kind == "credit_note"
    issued = credit and document.status != "void"
    return Sheet(
        title=TITLES[document.kind],
        number=clean(document.number),
        stamp="Credit" if issued else _stamp(document),
        tone="credit" if issued else document.status,
        headline=_headline(document),
        seller=_person(document.seller),
        buyer=_person(document.buyer),
        facts=_facts(document),
        rows=tuple(_row(line, document.currency) for line in document.lines),
        sums=_sums(document),
        note=clean(document.payment_note) if document.payment_note else None,
    )


def _stamp(document: InvoiceDocument) -> str:
    return "Settled" if document.settled_by_notes else STAMPS[document.status]


def clean(text: str) -> str:
    """Printable, on one line, no longer than fits: controls and what overrides the direction of
    its surroundings become spaces.
    """
    kept = "".join(
        each if each in JOINERS or unicodedata.category(each) not in UNPRINTABLE else " "
        for each in unicodedata.normalize("NFC", text)
    )
    one_line = " ".join(kept.split())
    return one_line if len(one_line) <= LONGEST_TEXT else one_line[: LONGEST_TEXT - 1] + "…"


def money(cents: int | Decimal, currency: str) -> str:
    """`1,234.50` with its currency; a fraction of a cent keeps up to six digits."""
    amount = Decimal(cents) / 100
    fraction = max(2, min(8, -int(amount.normalize().as_tuple().exponent)))
    sign = "−" if amount < 0 else ""
    symbol = SYMBOLS.get(currency.lower(), f"{clean(currency.upper())[:3]} ")
    return f"{sign}{symbol}{abs(amount):,.{fraction}f}"


def date(at: datetime) -> str:
    """`1 November 2026`: no country reads it as another day."""
    return f"{at.day} {at:%B %Y}"


def period(start: datetime | None, end: datetime | None) -> str | None:
    """The days of a half-open period, the last one included."""
    if start is None or end is None:
        return None
    last = end - timedelta(microseconds=1) if end > start else end
    if last.date() == start.date():
        return date(last)
    if (last.year, last.month) == (start.year, start.month):
        return f"{start.day} – {date(last)}"
    first = date(start) if start.year != last.year else f"{start.day} {start:%B}"
    return f"{first} – {date(last)}"


def _headline(document: InvoiceDocument) -> str:
    if document.status == "void":
        return "Void: nothing is to be paid"
    if document.kind == "credit_note":
        return f"{money(document.total_cents, document.currency)} credited"
    if document.status == "paid":
        on = f" on {date(document.paid_at)}" if document.paid_at else ""
        if document.settled_by_notes:
            return f"Settled by credit notes{on}"
        paid_cents = document.total_cents - document.credited_cents
        return f"{money(paid_cents, document.currency)} paid{on}"
    by = f" by {date(document.due_at)}" if document.due_at else ""
    return f"{money(document.amount_due_cents, document.currency)} due{by}"


def _person(party: Party) -> Person:
    below = [*party.address]
    if party.tax_id:
        below.append(f"Tax ID {party.tax_id}")
    if party.email:
        below.append(party.email)
    return Person(clean(party.name), tuple(text for line in below if (text := clean(line))))


def _facts(document: InvoiceDocument) -> tuple[tuple[str, str], ...]:
    paid = document.paid_at if document.status == "paid" else None
    due = document.due_at if document.status in {"open", "past_due"} else None
    said = (
        ("Number", document.number),
        ("Issued", date(document.issued_at)),
        ("For invoice", document.corrects),
        ("Period", period(document.period_start, document.period_end)),
        ("Due", date(due) if due else None),
        ("Settled" if document.settled_by_notes else "Paid", date(paid) if paid else None),
    )
    return tuple((label, clean(value)) for label, value in said if value)


def _row(line: DocumentLine, currency: str) -> Row:
    covered = period(line.period_start, line.period_end)
    small = [covered] if covered else []
    small += [text for note in line.notes if (text := clean(note))]
    return Row(
        description=clean(line.description),
        small=tuple(small),
        quantity=_quantity(line.quantity),
        unit_price=money(line.unit_price_cents, currency),
        total=money(line.total_cents, currency),
    )


def _quantity(quantity: Decimal) -> str:
    return f"{quantity.normalize():,f}"


def _sums(document: InvoiceDocument) -> tuple[Sum, ...]:
    """Only what is there: no zeros but the subtotal and what it comes to."""

    def of(label: str, cents: int, *, strong: bool = False) -> Sum:
        return Sum(label, money(cents, document.currency), strong)

    sums = [of("Subtotal", document.subtotal_cents)]
    if document.discount_cents:
        sums.append(of("Discount", -document.discount_cents))
    rate = document.tax_rate_percent
    if document.tax_cents or rate:
        name = clean(document.tax_name) if document.tax_name else "Tax"
        named = f"{name} ({rate.normalize():f}%)" if rate else name
        sums.append(of(named, document.tax_cents))
    if document.kind == "credit_note":
        return (*sums, of("Total credited", document.total_cents, strong=True))
    sums.append(of("Total", document.total_cents))
    if document.credits_applied_cents:
        sums.append(of("Credits applied", -document.credits_applied_cents))
    if document.credited_cents:
        sums.append(of("Credit notes", -document.credited_cents))
    if document.amount_paid_cents:
        sums.append(of("Paid", -document.amount_paid_cents))
    sums.append(of("Amount due", document.amount_due_cents, strong=True))
    return tuple(sums)
