"""`find-or-make --play`: a player of this machine gets the sound while it is made, or the file of the track."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import CatalogError
from ...player import PIPED, find_player, play_bytes, play_file

if TYPE_CHECKING:
    from ...models import ServedResult
    from ...service.streaming.music_stream import MusicStream
    from ...web.client import RunningService

__all__ = ["Playing"]


class Playing:
    """The sound of one request. Raises Unavailable at once where no player is on this machine."""

    def __init__(self) -> None:
        self._player = find_player()
        self._thread: threading.Thread | None = None
        self._heard = False

    def stream(self, stream: MusicStream) -> ServedResult:
        """Play the parts of a stream as they come, and return its result; an interruption stops the making."""
        from ...service.streaming.encoding import GrowingFile

        with stream:
            if self._player in PIPED:
                file = GrowingFile()
                self._play(file.add(part) for part in stream)
            return stream.result()

    def follow(self, running: RunningService, job_id: str) -> None:
        """Play the sound of a job of the running service beside the wait for it."""
        if self._player in PIPED:
            self._thread = threading.Thread(target=self._play_sound, args=(running, job_id), daemon=True)
            self._thread.start()

    def finish(self, payload: dict[str, Any]) -> None:
        """Wait for the end of the sound; play the file of the track where nothing was heard of it."""
        if self._thread is not None:
            self._thread.join()
        if not self._heard and payload["path"]:
            play_file(self._player, Path(payload["path"]))

    def _play_sound(self, running: RunningService, job_id: str) -> None:
        """Play the sound of a job; where it breaks off, the wait for the job tells why."""
        from ...web.client import Gone

        with suppress(CatalogError, Gone, OSError):
            self._play(running.sound(job_id))

    def _play(self, parts: Iterable[bytes]) -> None:
        self._heard = play_bytes(self._player, parts)
