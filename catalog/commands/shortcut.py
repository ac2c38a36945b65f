"""The command line's short way for a call it answered before: nothing is imported but the standard library.

A call is named by what was typed, the settings around it and the program itself; its answer also rests on a few files
(configuration, weights), whose time and size it states. See `repeats` for what else must hold.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..store import answers, queue

if TYPE_CHECKING:
    from ..models import Result
    from ..service.service import MusicService

__all__ = ["answer", "keep", "name_of", "stamp"]


KIND = "calls"
PROGRAM_ENDINGS = (".py", ".yaml", ".json", ".jsonl", ".safetensors")
SETTINGS = ("CATALOG_ENCODER", "CATALOG_MODELS", "HF_", "HUGGINGFACE_", "XDG_", "HOME")
"""How the names of variables begin that decide where models and settings are found."""


def name_of(home: str, config: str | None, source: str | bytes, typed: Mapping[str, Any]) -> str:
    """Return the name of a call: hex of all that was typed, and of what decides how it is read."""
    data = source.encode("utf-8", "surrogatepass") if isinstance(source, str) else source
    told = {
        "home": str(Path(home).expanduser().absolute()),
        "config": str(Path(config).absolute()) if config else None,
        "source": [type(source).__name__, hashlib.sha256(data).hexdigest()],
        "typed": dict(typed),
        "settings": {name: value for name, value in os.environ.items() if name.startswith(SETTINGS)},
        "program": _program(),
    }
    text = json.dumps(told, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:32]


def stamp(home: str) -> Sequence[int] | None:
    """Return what vouches for an answer that is looked up after this; None when nothing can."""
    return answers.stamp_of(Path(home).expanduser().absolute())


def answer(home: str, name: str) -> dict[str, Any] | None:
    """Return what `report.told` gives for a call, its line for the log put down; None when it must be looked up."""
    began = time.perf_counter()
    folder = Path(home).expanduser().absolute()
    kept = answers.recall(folder, KIND, name)
    if kept is None or not answers.traces_hold(kept["traces"]):
        return None
    if len(queue.queued(folder)) >= queue.MOST_QUEUED:
        return None
    new = {"request_id": os.urandom(8).hex(), "timings_s": {"exact": round(time.perf_counter() - began, 4)}}
    line = {**kept["line"], "id": new["request_id"], "timings_s": new["timings_s"]}
    try:
        queue.enqueue(folder, {**line, "created_at": datetime.now(timezone.utc).isoformat()})
    except OSError:
        return None
    return {**kept["told"], **new}


def keep(
    home: str,
    config: str | None,
    name: str,
    vouched: Sequence[int] | None,
    service: MusicService,
    result: Result,
) -> None:
    """Keep what the same call gives from now on, where that is known from its `result`."""
    from generator import weights

    from .. import report

    again = service.next_time(result)
    if again is None:
        return
    repeat, line = again
    track, folder = repeat.track, Path(home).expanduser().absolute()
    assert track is not None
    content = {
        "audio_path": track.audio_path,
        "audio_bytes": track.audio_bytes,
        "traces": answers.traces_of([Path(config) if config else folder / "catalog.yaml", *weights.traces()]),
        "told": report.told(repeat, repeat.path),
        "line": line.model_dump(mode="json"),
    }
    answers.remember(folder, KIND, name, vouched, content)


def _program() -> str:
    """Return a digest of the names, times and sizes of the program's files, so that a new program answers anew."""
    root = Path(__file__).parents[2]
    entry_stat = (root / "cli.py").stat()
    seen = [("cli.py", entry_stat.st_mtime_ns, entry_stat.st_size)]
    waiting = [str(root / name) for name in ("catalog", "generator", "presets")]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir():
                    if entry.name != "__pycache__":
                        waiting.append(entry.path)
                elif entry.name.endswith(PROGRAM_ENDINGS):
                    stat = entry.stat()
                    seen.append((entry.path, stat.st_mtime_ns, stat.st_size))
    return hashlib.sha256(repr(sorted(seen)).encode("utf-8", "surrogateescape")).hexdigest()
