"""Values become rows and come back the same, or are refused; altered rows are noticed."""

from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from builders import a_track, some_features
from homes import a_judgement, a_record
from hypothesis import given, settings
from hypothesis import strategies as st

from music_catalog.disk.reading import to_arrow
from music_catalog.errors import Damage, InputError
from music_catalog.models import Checked, Judgement, Measured, Mood, RequestRecord, Track
from music_catalog.store.rows import (
    from_judgement_row,
    from_request_row,
    from_track_row,
    from_whole_track_row,
    matches,
    recorded,
    to_judgement_row,
    to_request_row,
    to_track_row,
    unit_vector,
    vector_sha256,
)
from music_catalog.store.schema import (
    JUDGEMENT_COLUMNS,
    REQUEST_COLUMNS,
    TRACK_COLUMNS,
    TRACK_ROW,
    judgement_schema,
    request_schema,
    track_schema,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | FINITE | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
ZONES = st.sampled_from([timezone.utc, timezone(timedelta(hours=9))])
LEVEL = st.none() | st.floats(-200, 50)
TRACKS = st.builds(
    a_track,
    created_at=st.datetimes(
        datetime(1971, 1, 1),
        datetime(2200, 1, 1),
        timezones=st.sampled_from([timezone.utc, timezone(timedelta(hours=9))]),
    ),
    context=TEXT,
    summary=TEXT,
    prompt=TEXT,
    mood_tags=st.lists(TEXT, max_size=4).map(tuple),
    valence=st.floats(-1, 1),
    environment=st.sampled_from([None, "forest", "rain"]),
    tempo_bpm=st.none() | st.floats(0.1, 400),
    musical_key=st.none() | st.sampled_from(["C major", "F# minor"]),
    loudness_lufs=LEVEL,
    true_peak_db=LEVEL,
    seed=st.integers(-(2**63) + 1, 2**63 - 1),
    config=st.dictionaries(TEXT, JSON, max_size=4),
    rating=st.none() | st.integers(1, 5),
    loopable=st.booleans(),
    generation_s=st.floats(0, 1e6),
    tags=st.lists(st.sampled_from(["favourite", "it's", "夜"]), max_size=3).map(tuple),
    note=TEXT,
    seam=st.none() | st.floats(0, 1e6),
    variant_of=st.sampled_from([None, "b"]),
    measured=st.none()
    | st.builds(
        Measured, brightness_hz=st.floats(0, 9e3), density_per_s=st.just(1.5), percussiveness=st.just(0.1)
    ),
    checked=st.none() | st.builds(Checked, takes=st.integers(1, 9), why=TEXT),
)
VECTOR = np.arange(1.0, 9.0)


def through_arrow(row, schema):
    return to_arrow([row], schema).to_pylist()[0]


@settings(max_examples=100, deadline=None)
@given(track=TRACKS)
def test_a_track_comes_back_the_same(track):
    row = through_arrow(to_track_row(track, VECTOR), track_schema(8, "e"))
    assert from_track_row(row) == from_whole_track_row(row) == track
    assert from_track_row({name: row[name] for name in TRACK_ROW}) == track
    assert set(row) == {*TRACK_COLUMNS, "vector", "sound", "ear", "brief", "brief_kind"}
    assert vector_sha256(row["vector"]) == row["vector_sha256"]


@settings(max_examples=50, deadline=None)
@given(
    similarity=st.none() | st.floats(-1, 1),
    choices=st.dictionaries(TEXT, JSON, max_size=3),
    query=TEXT,
    track_id=st.sampled_from([None, "a"]),
    features=st.none()
    | st.builds(some_features, valence=st.floats(-1, 1), environment=st.sampled_from([None, "rain"])),
)
def test_a_request_comes_back_the_same(similarity, choices, query, track_id, features):
    values = {"choices": choices, "query": query, "track_id": track_id, "features": features}
    record = a_record("r", similarity=similarity, score=None, **values)
    for vector in (None, VECTOR):
        row = through_arrow(to_request_row(record, vector, "e"), request_schema(8))
        assert from_request_row(row) == record
        assert set(row) == {*REQUEST_COLUMNS, "vector"}
        assert row["encoder"] == ("" if vector is None else "e")
        assert row["vector_sha256"] == ("" if vector is None else vector_sha256(row["vector"]))


def test_a_request_that_is_no_record_is_refused_in_plain_words():
    with pytest.raises(InputError, match=r"^request record: probability is nan"):
        to_request_row(a_record("r").model_copy(update={"probability": math.nan}))


@pytest.mark.parametrize("rating", [None, 1, 5])
@pytest.mark.parametrize("mood", [None, Mood(valence=0.5, energy=-1.0, mood_tags=("calm", "夜"))])
@pytest.mark.parametrize("vector", [None, VECTOR], ids=["without", "with"])
def test_a_judgement_comes_back_the_same(rating, vector, mood):
    judgement = a_judgement("j", rating=rating, request_id="r", key="k", mood=mood)
    row = through_arrow(to_judgement_row(judgement, vector, "e"), judgement_schema(8))
    assert from_judgement_row(row) == judgement
    assert set(row) == {*JUDGEMENT_COLUMNS, "vector"}


def test_every_field_has_a_column_and_none_that_is_compared_may_be_null():
    assert set(Track.model_fields) <= set(TRACK_COLUMNS)
    assert set(RequestRecord.model_fields) <= set(REQUEST_COLUMNS)
    assert set(Judgement.model_fields) <= set(JUDGEMENT_COLUMNS)
    assert not track_schema(8, "e").field("vector").nullable
    vectors = ("vector", "sound", "brief", "ear")
    for schema in (track_schema(8, "e"), request_schema(8), judgement_schema(8)):
        assert not any(field.nullable for field in schema if field.name not in vectors)
        assert schema.field("id").metadata == {b"lance-schema:unenforced-primary-key": b"true"}


@pytest.mark.parametrize(
    "changes",
    [
        {"valence": math.nan},
        {"energy": 1.5},
        {"duration_s": math.inf},
        {"id": "No/Id"},
        {"audio_sha256": "x"},
        {"state": "lost"},
        {"rating": 6},
        {"summary": "a\ud800"},
        {"mood_tags": ("\udfff",)},
        {"config": {"x": math.nan}},
        {"config": {"x": 1j}},
        {"created_at": datetime(2026, 1, 1)},
        {"seed": 2**63},
        {"model_rank": 2**31},
        {"tempo_bpm": 0.0},
        {"musical_key": ""},
        {"loudness_lufs": -1000.0},
        {"tags": ("",)},
        {"tags": (" \n ",)},
        {"tags": ("x" * 61,)},
        {"tags": tuple("abcdefgh" * 9)},
        {"note": "x" * 2001},
        {"seam": -1000.0},
        {"variant_of": ""},
    ],
    ids=str,
)
def test_what_cannot_be_stored_is_refused(changes):
    with pytest.raises(InputError):
        to_track_row(a_track().model_copy(update=changes), VECTOR)


@pytest.mark.parametrize(
    "vector", [np.zeros(8), np.full(8, np.nan), np.full(8, np.inf), np.ones((1, 8)), np.float32(1.0)], ids=str
)
def test_a_vector_without_direction_is_refused(vector):
    with pytest.raises(InputError, match="vector has"):
        to_track_row(a_track(), vector)


def test_a_stored_vector_stays_bit_for_bit():
    once = unit_vector(VECTOR)
    assert np.linalg.norm(once) == pytest.approx(1.0, abs=1e-6)
    assert unit_vector(once).tobytes() == once.tobytes()


@pytest.mark.parametrize("column", [name for name in TRACK_COLUMNS if name != "row_sha256"])
def test_a_change_of_any_column_is_noticed(column):
    row = to_track_row(a_track(config={"a": 1}), VECTOR)
    value = row[column]
    if isinstance(value, datetime):
        row[column] = value + timedelta(microseconds=1)
    elif isinstance(value, bool):
        row[column] = not value
    elif isinstance(value, (int, float)):
        row[column] = value + 1
    else:
        row[column] = value + type(value)("x")
    with pytest.raises(Damage, match=r"'a.*' does not match its checksum"):
        from_whole_track_row(row)


@pytest.mark.parametrize("column", ["id", "record", "row_sha256", "vector"])
def test_a_change_of_what_a_track_is_read_from_is_noticed(column):
    row = to_track_row(a_track(), VECTOR)
    row[column] = row[column] + ("x" if isinstance(row[column], str) else np.float32(1e-6))
    with pytest.raises(Damage, match="does not match its checksum"):
        from_track_row(row)


def test_a_row_of_valid_checksum_and_invalid_content_is_damage():
    row = to_track_row(a_track(), VECTOR)
    row = recorded({**row, "config": "{"})
    with pytest.raises(Damage):
        from_track_row(row)


def test_a_row_that_no_checksum_can_be_made_of_does_not_match():
    assert not matches({"id": "a", "valence": math.nan, "row_sha256": "0" * 64})
