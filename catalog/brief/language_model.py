"""The user's own language model as reader of briefs: asked once a text, believed only where its answer is valid."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..models import StatedBrief
from ..presets import Reader
from .asked import PROMPT_VERSION, Unusable, parse, question, schema
from .endpoint import EndpointError, FormatRefused, complete
from .kept import Kept, Pause
from .reader import StyleLike

__all__ = ["PAUSE_S", "LanguageModel", "Unread"]

PAUSE_S = 60.0
"""For how long an endpoint that failed is not asked again."""
UNUSABLE_IN_A_ROW = 3
"""After so many texts without a valid answer the endpoint counts as failed. One alone may be due to its text."""
REPEATED_CHARACTERS = 4_000
"""Of an answer that was refused, as the model is shown it again."""


class Unread(Exception):
    """The language model gave no brief. The message goes on from "the language model <name> ..."."""


class LanguageModel:
    """The model behind `endpoint`, asked for briefs over the presets `styles`. Answers are kept in `folder`."""

    def __init__(self, endpoint: Reader, styles: Mapping[str, StyleLike], folder: Path) -> None:
        self._endpoint = endpoint
        self._styles = styles
        self._kept = Kept(folder)
        self._pause = Pause(self._kept, _digest("pause", endpoint.base_url, endpoint.model), PAUSE_S)
        self._formats = _formats(styles)
        self._unusable_in_a_row = 0

    def read(self, query: str, text: str, application: str = "") -> StatedBrief:
        """Return the brief of a text: the one kept from before, else the answer of the model. Raises Unread."""
        offered = {name: style.description for name, style in self._styles.items()}
        shown = (query, text, application) if application else (query, text)
        name = _digest(PROMPT_VERSION, self._endpoint.model, self._endpoint.temperature, offered, *shown)
        if (known := self._recalled(name)) is not None:
            return known
        if pause := self._pause.standing():
            left_s, why = pause
            raise Unread(f"is not asked for another {left_s:.0f} s, since it {why}")
        stated = self.ask(query, text, application)
        self._kept.put(name, stated.model_dump(mode="json"))
        return stated

    def ask(self, query: str, text: str, application: str = "") -> StatedBrief:
        """Return the answer of the model to a text, whatever was kept or failed before. Raises Unread."""
        try:
            stated = self._answer(question(self._styles, query, text, application))
        except EndpointError as error:
            self._pause.begin(str(error))
            raise Unread(f"{error}; it is asked again after {PAUSE_S:.0f} s") from None
        except Unusable as error:
            why = f"gave no valid brief, also when told why: {error}"
            self._unusable_in_a_row += 1
            if self._unusable_in_a_row >= UNUSABLE_IN_A_ROW:
                self._pause.begin(why)
            raise Unread(f"{why}; a larger model may do better") from None
        self._unusable_in_a_row = 0
        self._pause.end()
        return stated

    def _answer(self, asked: str) -> StatedBrief:
        """Return a valid answer; the model may try twice. Raises EndpointError and Unusable."""
        deadline = time.monotonic() + self._endpoint.timeout_s
        messages = [{"role": "user", "content": asked}]
        answer = self._complete(messages, deadline)
        try:
            return parse(answer, self._styles)
        except Unusable as error:
            messages += [
                {"role": "assistant", "content": answer[:REPEATED_CHARACTERS]},
                {
                    "role": "user",
                    "content": f"This cannot be used: {error}. Answer with the whole JSON object.",
                },
            ]
            return parse(self._complete(messages, deadline), self._styles)

    def _complete(self, messages: list[dict[str, str]], deadline: float) -> str:
        """Return the text of an answer, in the strictest format that the server takes. Raises EndpointError."""
        formats = self._formats
        for place, response_format in enumerate(formats):
            try:
                answer = complete(self._endpoint, messages, response_format, deadline)
            except FormatRefused:
                continue
            # What it refused once it is not asked again. Noted only now: another fault may look like a refusal.
            self._formats = formats[place:]
            return answer
        raise AssertionError("the last format is none, which nobody refuses")

    def _recalled(self, name: str) -> StatedBrief | None:
        try:
            return StatedBrief.model_validate(kept) if (kept := self._kept.get(name)) else None
        except ValidationError:
            return None


def _formats(styles: Mapping[str, object]) -> tuple[dict[str, Any] | None, ...]:
    """Return the values of `response_format` from the strictest to none at all."""
    brief = {"name": "brief", "strict": True, "schema": schema(styles)}
    return {"type": "json_schema", "json_schema": brief}, {"type": "json_object"}, None


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode("ascii")).hexdigest()
