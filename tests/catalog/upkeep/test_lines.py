"""Lines of the logs, and sidecars, that a drive altered: they are told, and mended without losing anything."""

from __future__ import annotations

import json
import random
from datetime import timedelta

import numpy as np
import pytest
from homes import NOON, a_judgement, a_record, add, open_store, vector_of
from hypothesis import given, settings
from hypothesis import strategies as st

from music_catalog import doctor
from music_catalog.history.rejections import Rejections
from music_catalog.store import audit
from music_catalog.store.audit import Problem
from music_catalog.store.rows import to_judgement_row, to_request_row, vector_sha256
from music_catalog.upkeep import scrub
from music_catalog.upkeep.companions import check_companions, check_sidecar, mend_sidecar, sidecar
from music_catalog.upkeep.flipped import mended_row, mended_vector
from music_catalog.upkeep.lines import check_lines, mend_line

REJECTED = {"verdict": "rejected", "rating": None, "request_id": "r", "key": "k"}


@pytest.fixture
def store(tmp_path):
    store = open_store(tmp_path / "home")
    add(store, "a")
    store.requests.append(a_record("r"), vector_of("r"))
    store.requests.append(a_record("bare"))
    store.judgements.append(a_judgement("j", **REJECTED), vector_of("r"))
    yield store
    store.close()


def alter(log, line_id, **values):
    """Write values into the columns of a line as a drive would: its checksum stays."""
    log.durable.commit("test", lambda table: table.update(f"id = '{line_id}'", values))


def found(store, *, deep=False):
    return {problem.subject: problem for problem in check_lines(store, deep=deep)}


def mend_all(store):
    return [mend_line(store, problem) for problem in check_lines(store, deep=True)]


def test_lines_as_they_were_written_are_no_problem(store):
    assert found(store, deep=True) == {}
    assert found(open_store(store.home.parent / "new"), deep=True) == {}


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("verdict", "rejecded"),
        ("track_id", "c"),
        ("key", "j"),
        ("request_id", "s"),
        ("row_sha256", None),
        ("created_at", None),
    ],
)
def test_a_judgement_with_one_altered_bit_becomes_what_it_was(store, column, value):
    log = store.judgements.table
    (before,) = log.rows(vectors=True)
    if column == "row_sha256":
        value = chr(ord(before[column][0]) ^ 1) + before[column][1:]
    elif column == "created_at":
        value = before[column] + timedelta(microseconds=1)
    alter(log, "j", **{column: value})
    assert store.judgements.list() == []
    assert [*found(store)] == ["judgements:j"]
    assert mend_all(store) == [True]
    (after,) = log.rows(vectors=True)
    np.testing.assert_array_equal(after.pop("vector"), before.pop("vector"))
    assert after == before
    assert not (store.home / "lost").exists()


def test_an_altered_id_is_mended_too(store):
    alter(store.judgements.table, "j", id="k")
    assert [*found(store)] == ["judgements:k"]
    assert mend_all(store) == [True]
    assert [judgement.id for judgement in store.judgements.list()] == ["j"]


def test_an_altered_rejection_still_keeps_its_track_away(store, caplog):
    alter(store.judgements.table, "j", mood='{"valence": 0.9, "energy": 0.9}')
    assert Rejections(store, "k").own == {"a"}
    assert Rejections(store, "other").near(vector_of("r")) == {"a"}
    assert "until then it counts as a rejection of track a" in caplog.text
    assert "it counts as a rejection of track a" in found(store)["judgements:j"].detail
    assert mend_all(store) == [True]
    assert found(store, deep=True) == {}
    assert [judgement.verdict for judgement in store.judgements.list(key="k")] == ["rejected"]
    (kept,) = (store.home / "lost" / "rows.jsonl").read_text("utf-8").splitlines()
    assert json.loads(kept)["mood"] == '{"valence": 0.9, "energy": 0.9}'


def test_an_altered_verdict_that_allows_or_rates_decides_nothing(store, caplog):
    allowed = {**REJECTED, "verdict": "allowed", "created_at": NOON + timedelta(days=1)}
    store.judgements.append(a_judgement("later", **allowed))
    assert Rejections(store, "k").own == set()
    alter(store.judgements.table, "later", request_id="something else")
    assert Rejections(store, "k").own == {"a"}
    assert "does not match its checksum" in caplog.text
    assert mend_all(store) == [True]
    assert [judgement.id for judgement in store.judgements.list()] == ["j"]
    assert '"later"' in (store.home / "lost" / "rows.jsonl").read_text("utf-8")


def test_an_altered_line_of_requests_is_mended_or_kept_aside(store):
    alter(store.requests.table, "r", summary="calm raio")
    assert [*found(store)] == ["requests:r"]
    assert mend_all(store) == [True]
    assert {line.summary for line in store.requests.list()} == {"calm rain"}
    alter(store.requests.table, "r", summary="wild storm")
    assert mend_all(store) == [True]
    assert [line.id for line in store.requests.list()] == ["bare"]
    assert "wild storm" in (store.home / "lost" / "rows.jsonl").read_text("utf-8")


def test_an_altered_vector_is_mended_or_left_out(store):
    log = store.requests.table
    (before,) = log.rows("id = 'r'", vectors=True)
    flipped = before["vector"].copy()
    flipped.view("<u4")[3] ^= np.uint32(1 << 30)
    for vector, lost in ((flipped, False), (vector_of("another"), True)):
        alter(log, "r", vector=vector.tolist())
        assert found(store) == {}
        assert [*found(store, deep=True)] == ["requests:r"]
        assert mend_all(store) == [True]
        (after,) = log.rows("id = 'r'", vectors=True)
        assert (after["vector"] is None, after["encoder"] == "") == (lost, lost)
    assert {line.id for line in store.requests.list()} == {"r", "bare"}


def test_the_vectors_of_judgements_are_checked_each_time(store):
    alter(store.judgements.table, "j", vector=vector_of("another").tolist())
    assert "its vector" in found(store)["judgements:j"].detail


def test_a_table_that_cannot_be_read_is_told(store):
    folder = store.judgements.table.durable.folder / "data"
    (data,) = folder.iterdir()
    data.write_bytes(b"\0" * data.stat().st_size)
    store.close()
    (problem,) = check_lines(open_store(store.home), deep=False)
    assert (problem.kind, problem.subject) == ("table", "judgements")


ROWS = (
    to_request_row(a_record("r", similarity=None, probability=0.5), vector_of("r"), "test@1/8"),
    to_judgement_row(a_judgement("j", **REJECTED)),
)


@given(row=st.sampled_from(ROWS), draw=st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_any_flipped_bit_of_a_text_is_found(row, draw):
    name = draw.choice([name for name, value in row.items() if isinstance(value, str) and value])
    data = bytearray(row[name].encode())
    data[draw.randrange(len(data))] ^= 1 << draw.randrange(7)
    assert mended_row({**row, name: data.decode()}) == row


def test_numbers_and_vectors_are_found_by_their_bits():
    (row, _) = ROWS
    altered = np.array([row["similarity"], row["threshold"]])
    altered.view("<u8")[1] ^= 1 << 52
    assert mended_row({**row, "threshold": float(altered[1])}) == row
    assert mended_row({**row, "summary": "two letters"}) is None
    vector = row["vector"].copy()
    vector.view("<u4")[0] ^= np.uint32(1)
    np.testing.assert_array_equal(mended_vector(vector, vector_sha256(row["vector"])), row["vector"])
    assert mended_vector(vector_of("x"), vector_sha256(row["vector"])) is None


def test_every_flipped_bit_of_a_sidecar_is_told_and_mended(store):
    track = store.tracks.get("a")
    store.audio.put_sidecar(track.audio_path, sidecar(track))
    path = store.audio.path_of(track).with_suffix(".json")
    whole = path.read_bytes()
    assert [*check_companions(store)] == []
    draw, silent = random.Random(7), []
    for _ in range(300):
        data = bytearray(whole)
        place, bit = draw.randrange(len(data)), draw.randrange(8)
        data[place] ^= 1 << bit
        path.write_bytes(data)
        try:
            same = json.loads(data) == json.loads(whole)
        except ValueError:
            same = False
        if check_sidecar(store, track) is None and not same:
            silent.append((place, bit))
    assert silent == []
    path.write_bytes(whole.replace(b"calm rain", b"calm raio", 1))
    (problem,) = check_companions(store)
    assert problem == Problem(
        kind="altered-sidecar",
        subject="a",
        detail=f"the sidecar of a ({path.name}) no longer says what was written",
    )
    assert mend_sidecar(store, "a")
    assert path.read_bytes() == whole
    assert len([*(store.home / "lost").iterdir()]) == 1
    assert not mend_sidecar(store, "nothing")


def test_a_sidecar_of_an_earlier_version_and_of_a_shared_file_is_no_problem(store):
    track = store.tracks.get("a")
    content = sidecar(track)
    del content["content_sha256"], content["seam"]
    store.audio.put_sidecar(track.audio_path, {**content, "encoder": "an earlier one"})
    assert [*check_companions(store)] == []
    other = sidecar(track.model_copy(update={"id": "b", "summary": "another"}))
    store.audio.put_sidecar(track.audio_path, other)
    assert [*check_companions(store)] == []


def test_the_doctor_tells_and_mends_lines_and_sidecars(service):
    made = service.find_or_make("Calm rain falls.", duration_s=1.0, quality="preview", backend="procedural")
    service.reject(made.track.id, made.request_id)
    home = str(service.store.home)
    path = made.path.with_suffix(".json")
    assert "damage" not in {check.status for check in doctor.examine(home, deep=True)}
    (judgement,) = service.store.judgements.table.rows(vectors=False)
    alter(service.store.judgements.table, judgement["id"], track_id="x" + made.track.id[1:])
    path.write_bytes(path.read_bytes().replace(b'"rain', b'"raio'))
    kinds = {"altered-line": "damage"}
    assert {one.name: one.status for one in doctor.examine(home) if one.name in kinds} == kinds
    for status in ("damage", "fixed"):
        kinds = {"altered-line": status, "altered-sidecar": status}
        found = doctor.examine(home, deep=True, fix=status == "fixed")
        assert {one.name: one.status for one in found if one.name in kinds} == kinds
    assert "damage" not in {check.status for check in doctor.examine(home, deep=True)}
    assert [*scrub.check_track(service.store, made.track.id)[0]] == []


def test_the_doctor_clears_a_catalog_whose_first_make_was_killed(service, monkeypatch):
    """Its audio is there and no table yet."""
    monkeypatch.setattr(audit, "LEFT_OVER_AFTER_S", 0.0)
    service.store.audio.put(b"nobody's")
    (service.store.home / "lance").mkdir(exist_ok=True)
    home = str(service.store.home)
    for status in ("damage", "fixed"):
        checks = doctor.examine(home, fix=status == "fixed")
        assert [one.name for one in checks if one.status == status] == ["leftover"]
    assert "damage" not in {check.status for check in doctor.examine(home)}
