from __future__ import annotations

import json
import logging
import os
import threading
import time
from concurrent import futures
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from homes import (
    DIMENSION,
    ENCODER,
    NOON,
    a_judgement,
    a_record,
    add,
    newest_for,
    open_store,
    stored,
    vector_of,
)
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from music_catalog.brief.vectors import DIMENSION as BRIEF_DIMENSION
from music_catalog.disk import lance, maintenance
from music_catalog.disk.lance import Connection
from music_catalog.disk.reading import to_arrow
from music_catalog.disk.versions import TableFiles
from music_catalog.ear.vectors import DIMENSION as EAR_DIMENSION
from music_catalog.errors import Damage, EncoderMismatch, InputError, NotFound, StorageError
from music_catalog.generator.audio import timbre
from music_catalog.models import Checked, Filter, FoundFault, Measured, Mood
from music_catalog.store import audit
from music_catalog.store.audio import AudioFiles
from music_catalog.store.audit import Problem
from music_catalog.store.migrations import RECORDS_SINCE
from music_catalog.store.rows import (
    BriefVector,
    EarVector,
    row_sha256,
    to_judgement_row,
    to_request_row,
    to_track_row,
    unit_vector,
)
from music_catalog.store.schema import (
    READABLE,
    SCHEMA_VERSION,
    VERSION,
    judgement_schema,
    request_schema,
    track_schema,
)
from music_catalog.store.store import Store
from music_catalog.store.tracks import MEANING_WEIGHT, ORDERS, blend

ALL = Filter(state=None)


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    """What is on the disk when is the matter of test_faults.py."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    monkeypatch.delattr("fcntl.F_FULLFSYNC", raising=False)


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def store(home):
    return open_store(home)


def ids(found):
    return [each[0].id if isinstance(each, tuple) else each.id for each in found]


# Opening


def test_an_empty_home_answers_without_lance(store, monkeypatch):
    monkeypatch.setattr(Connection, "connect", lambda self: pytest.fail("Lance was loaded"))
    assert newest_for(store, "k") is None
    assert store.tracks.get("a") is None
    assert store.tracks.search(vector_of("a")) == []
    assert store.tracks.search_words("rain") == []
    assert store.tracks.search_hybrid("rain", vector_of("a")) == []
    assert store.tracks.list() == []
    assert store.tracks.count() == 0
    assert store.requests.list() == []
    assert store.requests.count("k") == 0
    assert store.tracks.vectors()[1].shape == (0, DIMENSION)
    assert store.care.purge() == 0
    assert store.care.check() == []
    assert store.care.stats()["rows"] == 0


def test_places_that_cannot_be_a_home(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="is a file; pass a folder"):
        Store.open(tmp_path / "file")
    with pytest.raises(StorageError, match="a part of the path is a file"):
        Store.open(tmp_path / "file" / "home")
    with pytest.raises(
        InputError, match="is no place for a catalog; pass a folder, or an address such as s3"
    ):
        Store.open("ftp://host/folder")
    with pytest.raises(NotFound, match="there is no catalog in"):
        Store.open(tmp_path / "none", create=False)
    assert not (tmp_path / "none").exists()


def test_a_table_of_a_newer_version_is_refused(store, home):
    add(store, "a")
    newer = track_schema(DIMENSION, ENCODER).with_metadata({VERSION: str(SCHEMA_VERSION + 1)})
    store._connection.connect().create_table("tracks", schema=newer, mode="overwrite")
    with pytest.raises(
        StorageError, match=f"has schema version {SCHEMA_VERSION + 1}.* up to {SCHEMA_VERSION}"
    ):
        open_store(home)


STYLES = ["ambient_lofi"]
LATER = {
    "tracks": {
        2: ("state", "trashed_at", "rating"),
        3: ("tags", "note", "seam", "variant_of"),
        4: ("sound", "sound_kind", "sound_sha256"),
        5: ("record",),
        6: ("brief", "brief_kind"),
        7: ("title",),
        8: ("checked",),
        9: ("heard", "ear", "ear_kind", "ear_sha256"),
        10: ("measured",),
    },
    "requests": {
        2: ("listener", "theme", "probability", "words", "encoder", "vector_sha256", "vector"),
        3: ("features",),
    },
    "judgements": {2: ("mood",)},
}
"""The columns each version added."""


def write_old(store: Store, table: str, version: int, rows: list, present: pa.Schema) -> None:
    """Write a table as `version` did, the last row altered behind the store's back."""
    gone = {name for later, names in LATER[table].items() if later > version for name in names}
    rows = [{name: value for name, value in row.items() if name not in gone} for row in rows]
    if table == "tracks" and version >= RECORDS_SINCE:
        rows[-1]["record"] = rows[-1]["record"].replace("calm", "loud")
    else:
        for row in rows:
            row["row_sha256"] = row_sha256(row)
    rows[-1]["summary" if table != "judgements" else "verdict"] = "altered"
    fields = [field for field in present if field.name not in gone]
    schema = pa.schema(fields, metadata={**present.metadata, VERSION.encode(): str(version).encode()})
    data = to_arrow(rows, schema)
    options = {"data": data, "mode": "overwrite", "on_bad_vectors": "null"}
    (durable,) = [one for one in store.care._maintenance.tables if one.name == table]
    if not durable.exists():
        durable.create(schema)
    durable.replace("damage", lambda connection: connection.create_table(table, **options))


def make_old(home: Path, version: int) -> list:
    """Write a catalog whose tracks are of `version` and whose requests are of version 1."""
    store = open_store(home)
    tracks = [add(store, name, number, loudness_lufs=-20.0) for number, name in enumerate(("a", "b"))]
    store.requests.append(a_record("r"))
    rows = [to_track_row(track, vector_of(track.id)) for track in tracks]
    write_old(store, "tracks", version, rows, track_schema(DIMENSION, ENCODER))
    lines = [to_request_row(a_record(name)) for name in ("r", "s")]
    write_old(store, "requests", 1, lines, request_schema(DIMENSION))
    words = [to_judgement_row(a_judgement(name), vector_of(name), ENCODER) for name in ("j", "k")]
    write_old(store, "judgements", 1, words, judgement_schema(DIMENSION))
    return tracks


def test_a_catalog_of_version_6_gets_titles_when_a_row_changes(home):
    first, _ = make_old(home, 6)
    store = open_store(home)
    assert store.tracks.get("a") == first
    assert store.tracks.columns(("id", "title")).column_names == ["id"]
    assert [problem.subject for problem in store.care.check()] == ["b"]  # which was altered before
    assert store.care.stats()["schema_version"] == 6
    named = store.tracks.update("a", title="Zephyr")
    assert store.care.stats()["schema_version"] == SCHEMA_VERSION
    assert open_store(home).tracks.get("a") == named == first.model_copy(update={"title": "Zephyr"})
    assert ids(store.tracks.search_words("zephyr")) == ["a"]
    assert [problem.subject for problem in store.care.check(deep=True)] == ["b"]
    assert store.tracks.update("a", title="") == first


def test_a_catalog_of_version_7_takes_what_a_check_found_once_a_row_is_added(home):
    first, _ = make_old(home, 7)
    store = open_store(home)
    assert store.tracks.get("a") == first
    assert store.tracks.columns(("id", "title", "checked")).column_names == ["id", "title"]
    found = Checked(faults=(FoundFault(kind="silence", words="all of it"),), takes=2, failed=2, why="louder")
    checked = add(store, "c", 2, checked=found)
    assert store.care.stats()["schema_version"] == SCHEMA_VERSION
    again = open_store(home)
    assert (again.tracks.get("a"), again.tracks.get("c")) == (first, checked)
    assert [problem.subject for problem in again.care.check(deep=True)][:1] == ["b"]  # altered before
    assert again.tracks.update("c", rating=3) == checked.model_copy(update={"rating": 3})


def test_a_catalog_of_version_8_gets_what_the_ear_hears_when_a_row_changes(home):
    first, _ = make_old(home, 8)
    store = open_store(home)
    assert store.tracks.get("a") == first
    assert store.tracks.search_ear(EarVector("ear", np.ones(EAR_DIMENSION))) == []
    assert (store.tracks.ear_of("a", "ear"), store.tracks.count_heard("ear")) == (None, 0)
    assert store.tracks.unheard("ear") == ["a", "b"] or store.tracks.unheard("ear") == ["b", "a"]
    assert store.tracks.columns(("id", "heard")).column_names == ["id"]
    assert store.care.stats()["schema_version"] == 8
    store.tracks.put_ears({"a": (EarVector("ear", np.ones(EAR_DIMENSION)), None)})
    assert store.care.stats()["schema_version"] == SCHEMA_VERSION
    assert open_store(home).tracks.get("a") == first
    assert ids(store.tracks.search_ear(EarVector("ear", np.ones(EAR_DIMENSION)))) == ["a"]
    assert [problem.subject for problem in store.care.check(deep=True)] == ["b"]


def test_a_catalog_of_version_9_gets_measured_facts_when_a_row_changes(home):
    first, _ = make_old(home, 9)
    store = open_store(home)
    assert store.tracks.get("a") == first
    assert [track.id for track in store.tracks.unmeasured()] == ["a"]
    assert store.care.stats()["schema_version"] == 9
    facts = Measured(brightness_hz=900.0, density_per_s=1.5, percussiveness=0.1)
    store.tracks.put_measured({"a": facts})
    assert store.care.stats()["schema_version"] == SCHEMA_VERSION
    assert open_store(home).tracks.get("a") == first.model_copy(update={"measured": facts})
    assert store.tracks.unmeasured() == []
    assert [problem.subject for problem in store.care.check(deep=True)] == ["b"]


def test_a_catalog_of_version_5_is_read_as_it_is_and_upgraded_by_a_change(home):
    first, _ = make_old(home, 5)
    store = open_store(home)
    assert store.tracks.get("a") == first
    assert store.care.stats()["schema_version"] == 5
    brief = BriefVector("kind", np.ones(BRIEF_DIMENSION))
    assert store.tracks.search_brief(brief, vector_of("q")) == []
    assert [track.id for track in store.tracks.without_brief("kind", STYLES)] == ["a"]
    store.tracks.put_briefs("kind", {"a": brief.vector})
    assert store.care.stats()["schema_version"] == SCHEMA_VERSION
    assert store.tracks.get("a") == first
    assert ids(store.tracks.search_brief(brief, vector_of("q"))) == ["a"]
    with pytest.raises(Damage):
        store.tracks.get("b")
    assert ids(store.tracks.search(vector_of("q"))) == ["a"]


@pytest.mark.parametrize("version", range(1, READABLE["tracks"]))
def test_an_older_catalog_is_upgraded(home, version):
    first, _ = make_old(home, version)
    store = open_store(home)
    assert store.tracks.get("a") == first
    assert store.requests.list() == [a_record("r")]  # the altered line is passed over
    assert store.judgements.list() == [a_judgement("j")]
    assert store.judgements.near(vector_of("j"), 0.99, 5) == [a_judgement("j")]
    judged = a_judgement("n", mood=Mood(valence=0.1, energy=-0.2, mood_tags=("calm",)))
    store.judgements.append(judged)
    assert store.judgements.list(id="n") == [judged]
    store.requests.append(a_record("t", created_at=NOON + timedelta(1)), vector_of("t"))
    assert [record.id for record in store.requests.list()] == ["t", "r"]
    assert store.care.stats()["schema_version"] == SCHEMA_VERSION
    assert store.care.stats()["encoder"] == ENCODER
    assert store.tracks.trash("a").state == "trashed"
    assert ids(store.tracks.search_words("calm", ALL)) == ["a"]
    with pytest.raises(Damage):
        store.tracks.get("b")  # what was altered before stays visible as such
    assert [problem.kind for problem in store.care.check()] == ["altered-row"]
    version = store.care.stats()["version"]
    assert open_store(home).care.stats()["version"] == version


# One track


def test_a_track_is_found_again(store, home):
    track = add(store, "a", mood_tags=("calm", "it's"), config={"top_k": 250, "nested": {"x": [1, None]}})
    for each in (store, open_store(home), open_store(home, encoder=None)):
        assert each.tracks.get("a") == track
        assert newest_for(each, "key-a") == track
        assert each.tracks.list() == [track]
        assert each.audio.path_of(track).read_bytes() == b"audio of a"
        assert each.care.check() == []


def test_inserting_twice_changes_nothing(store):
    track = add(store, "a")
    store.tracks.update("a", rating=5)
    store.tracks.insert(track, vector_of("other"))
    assert store.tracks.count(ALL) == 1
    assert store.tracks.get("a").rating == 5
    with pytest.raises(InputError, match="already names another track"):
        add(store, "a", audio="other audio")


def test_no_row_without_its_audio(store):
    track = stored(store, "a")
    path = store.audio.path_of(track)
    path.write_bytes(b"short")
    with pytest.raises(StorageError, match="store the audio first"):
        store.tracks.insert(track, vector_of("a"))
    path.unlink()
    with pytest.raises(StorageError, match="store the audio first"):
        store.tracks.insert(track, vector_of("a"))
    assert store.tracks.count(ALL) == 0


def test_the_newest_track_of_a_key_is_the_repeat(store):
    for number, name in enumerate(("old", "new", "gone", "away")):
        add(store, name, number, key="k")
    store.audio.path_of(store.tracks.get("gone")).unlink()
    store.tracks.trash("away")
    assert newest_for(store, "k").id == "new"


def test_ids_by_their_beginning(store):
    for name in ("abc-1", "abc-2", "xyz"):
        add(store, name)
    assert store.tracks.find_id("x").id == "xyz"
    assert store.tracks.find_id("abc-1").id == "abc-1"
    with pytest.raises(InputError, match="begins several ids: abc-1, abc-2"):
        store.tracks.find_id("abc")
    with pytest.raises(NotFound, match="near it are abc-"):
        store.tracks.find_id("abd-2")
    for odd in ("", "x' OR '1'='1", "%", "A", "\x00", "a" * 65):
        with pytest.raises(NotFound):
            store.tracks.find_id(odd)


def test_changes_reach_other_handles_at_once(store, home):
    add(store, "a")
    other = open_store(home)
    assert other.tracks.get("a").rating is None
    assert store.tracks.update("a", rating=4).rating == 4
    assert other.tracks.get("a").rating == 4
    other.tracks.update("a", rating=None)
    assert store.tracks.get("a").rating is None
    with pytest.raises(InputError, match="rating"):
        store.tracks.update("a", rating=9)
    with pytest.raises(NotFound, match="no track 'b'"):
        store.tracks.update("b", rating=1)


def test_only_what_is_passed_changes(store):
    track = add(store, "a", rating=3)
    known = {"tags": ("dark", "favourite"), "note": "for chapter 3", "seam": 1.5}
    assert store.tracks.update("a", tags=["dark", "favourite", "dark"]).tags == known["tags"]
    store.tracks.update("a", note=known["note"])
    assert store.tracks.update("a", seam=known["seam"]) == track.model_copy(update=known)
    assert store.tracks.update("a") == store.tracks.get("a") == track.model_copy(update=known)
    assert ids(store.tracks.search_words("chapter favourite")) == ["a"]
    assert store.tracks.update("a", tags=(), note="").tags == ()
    assert store.tracks.search_words("favourite") == []
    with pytest.raises(
        InputError, match="'style' of a track cannot be changed; pass rating, tags, note, seam"
    ):
        store.tracks.update("a", style="x")
    with pytest.raises(InputError, match=r"tags\.0"):
        store.tracks.update("a", tags=[""])


def test_trash_and_restore(store):
    track = add(store, "a")
    trashed = store.tracks.trash("a")
    assert trashed.state == "trashed"
    assert store.tracks.trash("a") == trashed
    assert store.tracks.search(vector_of("a")) == store.tracks.list() == []
    assert newest_for(store, "key-a") is None
    assert ids(store.tracks.list(Filter(state="trashed"))) == ["a"]
    assert store.audio.path_of(track).exists()
    assert store.tracks.restore("a") == track
    store.tracks.trash("a")
    store.audio.path_of(track).unlink()
    with pytest.raises(Damage, match="cannot be restored: its file"):
        store.tracks.restore("a")


def test_purge_keeps_audio_another_row_names(store):
    first, other = add(store, "a"), add(store, "b", audio="audio of a")
    alone = add(store, "c")
    store.audio.put_sidecar(alone.audio_path, {"id": "c"})
    for name in ("a", "c"):
        store.tracks.trash(name)
    assert store.care.purge(older_than_s=3600) == 0
    assert store.care.purge() == 2
    assert ids(store.tracks.list(ALL)) == ["b"]
    assert store.audio.path_of(first) == store.audio.path_of(other)
    assert store.audio.exists(other)
    assert not store.audio.exists(alone)
    assert store.care.check() == []


def test_audio_that_a_shifted_clock_took_for_left_over_is_brought_back(store, monkeypatch):
    track = stored(store, "late")
    store.audio.put_sidecar(track.audio_path, {"id": "late"})
    store.audio.put_codes(track.audio_path, np.ones((4, 8), np.int16))
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 7_200)
    problems = store.care.check()
    assert [problem.kind for problem in problems] == ["leftover"] * 3
    assert all(store.care.fix(problem) for problem in problems)
    monkeypatch.undo()
    assert not store.audio.exists(track)
    forged = store.home / "lost" / f"9-9-{track.audio_sha256}.wav"
    forged.write_bytes(b"other")
    store.tracks.insert(track, vector_of("late"))
    assert store.audio.verified_path(track).with_suffix(".json").is_file()
    assert store.audio.codes_of(track) is not None
    assert [path.name for path in (store.home / "lost").iterdir()] == [forged.name]
    assert store.care.check(deep=True) == []


def test_purge_keeps_rows_and_audio_in_lost_for_a_week(store, monkeypatch):
    track = add(store, "a")
    store.audio.put_sidecar(track.audio_path, {"id": "a"})
    store.tracks.trash("a")
    assert store.care.purge() == 1
    (folder,) = (store.home / "lost").iterdir()
    name = Path(track.audio_path).name
    assert (folder / name).read_bytes() == b"audio of a"
    assert {path.suffix for path in folder.iterdir()} == {".wav", ".json", ".jsonl"}
    (row,) = map(json.loads, (folder / "rows.jsonl").read_text().splitlines())
    assert (row["id"], json.loads(row["record"])["audio_path"]) == ("a", track.audio_path)
    assert store.care.purge() == 0
    assert (folder / name).exists()
    monkeypatch.setattr(audit, "KEPT_AFTER_PURGE", timedelta(seconds=-1))
    assert store.care.purge() == 0
    assert not folder.exists()


@pytest.mark.parametrize(
    ("altered", "column", "value"),
    [
        ("b", "state", "trashed"),  # a ready track that looks trashed
        (
            "b",
            "audio_path",
            "audio/00/other.wav",
        ),  # a ready track whose audio seems to belong to the trash alone
        ("b", "row_sha256", "0" * 64),
        ("a", "trashed_at", NOON),
        ("a", "audio_path", "audio/00/other.wav"),
    ],
)
def test_purge_refuses_where_a_column_differs_from_the_record(store, altered, column, value):
    first, other = add(store, "a"), add(store, "b", audio="audio of a")
    add(store, "c")
    store.tracks.trash("a")
    alter(store, altered, **{column: value})
    if column == "state":
        alter(store, altered, trashed_at=NOON)
    with pytest.raises(Damage, match="the trash cannot be emptied: the row"):
        store.care.purge()
    assert store.tracks.table.count(None) == 3
    assert store.audio.exists(first)
    assert not (store.home / "lost").exists()
    for problem in store.care.check():
        store.care.fix(problem)
    assert store.care.purge() == 1
    assert store.audio.exists(other) == (store.tracks.get("b") is not None)
    assert (store.tracks.get("b") is None) == (column == "row_sha256")


def test_purge_refuses_an_id_of_two_rows(store):
    add(store, "a")
    store.tracks.trash("a")
    row = store.tracks.table.read("id = 'a'", columns=[*store.tracks.table.durable.table.schema.names])[0]
    data = to_arrow([row], store.tracks.table.durable.table.schema)
    store.tracks.table.durable.commit("damage", lambda table: table.add(data, on_bad_vectors="null"))
    with pytest.raises(Damage, match="one id names several rows"):
        store.care.purge()


@pytest.mark.parametrize("age", [float("inf"), float("nan"), 1e12, -1.0])
def test_purge_of_an_age_that_is_none(store, age):
    with pytest.raises(InputError, match=r"older_than_s is .*; pass 0 to 3,153,600,000 seconds"):
        store.care.purge(older_than_s=age)


def test_a_file_that_only_a_record_names_is_not_cleared(store, monkeypatch):
    monkeypatch.setattr(audit, "LEFT_OVER_AFTER_S", 0.0)
    track = add(store, "a")
    alter(store, "a", audio_path="audio/00/other.wav")
    assert [problem.kind for problem in store.care.check()] == ["altered-row"]
    assert not audit.clear(store.home, store.tracks.table, track.audio_path)
    assert store.audio.exists(track)


# Search


def test_similarity_is_the_cosine_best_first(store):
    names = [f"t{number}" for number in range(30)]
    for name in names:
        add(store, name)
    wanted = vector_of("t7") + 0.3 * vector_of("t8")
    units = np.array([vector_of(name) / np.linalg.norm(vector_of(name)) for name in names])
    cosines = units @ (wanted / np.linalg.norm(wanted))
    found = store.tracks.search(100 * wanted, limit=30)
    assert ids(found) == [names[place] for place in np.argsort(-cosines)]
    assert [score for _, score in found] == pytest.approx(sorted(cosines, reverse=True), abs=1e-5)
    assert store.tracks.search(vector_of("t3"), limit=1)[0][1] == pytest.approx(1.0, abs=1e-6)
    assert store.tracks.search(-vector_of("t3"), limit=30)[-1][1] == pytest.approx(-1.0, abs=1e-6)


def test_a_nearer_track_that_fails_the_filter_hides_nothing(store):
    for number in range(12):
        add(store, f"near{number}", role="intro_sting")
    add(store, "far", role="background_bed")
    assert ids(store.tracks.search(vector_of("near0"), Filter(role="background_bed"), limit=1)) == ["far"]


def test_a_search_among_ids(store):
    for name in ("a", "b", "c"):
        add(store, name, role="intro_sting" if name == "c" else "background_bed")
    assert ids(store.tracks.search(vector_of("a"), limit=1, among=["b"])) == ["b"]
    assert store.tracks.search(vector_of("a"), among=[]) == []
    assert (
        store.tracks.search(vector_of("a"), Filter(role="background_bed"), among=["c", "x' OR '1'='1"]) == []
    )


def test_tracks_without_their_file_are_passed_over(store):
    for number in range(10):
        add(store, f"t{number}", number)
    near = ids(store.tracks.search(vector_of("t0"), limit=10))
    for name in near[:4]:
        store.audio.path_of(store.tracks.get(name)).unlink()
    store.audio.path_of(store.tracks.get(near[4])).write_bytes(b"")
    assert ids(store.tracks.search(vector_of("t0"), limit=3)) == near[5:8]
    assert len(store.tracks.search_words("calm", limit=10)) == 5
    assert newest_for(store, f"key-{near[0]}") is None
    assert {problem.subject for problem in store.care.check()} == set(near[:5])


def test_words_find_what_was_said(store, home):
    add(store, "a", summary="waves on a stony shore", prompt="ambient", context="The sea was calm.")
    add(store, "b", summary="a night in the city", mood_tags=("lonely",), context="Neon.")
    add(store, "c", summary="平静的雨夜", context="森林", language="zh")
    assert ids(store.tracks.search_words("wave")) == ["a"]
    assert ids(store.tracks.search_words("LONELY city")) == ["b"]
    assert ids(store.tracks.search_words("雨夜")) == ["c"]
    assert ids(store.tracks.search_words("night sea", Filter(language="und"), limit=1)) in (["a"], ["b"])
    assert store.tracks.search_words("night", Filter(style="other")) == []
    store.care.compact()
    assert ids(open_store(home).tracks.search_words("stony shores")) == ["a"]
    assert ids(store.tracks.search_words('"stony shore"')) == ["a"]
    for odd in ("AND (", "*", "a\x00b", "' OR 1=1", "words:night", "a\ud800b", "+x -y ~2 ^3", "," * 10_000):
        store.tracks.search_words(odd)
    for empty in ("  ", '"', ""):
        with pytest.raises(InputError, match="empty"):
            store.tracks.search_words(empty)


def test_words_and_meaning_together(store):
    add(store, "meant", summary="nothing of it")
    add(store, "worded", summary="glacier")
    for number in range(8):
        add(store, f"t{number}")
    cosines = {track.id: score for track, score in store.tracks.search(vector_of("meant"), limit=10)}
    found = {
        track.id: score
        for track, score in store.tracks.search_hybrid("glacier", vector_of("meant"), limit=10)
    }
    assert found == pytest.approx(blend(cosines, {"worded": 1.0}, MEANING_WEIGHT), abs=1e-6)
    best = store.tracks.search_hybrid("glacier", vector_of("meant"), limit=2)
    assert set(ids(best)) == {"meant", "worded"}


def test_blended_scores_by_hand():
    scores = blend({"a": 0.8, "b": -0.2, "c": 0.1}, {"b": 4.0, "a": 1.0}, 0.6)
    assert scores == pytest.approx({"a": 0.58, "b": 0.28, "c": 0.06})
    assert blend({"a": 0.5}, {}, 0.6) == pytest.approx({"a": 0.3})


@pytest.mark.parametrize("limit", [0, -1, 10_001])
def test_limits_out_of_range(store, limit):
    with pytest.raises(InputError, match=f"limit is {limit}"):
        store.tracks.search(vector_of("a"), limit=limit)


def test_lists_are_sorted_and_paged(store):
    for number, name in enumerate("badc"):
        add(store, name, number, duration_s=20.0 - number, tempo_bpm=[None, 90.0, 80.0, 90.0][number])
    assert ids(store.tracks.list()) == ["c", "d", "a", "b"]
    assert ids(store.tracks.list(order="created_at", limit=2, offset=1)) == ["a", "d"]
    assert ids(store.tracks.list(order="id")) == list("abcd")
    assert ids(store.tracks.list(order="-tempo_bpm")) == ["a", "c", "d", "b"]
    assert store.tracks.list(limit=0) == []
    for order in ORDERS:
        assert len(store.tracks.list(order=order)) == 4
    for odd in ("vector", "id; DROP TABLE tracks", "", "-"):
        with pytest.raises(InputError, match="cannot be sorted by"):
            store.tracks.list(order=odd)


def test_vectors_come_with_their_ids(store):
    for name in ("a", "b"):
        add(store, name)
    names, matrix = store.tracks.vectors()
    assert sorted(names) == ["a", "b"]
    expected = [vector_of(name) / np.linalg.norm(vector_of(name)) for name in names]
    np.testing.assert_allclose(matrix, expected, atol=1e-6)


# Encoders


def test_another_encoder_reads_but_does_not_compare(store, home):
    track = add(store, "a")
    other = open_store(home, encoder="other@1/4", dimension=4)
    assert newest_for(other, "key-a") == track
    assert ids(other.tracks.list()) == ["a"]
    assert ids(other.tracks.search_words("calm")) == ["a"]
    for compare in (
        lambda: other.tracks.search(np.ones(4)),
        lambda: other.tracks.search_hybrid("calm", np.ones(4)),
        lambda: other.tracks.insert(stored(other, "b", encoder="other@1/4"), np.ones(4)),
    ):
        with pytest.raises(EncoderMismatch, match=r"test@1/8 .* other@1/4, .* `catalog doctor --reembed`"):
            compare()
    with pytest.raises(EncoderMismatch):
        add(store, "b", encoder="other@1/4")
    with pytest.raises(InputError, match="4 numbers; the encoder gives 8"):
        store.tracks.search(np.ones(4))


def test_reembedding_switches_at_once(store, home):
    for name in ("a", "b", "c"):
        add(store, name)
    store.tracks.trash("c")
    other = open_store(home, encoder="other@1/4", dimension=4)

    def fail(texts):
        raise RuntimeError("no weights")

    with pytest.raises(RuntimeError, match="no weights"):
        other.care.reembed(fail, "other@1/4")
    assert ids(store.tracks.search(vector_of("a"), limit=1)) == ["a"]
    vectors = {
        "the context of a": [1, 0, 0, 0],
        "the context of b": [0, 2, 0, 0],
        "the context of c": [0, 0, 3, 0],
    }
    assert other.care.reembed(lambda texts: [vectors[text] for text in texts], "other@1/4") == 3
    assert [(track.id, score) for track, score in other.tracks.search([0.0, 1.0, 0.0, 0.0], limit=1)] == [
        ("b", 1.0)
    ]
    assert {track.encoder for track in other.tracks.list(ALL)} == {"other@1/4"}
    assert ids(other.tracks.search_words("calm", Filter(state="trashed"))) == ["c"]
    assert audit.read_through(home, other.tracks.table, deep=True) == []
    with pytest.raises(EncoderMismatch):
        store.tracks.search(vector_of("a"))


# The log


def test_requests_come_newest_first(store):
    records = [a_record(f"r{n}", created_at=NOON + timedelta(seconds=n), similarity=None) for n in range(3)]
    for record in records:
        store.requests.append(record)
    store.requests.append(
        a_record("made", action="generated", track_id=None, created_at=NOON - timedelta(days=1))
    )
    assert store.requests.list(limit=2) == [records[2], records[1]]
    assert [record.id for record in store.requests.list(action="generated")] == ["made"]
    assert store.requests.list(action="x' OR '1'='1") == []
    assert store.care.stats()["requests"] == 4
    with pytest.raises(InputError, match="cannot be narrowed by 'reason'"):
        store.requests.list(reason="x")


def test_the_lines_of_a_request_are_counted(store):
    for name, key in (("a", "k"), ("b", "k"), ("c", "it's")):
        store.requests.append(a_record(name, key=key))
    assert [store.requests.count(key) for key in ("k", "it's", "other")] == [2, 1, 0]


def test_judgements_come_newest_first(store):
    judgements = [
        a_judgement("one"),
        a_judgement(
            "two", verdict="rejected", rating=None, request_id="r", key="k", created_at=NOON + timedelta(1)
        ),
    ]
    store.judgements.append(judgements[0])
    store.judgements.append(judgements[1], vector_of("k"))
    assert store.judgements.list() == judgements[::-1]
    assert store.judgements.list(verdict="rejected", track_id="a") == judgements[1:]
    assert store.judgements.list(limit=1) == judgements[1:]
    assert store.care.stats()["judgements"] == 2
    with pytest.raises(InputError, match="cannot be narrowed by 'rating'"):
        store.judgements.list(rating="4")


def test_lines_are_found_by_their_vectors(store):
    for number in range(6):
        store.requests.append(
            a_record(f"r{number}", style="ab"[number % 2]), vector_of(f"v{number}") if number < 4 else None
        )
    store.requests.append(
        a_record("odd"), np.ones(3)
    )  # of another encoder: the line stays, its vector does not
    log = store.requests.table
    found = log.nearest(vector_of("v2"), ENCODER, 10)
    assert found[0][0].id == "r2"
    assert found[0][1] == pytest.approx(1.0, abs=1e-6)
    assert {line.id for line, _ in found} == {"r0", "r1", "r2", "r3"}
    assert [line.id for line, _ in log.nearest(vector_of("v2"), ENCODER, 10, "style = 'b'")][:2] in (
        ["r1", "r3"],
        ["r3", "r1"],
    )
    assert log.nearest(vector_of("v2"), "other", 10) == log.nearest(np.ones(3), ENCODER, 10) == []
    assert store.care.stats()["requests"] == 7


def test_reembedding_reaches_the_logs(store):
    track = add(store, "a", context_sha256="a" * 64)
    store.requests.append(a_record("same", key="one", context_sha256=track.context_sha256), vector_of("x"))
    store.requests.append(
        a_record("other", key="two", context_sha256="b" * 64, summary="waves"), vector_of("y")
    )
    store.requests.append(a_record("bare", key="three", context_sha256="c" * 64))
    for name, key in (("j", "two"), ("k", "unknown")):
        store.judgements.append(a_judgement(name, verdict="rejected", rating=None, key=key), vector_of("y"))
    axes = {"the context of a": [1, 0, 0, 0], "waves": [0, 1, 0, 0]}
    store.care.reembed(lambda texts: [axes[text] for text in texts], "other@1/4")
    vectors = store.requests.table.vectors("other@1/4")
    assert {name: vector.tolist() for name, vector in vectors.items()} == {
        "same": axes["the context of a"],
        "other": axes["waves"],
    }
    assert [
        (line.id, score) for line, score in store.judgements.table.nearest(axes["waves"], "other@1/4", 5)
    ] == [("j", 1.0)]
    assert len(store.requests.list()) == 3
    assert len(store.judgements.list()) == 2
    store.requests.append(a_record("new"), np.ones(4))
    assert "new" in store.requests.table.vectors("other@1/4")


# Care


def test_many_inserts_are_compacted_on_the_way(store, monkeypatch):
    monkeypatch.setattr(maintenance, "EVERY_COMMITS", 10)
    monkeypatch.setattr(maintenance, "KEEP_OLD", timedelta(milliseconds=1))
    tracks = [add(store, f"t{number}", number, audio="one") for number in range(25)]
    lance = store.tracks.table.durable.table
    assert lance.stats()["fragment_stats"]["num_fragments"] < 15
    assert len([*(store.home / "lance" / "tracks.lance" / "_versions").glob("*.manifest")]) < 25
    assert store.tracks.list(order="created_at") == tracks
    assert len(store.tracks.search_words("calm", limit=100)) == 25


def test_trouble_in_compaction_is_not_the_callers(store, monkeypatch, caplog):
    monkeypatch.setattr(maintenance, "EVERY_COMMITS", 1)
    monkeypatch.setattr(
        maintenance.Maintenance, "_compact", lambda *_: (_ for _ in ()).throw(StorageError("no room"))
    )
    with caplog.at_level(logging.WARNING):
        track = add(store, "a")
    assert store.tracks.get("a") == track
    assert "was not compacted: no room" in caplog.text


def unit_rows(draw, count):
    """Return random brief vectors, most of them nearly alike."""
    rows = np.ones(BRIEF_DIMENSION) + 0.1 * draw.normal(size=(count, BRIEF_DIMENSION))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_indexes_answer_as_the_plain_scan_does(store, monkeypatch):
    draw = np.random.default_rng(3)
    tracks = [
        stored(
            store,
            f"t{number}",
            number,
            audio="one",
            style=str(draw.choice(["a", "b", "c"])),
            mood_tags=tuple(draw.choice(["calm", "dark", "warm"], size=2, replace=False)),
            duration_s=float(draw.integers(5, 60)),
        )
        for number in range(400)
    ]
    store.tracks.insert(tracks[0], vector_of("t0"))
    music = unit_rows(draw, len(tracks))
    rows = [
        to_track_row(track, vector_of(track.id), None, BriefVector("brief-test", music[number]))
        for number, track in enumerate(tracks)
        if number
    ]
    schema = track_schema(DIMENSION, ENCODER)
    store.tracks.table.durable.commit("bulk", lambda table: table.add(to_arrow(rows, schema)))
    wheres = [
        ALL,
        Filter(style="b"),
        Filter(mood=("dark",), max_duration_s=30.0),
        Filter(mood=("calm", "warm")),
    ]

    def searched(where):
        by_music = store.tracks.search_brief(BriefVector("brief-test", music[0]), vector_of("q"), where, 10)
        return [*store.tracks.search(vector_of("q"), where, 10), *by_music]

    plain = [searched(where) for where in wheres]
    assert [len(hits) for hits in plain] == [20] * len(wheres)
    listed = [store.tracks.list(where) for where in wheres]
    monkeypatch.setattr("music_catalog.store.schema.INDEX_ROWS", 100)
    monkeypatch.setattr("music_catalog.store.schema.VECTOR_INDEX_ROWS", 100)
    store.care.compact()
    indexed = {
        column for index in store.tracks.table.durable.table.list_indices() for column in index.columns
    }
    assert {"words", "style", "mood_tags", "key", "vector", "brief"} <= indexed
    assert [store.tracks.list(where) for where in wheres] == listed
    for where, before in zip(wheres, plain, strict=True):
        after = searched(where)
        assert ids(after) == ids(before)
        assert [score for _, score in after] == pytest.approx([score for _, score in before], abs=1e-5)
    late = add(store, "late", audio="one", style="b")
    assert ids(store.tracks.search(vector_of("late"), Filter(style="b"), 1)) == [late.id]
    assert newest_for(store, "key-late") == late


def alter(store, track_id, **columns):
    """Change columns of a row without its checksum, as damage on the disk would."""
    where = f"id = '{track_id}'"
    # Noted, as damage that comes after the commit is: an altered version that nobody noted would be set aside.
    store.tracks.table.durable.commit("damage", lambda table: table.update(where=where, values=columns))


def encode_b(texts):
    """Return vectors of texts as the encoder that made that of `b` does."""
    return [vector_of(text.removeprefix("the context of ")) for text in texts]


def test_altered_rows_are_never_returned(store, caplog):
    for name in ("a", "b", "c"):
        add(store, name)
    alter(store, "a", record=store.tracks.table.read("id = 'a'")[0]["record"].replace("rain", "snow"))
    turned = (vector_of("c") / np.linalg.norm(vector_of("c"))).tolist()
    alter(store, "b", vector=turned)
    assert ids(store.tracks.list()) == ["b", "c"]
    assert ids(store.tracks.search(vector_of("c"))) == ["c"]
    assert "'a' does not match its checksum" in caplog.text
    with pytest.raises(Damage):
        store.tracks.get("a")
    assert newest_for(store, "key-a") is None
    found = {
        problem.subject: problem for problem in audit.read_through(store.home, store.tracks.table, deep=True)
    }
    assert {each: problem.kind for each, problem in found.items()} == {"a": "altered-row", "b": "altered-row"}
    assert store.care.fix(found["a"])
    assert not store.care.fix(found["b"])
    kept = [json.loads(line)["id"] for line in (store.home / "lost" / "rows.jsonl").read_text().splitlines()]
    assert kept == ["a"]
    assert store.care.fix(found["b"], encode_b)
    assert audit.read_through(store.home, store.tracks.table, deep=True) == []
    assert ids(store.tracks.list(ALL)) == ["b", "c"]
    assert np.allclose(store.tracks.vector_of("b"), unit_vector(vector_of("b")), atol=1e-7)


def test_an_altered_column_changes_no_track_and_is_written_anew_from_the_record(store):
    before = add(store, "a")
    alter(store, "a", style="another", summary="another", words="another", quality_rank=2)
    assert store.tracks.get("a") == before
    (problem,) = store.care.check()
    assert (problem.kind, problem.subject) == ("altered-row", "a")
    assert store.care.fix(problem)
    assert store.care.check() == []
    assert store.tracks.count(Filter(style=before.style)) == 1
    assert ids(store.tracks.list(ALL)) == ["a"]
    assert not (store.home / "lost").exists()


def test_a_track_found_by_an_altered_column_is_not_served(store):
    add(store, "a")
    add(store, "b")
    store.tracks.trash("b")
    alter(store, "a", key="key-of-another", style="another", role="intro_sting")
    alter(store, "b", state="ready")
    assert newest_for(store, "key-of-another") is None
    assert newest_for(store, "key-b") is None
    assert store.tracks.list(Filter(style="another")) == []
    assert store.tracks.search(vector_of("a"), Filter(role="intro_sting")) == []
    assert ids(store.tracks.search(vector_of("a"))) == ["a"]
    assert store.tracks.search_words("rain", Filter(style="another")) == []


def test_an_altered_sound_is_forgotten_and_an_altered_vector_is_embedded_anew(store):
    store.tracks.insert(stored(store, "a"), vector_of("a"), np.ones(timbre.DIMENSION))
    alter(store, "a", sound=(np.arange(timbre.DIMENSION) + 1.0).tolist())
    (problem,) = audit.read_through(store.home, store.tracks.table, deep=True)
    assert store.care.fix(problem)
    assert audit.read_through(store.home, store.tracks.table, deep=True) == []
    assert [one.id for one in store.tracks.without_sound()] == ["a"]
    alter(store, "a", note="another")
    turned = (vector_of("b") / np.linalg.norm(vector_of("b"))).tolist()
    alter(store, "a", vector=turned)
    with pytest.raises(Damage, match="doctor --reembed"):
        store.tracks.update("a", rating=5)
    store.care.reembed(lambda texts: [vector_of("c") for _ in texts], ENCODER)
    assert audit.read_through(store.home, store.tracks.table, deep=True) == []
    assert store.tracks.update("a", rating=5).note == ""
    assert not (store.home / "lost").exists()


def test_a_row_of_altered_vector_and_missing_audio_goes_to_the_trash(store):
    track = add(store, "a")
    turned = (vector_of("b") / np.linalg.norm(vector_of("b"))).tolist()
    alter(store, "a", vector=turned)
    store.audio.path_of(track).unlink()
    (problem,) = store.care.check()
    assert problem.kind == "altered-row"
    missing = Problem(
        kind="missing-audio", subject="a", detail="as a check in another process found meanwhile"
    )
    assert not store.care.fix(missing)
    assert store.care.fix(missing, encode_b)
    assert store.care.check(deep=True) == []
    assert ids(store.tracks.list(Filter(state="trashed"))) == ["a"]
    assert not (store.home / "lost").exists()


@pytest.mark.parametrize("other", ["b", "A'", "c"])
def test_a_row_under_another_id_gets_its_own_back(store, other):
    track, beside = add(store, "a"), add(store, "c", 1)
    turned = unit_vector(vector_of("b")).tolist()
    alter(store, "a", id=other, vector=turned)  # "c" names two rows then
    if other == "b":
        with pytest.raises(Damage):
            store.tracks.get("b")
    if other == "c":
        with pytest.raises(Damage, match="the id c names several rows"):
            store.tracks.update("c", rating=1)
        store.tracks.put_briefs("kind", {"c": np.ones(BRIEF_DIMENSION)})
    problems = [problem for problem in store.care.check() if problem.kind == "altered-row"]
    assert [problem.subject for problem in problems] == [other]
    assert store.care.fix(problems[0], encode_b)
    assert audit.read_through(store.home, store.tracks.table, deep=True) == []
    assert store.tracks.list(ALL) == [beside, track]
    assert not (store.home / "lost").exists()


def test_only_the_damaged_row_of_an_id_is_dropped(store):
    intact = add(store, "a")
    add(store, "b")
    record = store.tracks.table.read("id = 'b'")[0]["record"]
    alter(store, "b", id="a", record=record.replace("rain", "snow"))
    (problem,) = [problem for problem in store.care.check() if problem.kind == "altered-row"]
    assert store.care.fix(problem)
    assert store.tracks.list(ALL) == [intact]
    assert len((store.home / "lost" / "rows.jsonl").read_text().splitlines()) == 1


def test_an_id_that_another_row_has_is_not_given_twice(store):
    add(store, "a")
    columns = [*store.tracks.table.durable.table.schema.names]
    (row,) = store.tracks.table.read("id = 'a'", columns=columns)
    data = to_arrow([{**row, "id": "b"}], store.tracks.table.durable.table.schema)
    store.tracks.table.durable.commit("damage", lambda table: table.add(data, on_bad_vectors="null"))
    (problem,) = store.care.check()
    assert not store.care.fix(problem)
    assert store.tracks.table.count(None) == 2


def test_damaged_files_are_reported_and_mended(store, monkeypatch):
    for name in ("gone", "short", "turned", "fine"):
        add(store, name)
    store.audio.path_of(store.tracks.get("gone")).unlink()
    store.audio.path_of(store.tracks.get("short")).write_bytes(b"x")
    turned = store.audio.path_of(store.tracks.get("turned"))
    turned.write_bytes(turned.read_bytes()[::-1])
    monkeypatch.setattr(audit, "LEFT_OVER_AFTER_S", 0.0)
    orphan, *_ = store.audio.put(b"nobody's")
    leftover = store.home / Path(orphan).parent / ".tmp-1-abc"
    leftover.write_bytes(b"half")
    assert {(problem.kind, problem.subject) for problem in store.care.check()} == {
        ("missing-audio", "gone"),
        ("altered-audio", "short"),
        ("leftover", orphan),
        ("leftover", leftover.relative_to(store.home).as_posix()),
    }
    for problem in store.care.check():
        assert store.care.fix(problem)
    assert store.care.check() == []
    assert not (store.home / orphan).exists()
    assert {path.read_bytes() for path in (store.home / "lost").iterdir()} == {b"x", b"nobody's", b"half"}
    (problem,) = store.care.check(deep=True)
    assert (problem.kind, problem.subject) == ("altered-audio", "turned")
    assert store.care.fix(problem)
    assert ids(store.tracks.list()) == ["fine"]
    assert len(store.tracks.list(Filter(state="trashed"))) == 3


def test_altered_audio_in_the_trash_is_reported_and_put_aside_once(store):
    track = add(store, "a")
    store.tracks.trash("a")
    path = store.audio.path_of(track)
    path.write_bytes(path.read_bytes()[::-1])
    (problem,) = store.care.check(deep=True)
    assert (problem.kind, problem.subject) == ("altered-audio", "a")
    assert store.care.fix(problem)
    assert store.care.check(deep=True) == []
    assert len([*(store.home / "lost").iterdir()]) == 1


def test_the_audio_of_a_track_being_made_is_no_leftover(store):
    stored(store, "a")
    assert store.care.check() == []


def test_stats(store):
    add(store, "a")
    add(store, "b")
    store.tracks.trash("b")
    store.audio.put_sidecar(store.tracks.get("a").audio_path, {})
    stats = store.care.stats()
    assert (stats["rows"], stats["trashed"], stats["audio_files"]) == (2, 1, 2)
    assert stats["audio_bytes"] == len(b"audio of a") + len(b"audio of b")
    assert (stats["encoder"], stats["dimension"]) == (ENCODER, DIMENSION)
    assert stats["table_bytes"] > 0


def test_a_file_that_goes_while_the_disk_is_measured_counts_as_none(tmp_path, monkeypatch):
    def file_paths(self):
        return frozenset((f"{self.folder}/there", f"{self.folder}/gone"))

    (tmp_path / "lance" / "x.lance").mkdir(parents=True)
    (tmp_path / "lance" / "x.lance" / "there").write_bytes(b"12345")
    monkeypatch.setattr(TableFiles, "file_paths", file_paths)
    assert TableFiles(tmp_path, "x").size_bytes() == 5


def test_audio_that_is_being_written_counts_as_none(store, monkeypatch):
    track = add(store, "a")
    path = store.audio.path_of(track)
    written = path.with_name(".tmp-1-00")
    written.write_bytes(b"half of it")
    monkeypatch.setattr(AudioFiles, "files", lambda self: iter([written, path.with_name("gone.wav"), path]))
    assert (store.care.stats()["audio_files"], store.care.stats()["audio_bytes"]) == (1, track.audio_bytes)


def test_what_lance_keeps_of_earlier_versions_is_bounded(store, monkeypatch):
    monkeypatch.setattr(lance, "METADATA_BYTES", 2**20)
    store.close()
    for number in range(30):
        add(store, f"track-{number}")
        store.tracks.list()
    assert store.tracks.count() == 30
    (connection,) = {table._connection for table in store.care._maintenance.tables}
    assert 0 < connection._session.size_bytes < 2 * 2**20


# A catalog over time, against a dictionary


class Catalog(RuleBasedStateMachine):
    """Any order of changes, compactions and reopenings leaves what a dictionary would hold."""

    tracks = Bundle("tracks")

    @initialize()
    def begin(self):
        self.home = Path(self.folder) / f"home-{datetime.now(timezone.utc).timestamp()}"
        self.store = open_store(self.home)
        self.model = {}
        self.inserted = 0

    @rule(target=tracks, style=st.sampled_from(["a", "it's"]), seconds=st.sampled_from([5.0, 30.0]))
    def insert(self, style, seconds):
        name = f"t{self.inserted}"
        self.inserted += 1
        self.model[name] = add(self.store, name, self.inserted, style=style, duration_s=seconds, audio=style)
        return name

    @rule(name=tracks, rating=st.none() | st.integers(1, 5))
    def rate(self, name, rating):
        if name in self.model:
            self.model[name] = self.model[name].model_copy(update={"rating": rating})
            assert self.store.tracks.update(name, rating=rating) == self.model[name]

    @rule(name=tracks)
    def trash(self, name):
        if name in self.model:
            self.model[name] = self.store.tracks.trash(name)
            assert self.model[name].state == "trashed"

    @rule(name=tracks)
    def restore(self, name):
        if name in self.model:
            self.model[name] = self.store.tracks.restore(name)
            assert self.model[name].trashed_at is None

    @rule(name=consumes(tracks))
    def purge(self, name):
        if name in self.model:
            self.model[name] = self.store.tracks.trash(name)
        held = {each: track for each, track in self.model.items() if track.state == "ready"}
        assert self.store.care.purge() == len(self.model) - len(held)
        self.model = held

    @rule()
    def compact(self):
        self.store.care.compact()

    @rule()
    def reopen(self):
        self.store.close()
        self.store = open_store(self.home)

    @rule(style=st.sampled_from([None, "a", "it's", "x"]), state=st.sampled_from([None, "ready", "trashed"]))
    def search(self, style, state):
        where = Filter(style=style, state=state)
        expected = {
            name
            for name, track in self.model.items()
            if (style is None or track.style == style) and (state is None or track.state == state)
        }
        assert set(ids(self.store.tracks.search(vector_of("q"), where, 100))) == expected

    @invariant()
    def holds_what_the_dictionary_holds(self):
        assert {track.id: track for track in self.store.tracks.list(ALL)} == self.model


@pytest.mark.timeout(120)
def test_a_catalog_over_time(tmp_path_factory):
    from hypothesis.stateful import run_state_machine_as_test

    Catalog.folder = tmp_path_factory.mktemp("states")
    run_state_machine_as_test(
        Catalog, settings=settings(max_examples=8, stateful_step_count=12, deadline=None)
    )


def test_lines_that_threads_log_at_once_are_all_there(tmp_path):
    store = open_store(tmp_path)
    store.requests.append(a_record("first"))
    before = store.requests.table.durable.head()
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda number: store.requests.append(a_record(f"line-{number}")), range(64)))
    assert {line.id for line in store.requests.list()} == {
        "first",
        *(f"line-{number}" for number in range(64)),
    }
    assert store.requests.table.durable.head() - before < 64


def test_a_line_is_logged_while_the_thread_before_compacts(tmp_path, monkeypatch):
    store = open_store(tmp_path)
    store.requests.append(a_record("first"))
    began, go = threading.Event(), threading.Event()

    def compact(self, table):
        if not began.is_set():
            began.set()
            go.wait(60)

    monkeypatch.setattr(maintenance.Maintenance, "run_when_due", compact)
    with ThreadPoolExecutor(2) as pool:
        try:
            compacting = pool.submit(store.requests.append, a_record("compacts"))
            assert began.wait(60)
            pool.submit(store.requests.append, a_record("logged")).result(20)
            assert not compacting.done()
        finally:
            go.set()
    assert {line.id for line in store.requests.list()} == {"first", "compacts", "logged"}


def test_a_compaction_gives_way_to_writers_until_it_is_overdue(tmp_path, monkeypatch):
    monkeypatch.setattr(maintenance, "EVERY_COMMITS", 2)
    store = open_store(tmp_path)
    store.requests.append(a_record("first"))
    table, care = store.requests.table.durable, store.care._maintenance
    with ThreadPoolExecutor(1) as pool:
        with table.locked():
            for _ in range(2):
                table.commit_locked("no line", lambda lance: lance.delete("id = ''"))
            before = table.head()
            pool.submit(care.run_when_due, table).result(60)
            assert table.marks.compacted < before == table.head()
            monkeypatch.setattr(maintenance, "OVERDUE", 1)
            overdue = pool.submit(care.run_when_due, table)
            with pytest.raises(futures.TimeoutError):
                overdue.result(0.3)
        overdue.result(60)
    assert table.marks.compacted >= before


def test_a_failure_to_log_reaches_every_thread_that_waits(tmp_path, monkeypatch):
    store = open_store(tmp_path)
    store.requests.append(a_record("first"))

    def refused(*_, **__):
        raise StorageError("the disk is full")

    monkeypatch.setattr(store.requests.table.durable, "commit", refused)
    with ThreadPoolExecutor(8) as pool:
        done = [pool.submit(store.requests.append, a_record(f"line-{number}")) for number in range(8)]
    assert all(isinstance(one.exception(), StorageError) for one in done)
    monkeypatch.undo()
    store.requests.append(a_record("last"))
    assert {line.id for line in store.requests.list()} == {"first", "last"}
