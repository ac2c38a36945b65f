from __future__ import annotations

import os
import re
from datetime import datetime, timedelta, timezone
from typing import get_args

import numpy as np
import pytest
from homes import DIMENSION, ENCODER, NOON, open_store, stored, vector_of
from hypothesis import given, settings
from hypothesis import strategies as st

from music_catalog.disk.reading import to_arrow
from music_catalog.errors import InputError
from music_catalog.models import Condition, FieldName, Filter, Period, Span, Track
from music_catalog.search.fields import FIELDS
from music_catalog.search.query import Query, parse
from music_catalog.store.rows import to_track_row
from music_catalog.store.schema import track_schema

STYLES = {"style": ("ambient_lofi", "drone", "folk"), "role": ("background_bed", "intro_sting")}


def conditions(text):
    return parse(text).where.conditions


def test_words_and_facts_are_told_apart():
    query = parse(
        '  calm  rain mood:Calm,warm mood:dark length:30..60 "soft  rain" -style:drone -loud is:trashed'
    )
    assert query.text == 'calm rain "soft rain"'
    assert query.plain == "calm rain soft rain"
    assert query.where == Filter(
        state="trashed",
        conditions=(
            Condition(field="words", any_of=("soft rain",)),
            Condition(field="mood", any_of=("Calm", "warm")),
            Condition(field="mood", any_of=("dark",)),
            Condition(field="length", any_of=(Span(low=30, high=60),)),
            Condition(field="style", any_of=("drone",), negated=True),
            Condition(field="words", any_of=("loud",), negated=True),
        ),
    )
    assert str(query) == (
        'calm rain "soft rain" mood:Calm,warm mood:dark length:30..60 -style:drone -loud is:trashed'
    )


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("length:30", "length", Span(low=29.5, high=30.5)),
        ("length:..90", "length", Span(high=90)),
        ("duration:1.5..", "length", Span(low=1.5)),
        ("bpm:60..90", "tempo", Span(low=60, high=90)),
        ("tempo:none", "tempo", None),
        ("rating:4", "rating", Span(low=4, high=4)),
        ("rating:4..", "rating", Span(low=4)),
        ("loop:YES", "loop", True),
        ('style:"Ambient Lofi"', "style", "ambient_lofi"),
        ("backend:mlx", "by", "mlx"),
        ("environment:none", "environment", None),
        ("Time:Night", "time", "night"),
        ("model:small", "model", "small"),
        ("lang:en", "language", "en"),
        ("made:7d", "made", Period(since=timedelta(days=7))),
        ("made:2w..36h", "made", Period(since=timedelta(days=14), before=timedelta(hours=36))),
    ],
)
def test_fields_and_their_other_names(text, field, value):
    query = parse(text, STYLES)
    assert query.where.conditions == (Condition(field=field, any_of=(value,)),)
    assert query.text == ""
    assert parse(str(query), STYLES) == query


def test_dates_are_whole_days_months_and_years():
    def utc(*date):
        return datetime(*date, tzinfo=timezone.utc)

    for text, since, before in [
        ("2026-11-22", utc(2026, 11, 22), utc(2026, 11, 23)),
        ("2026-12", utc(2026, 12, 1), utc(2027, 1, 1)),
        ("2026", utc(2026, 1, 1), utc(2027, 1, 1)),
        ("2026-02..2026-03", utc(2026, 2, 1), utc(2026, 4, 1)),
        ("2026-11..", utc(2026, 11, 1), None),
        ("..2024-02-29", None, utc(2024, 3, 1)),
    ]:
        assert conditions(f"made:{text}") == (
            Condition(field="made", any_of=(Period(since=since, before=before),)),
        )
    assert str(parse("made:2026-11")) == "made:2026-11-01..2026-11-30"


@pytest.mark.parametrize(
    "text",
    [
        "Note: calm rain",
        "see http://example.org/a?b=c:d",
        "at 12:30 o'clock",
        "a - b -- c --d",
        "雨:夜 平静",
        "C:",
        "5' 3..4 a,b (x) * +y",
    ],
)
def test_prose_stays_words(text):
    query = parse(text)
    assert query.text == text
    assert query.where == Filter()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("rain moood:calm", r"unknown field 'moood' at character 6; did you mean mood or model\?"),
        ("mood: calm", "mood: at character 1 has no value; write it like mood:calm"),
        ("mood:,", "mood: at character 1 has no value"),
        ("duration: 3", "length: at character 1 has no value; write it like length:30..60"),
        ("is:", "is: at character 1 has no value; write is:trashed"),
        ("environment:florest", r"environment:florest at character 1 is not valid; did you mean forest"),
        ("a -time:nihgt", r"time:nihgt at character 3 is not valid; did you mean night"),
        ("style:ambiant_lofi", r"style:ambiant_lofi at character 1 .* did you mean ambient_lofi"),
        ('"soft rain', r'^the quote " at character 1 of the query is not closed; add one, or leave it out$'),
        ('rain tag:"best of', "at character 10 of the query is not closed"),
        ('the 12" mix', "at character 7 of the query is not closed"),
        ("length:60..30", "the range is empty; write length:30..60"),
        ("bpm:90..3", r"bpm:90..3 at character 1 is not valid; the range is empty; write bpm:3..90"),
        ("length:long", "'long' is no number; write it like length:30..60"),
        ("length:nan", "'nan' is no number"),
        ("length:..", "length:.. at character 1 is not valid; write it like"),
        ("rating:0..", "it lies between 1 and 5"),
        ("rating:7", "it lies between 1 and 5"),
        ("length:1e12", "it lies between 0 and 1e\\+09"),
        ("loop:maybe", "pass yes or no"),
        ("made:2026-13", "that is no date; write it like made:2026-11"),
        ("made:2026-02-30", "that is no date"),
        ("made:0000", "that is no date"),
        ("made:999999y", "that is no date"),
        ("made:2026-03..2026-02", "write the earlier date first"),
        ("made:7d..30d", "write the longer time ago first"),
        ("is:gone", r"is:gone at character 1 is not known; .*trashed"),
        ("is:trashed is:any", "is:trashed and is:any contradict each other"),
        ("a\ud800", "lone surrogate at character 2"),
        (" ".join(f"mood:m{n}" for n in range(33)), "33 conditions; at most 32"),
    ],
)
def test_refusals_say_what_and_where(text, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        parse(text, STYLES)
    assert "\n" not in str(caught.value)


def test_a_mood_and_a_language_are_refused_where_what_there_is_is_known():
    known = {"mood": ("calm", "Spooky of mine"), "language": ("en", "de")}
    for text, sentence in (
        ("mood:calmm", r"mood:calmm at character 1 is not valid; did you mean calm\?"),
        ("rain -mood:calm,clam", r"mood:clam at character 6 is not valid; did you mean calm"),
        ("lang:zzz", r"lang:zzz at character 1 is not valid; write it like language:en$"),
    ):
        with pytest.raises(InputError, match=sentence):
            parse(text, known)
        parse(text)
    for text in ("mood:CALM", "mood:none", 'mood:"Spooky of mine"', "language:EN", "-language:de"):
        parse(text, known)
    assert conditions("mood:CALM")[0].any_of == ("CALM",)
    assert parse("mood:CALM", known).where.conditions[0].any_of == ("calm",)


SIGNS = [
    ":",
    "..",
    ",",
    "-",
    '"',
    " ",
    "none",
    "calm",
    "2026-1",
    "7d",
    "30",
    ".5",
    "rain",
    "é",
    "雨",
    "\u00ad",
]
PIECES = st.sampled_from([*FIELDS, "is", *SIGNS])


@settings(max_examples=200, deadline=None)
@given(st.text() | st.lists(PIECES, max_size=14).map("".join))
def test_any_text_parses_or_is_refused(text):
    try:
        query = parse(text)
    except InputError:
        return
    again = parse(str(query))
    assert again == query
    assert str(again) == str(query)


# What the filter lets through, against plain Python


def values_of(field):
    span = st.tuples(st.none() | st.integers(0, 120), st.none() | st.integers(0, 120)).filter(
        lambda ends: ends != (None, None) and (None in ends or ends[0] <= ends[1])
    )
    dates = st.sampled_from(
        ["2026-03-04", "2026-03", "2026-03-05..", "..2026-03-06", "2026-03-04..2026-03-05"]
    )
    return {
        "mood": st.sampled_from(["calm", "Dark", "it's", "none", "else"]),
        "tag": st.sampled_from(["Best of", "mine", "none"]),
        "style": st.sampled_from(["folk", "drone", "x' OR '1'='1"]),
        "role": st.sampled_from(["background_bed", "intro_sting"]),
        "quality": st.sampled_from(["preview", "standard", "final"]),
        "environment": st.sampled_from(["rain", "city", "none"]),
        "time": st.sampled_from(["night", "day", "none"]),
        "loop": st.sampled_from(["yes", "no"]),
        "length": span.map(range_text) | st.integers(0, 100).map(str),
        "tempo": span.map(range_text) | st.just("none"),
        "rating": st.sampled_from(["1", "4..", "..3", "2..4", "none"]),
        "by": st.sampled_from(["mlx", "procedural"]),
        "model": st.sampled_from(["SMALL", "musicgen", "procedural-1", "%"]),
        "license": st.sampled_from(["APACHE", "cc-by", "unknown", "%"]),
        "language": st.sampled_from(["en", "und"]),
        "made": dates,
    }[field]


def range_text(ends):
    return "..".join("" if end is None else str(end) for end in ends)


@st.composite
def queries(draw):
    terms = []
    for _ in range(draw(st.integers(1, 3))):
        field = draw(st.sampled_from([*FIELDS, "words"]))
        sign = draw(st.sampled_from(["", "", "-"]))
        if field == "words":
            phrase = draw(st.sampled_from(["soft rain", "RAIN", "train", "雨夜", "étude", "a+b", "s rain"]))
            terms.append(f'{sign}"{phrase}"')
        else:
            values = draw(st.lists(values_of(field), min_size=1, max_size=3))
            terms.append(f"{sign}{field}:" + ",".join(f'"{v}"' if " " in v else v for v in values))
    return " ".join([*terms, draw(st.sampled_from(["", "is:any", "is:trashed"]))])


def meets(track: Track, condition: Condition) -> bool:
    """Say in plain Python whether a track meets a condition, straight from docs/SEARCH.md."""

    def has(value):
        if condition.field == "words":
            words = "\n".join(
                (track.summary, " ".join(track.mood_tags), track.style, track.prompt, track.context)
            )
            edge = "[^0-9a-z\u00e0-\u024f]"
            phrase = r"\s+".join(map(re.escape, value.lower().split()))
            before = f"(^|{edge})" if not re.match(edge, value.lower()[0]) else ""
            after = f"({edge}|$)" if not re.match(edge, value.lower()[-1]) else ""
            return re.search(before + phrase + after, words.lower()) is not None
        if condition.field in ("mood", "tag"):
            tags = {*(track.mood_tags if condition.field == "mood" else track.tags)}
            return not tags if value is None else bool({value, value.lower()} & tags)
        if condition.field in ("model", "license"):
            return value.lower() in getattr(track, condition.field).lower()
        names = {"time": "time_of_day", "loop": "loopable", "length": "duration_s", "tempo": "tempo_bpm"}
        names |= {"by": "backend", "made": "created_at"}
        own = getattr(track, names.get(condition.field, condition.field))
        if isinstance(value, Span):
            low = -1.0 if value.low is None else value.low
            return own is not None and low <= own <= (float("inf") if value.high is None else value.high)
        if isinstance(value, Period):
            return (value.since is None or own >= value.since) and (
                value.before is None or own < value.before
            )
        return own == value

    return any(map(has, condition.any_of)) != condition.negated


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A store with sixty tracks of every kind, and the tracks."""
    draw = np.random.default_rng(11)

    def one(*choices):
        return choices[draw.integers(len(choices))]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        store = open_store(tmp_path_factory.mktemp("query") / "home")
        tracks = [
            stored(
                store,
                f"t{number}",
                audio="one",
                created_at=NOON + timedelta(hours=number),
                summary=one("soft rain", "a train", "Soft\nRAIN", "平静的雨夜", "étude a+b", "nothing"),
                mood_tags=one((), ("calm",), ("dark", "it's"), ("calm", "dark")),
                tags=one((), ("mine",), ("mine", "best of")),
                style=one("folk", "drone"),
                role=one("background_bed", "intro_sting"),
                quality=one("preview", "standard", "final"),
                environment=one(None, "rain", "city"),
                time_of_day=one(None, "night", "day"),
                loopable=one(True, False),
                duration_s=float(draw.integers(1, 100)),
                tempo_bpm=one(None, 60.0, 90.0, 119.5),
                rating=one(None, 1, 3, 4, 5),
                backend=one("mlx", "procedural"),
                model=one("facebook/musicgen-small", "procedural-1"),
                language=one("en", "und"),
                state=one("ready", "ready", "trashed"),
            )
            for number in range(60)
        ]
        store.tracks.insert(tracks[0], vector_of("t0"))
        rows = [to_track_row(track, vector_of(track.id)) for track in tracks[1:]]
        schema = track_schema(DIMENSION, ENCODER)
        store.tracks.table.durable.commit("bulk", lambda lance: lance.add(to_arrow(rows, schema)))
    # A function, since Hypothesis prints the arguments of a test.
    return lambda: (store, tracks)


@settings(max_examples=60, deadline=None)
@given(text=queries())
def test_filters_let_through_what_plain_python_does(table, text):
    store, tracks = table()
    where = parse(text).where
    expected = {
        track.id
        for track in tracks
        if (where.state is None or track.state == where.state)
        and all(meets(track, condition) for condition in where.conditions)
    }
    assert {track.id for track in store.tracks.list(where)} == expected
    assert store.tracks.count(where) == len(expected)


def test_every_field_of_a_condition_can_be_typed():
    assert {*get_args(FieldName)} == {*FIELDS, "words"}


def test_times_ago_are_counted_from_now(tmp_path):
    store = open_store(tmp_path / "home")
    now = datetime.now(timezone.utc)
    for name, hours in (("new", 1), ("old", 100)):
        track = stored(store, name, created_at=now - timedelta(hours=hours))
        store.tracks.insert(track, vector_of(name))
    assert [track.id for track in store.tracks.list(parse("made:2d").where)] == ["new"]
    assert [track.id for track in store.tracks.list(parse("made:..2d").where)] == ["old"]
    assert [track.id for track in store.tracks.list(parse("made:7d..2d").where)] == ["old"]


def test_a_query_made_by_hand_is_written_so_that_it_reads_back():
    where = Filter(conditions=(Condition(field="words", any_of=("rain",)),))
    assert str(Query(where=where)) == '"rain"'
