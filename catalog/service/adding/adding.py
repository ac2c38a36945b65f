"""One batch of files while it is added: what is known already, what waits to be written, and what came of each."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ...errors import StorageError
from ...generator.listening.copies import KnownRecordings
from ...generator.listening.fingerprint import Fingerprint
from ...intake.finding import Found
from ...intake.known import Known
from ...intake.words import Words
from ...models import IMPORTED, AddedFile, Outcome
from ...presets import Library
from ...store.rows import NewTrack
from ...store.store import Store
from ...text.encoder import Encoder
from ...upkeep.companions import sidecar
from ..music_vectors import MusicVectors

__all__ = ["Adding", "OnFile", "Said", "Taken"]


OnFile = Callable[[AddedFile], None]
Said = Callable[[Found], Words]
"""What a list or a library says of a file."""
GROUP, GROUP_S = 12, 10.0
"""Tracks that are written in one commit, and the seconds after which fewer are."""
LONGER_S = 0.5
"""How much longer than a file that is cut short a copy is that has more of the music; coders add less than this."""


class Taken(NamedTuple):
    """What became of a file, and the track that is to be written for it, if any, with its fingerprint."""

    result: AddedFile
    new: NewTrack | None = None
    heard: Fingerprint | None = None


@dataclass
class Adding:
    """One batch while it is added."""

    store: Store
    library: Library
    encoder: Encoder
    music: MusicVectors
    said: Said
    given: Words
    """What is said of every file."""
    batch: str
    dry_run: bool
    known: Known = field(init=False)
    waiting: list[Taken] = field(default_factory=list)
    written_at: float = field(default_factory=time.monotonic)
    first: dict[str, str] = field(default_factory=dict)
    """For the sha256 of each file that is prepared: the first file of the batch that has it."""
    files: dict[str, str] = field(default_factory=dict)
    """For each track of this batch: its file."""
    failed: dict[str, str] = field(default_factory=dict)
    """Why files could not be used, by their sha256: the same bytes fare no better."""
    would_add: list[AddedFile] = field(default_factory=list)
    """In a dry run: what would be added so far and can be known again by its sound, in the order of `would_know`."""
    would_know: KnownRecordings = field(default_factory=KnownRecordings)
    cut: dict[str, float] = field(default_factory=dict)
    """For each track of this batch that is cut short, in a dry run for its file: its length in seconds."""
    longer: dict[str, str] = field(default_factory=dict)
    """For each of those: the track, or the file, of the longer copy that was added as well."""
    others: dict[str, str] = field(default_factory=dict)
    """For each track that was not written since another call had added the same piece meanwhile: that call's track."""
    stopped: StorageError | None = None
    """Why no other object will be had."""

    def __post_init__(self) -> None:
        self.known = Known(self.store)

    def called(self, track_id: str) -> str:
        """Return how a track is told: with its file where that is of this batch."""
        file = self.files.get(track_id)
        return f"{file}, track {track_id}" if file else f"track {track_id}"

    def as_long(self, copy: str | None, duration_s: float) -> str | None:
        """Return `copy`, or where it is cut short the longer one; None where none is as long as `duration_s`."""
        while copy is not None and duration_s > self.cut.get(copy, duration_s) + LONGER_S:
            copy = self.longer.get(copy)
        return copy

    def note_length(self, added: str, near: str | None, duration_s: float, *, is_cut: bool) -> None:
        """Note whether a track, in a dry run a file, is cut short, and that it is the longer copy of `near`."""
        if is_cut:
            self.cut[added] = duration_s
        if near is not None:
            self.longer[near] = added

    def is_due(self) -> bool:
        """Tell whether enough tracks wait to be written, or wait for long enough."""
        late = time.monotonic() - self.written_at > GROUP_S
        return late or sum(one.new is not None for one in self.waiting) >= GROUP

    def flush(self, done: OnFile) -> None:
        """Write the rows that wait, in one commit, and tell what became of their files and of those between them."""
        waiting, self.waiting = self.waiting, []
        self.written_at = time.monotonic()
        left_out: dict[str, tuple[Outcome, str]] = {}
        if any(one.new for one in waiting):
            # One call at a time looks for what others have added since it looked, and writes.
            with self.store.claim(IMPORTED):
                left_out = self._write(waiting)
        for one in waiting:
            done(self._settled(one.result, left_out))

    def _write(self, waiting: Sequence[Taken]) -> dict[str, tuple[Outcome, str]]:
        """Write the rows of pieces that no other call has added meanwhile.

        Return, by the ids of the others, how they came out and what is told of them.
        """
        pending = [one for one in waiting if one.new]
        # In a remote home a track of another call may have the id of one of these.
        newer = self.known.newer([str(one.result.track_id) for one in pending])
        rows, gone = [], []
        told: dict[str, tuple[Outcome, str]] = {}
        outcome: Outcome
        for one in pending:
            assert one.new
            track = one.new.track
            if other := newer.of_bytes(str(track.config["original_sha256"])):
                outcome, detail = "present", f"the same file as track {other}"
            elif other := newer.of_sound(one.heard, track.duration_s):
                outcome, detail = "copy", f"the same recording as track {other}, coded in another way"
            else:
                rows.append(one.new)
                continue
            gone.append(track)
            told[track.id], self.others[track.id] = (outcome, detail), other
        if rows:
            self.store.tracks.insert_all(rows)
        self.known.take(newer, commits=1 if rows else 0)
        useless = []
        for track in gone:
            stored = self.store.tracks.get(self.others[track.id])
            same_audio = stored is not None and stored.audio_path == track.audio_path
            if not (stored and same_audio and stored.original == track.original):
                useless.append(track)
            if stored and same_audio:  # beside it lies what tells of `track`
                self.store.audio.put_sidecar(stored.audio_path, sidecar(stored))
        self.store.care.forget_files(useless)
        return told

    def _settled(self, result: AddedFile, left_out: Mapping[str, tuple[Outcome, str]]) -> AddedFile:
        """Return a result with the tracks that are in the catalog in place of those that were not written."""
        track_id = result.track_id or ""
        if (other := self.others.get(track_id)) is None:
            return result
        if result.outcome == "added":
            outcome, detail = left_out[track_id]
            if outcome == "present":
                return AddedFile(path=result.path, outcome=outcome, track_id=other, detail=detail)
            changes = {"outcome": outcome, "track_id": other, "detail": detail, "style": "", "sure": None}
            return result.model_copy(update=changes)
        detail = result.detail.replace(track_id, other)
        return result.model_copy(update={"track_id": other, "detail": detail})
