"""A PDF as pictures: where a page's ink is, and which letters lie upon each other."""

from typing import NamedTuple

import pypdfium2

# Pixels a millimetre; fine enough for a hair line.
SCALE = 2.0
# Letters stand close, some lean over their neighbours, but none lies on another one so far.
CLOSE = 0.4
PIXELS = SCALE * 72 / 25.4
WHITE = 255


class Ink(NamedTuple):
    """How far from each edge of a page its ink begins, in millimetres."""

    left: float
    right: float
    top: float
    bottom: float


def ink_of(pdf: bytes) -> list[Ink]:
    """Of each page."""
    with pypdfium2.PdfDocument(pdf) as document:
        return [_ink(document[number]) for number in range(len(document))]


def _ink(page: pypdfium2.PdfPage) -> Ink:
    picture = page.render(scale=SCALE, grayscale=True)
    width, height, stride = picture.width, picture.height, picture.stride
    paper = bytes([WHITE])
    drawn = bytes(picture.buffer)
    rows = [drawn[at : at + width] for at in range(0, stride * height, stride)]
    inked = [number for number, row in enumerate(rows) if row.strip(paper)]
    left = min(width - len(rows[number].lstrip(paper)) for number in inked)
    right = min(width - len(rows[number].rstrip(paper)) for number in inked)
    return Ink(left / PIXELS, right / PIXELS, inked[0] / PIXELS, (height - 1 - inked[-1]) / PIXELS)


def overlapping(pdf: bytes) -> list[tuple[str, str]]:
    """Pairs of letters that lie upon each other."""
    with pypdfium2.PdfDocument(pdf) as document:
        return [pair for number in range(len(document)) for pair in _overlapping(document[number])]


def _overlapping(page: pypdfium2.PdfPage) -> list[tuple[str, str]]:
    text = page.get_textpage()
    letters = []
    for number in range(text.count_chars()):
        letter, box = text.get_text_range(number, 1), text.get_charbox(number)
        if letter.strip() and box[2] > box[0]:
            letters.append((letter, *box))
    letters.sort(key=lambda each: each[1])
    found = []
    for number, (one, left, bottom, right, top) in enumerate(letters):
        for other, left_, bottom_, right_, top_ in letters[number + 1 :]:
            if left_ >= right:
                break
            if (left_, right_) == (left, right):
                continue  # a ligature
            wide = min(right, right_) - left_
            high = min(top, top_) - max(bottom, bottom_)
            if wide > CLOSE * min(right - left, right_ - left_) and high > 0:
                found.append((one, other))
    return found
