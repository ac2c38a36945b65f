"""An open catalog: its tracks to search and browse, what people say of them, and what the log tells."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Unpack

from ..brief import asked
from ..collections.collections import Collections
from ..errors import InputError
from ..generator import Progress
from ..history import feedback, requests, suggestions
from ..history.certification import certify
from ..history.over_time import By
from ..history.statistics import Statistics, statistics
from ..intake.impressions import UNSORTED
from ..models import Context, Features, FilterArguments, Hit, Hits, Judgement, LogArguments, Page, Track
from ..plugins.backends import Backends
from ..presets import MOODS, Library
from ..request.context import ContextSource, read_context
from ..reuse.certificate import Certificate
from ..reuse.music_certificate import MusicCertificate
from ..search.names import with_those_of_tracks
from ..search.query import Query, add_facts, parse
from ..store.store import Store
from ..text.encoder import Encoder, embed_document
from ..text.features import extract
from ..text.language import CODES
from ..validation import check_type, checked, checked_but_keywords
from .browse import (
    NEWEST,
    SearchBy,
    best,
    checked_by,
    least_of,
    narrow_page,
    page,
    playlist_page,
    whole_ids,
)
from .ears.by_sound import LikeBy, SoundSearch

if TYPE_CHECKING:
    from ..disk.lance import LanceTable

__all__ = ["OpenCatalog"]


class OpenCatalog:
    """The part of `MusicService` that neither makes music nor decides about reuse."""

    def __init__(self, store: Store, library: Library, encoder: Encoder) -> None:
        self._store = store
        self._library = library
        self._encoder = encoder
        self._closed = False

    @property
    def store(self) -> Store:
        """The tables and files of the home. Raises InputError once the service is closed."""
        self._require_open()
        return self._store

    @property
    def library(self) -> Library:
        """The presets on offer. Raises InputError once the service is closed."""
        self._require_open()
        return self._library

    @property
    def encoder(self) -> Encoder:
        """What makes vectors of texts. Raises InputError once the service is closed."""
        self._require_open()
        return self._encoder

    @property
    def backends(self) -> Backends:
        """The names that may stand as `backend`: the catalog's own, those of the configuration, and plugins.

        Raises InputError once the service is closed.
        """
        self._require_open()
        return self._backends

    @cached_property
    def _backends(self) -> Backends:
        return Backends(self._library.backends)

    @cached_property
    def _sounds(self) -> SoundSearch:
        return SoundSearch(self._store, self._library)

    def _require_open(self) -> None:
        if self._closed:
            raise InputError("the service is closed; open it again with MusicService.open(...)")

    # Tracks

    def get(self, track_id: str) -> Track:
        """Return one track, in the trash or not; `track.path` is its file. The beginning of an id is enough.

        Raises NotFound with the nearest ids, InputError where several ids begin so.
        """
        check_type("track_id", str, track_id)
        return self._placed(self.store.tracks.find_id(track_id))

    @checked_but_keywords
    def search(
        self,
        text: str | Query,
        *,
        by: SearchBy = "meaning",
        limit: int = 10,
        **facts: Unpack[FilterArguments],
    ) -> Hits:
        """Return the tracks that meet the query `text`, nearest first; `facts` are further fields of `Filter`.

        The query may hold facts beside words, as in `calm rain mood:calm length:30..60`; see
        `music_catalog.search.query`. A `Query` is taken as it is. Without words the newest come, with score 0.
        Raises InputError.
        """
        checked_by(by)
        query = add_facts(self._query(text), facts)
        if not query.text and not query.where.conditions:
            raise InputError("the search text is empty; pass at least one word")
        return self._hits(best(self.store, self.encoder, query, by, limit, self._sounds.read))

    @checked_but_keywords
    def similar(
        self,
        track_id: str,
        *,
        by: LikeBy = "text",
        limit: int = 10,
        start_s: float | None = None,
        end_s: float | None = None,
        **facts: Unpack[FilterArguments],
    ) -> Hits:
        """Return the tracks nearest to one, best first: by what they were made for, or by how they sound.

        By "sound" measured numbers are compared, by "ear" what the ear hears. With `start_s` or `end_s` a part of the
        track is compared, in seconds.

        `track_id` may be the beginning of an id, `facts` are fields of `Filter`. The score is a cosine. Raises
        NotFound without the track, InputError for another `by` and for a track that is silent or too short to compare.
        """
        track, where = self.store.tracks.find_id(track_id), add_facts(Query(), facts).where
        return self._hits(self._sounds.like(track, by, where, limit, start_s, end_s))

    @checked_but_keywords
    def browse(
        self,
        query: str | Query = "",
        *,
        by: SearchBy = "meaning",
        sort: str = NEWEST,
        limit: int = 50,
        offset: int = 0,
        narrow: bool = False,
        folded: bool = False,
        **facts: Unpack[FilterArguments],
    ) -> Page:
        """Return a page of the tracks that meet `query`, with the number of all and how they divide by facet.

        With words in the query it is a search, best first; without a list, ordered by `sort`. With `narrow` a search
        leaves out what matches none of its words, keeps the best 200, and says what may have been meant. With
        `folded` a list, or a search that narrows, has only the first take of each group, with the others in `takes`.
        `facts` are further fields of `Filter`. Raises InputError.
        """
        checked_by(by)
        # What may have been meant by a mood is told with the page.
        wanted = add_facts(self._query(query, without=("mood",) if narrow else ()), facts)
        page_of = partial(narrow_page, names=self.known_names()) if narrow else page
        found = page_of(
            self.store,
            self.encoder,
            wanted,
            read_sound=self._sounds.read,
            by=by,
            sort=sort,
            limit=limit,
            offset=offset,
            folded=folded,
        )
        takes = {first: tuple(map(self._placed, takes)) for first, takes in found.takes.items()}
        return found.model_copy(update={"tracks": tuple(map(self._placed, found.tracks)), "takes": takes})

    @property
    def collections(self) -> Collections:
        """The playlists and saved searches, to `list`, `create`, `add` to and more."""
        whole = partial(whole_ids, self.store)
        return Collections(self.store.home, whole, self.store.blobs, self._check_search)

    @checked
    def collected(self, collection: str, *, limit: int = 50, offset: int = 0) -> Page:
        """Return a page of the tracks of a collection, named by its id or its name.

        A playlist comes in its own order. A track in the trash is among them, with its `state`; one that was purged is
        left out. A saved search is asked anew, as `browse` with `narrow` does. Raises
        NotFound, InputError.
        """
        found = self.collections.get(collection)
        if found.query is not None:
            return self.browse(
                found.query, by=found.by, sort=found.sort, limit=limit, offset=offset, narrow=True
            )
        shown = playlist_page(self.store, found.track_ids or (), limit, offset)
        return shown.model_copy(update={"tracks": tuple(map(self._placed, shown.tracks))})

    def tracks_table(self) -> LanceTable:
        """Return LanceDB's own table of the tracks, for reading: `to_pandas`, `search`, `where`; docs/TABLE.md.

        Its methods that write raise InputError. A value that a track does not have is null. Raises NotFound where no
        track was made yet.
        """
        return self.store.tracks_table()

    @checked
    def embed(self, text: str) -> NDArray[np.float32]:
        """Return the vector of `text`, float32 of shape (dimension,) and length 1, to compare with column `vector`."""
        return self._vector_of(text)

    def _hits(self, scored: Iterable[tuple[Track, float]]) -> Hits:
        return Hits(
            Hit(track=self._placed(track), path=self.store.audio.path_of(track), score=score)
            for track, score in scored
        )

    def _placed(self, track: Track) -> Track:
        return track.at_home(self.store.home)

    def _query(self, text: str | Query, without: Collection[str] = ()) -> Query:
        """Return a query; the values of the fields in `without` are not checked."""
        if isinstance(text, Query):
            return text
        return parse(text, {name: those for name, those in self.known_names().items() if name not in without})

    def _check_search(self, query: str, sort: str) -> None:
        """Raise InputError for a query or an order that `browse` would refuse when it narrows."""
        self._query(query, without=("mood",))
        self.store.tracks.list(Query().where, order=sort, limit=0)

    def known_names(self) -> dict[str, Collection[str]]:
        """Return the names that a query may hold, by field: those that are known and those of tracks."""
        known: dict[str, Collection[str]] = {
            "style": (*self.library.styles, UNSORTED),
            "role": self.library.roles.keys(),
            "by": self.backends,
            "mood": MOODS.keys(),
            "language": CODES,
        }
        return with_those_of_tracks(known, self.store.tracks.values)

    def brief_schema(self) -> dict[str, Any]:
        """Return the JSON schema of the `brief` that `find_or_make` takes, over the styles on offer."""
        return asked.schema(self.library.styles)

    # The certificate that decisions rest on

    @overload
    def calibrate(
        self,
        *,
        labels: str | Path | None = None,
        from_ratings: bool = False,
        music: Literal[False] = False,
        max_false_reuse: float | None = None,
        out: str | Path | None = None,
        on_progress: Progress | None = None,
    ) -> Certificate: ...

    @overload
    def calibrate(
        self,
        *,
        from_ratings: Literal[True],
        music: Literal[True],
        max_false_reuse: float | None = None,
        out: str | Path | None = None,
    ) -> MusicCertificate: ...

    @overload
    def calibrate(
        self,
        *,
        labels: str | Path | None = None,
        from_ratings: bool = False,
        music: bool,
        max_false_reuse: float | None = None,
        out: str | Path | None = None,
        on_progress: Progress | None = None,
    ) -> Certificate | MusicCertificate: ...

    @checked
    def calibrate(
        self,
        *,
        labels: str | Path | None = None,
        from_ratings: bool = False,
        music: bool = False,
        max_false_reuse: float | None = None,
        out: str | Path | None = None,
        on_progress: Progress | None = None,
    ) -> Certificate | MusicCertificate:
        """Make a certificate for the encoder in use, write it into the home, and return it; from then on it decides.

        It is made from the shipped labels, from the file `labels`, or with `from_ratings` from the judgements of reused
        tracks in this catalog: of those of the same scene, with `music` of those that were reused for their music.
        `max_false_reuse` adds a rate to those it has bounds for; `out` is another file to write to. Labels take a
        minute or two. Raises InputError, StorageError or Unavailable; then the old one stays.
        """
        return certify(
            self.store,
            self.encoder,
            labels=Path(labels) if labels is not None else None,
            from_ratings=from_ratings,
            music=music,
            max_false_reuse=max_false_reuse,
            out=Path(out) if out is not None else None,
            on_progress=on_progress,
        )

    # What people say

    @checked
    def rate(self, track_id: str, rating: int | None, *, request_id: str | None = None) -> Track:
        """Rate a track 1 to 5, or clear its rating with None; with `request_id` as the answer to that request."""
        return self._placed(feedback.rate(self.store, track_id, rating, request_id))

    @checked
    def reject(self, track_id: str, request_id: str | None = None, *, undo: bool = False) -> Judgement:
        """Keep a track from a request that it is wrong for, by default the last it answered, and from near ones.

        `undo` takes the rejection back. The track stays in the catalog and serves other requests.
        """
        return feedback.reject(self.store, track_id, request_id, undo=undo, encode=self._vector_of)

    # The log

    @checked
    def history(
        self,
        text: str | None = None,
        *,
        by: requests.HistoryBy = "meaning",
        limit: int = 50,
        since: datetime | None = None,
        narrow: bool = False,
        **facts: Unpack[LogArguments],
    ) -> list[requests.PastRequest]:
        """Return logged requests, newest first, or with `text` the nearest by its meaning or its words.

        Only those after `since` and with the `facts`, such as `style="ambient_lofi"` or `action="reused"`, count. With
        `narrow` a search returns those alone that are nearer in meaning than nonsense comes, and those with its words.
        """
        find = partial(requests.history, self.store, self._vector_of, limit=limit, since=since, facts=facts)
        if not narrow or text is None:
            return find(text, by=by)
        near = [one for one in find(text, by="meaning") if (one.relevance or 0.0) >= least_of(self.encoder)]
        there = {one.record.id for one in near}
        return [*near, *(one for one in find(text, by="words") if one.record.id not in there)][:limit]

    @checked
    def suggest_presets(self, query: ContextSource, limit: int = 5) -> list[suggestions.PresetSuggestion]:
        """Return the style presets that served requests like `query` well, best first.

        Where the log holds too little, the descriptions of the presets decide; each suggestion says which did. A preset
        of another environment than the query's is suggested only where it served such requests.
        """
        context, styles = read_context(query), self.library.styles
        place, vector = self._features_of(context).environment, self._vector_of(context.text)
        similarity = dict(zip(styles, (self._descriptions @ vector).tolist(), strict=True))
        return suggestions.suggest(self.store, vector, styles, similarity, place, limit)

    @cached_property
    def _descriptions(self) -> NDArray[np.float32]:
        """The vectors of the style presets' descriptions, shape (styles, dimension)."""
        return self.encoder.encode([style.description for style in self.library.styles.values()])

    @checked
    def statistics(self, by: By | None = None) -> Statistics:
        """Return how many requests there were, how many reused a track, what that saved, and how many were wrong.

        `by` is the length of the periods of `over_time`: day, week or month.
        """
        return statistics(self.store, by)

    def _vector_of(self, text: str) -> NDArray[np.float32]:
        return embed_document(self.encoder, text)

    def _features_of(self, context: Context) -> Features:
        return extract(context, self.encoder, cache_dir=self.store.home / "cache")
