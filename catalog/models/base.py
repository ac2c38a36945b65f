"""Text and numbers that the values share: their limits, and how text is cleaned."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, FiniteFloat
from pydantic_core import PydanticCustomError

__all__ = [
    "IS_NUMBER",
    "IS_WHOLE",
    "MAX_TEXT_BYTES",
    "Label",
    "Line",
    "Name",
    "Number",
    "OneOrMore",
    "Rating",
    "StatedUnit",
    "Tag",
    "Unit",
    "Value",
    "WholeNumber",
    "YesOrNo",
    "clean_line",
    "clean_text",
    "surrogate_refusal",
]


MAX_TEXT_BYTES = 1_000_000

Unit = Annotated[FiniteFloat, Field(ge=-1.0, le=1.0)]
"""A number from -1 to 1."""

_CONTROLS = {code: " " for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\r\t\x00"}


def clean_text(text: str) -> str:
    """Return `text` in NFC, stripped, with spaces for control characters other than line ends and tabs.

    Raises ValueError when it is empty, holds NUL or lone surrogates, or is over 1 MB as UTF-8.
    """
    if refusal := surrogate_refusal("the text", text):
        raise ValueError(refusal)
    size = len(text.encode("utf-8"))
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
    """Return `text` in NFC on one line: single spaces for white space and control characters.

    Raises ValueError for lone surrogates.
    """
    if refusal := surrogate_refusal("it", text):
        raise ValueError(refusal)
    visible = (" " if unicodedata.category(sign) in ("Cc", "Cf", "Zl", "Zp") else sign for sign in text)
    return unicodedata.normalize("NFC", " ".join("".join(visible).split()))


def surrogate_refusal(what: str, text: str, *, first: int = 0) -> str | None:
    """Return the sentence that refuses `text` for a lone surrogate, which no UTF-8 holds; None for valid text.

    `first` is the number of the first character in the sentence.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        return f"{what} holds a lone surrogate at character {error.start + first}; pass valid Unicode"
    return None


def _in_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _refused(*kinds: type, words: str) -> BeforeValidator:
    def check(value: Any) -> Any:
        if isinstance(value, kinds):
            raise PydanticCustomError("other_type", "pass {words}", {"words": words})
        return value

    return BeforeValidator(check)


# What a caller states. pydantic would take True for 1, "3" for 3 and "no" for False.
# Limits stand before the check: after it they are no `minimum` and `maximum` of the JSON schema.
IS_NUMBER = _refused(bool, str, bytes, words="a number")
IS_WHOLE = _refused(bool, str, bytes, words="a whole number")
Number = Annotated[float, IS_NUMBER]
WholeNumber = Annotated[int, IS_WHOLE]
Rating = Annotated[int, Field(ge=1, le=5), IS_WHOLE]
YesOrNo = Annotated[bool, _refused(str, bytes, words="true or false")]
StatedUnit = Annotated[Unit, IS_NUMBER]
"""A number from -1 to 1."""

OneOrMore = BeforeValidator(_in_tuple)
"""Lets one text stand for a tuple of one."""
Line = Annotated[str, AfterValidator(clean_line)]
Tag = Annotated[str, Field(min_length=1, max_length=60), AfterValidator(clean_line)]
Label = Annotated[str, AfterValidator(clean_line), Field(min_length=1, max_length=60)]
Name = Annotated[str, AfterValidator(clean_line), Field(max_length=200)]


class Value(BaseModel):
    """Base of the values: frozen, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")
