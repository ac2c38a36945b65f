"""JSON responses that any content can be sent in."""

from __future__ import annotations

import json
import math
from typing import Any

from starlette.responses import Response

__all__ = ["Json"]


class Json(Response):
    """A response of plain JSON values: NaN and infinities become null, lone surrogates are escaped."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Return `content` as bytes."""
        try:
            return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
        except ValueError:  # NaN, an infinity or a lone surrogate
            return json.dumps(_finite(content), separators=(",", ":")).encode("ascii")


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    return [_finite(one) for one in value] if isinstance(value, list | tuple) else value
