"""CSV that a spreadsheet shows and never executes."""

from collections.abc import Iterable

# What makes a spreadsheet read a cell as a formula, full-width forms included (OWASP).
FORMULA_TRIGGERS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
# Excel takes a file without it for the local 8-bit encoding.
BYTE_ORDER_MARK = "\ufeff"


def guarded(text: str) -> str:
    """Text that no spreadsheet takes for a formula: an apostrophe goes before a trigger."""
    return f"'{text}" if text.startswith(FORMULA_TRIGGERS) else text


def csv_row(cells: Iterable[str | int | None]) -> str:
    """One line, every cell quoted; text is guarded, None is an empty cell."""
    texts = (guarded("" if cell is None else str(cell)) for cell in cells)
    return ",".join('"' + text.replace('"', '""') + '"' for text in texts) + "\r\n"
