"""Answer a query: the best tracks or a page of them, their number, and how they divide by facet."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Literal, get_args

from ..disk.reading import MOST_RESULTS, intact
from ..errors import InputError
from ..history.takes import Folded, list_folded
from ..history.takes import folded as folded_takes
from ..models import Filter, Page, Track
from ..presets.vocabulary import MOODS
from ..search.facets import Facets, facets_of
from ..search.filters import equals, one_of
from ..search.hints import meant
from ..search.nearness import least_cosine
from ..search.own_filter import without_own_choice
from ..search.query import Query
from ..store.rows import EarVector, from_track_row
from ..store.store import Store
from ..text.encoder import Encoder, embed_document
from ..text.summary import STOPPED
from ..validation import nearest

__all__ = [
    "BEST",
    "NEWEST",
    "SearchBy",
    "best",
    "checked_by",
    "least_of",
    "narrow_page",
    "of_ids",
    "page",
    "playlist_page",
    "whole_ids",
]


SearchBy = Literal["meaning", "words", "both", "sound"]
NEWEST = "-created_at"
BEST = 200
"""How many tracks of a search that narrows are kept; what comes after is not near any more."""
MOST_READ = 10_000
"""Of more tracks some are read for what a word may have been meant as."""
MOST_WORDS = 8
"""Of a longer query the first words are looked up one by one."""

Scored = list[tuple[Track, float]]
ReadSound = Callable[[str], EarVector]

_least_cosines: dict[str, float] = {}
"""See `least_cosine`; by the identity of the encoder."""


def checked_by(by: str) -> None:
    """Raise InputError for an unknown way of searching."""
    if by not in get_args(SearchBy):
        raise InputError(f"search by {by!r} is not known; {nearest(by, get_args(SearchBy))}")


def best(
    store: Store, encoder: Encoder, query: Query, by: SearchBy, limit: int, read_sound: ReadSound
) -> list[tuple[Track, float]]:
    """Return up to `limit` tracks that meet `query`, best first, with their scores; without words the newest.

    `read_sound` returns the vector of a text that tracks are searched with by sound. Raises InputError for a limit out
    of range, NotHeard by sound without an ear.
    """
    if not query.text:
        return [(track, 0.0) for track in store.tracks.list(query.where, order=NEWEST, limit=limit)]
    if by == "words":
        return store.tracks.search_words(query.plain, query.where, limit)
    if by == "sound":
        return store.tracks.search_ear(read_sound(query.plain), query.where, limit)
    vector = embed_document(encoder, query.plain)
    if by == "meaning":
        return store.tracks.search(vector, query.where, limit)
    return store.tracks.search_hybrid(query.plain, vector, query.where, limit)


def page(
    store: Store,
    encoder: Encoder,
    query: Query,
    *,
    read_sound: ReadSound,
    by: SearchBy = "meaning",
    sort: str = NEWEST,
    limit: int = 50,
    offset: int = 0,
    folded: bool = False,
) -> Page:
    """Return `limit` tracks from `offset` on, with the number of all that meet `query` and their facets.

    A facet of which a track has one value is counted without the values that `query` chooses in it.
    A query with words is a search, best first; without words `sort` orders the tracks. A search by words counts only
    tracks that have one of them, a search by meaning or both every track that meets the facts. With `folded` a list
    has only the first take of each group; see `Page.takes`. Raises InputError for a sort, a limit or an offset that
    cannot be used.
    """
    deepest = MOST_RESULTS - offset if query.text else MOST_RESULTS
    if offset < 0 or not 0 <= limit <= deepest:
        raise InputError(
            f"limit {limit} and offset {offset} cannot be used; pass 0 or more, a limit up to {MOST_RESULTS:,}, "
            "and in a search no more than that together"
        )
    words = query.plain if query.text and by == "words" else ""
    total, facets = store.tracks.facets(query.where, words)
    open_choices = without_own_choice(query.where)
    others = {facet: store.tracks.facets(where, words)[1][facet] for facet, where in open_choices.items()}
    if query.text:
        hits = best(store, encoder, query, by, offset + limit, read_sound)[offset:] if offset + limit else []
        tracks, scores = [track for track, _ in hits], {track.id: score for track, score in hits}
    else:
        groups = folded_takes(store, query.where) if folded else {}
        tracks = list_folded(store, query.where, groups, order=sort, limit=limit, offset=offset)
        scores = {}
    found = Page(
        query=str(query), tracks=tuple(tracks), scores=scores, total=total, facets={**facets, **others}
    )
    return _with_takes(store, found, groups) if folded and not query.text else found


def narrow_page(
    store: Store,
    encoder: Encoder,
    query: Query,
    *,
    names: Mapping[str, Collection[str]],
    read_sound: ReadSound,
    by: SearchBy = "both",
    sort: str = NEWEST,
    limit: int = 50,
    offset: int = 0,
    folded: bool = False,
) -> Page:
    """Return a page as `page` does, of a search only the tracks that match its words, at most `BEST` in all.

    A track matches by words when it has one of them, and by meaning when it is nearer than nonsense comes. The page
    says which words no track of the catalog has, and what may have been meant. Scores by words alone are shares of
    the best one. `names` are the styles and roles. Raises InputError.
    """
    if query.text:
        matching = _matching(store, encoder, query, by, read_sound)
        hits = matching(query.where)
        open_choices = without_own_choice(query.where)
        others = {facet: _facets(matching(where))[facet] for facet, where in open_choices.items()}
        tracks, scores = [track for track, _ in hits], {track.id: score for track, score in hits}
        groups = _among(folded_takes(store, query.where), scores) if folded else {}
        under = {take for takes in groups.values() for take in takes}
        shown = tuple([track for track in tracks if track.id not in under][offset : offset + limit])
        found = Page(
            query=str(query),
            tracks=shown,
            scores={track.id: scores[track.id] for track in shown},
            total=len(hits),
            facets={**_facets(hits), **others},
        )
        found = _with_takes(store, found, groups) if folded else found
    else:
        found = page(
            store,
            encoder,
            query,
            read_sound=read_sound,
            sort=sort,
            limit=limit,
            offset=offset,
            folded=folded,
        )
    missing = tuple(word for word in _free_words(query) if not _is_anywhere(store, word))
    if found.total and not missing:
        return found
    _, counted = store.tracks.facets()
    # A backend is refused where its name is not known, and no free word was meant as one.
    presets = {name: names[name] for name in names if name in ("style", "role")}
    known: dict[str, Collection[str]] = {"mood": {*MOODS, *counted["mood"]}, "tag": counted["tag"], **presets}
    return found.model_copy(
        update={"missing": missing, "meant": meant(query, known, missing, _said(store) if missing else ())}
    )


def _among(groups: Folded, ids: Collection[str]) -> Folded:
    """Return the groups as far as their takes are among `ids`."""
    there = {
        first: [take for take in takes if take in ids] for first, takes in groups.items() if first in ids
    }
    return {first: takes for first, takes in there.items() if takes}


def _with_takes(store: Store, found: Page, groups: Folded) -> Page:
    """Return a page with the takes that stand under its tracks, and the number of rows of the whole list."""
    shown = {track.id: groups[track.id] for track in found.tracks if track.id in groups}
    known = of_ids(store, [take for takes in shown.values() for take in takes])
    takes = {first: tuple(known[take] for take in takes if take in known) for first, takes in shown.items()}
    return found.model_copy(update={"rows": found.total - sum(map(len, groups.values())), "takes": takes})


def of_ids(store: Store, track_ids: Sequence[str]) -> dict[str, Track]:
    """Return the tracks with these ids that are there, in the trash or not, by id."""
    rows = store.tracks.table.read(one_of("id", [*track_ids])) if track_ids else []
    return {track.id: track for track in intact(rows, from_track_row)}


def playlist_page(store: Store, track_ids: Sequence[str], limit: int, offset: int) -> Page:
    """Return a page of the tracks with these ids, in this order, those in the trash too; ids of none are passed over.

    Raises InputError for a limit or an offset that cannot be used.
    """
    if offset < 0 or not 0 <= limit <= MOST_RESULTS:
        raise InputError(
            f"limit {limit} and offset {offset} must be 0 or more, and limit up to {MOST_RESULTS:,}"
        )
    known = store.tracks.style_and_rating(track_ids)
    there = [track_id for track_id in track_ids if track_id in known]
    found = of_ids(store, there[offset : offset + limit])
    tracks = tuple(found[track_id] for track_id in there[offset : offset + limit] if track_id in found)
    return Page(query="", tracks=tracks, scores={}, total=len(there), facets={})


def whole_ids(store: Store, track_ids: Sequence[str]) -> list[str]:
    """Return the whole ids of tracks; the beginning of one is enough. Raises NotFound, InputError."""
    known = store.tracks.style_and_rating(track_ids)
    return [track_id if track_id in known else store.tracks.find_id(track_id).id for track_id in track_ids]


def _matching(
    store: Store, encoder: Encoder, query: Query, by: SearchBy, read_sound: ReadSound
) -> Callable[[Filter], Scored]:
    """Return the function from a filter to the tracks that meet it and match the words of `query`, encoded once."""

    def by_words(where: Filter) -> Scored:
        hits = store.tracks.search_words(query.plain, where, BEST)
        return [(track, score / hits[0][1]) for track, score in hits]

    if by == "words":
        return by_words
    if by == "sound":
        ear = read_sound(query.plain)
        return lambda where: store.tracks.search_ear(ear, where, BEST)
    least = least_of(encoder)
    vector = embed_document(encoder, query.plain)
    if by == "both":
        return lambda where: store.tracks.search_hybrid(query.plain, vector, where, BEST, least)
    return lambda where: [hit for hit in store.tracks.search(vector, where, BEST) if hit[1] >= least]


def least_of(encoder: Encoder) -> float:
    """Return how near, as a cosine, a text must be to one that is searched for; see `least_cosine`."""
    if (least := _least_cosines.get(encoder.identity)) is None:
        least = _least_cosines[encoder.identity] = least_cosine(encoder.encode)
    return least


def _facets(hits: Scored) -> Facets:
    return facets_of([track for track, _ in hits])


def _free_words(query: Query) -> list[str]:
    words = re.findall(r"\w+", re.sub(r'"[^"]*"', " ", query.text).lower())
    return [word for word in dict.fromkeys(words) if word not in STOPPED][:MOST_WORDS]


def _said(store: Store) -> set[str]:
    """Return the words of titles and summaries, of up to `MOST_READ` tracks."""
    rows = store.tracks.table.read(equals("state", "ready"), columns=("title", "summary"), limit=MOST_READ)
    words = re.findall(r"\w{4,}", " ".join(f"{row['title']} {row['summary']}" for row in rows).lower())
    return {word for word in words if word not in STOPPED}


def _is_anywhere(store: Store, word: str) -> bool:
    return bool(store.tracks.search_words(word, Filter(state=None), 1))
