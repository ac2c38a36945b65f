"""Cue sheets: what played when, as JSON and as WebVTT."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..disk import files
from ..errors import InputError

__all__ = ["as_json", "as_vtt", "check_cues", "write_cues"]


FORMATS = (".json", ".vtt")
Cue = Mapping[str, Any]


def as_json(cues: Sequence[Cue], **facts: Any) -> str:
    """Return the cues as one JSON object, after `facts` about the whole mix."""
    payload = {"schema_version": 1, **facts, "cues": list(cues)}
    return json.dumps(payload, ensure_ascii=False, indent=2, default=str) + "\n"


def as_vtt(cues: Sequence[Cue]) -> str:
    """Return the cues as WebVTT: spoken text as it is, and music in square brackets, as subtitles have it."""
    lines = ["WEBVTT", ""]
    for number, cue in enumerate(cues, start=1):
        is_music = cue["kind"] == "music"
        text = f"[music: {cue['name']}]" if is_music else cue.get("text") or cue["name"]
        lines += [str(number), f"{_time(cue['start_s'])} --> {_time(cue['end_s'])}", _escaped(text), ""]
    return "\n".join(lines)


def check_cues(target: Path, *, force: bool = False) -> None:
    """Refuse a file whose ending or folder is wrong, or that exists, unless `force`. Raises InputError."""
    if target.suffix.lower() not in FORMATS:
        raise InputError(f"{target} does not end in .json or .vtt; the ending picks the format of the cues")
    if not target.resolve().parent.is_dir():
        raise InputError(f"the folder {target.resolve().parent} does not exist; create it first")
    if target.exists() and not force:
        raise InputError(f"{target} exists already; choose another name, or pass force=True to replace it")


def write_cues(target: Path, cues: Sequence[Cue], **facts: Any) -> None:
    """Write the cues in the format that the ending names, whole or not at all. Raises StorageError."""
    text = as_vtt(cues) if target.suffix.lower() == ".vtt" else as_json(cues, **facts)
    with files.storing(f"{target} cannot be written"):
        files.write_file(target.resolve(), text.encode("utf-8"), mode=0o644)


def _time(seconds: float) -> str:
    thousandths = max(0, round(seconds * 1000))
    minutes, rest = divmod(thousandths, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}.{rest % 1000:03}"


def _escaped(text: str) -> str:
    """Return the text as one line that no WebVTT reader takes for markup or for a timing."""
    line = " ".join(str(text).split())
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
