"""Text and numbers that the values share: their limits and how they are cleaned."""

from __future__ import annotations

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat

__all__ = ["MAX_TEXT_BYTES", "Label", "Line", "Name", "Tag", "Unit", "Value", "clean_line", "clean_text"]


MAX_TEXT_BYTES = 1_000_000

Unit = Annotated[FiniteFloat, Field(ge=-1.0, le=1.0)]


_CONTROLS = {code: " " for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\r\t\x00"}


def clean_text(text: str) -> str:
    """Return `text` normalised to NFC, control characters but line ends and tabs as spaces, outer white space gone.

    Raises ValueError when it is empty, holds NUL or lone surrogates, or is over 1 MB as UTF-8.
    """
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise ValueError(
            f"the text holds a lone surrogate at character {error.start}; pass valid Unicode"
        ) from None
    if size > MAX_TEXT_BYTES:
        raise ValueError(f"the text is {size:,} bytes; at most {MAX_TEXT_BYTES:,} are accepted")
    if "\x00" in text:
        raise ValueError("the text holds NUL characters, so it looks like binary data; pass plain text")
    cleaned = unicodedata.normalize("NFC", text.translate(_CONTROLS)).strip()
    if not cleaned:
        raise ValueError("the text is empty; pass at least one character")
    if not clean_line(cleaned):
        raise ValueError("the text holds control characters only; pass at least one that can be read")
    return cleaned


def clean_line(text: str) -> str:
    """Return `text` on one line: NFC, control characters and runs of white space folded to single spaces.

    Raises ValueError for lone surrogates.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(
            f"it holds a lone surrogate at character {error.start}; pass valid Unicode"
        ) from None
    shown = (" " if unicodedata.category(sign) in ("Cc", "Cf", "Zl", "Zp") else sign for sign in text)
    return unicodedata.normalize("NFC", " ".join("".join(shown).split()))


Line = Annotated[str, AfterValidator(clean_line)]
Tag = Annotated[str, Field(min_length=1, max_length=60), AfterValidator(clean_line)]
Label = Annotated[str, AfterValidator(clean_line), Field(min_length=1, max_length=60)]
Name = Annotated[str, AfterValidator(clean_line), Field(max_length=200)]


class Value(BaseModel):
    """Base of the values here: frozen, strict about unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")
