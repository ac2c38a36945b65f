"""A field of a value as a cell of a row, and back; the checksum of cells."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from pydantic import BaseModel

from ..errors import InputError
from ..models import surrogate_refusal

__all__ = ["EPOCH", "NONE", "NO_LEVEL", "canonical", "checked_text", "from_cell", "sha256", "to_cell"]


EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
NO_LEVEL = -1000.0
"""Below the level of the smallest float32 (-897 dB), so no measurement can be it."""
NONE: dict[str, Any] = {
    "environment": "",
    "time_of_day": "",
    "musical_key": "",
    "tempo_bpm": 0.0,
    "loudness_lufs": NO_LEVEL,
    "true_peak_db": NO_LEVEL,
    "trashed_at": EPOCH,
    "rating": 0,
    "similarity": NO_LEVEL,
    "score": NO_LEVEL,
    "track_id": "",
    "seam": NO_LEVEL,
    "variant_of": "",
    "probability": NO_LEVEL,
    "features": "",
    "heard": "",
    "measured": "",
    "mood": "",
    "checked": "",
}
"""How None is stored, for the columns that may hold it."""
_RANGES = {"int": 2**31 - 1, "long": 2**63 - 1}


def to_cell(name: str, kind: str, value: Any) -> Any:
    """Return how the value of the field `name` is stored in a column of that kind.

    Raises InputError for what a column cannot hold.
    """
    if value is None:
        return NONE[name]
    if name in NONE and value == NONE[name]:
        raise InputError(f"{name} is {value!r}, which is how None is stored; pass None or another value")
    if kind == "json":
        return _json(name, value.model_dump(mode="json") if isinstance(value, BaseModel) else value)
    if kind == "texts":
        return [checked_text(name, item) for item in value]
    if kind == "time":
        if value.tzinfo is None:
            raise InputError(f"{name} is {value.isoformat()}, which has no time zone; pass one in UTC")
        return value.astimezone(timezone.utc)
    if kind in _RANGES and not -_RANGES[kind] <= value <= _RANGES[kind]:
        raise InputError(f"{name} is {value}; at most {_RANGES[kind]:,} can be stored")
    return checked_text(name, value) if isinstance(value, str) else value


def from_cell(name: str, kind: str, value: Any) -> Any:
    """Return the value of the field `name` from its cell."""
    if name in NONE and value == NONE[name]:
        return None
    return json.loads(value) if kind == "json" else value


def checked_text(name: str, text: str) -> str:
    """Return `text`. Raises InputError for text that is not Unicode."""
    if refusal := surrogate_refusal(name, text):
        raise InputError(refusal)
    return text


def canonical(content: Mapping[str, Any]) -> str:
    """Return cells as JSON that is the same for the same content."""
    plain = {
        name: value.astimezone(timezone.utc).isoformat() if isinstance(value, datetime) else value
        for name, value in content.items()
    }
    return json.dumps(plain, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def sha256(text: str) -> str:
    """Return the hexadecimal sha256 of a text."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _json(name: str, value: Any) -> str:
    try:
        return checked_text(name, json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} cannot be kept as JSON: {error}") from None
