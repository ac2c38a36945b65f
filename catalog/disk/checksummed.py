"""JSON values as bytes with their sha256 in front, so that altered bytes are told from what was written.

Standard library only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import Damage

__all__ = ["from_checked", "to_checked"]


def to_checked(content: Mapping[str, Any], default: Callable[[Any], Any] | None = None) -> bytes:
    """Return `content` as one line of JSON under a line with its sha256.

    `default` makes a value of other values, as for `json.dumps`, which may raise TypeError or ValueError.
    """
    text = json.dumps(dict(content), ensure_ascii=True, default=default)
    return f"{_sha256(text)}\n{text}".encode("ascii")


def from_checked(data: bytes) -> dict[str, Any]:
    """Return the content of bytes by `to_checked`. Raises Damage where they are not as they were written."""
    try:
        checksum, _, text = data.decode("ascii").partition("\n")
        if checksum == _sha256(text):
            content: dict[str, Any] = json.loads(text)
            return content
    except (ValueError, RecursionError):
        pass
    raise Damage("the content does not match its checksum")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("ascii")).hexdigest()
