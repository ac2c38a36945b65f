"""Beats and sections of a track as plain JSON, kept where the caller keeps such files."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, BinaryIO

from ..generator.listening import structure
from ..generator.protocol import Audio
from ..models import Track

__all__ = ["KIND", "Keep", "structure_json"]

KIND = "structure"
Keep = Callable[[str, str, Callable[[], bytes]], BinaryIO]
"""Return a file by its kind and name, open for reading; what is not there is made. See `web.cache.FileCache.open`."""


def structure_json(track: Track, samples: Callable[[], Audio], keep: Keep) -> dict[str, Any]:
    """Return `beats`, in seconds, and `sections`, each with `start_s`, `end_s` and `label`.

    They are measured once for the audio and its tempo. Raises what `samples` and `keep` raise.
    """

    def make() -> bytes:
        found = structure.structure_of(samples(), track.tempo_bpm)
        sections = [
            {"start_s": one.start_s, "end_s": one.end_s, "label": one.label} for one in found.sections
        ]
        return json.dumps({"beats": found.beats, "sections": sections}).encode()

    tempo = "none" if track.tempo_bpm is None else f"{track.tempo_bpm:g}"
    with keep(KIND, f"{track.audio_sha256}-{structure.VERSION}-{tempo}.json", make) as file:
        kept: dict[str, Any] = json.load(file)
        return kept
