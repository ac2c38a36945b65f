"""The error of the presets, and the wording that its messages share."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

__all__ = ["PresetError", "did_you_mean", "shown"]


class PresetError(ValueError):
    """A configuration file, preset name or override that cannot be used. The message is one sentence."""


def did_you_mean(name: str, valid: Iterable[str]) -> str:
    """Return the end of a sentence that names the valid names nearest to `name`, or the first dozen."""
    names = sorted(valid)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    if near:
        return f"did you mean {' or '.join(near)}?"
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return f"valid are {', '.join(names[:12])}{more}"


def shown(value: Any) -> str:
    """Return `value` as YAML writes it, on one line of at most 60 characters."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    try:
        text = repr(value)
    except ValueError:  # an integer beyond the interpreter's limit of digits
        text = "a very long number"
    return text if len(text) <= 60 else f"{text[:57]}..."
