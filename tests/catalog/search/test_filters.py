"""Every filter gives what the same filter in Python gives, whatever text is in rows and values."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from homes import DIMENSION, NOON, newest_for, open_store, stored, vector_of
from hypothesis import given, settings
from hypothesis import strategies as st

from music_catalog.disk.reading import to_arrow
from music_catalog.errors import InputError
from music_catalog.models import Filter, Track
from music_catalog.search.filters import QUALITY_RANK, both, equals, literal, meets, one_of, to_sql
from music_catalog.store.rows import to_track_row
from music_catalog.store.schema import track_schema

INJECTIONS = (
    "x' OR '1'='1",
    "x'; DROP TABLE tracks; --",
    "' OR 1=1 --",
    "x'' OR ''1''=''1",
    "\\' OR 1=1 --",
    "') OR (state = 'trashed",
    '"style"',
    "$1",
    "?",
    "%",
    "_",
    "/* */",
    "a\x00b",
    "line\nbreak",
    "é",
    "e\u0301",
    "平静",
    "\u202emoor",
    "🌧",
    "",
    " ",
    "ambient_lofi",
)
TEXT = st.sampled_from(INJECTIONS) | st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from("'\";-\\"), max_size=12
)
NUMBER = st.sampled_from([0.0, -1.0, 10.0, 29.999, 30.0, 60.5, 120.0, 1e-300, math.inf, -math.inf, 1e308])
PLACES = ("forest", "rain", "night", None)
TIMES = ("dawn", "night", None)


def some_filters():
    maybe = lambda values: st.none() | values  # noqa: E731
    return st.builds(
        Filter,
        style=maybe(TEXT),
        role=maybe(st.sampled_from(["background_bed", "' OR 1=1 --"])),
        min_quality=st.sampled_from([None, *QUALITY_RANK]),
        min_model_rank=maybe(st.sampled_from([-(10**30), -1, 0, 2, 10**30])),
        environment=st.sampled_from(PLACES),
        time_of_day=st.sampled_from(TIMES),
        mood=st.lists(TEXT, max_size=2).map(tuple),
        loopable=st.sampled_from([None, True, False]),
        min_duration_s=maybe(NUMBER),
        max_duration_s=maybe(NUMBER),
        min_tempo_bpm=maybe(NUMBER),
        max_tempo_bpm=maybe(NUMBER),
        min_rating=maybe(st.integers(-2, 7)),
        backend=maybe(TEXT),
        language=maybe(TEXT),
        state=st.sampled_from([None, "ready", "trashed"]),
    )


def fits(where: Filter, track: Track) -> bool:
    """The meaning of a filter, said a second time without SQL."""
    names = ("style", "role", "environment", "time_of_day", "loopable", "backend", "language", "state")
    wanted = {name: getattr(where, name) for name in names if getattr(where, name) is not None}
    return (
        all(getattr(track, name) == value for name, value in wanted.items())
        and set(where.mood) <= set(track.mood_tags)
        and QUALITY_RANK[track.quality] >= QUALITY_RANK[where.min_quality or "preview"]
        and (where.min_model_rank is None or track.model_rank >= where.min_model_rank)
        and _within(track.duration_s, where.min_duration_s, where.max_duration_s)
        and _within(track.tempo_bpm, where.min_tempo_bpm, where.max_tempo_bpm)
        and _within(track.rating, where.min_rating, None)
    )


def _within(value, lowest, highest):
    if lowest is None and highest is None:
        return True
    return value is not None and (lowest is None or value >= lowest) and (highest is None or value <= highest)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    """A store of tracks that take every value the filters ask for, and those tracks."""
    store = open_store(tmp_path_factory.mktemp("filters") / "home")
    draw = np.random.default_rng(7)
    tracks = []
    for number, (text, place) in enumerate(product(INJECTIONS, PLACES)):
        tracks.append(
            stored(
                store,
                f"t{number}",
                audio="the same for all",
                style=text,
                role=draw.choice(["background_bed", "' OR 1=1 --"]),
                quality=draw.choice([*QUALITY_RANK]),
                environment=place,
                time_of_day=TIMES[number % 3],
                mood_tags=tuple(draw.choice(INJECTIONS, size=draw.integers(0, 4), replace=False)),
                loopable=bool(number % 2),
                duration_s=float(draw.choice([10.0, 29.999, 30.0, 60.5])),
                tempo_bpm=[None, 60.5, 120.0][number % 3],
                rating=[None, 1, 3, 5][number % 4],
                backend=INJECTIONS[number % 5],
                language=INJECTIONS[-(number % 7)],
                model_rank=int(draw.integers(0, 4)),
                state=["ready", "ready", "trashed"][number % 3],
                trashed_at=[None, None, NOON][number % 3],
            )
        )
    store.tracks.insert(tracks[0], vector_of("t0"))
    rows = [to_track_row(track, vector_of(track.id)) for track in tracks[1:]]
    schema = track_schema(DIMENSION, tracks[0].encoder)
    store.tracks.table.durable.commit("bulk", lambda table: table.add(to_arrow(rows, schema)))
    return store, tracks


@settings(max_examples=150, deadline=None)
@given(where=some_filters())
def test_a_filter_means_the_same_in_sql_and_in_python(catalog, where):
    store, tracks = catalog
    expected = sorted(track.id for track in tracks if fits(where, track))
    assert sorted(track.id for track in store.tracks.list(where)) == expected
    assert store.tracks.count(where) == len(expected)
    assert sorted(track.id for track in tracks if meets(track, where)) == expected


@settings(max_examples=40, deadline=None)
@given(where=some_filters())
def test_the_filter_is_part_of_the_vector_query(catalog, where):
    store, tracks = catalog
    expected = sorted(track.id for track in tracks if fits(where, track))
    assert (
        sorted(track.id for track, _ in store.tracks.search(vector_of("any"), where, len(tracks))) == expected
    )


@pytest.mark.parametrize("text", INJECTIONS)
def test_text_in_a_filter_finds_that_text_only(catalog, text):
    store, tracks = catalog
    facts = {"style": [text], "backend": [text], "mood": [(text,)]}
    for name, (value,) in facts.items():
        where = Filter(state=None, **{name: value})
        assert {track.id for track in store.tracks.list(where)} == {
            track.id for track in tracks if fits(where, track)
        }


@pytest.mark.parametrize("text", INJECTIONS)
def test_text_as_key_or_id_prefix_finds_no_other_row(catalog, text):
    store, _ = catalog
    assert newest_for(store, text) is None
    assert store.tracks.table.read(f"starts_with(id, {literal(text)})", columns=("id",)) == [] or text == ""


def test_no_facts_need_no_predicate():
    assert to_sql(Filter(state=None)) is None
    assert both(None, "a", None, "b") == "a AND b"


def test_literals():
    assert literal("it's") == "'it''s'"
    assert literal(True) == "true"
    assert literal(10**40) == str(2**31 - 1)
    assert literal(NOON) == "timestamp '2026-03-04T12:00:00.000000Z'"
    assert equals("style", "x") == "style = 'x'"
    assert one_of("id", []) == "false"
    assert one_of("id", ["a", "b'"]) == "id IN ('a', 'b''')"


@pytest.mark.parametrize(
    "where", [Filter(style="a\ud800"), Filter(mood=("\udfff",)), Filter(min_duration_s=math.nan)]
)
def test_what_cannot_be_asked_is_refused(where):
    with pytest.raises(InputError, match=r"surrogate|NaN"):
        to_sql(where)
