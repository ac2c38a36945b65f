"""What the routes share: the service, its jobs, its counters and its files."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

from anyio import CapacityLimiter
from fastapi import Depends, Path, Request

from ..errors import Damage, NotFound
from ..generator import Audio, AudioError
from ..models import Track
from ..service.jobs import Jobs
from ..service.service import MusicService
from .cache import FileCache
from .metrics import Metrics
from .readiness import Readiness

__all__ = ["UNCHANGING", "Memo", "Root", "Shared", "SharedState", "TrackId", "Trusted"]


MOST_S = 3_600.0
"""The longest track that is read for a drawing."""
MOST_READ = 1_000
"""Tracks that are kept under one stamp of their table, and those in pages of one version."""
Value = TypeVar("Value")


class Memo:
    """The last value of an expensive computation, kept until its input changes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: object = None
        self._value: Any = None

    def get(self, of: object, make: Callable[[], Value]) -> Value:
        """Return the value for the input `of`; other threads wait while one makes it."""
        with self._lock:
            if self._of != of:
                self._value = make()
                self._of = of
            value: Value = self._value
            return value


@dataclass
class Shared:
    """What the routes share."""

    service: MusicService
    jobs: Jobs
    metrics: Metrics
    cache: FileCache
    readiness: Readiness
    version: str
    token_required: bool
    prove: Callable[[str], str]
    """Return the proof, for a nonce, that this service knows the secret of its home."""
    logged_turns: CapacityLimiter | None = None
    """The turns of requests that leave a line in the log; None where they take those of all requests."""
    map: Memo = field(default_factory=Memo)
    sound_map: Memo = field(default_factory=Memo)
    _read: tuple[int | None, dict[str, Track]] = field(default_factory=lambda: (None, {}))
    """The stamp of the tracks, and those that were read under it."""
    _listed: tuple[int, dict[Hashable, dict[str, Any]]] = field(default_factory=lambda: (0, {}))
    """The version of the tracks, and the pages of their list that were read from it."""

    def track(self, track_id: str) -> Track:
        """Return the track with exactly this id; it is read once until a track changes or goes. Raises NotFound."""
        # Taken before the track is read, so that a change meanwhile makes it outdated; a new track leaves it.
        stamp = self.service.store.tracks.stamp()
        kept = self._read  # read once: another thread may begin a new one
        if stamp is None or kept[0] != stamp or len(kept[1]) >= MOST_READ:
            kept = self._read = stamp, {}
        track = kept[1].get(track_id) or self.service.store.tracks.get(track_id)
        if track is None:
            raise NotFound(f"there is no track {track_id!r}")
        kept[1][track_id] = track
        return track

    def listed(self, page: Hashable, read: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return what `read` returns for a page of the list of tracks; it is read once until the tracks change."""
        tracks = self.service.store.tracks
        version = tracks.version()  # taken before the page is read, as above
        if tracks.stamp() is None:  # within a commit, which may come to nothing
            return read()
        kept = self._listed
        if kept[0] != version or sum(len(one["tracks"]) for one in [*kept[1].values()]) >= MOST_READ:
            kept = self._listed = version, {}
        payload = kept[1].get(page) or read()
        kept[1][page] = payload
        return payload

    def samples(self, track: Track) -> Audio:
        """Return the samples of a track. Raises Damage where its file cannot be read as the row states it."""
        from ..generator import audio

        path = self.service.store.audio.verified_path(track)
        try:
            return audio.read(path, max_bytes=track.audio_bytes, max_duration_s=MOST_S)
        except AudioError as error:
            raise Damage(f"{error}; run `catalog doctor --deep`") from error


# Asynchronous, though they wait for nothing: what is not takes a turn of its own in the queue for a thread.
async def _shared(request: Request) -> Shared:
    shared: Shared = request.app.state.shared
    return shared


async def _trusted(request: Request) -> bool:
    return bool(request.state.trusted)


async def _root(request: Request) -> str:
    return str(request.scope.get("root_path", ""))


SharedState = Annotated[Shared, Depends(_shared)]
Trusted = Annotated[bool, Depends(_trusted)]
"""Whether the caller showed the secret of the home; only then do answers contain paths."""


Root = Annotated[str, Depends(_root)]
"""The path at which the application is mounted; "" where it has the whole address."""
TrackId = Annotated[str, Path(pattern=r"^[a-z0-9-]{1,64}$")]
UNCHANGING = "private, max-age=31536000, immutable"
"""The cache header of audio and of what is made from it: the audio of an id never changes."""
