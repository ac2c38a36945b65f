"""Answer a call of the command line that was answered before, with the standard library alone.

A call is named by what was typed, the settings around it and the program itself. Its answer also rests on a few files
(configuration, certificates, weights), whose time and size are kept with it. `store.answers` says what else must hold.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..disk import queue
from ..errors import CatalogError
from ..store import answers

if TYPE_CHECKING:
    from ..models import Result
    from ..service.service import MusicService

__all__ = ["PROGRAM", "KeptCall", "digest_program"]


KIND = "calls"
PROGRAM = Path(__file__).parents[1]
"""The folder of the package: everything that runs."""
PROGRAM_ENDINGS = (".py", ".yaml", ".json", ".jsonl", ".safetensors")
CERTIFICATES = ("certificate.json", "music-certificate.json")
"""The user's own certificates in a home, each beside its `brief-*.safetensors`."""
SETTINGS = ("CATALOG_ENCODER", "CATALOG_MODELS", "HF_", "HUGGINGFACE_", "XDG_", "HOME")
"""First letters of the environment variables that decide where models and settings are."""


class KeptCall:
    """One call of `catalog find-or-make`, whose answer is kept in the home for the same call later."""

    def __init__(
        self, home: str, config: str | None, source: str | bytes, arguments: Mapping[str, Any]
    ) -> None:
        self._home = Path(home).expanduser().absolute()
        self._config = Path(config) if config else None
        self._arguments = arguments
        self._name = self._digest(source, arguments)

    def answer(self) -> dict[str, Any] | None:
        """Return the payload that was kept for this call, and queue its line of the log; None when none holds."""
        began = time.perf_counter()
        kept = answers.recall(self._home, KIND, self._name)
        if kept is None or kept["settings"] != self._settings() or not answers.traces_hold(kept["traces"]):
            return None
        if len(queue.queued(self._home)) >= queue.MOST_QUEUED:
            return None
        new = {
            "request_id": os.urandom(8).hex(),
            "timings_s": {"exact": round(time.perf_counter() - began, 4)},
        }
        line = {**kept["line"], "id": new["request_id"], "timings_s": new["timings_s"]}
        try:
            queue.enqueue(self._home, {**line, "created_at": datetime.now(timezone.utc).isoformat()})
        except OSError:
            return None
        return {**kept["payload"], **new}

    def keep(self, service: MusicService, result: Result) -> None:
        """Keep what this call gives from now on, where that is known from its `result`."""
        from .. import report
        from ..generator import weights
        from ..reuse.terms import TermArguments

        # Taken before the answer is looked up: a commit or a change that comes between then makes the kept one stale.
        stamp, settings, traces = answers.stamp_of(self._home), self._settings(), weights.traces()
        terms = {
            name: self._arguments[name] for name in TermArguments.__annotations__ if name in self._arguments
        }
        try:
            next_time = service.next_time(result, **terms)
        except CatalogError:
            return  # the caller has the result all the same
        if next_time is None:
            return
        repeat, line = next_time
        track = repeat.track
        made = track.key == line.key
        if not made and os.environ.get("CATALOG_ENCODER"):
            return  # the certificate holds for that encoder, whose files are not traced
        content = {
            "audio_path": track.audio_path,
            "audio_bytes": track.audio_bytes,
            "audio_sha256": track.audio_sha256,
            "settings": settings,
            "traces": answers.traces_of(traces),
            "payload": report.payload(repeat, repeat.path),
            "line": line.model_dump(mode="json"),
        }
        answers.remember(self._home, KIND, self._name, stamp, content, made=made)

    def _settings(self) -> list[list[Any]]:
        """Return the traces of the files of the user that decide what is made, and what is reused."""
        briefs = sorted(self._home.glob("brief-*.safetensors"))
        certificates = (self._home / name for name in CERTIFICATES)
        return answers.traces_of([self._config or self._home / "catalog.yaml", *certificates, *briefs])

    def _digest(self, source: str | bytes, arguments: Mapping[str, Any]) -> str:
        """Return the name of the call: hex of all that was typed, and of what decides how it is read."""
        data = source.encode("utf-8", "surrogatepass") if isinstance(source, str) else source
        call = {
            "home": str(self._home),
            "config": str(self._config.absolute()) if self._config else None,
            "source": [type(source).__name__, hashlib.sha256(data).hexdigest()],
            "arguments": dict(arguments),
            "settings": {name: value for name, value in os.environ.items() if name.startswith(SETTINGS)},
            "program": digest_program(PROGRAM),
        }
        text = json.dumps(call, sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(text.encode("ascii")).hexdigest()[:32]


def digest_program(folder: Path) -> str:
    """Return a digest of the program's files (names, times, sizes), so that a changed one uses no old answer."""
    files = []
    waiting = [str(folder)]
    # By hand and not with Path.rglob, which takes several times as long: every call pays for it.
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir():
                    if entry.name != "__pycache__":
                        waiting.append(entry.path)
                elif entry.name.endswith(PROGRAM_ENDINGS):
                    stat = entry.stat()
                    files.append((entry.path, stat.st_mtime_ns, stat.st_size))
    return hashlib.sha256(repr(sorted(files)).encode("utf-8", "surrogateescape")).hexdigest()
