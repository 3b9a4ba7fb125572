"""Takes an envelope apart when one of its events is not even JSON, to save the others."""

import re
from itertools import pairwise

# A string that never ends is one token to the end of the body, so that the scan stays linear.
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[\]{},]', re.DOTALL)


def split_events(body: bytes) -> tuple[bytes, list[bytes]] | None:
    """The envelope with `events` emptied, and the bytes of each event; None without such a list.

    Only brackets, strings and commas are looked at, so an event may be as wrong as it likes
    between balanced brackets. Nothing recurses.
    """
    depth, key = 0, b""
    cuts: list[int] = []
    for token in _TOKEN.finditer(body):
        kind = token[0][:1]
        if kind == b'"':
            key = token[0] if depth == 1 else key
        elif kind in b"[{":
            if depth == 1 and key == b'"events"' and kind == b"[":
                cuts.append(token.end())
            depth += 1
        elif kind in b"]}":
            depth -= 1
            if cuts and depth == 1:
                return _cut(body, [*cuts, token.end()])
        elif cuts and depth == 2:
            cuts.append(token.end())
    return None


def _cut(body: bytes, cuts: list[int]) -> tuple[bytes, list[bytes]]:
    header = body[: cuts[0]] + body[cuts[-1] - 1 :]
    return header, [body[start : end - 1].strip() for start, end in pairwise(cuts)]
