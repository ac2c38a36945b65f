"""Searches by sound: from a text to sound through the ear, and from a whole track or a part of one to others."""

from __future__ import annotations

from functools import cached_property
from typing import Literal, get_args

from ...ear.loading import Ear, load
from ...ear.tags import Tagger
from ...errors import InputError, StorageError
from ...generator import Audio, AudioError, audio
from ...generator.audio import timbre
from ...models import Filter, Track
from ...presets import Library
from ...store.rows import EarVector
from ...store.sounds import sound_of
from ...store.store import Store
from ...store.vectors.track_vectors import Scored
from ...validation import nearest
from .filling import hear_all

__all__ = ["LikeBy", "SoundSearch"]

LikeBy = Literal["text", "sound", "ear"]
"""Compare the texts that tracks were made for, how they sound as measured, or as the ear hears them."""
SHORTEST_S = 0.5
"""The shortest part of a track that is compared."""


class SoundSearch:
    """Searches a catalog by sound; the ear of the configuration is loaded when it is first needed."""

    def __init__(self, store: Store, library: Library) -> None:
        self._store = store
        self._library = library

    @cached_property
    def ear(self) -> Ear:
        """The ear; raises NotHeard, with what to do, where there is none."""
        return load(self._library.ear.model)

    def read(self, text: str) -> EarVector:
        """Return the vector of a text. Raises NotHeard without an ear, Unavailable for one that reads no texts."""
        return EarVector(self.ear.identity, self.ear.read([text])[0])

    def like(
        self, track: Track, by: LikeBy, where: Filter, limit: int, start_s: float | None, end_s: float | None
    ) -> Scored:
        """Return up to `limit` other tracks that meet `where`, nearest to a track, or to a part of it, with the cosine.

        Raises InputError for another `by`, for a part that the track does not have, and for a sound that is silent or
        too short to compare; NotHeard by "ear" without one.
        """
        if by not in get_args(LikeBy):
            raise InputError(f"similar by {by!r} is not known; {nearest(by, get_args(LikeBy))}")
        part = _part(track, start_s, end_s)
        if part is not None and by == "text":
            raise InputError(
                "start_s and end_s go with by='sound' or by='ear', since a text has no parts; pass one"
            )
        tracks = self._store.tracks
        if by == "ear":
            hits = tracks.search_ear(self._heard(track, part), where, limit + 1)
        elif by == "sound":
            sound = (
                sound_of(self._store, track) if part is None else timbre.sound_vector(self._cut(track, part))
            )
            if sound is None:
                raise InputError(
                    f"that part of track {track.id} is silent or too short to be compared; pass a longer one"
                )
            hits = tracks.search_sound(sound, where, limit + 1)
        else:
            vector = tracks.vector_of(track.id)
            hits = tracks.search(vector, where, limit + 1) if vector is not None else []
        return [(other, cosine) for other, cosine in hits if other.id != track.id][:limit]

    def _heard(self, track: Track, part: tuple[float, float] | None) -> EarVector:
        """Return what the ear hears of a track, which is kept where it was not heard yet, or of a part of it."""
        kind = self.ear.identity
        if part is not None:
            vector = self.ear.hear(self._cut(track, part))
        elif (vector := self._store.tracks.ear_of(track.id, kind)) is None:
            hear_all(self._store, self.ear, Tagger(self.ear, self._library.styles), [track])
            vector = self._store.tracks.ear_of(track.id, kind)
        if vector is None:
            raise InputError(f"track {track.id} has no sound that can be heard; compare it by text")
        return EarVector(kind, vector)

    def _cut(self, track: Track, part: tuple[float, float]) -> Audio:
        try:
            sound = audio.read(self._store.audio.verified_path(track))
        except AudioError as error:
            raise StorageError(f"{error}; run `catalog doctor --deep`") from error
        first, last = (round(second * sound.sample_rate) for second in part)
        return Audio(sound.samples[first:last], sound.sample_rate)


def _part(track: Track, start_s: float | None, end_s: float | None) -> tuple[float, float] | None:
    """Return the part of a track in seconds, None for the whole. Raises InputError for one that it does not have."""
    if start_s is None and end_s is None:
        return None
    start, end = start_s or 0.0, track.duration_s if end_s is None else end_s
    if not 0.0 <= start <= end - SHORTEST_S or end > track.duration_s + 1e-6:
        raise InputError(
            f"start_s is {start:g} and end_s {end:g}; pass a part of at least {SHORTEST_S:g} s "
            f"within the {track.duration_s:g} s of track {track.id}"
        )
    return start, end
