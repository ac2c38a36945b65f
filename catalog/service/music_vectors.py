"""The brief vectors of a catalog: of its tracks, and of a request that looks for some."""

from __future__ import annotations

import logging

from ..brief import reader, vectors
from ..errors import CatalogError
from ..hearing.mixture import hearing_of
from ..intake.impressions import UNSORTED
from ..models import Request, StyleFit, Track
from ..presets import Library
from ..store.rows import BriefVector
from ..store.store import Store
from ..text.encoder import Encoder

__all__ = ["MusicVectors"]

_log = logging.getLogger(__name__)

FILLED_AT_ONCE = 5_000
"""How many earlier tracks get their vectors on the first search of a process, which waits for them."""


class MusicVectors:
    """Make brief vectors with the presets of a library and the brief that is fitted to an encoder."""

    def __init__(self, store: Store, library: Library, encoder: Encoder) -> None:
        self._store = store
        self._library = library
        self._encoder = encoder
        self._filled = False

    @property
    def _model(self) -> reader.BriefModel | None:
        model = reader.load(self._encoder.identity, self._store.home)
        return model if model is not None and len(model.names) <= vectors.STYLES else None

    def of_request(self, request: Request) -> BriefVector | None:
        """Return the vector that finds tracks for a request; None without a brief of its text."""
        model = self._model
        if request.brief is None or model is None:
            return None
        brief = request.brief
        if (named := request.choices.preset) in model.names:
            # Every candidate has that style. The others would lead the search to parts of the index that lack it.
            brief = brief.model_copy(update={"styles": {named: StyleFit(fits=1.0, passes=1.0)}})
        vector = vectors.request_vector(model, brief, request.key)
        return BriefVector(vectors.kind(model), vector)

    def of_track(self, track: Track) -> BriefVector | None:
        """Return the vector of a track; None where neither style nor sound tells, or without a brief to fit it."""
        model, style = self._model, self._library.styles.get(track.style)
        hearing = hearing_of(track, self._library.styles)
        if model is None or (style is None and hearing is None):
            return None
        vector = vectors.track_vector(
            model,
            style,
            track.style,
            valence=hearing.mixed(track.valence, hearing.brief.valence) if hearing else track.valence,
            energy=hearing.mixed(track.energy, hearing.brief.energy) if hearing else track.energy,
            track_id=track.id,
            encoder=self._encoder,
            heard=hearing.brief.styles if hearing else None,
            weight=hearing.weight if hearing else 0.0,
        )
        return BriefVector(vectors.kind(model), vector)

    def fill_once(self) -> None:
        """Give earlier tracks their vectors, the first time this is called; a catalog that refuses stays as it is."""
        if self._filled:
            return
        self._filled = True
        tracks = self._store.tracks
        if not tracks.table.has_briefs() and tracks.count_ready() > FILLED_AT_ONCE:
            return  # a search does not rewrite a large table; the next new track does
        try:
            self.fill(FILLED_AT_ONCE)
        except CatalogError as error:
            _log.warning("earlier tracks are found by their texts alone: %s", error)

    def fill(self, limit: int | None = None) -> int:
        """Write the vectors of tracks that have none of this kind, at most `limit`; return how many."""
        model = self._model
        if model is None:
            return 0
        kind = vectors.kind(model)
        found = {
            track.id: self.of_track(track)
            for track in self._store.tracks.without_brief(kind, [*self._library.styles, UNSORTED], limit)
        }
        made = {each: one.vector for each, one in found.items() if one is not None}
        self._store.tracks.put_briefs(kind, made)
        return len(made)
