"""Cut text: into sentences of any script, into parts of a width, into spread windows."""

from __future__ import annotations

import re

__all__ = ["slices", "split_sentences", "spread"]


_BOUNDARY = re.compile(
    r"""(?<=[.!?…])["'”’»)\]]*\s+       # a stop, the quotes and brackets it closes, then space
    | (?<=[。！？｡।])[」』”’）]*\s*        # a stop that needs no space after it
    | \n\s*\n\s*                         # a blank line
    | \n(?=[^\S\n]*[-*•\#>|\d])          # the next line of a list, heading, quotation or table
    """,
    re.VERBOSE,
)


def split_sentences(text: str) -> list[str]:
    """Return the sentences of `text` in order, stripped, none empty; together they have every word of it."""
    ends = [m.end() for m in _BOUNDARY.finditer(text)]
    pieces = (text[a:b].strip() for a, b in zip([0, *ends], [*ends, len(text)], strict=True))
    return [piece for piece in pieces if piece]


def slices(text: str, width: int) -> list[str]:
    """Return `text` in parts of at most `width` characters, cut at the last space in their second half."""
    parts: list[str] = []
    while len(text) > width:
        space = text.rfind(" ", width // 2, width)
        cut = space if space > 0 else width
        parts.append(text[:cut])
        text = text[cut:].lstrip()
    return [part for part in [*parts, text] if part]


def spread(text: str, limit: int = 40_000, windows: int = 16) -> str:
    """Return `text`, or of a text over `limit` characters `windows` evenly spaced pieces that make up `limit`."""
    if len(text) <= limit:
        return text
    width = limit // windows
    step = (len(text) - width) / (windows - 1)
    return "\n\n".join(text[round(i * step) : round(i * step) + width] for i in range(windows))
