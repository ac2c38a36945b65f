"""A plugin's reader as the catalog uses it: a language model that runs here, without an endpoint."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import Unavailable
from .installed import one_line, require

__all__ = ["complete"]


def complete(
    name: str,
    model: str,
    temperature: float | None,
    messages: Sequence[Mapping[str, str]],
    response_format: Mapping[str, Any] | None,
    timeout_s: float,
) -> str:
    """Return the text of the plugin's answer to `messages`. Raises InputError for an unknown name, Unavailable."""
    reader = _set_up(name, model, temperature)
    try:
        answer = reader.complete(list(messages), response_format=response_format, timeout_s=timeout_s)
    except (Exception, SystemExit) as error:  # a plugin may raise anything
        raise Unavailable(f"failed: {one_line(error)}") from error
    if not isinstance(answer, str):
        raise Unavailable(f"answered with a {type(answer).__name__}, and must with a text")
    # Half a surrogate pair can stand in a text, and nothing after this could write it.
    return answer.encode("utf-8", "replace").decode("utf-8")


@functools.cache
def _set_up(name: str, model: str, temperature: float | None) -> Any:
    make = require("reader", name)
    try:
        return make(model=model, temperature=temperature)
    except (Exception, SystemExit) as error:  # a plugin may raise anything
        raise Unavailable(f"cannot be set up: {one_line(error)}") from error
