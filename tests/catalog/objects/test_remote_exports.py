"""Tracks out of a home on an object store, by a machine that has none of their audio yet, and into another home."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile

import numpy as np
import pytest
import soundfile
from command_line import data, run
from fake_s3 import BUCKET

from music_catalog.errors import StorageError
from music_catalog.export import zip_of
from music_catalog.intake import workers
from music_catalog.intake.far import FarAudio
from music_catalog.intake.preparing import prepare
from music_catalog.service.adding import flow

HOME, OTHER = f"s3://{BUCKET}/home", f"s3://{BUCKET}/other"
MAKE = ("find-or-make", "--backend", "procedural", "--duration", "2")


@pytest.fixture
def made(server, monkeypatch, tmp_path):
    """Return the ids of two tracks; the cache of this machine is empty from then on."""
    monkeypatch.chdir(tmp_path)
    texts = ("Rain falls on the quiet harbour", "Wolves howl in the dark snow, fear everywhere")
    ids = [data(run(*MAKE, text, "--json", home=HOME))["id"] for text in texts]
    monkeypatch.setenv("CATALOG_CACHE", str(tmp_path / "empty"))
    return ids


def objects(server, home="home"):
    return {name.partition("/")[2] for name in server.objects if name.startswith(f"{home}/audio/")}


@pytest.mark.parametrize("form", ["m3u", "jsonl", "csv"])
def test_a_list_names_objects_and_fetches_none(server, made, form, tmp_path):
    assert run("export", "--format", form, "--to", f"all.{form}", home=HOME).exit_code == 0
    listed = (tmp_path / f"all.{form}").read_text()
    names = [name for name in objects(server) if name.endswith(".wav")]
    assert len(names) == 2
    assert all(f"{HOME}/{name}" in listed for name in names)
    assert "empty" not in listed
    assert not [*(tmp_path / "empty").rglob("*.wav")]
    assert data(run("playlists", "create", "Mine", made[0], "--json", home=HOME))["name"] == "Mine"
    shown = run("playlists", "export", "Mine", "--format", "jsonl", "--to", "-", home=HOME).stdout
    assert json.loads(shown)["path"].startswith(f"{HOME}/audio/")


@pytest.mark.parametrize("form", ["wav", "flac", "ogg"])
def test_audio_is_written_as_files(made, form, tmp_path):
    assert run("export", "--format", form, "--to", "out", home=HOME).exit_code == 0
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {f".{form}"}
    assert len([*(tmp_path / "out").iterdir()]) == 2


def test_a_zip_fetches_each_track_in_its_turn(made, open_service, tmp_path):
    service = open_service(HOME)
    blocks = zip_of(service.store, service.browse().tracks)
    assert not [*(tmp_path / "empty").rglob("*.wav")]
    next(blocks)
    assert len([*(tmp_path / "empty").rglob("*.wav")]) == 1
    assert run("playlists", "create", "Mine", *made, home=HOME).exit_code == 0
    assert run("playlists", "export", "Mine", "--format", "zip", "--to", "mine.zip", home=HOME).exit_code == 0
    with zipfile.ZipFile(tmp_path / "mine.zip") as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == 3


@pytest.mark.parametrize("goal", [OTHER, "folder"])
@pytest.mark.cluster
def test_what_is_listed_there_is_added_elsewhere(server, made, goal):
    assert run("export", "--format", "jsonl", "--to", "all.jsonl", home=HOME).exit_code == 0
    added = run("add", "--manifest", "all.jsonl", "--json", home=goal)
    assert [one["outcome"] for one in data(added)["files"]] == ["added"] * 2
    again = run("add", "--manifest", "all.jsonl", home=goal)
    assert "2 there already" in again.output
    titles = {track["title"] for track in data(run("list", "--json", home=goal))["tracks"]}
    assert titles == {"Rain falls on the quiet harbour", "Wolves howl in the dark snow, fear everywhere"}
    if goal == OTHER:
        assert objects(server, "other") >= {name for name in objects(server) if name.endswith(".wav")}


@pytest.fixture
def noises(server, tmp_path, monkeypatch):
    """Five pieces of audio in a home, and the list of them; files are prepared in this process, one after another."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(workers, "MOST", 1)
    monkeypatch.setattr(workers, "AHEAD", 1)
    monkeypatch.setattr(workers.Workers, "_ask", lambda self, task: prepare(task))
    lines = []
    for number in range(5):
        file = io.BytesIO()
        noise = np.random.default_rng(number).normal(size=(8_000, 1)) * 0.1
        soundfile.write(file, noise, 8_000, format="WAV")
        path = f"audio/{(sha256 := hashlib.sha256(file.getvalue()).hexdigest())[:2]}/{sha256}.wav"
        server.objects[f"home/{path}"] = file.getvalue()
        lines.append(json.dumps({"path": f"{HOME}/{path}", "title": f"Noise {number}"}))
    (tmp_path / "list.jsonl").write_text("\n".join(lines))
    return lines


def test_objects_of_a_list_are_fetched_as_their_turn_comes_and_are_kept_once(
    server, noises, open_service, tmp_path, monkeypatch
):
    service, there, bring = open_service(tmp_path / "folder"), [], FarAudio.bring

    def noting(self, address, folder):
        there.append(len({path.name for path in folder.iterdir() if len(path.suffixes) == 1}))
        return bring(self, address, folder)

    monkeypatch.setattr(FarAudio, "bring", noting)
    tried = service.add(listed="list.jsonl", dry_run=True)
    assert tried.count("added") == len(there) == 5
    (tmp_path / "folder" / "cache" / "adding").rmdir()  # it is empty
    (tmp_path / "half.jsonl").write_text("\n".join(noises[:2]))
    assert service.add(listed="half.jsonl").count("added") == 2
    there.clear()
    batch = service.add(listed="list.jsonl")
    assert (batch.count("added"), batch.count("present")) == (3, 2)
    assert len(there) == 3  # what is there is not fetched again
    assert max(there) <= 3
    assert [one.path for one in batch.files] == [json.loads(line)["path"] for line in noises]
    (tmp_path / "folder" / "cache" / "adding").rmdir()
    assert not (tmp_path / "caches").exists()
    assert len(service.undo_add(batch.id)) == 3


@pytest.mark.parametrize(
    "place", [f"{HOME}/home.json", "s3://who:hidden@bucket/audio/ab/" + "0" * 64 + ".wav"]
)
def test_an_address_that_is_no_audio_is_refused_before_anything_is_fetched(noises, server, place, tmp_path):
    with (tmp_path / "list.jsonl").open("a") as file:
        file.write("\n" + json.dumps({"path": place}))
    server.requests.clear()
    done = run("add", "--manifest", "list.jsonl", home="folder")
    assert done.exit_code == 2
    assert "is no audio of a catalog" in done.stderr or "must have no user name" in done.stderr
    assert "hidden" not in done.output
    assert not server.requests


def test_objects_that_are_gone_or_altered_are_told_and_passed_over(server, noises):
    gone, altered, *_ = sorted(server.objects)
    del server.objects[gone]
    server.objects[altered] += b"more"
    done = run("add", "--manifest", "list.jsonl", home="folder")
    assert done.exit_code == 1
    assert f"s3://{BUCKET}/{gone}: there is no such object" in done.stderr
    assert f"s3://{BUCKET}/{altered} no longer holds what was stored" in done.stderr
    assert "3 added, 0 there already, 0 copies of other files, 2 not readable" in done.stderr


def test_a_store_that_refuses_ends_the_command(server, noises):
    server.refusal = 403, "AccessDenied"
    done = run("add", "--manifest", "list.jsonl", home="folder")
    assert (done.exit_code, "no permission" in done.stderr) == (1, True)


def test_an_object_that_is_refused_is_told_and_the_others_are_added(server, noises):
    server.refused = {sorted(server.objects)[2]}
    done = run("add", "--manifest", "list.jsonl", home="folder")
    assert (done.exit_code, "no permission" in done.stderr) == (1, True)
    assert "4 added, 0 there already, 0 copies of other files, 1 not readable" in done.stderr


def test_what_was_fetched_before_the_store_refused_several_in_a_row_is_added(
    server, noises, open_service, tmp_path, monkeypatch
):
    monkeypatch.setattr(workers, "MOST", 2)
    monkeypatch.setattr(flow, "REFUSED", 3)
    server.refused = {json.loads(line)["path"].removeprefix(f"s3://{BUCKET}/") for line in noises[2:]}
    service = open_service(tmp_path / "folder")
    with pytest.raises(StorageError, match="no permission"):
        service.add(listed="list.jsonl")
    assert len(service.browse().tracks) == 2


def test_an_object_that_is_too_large_is_not_fetched(server, noises, open_service, tmp_path, monkeypatch):
    monkeypatch.setattr(flow, "LARGEST", 20_000)  # each has 16,044 bytes
    path = json.loads(noises[0])["path"].removeprefix(f"s3://{BUCKET}/")
    server.objects[path] = bytes(20_001)
    files = open_service(tmp_path / "folder").add(listed="list.jsonl").files
    assert [one.outcome for one in files] == ["failed"] + ["added"] * 4
    assert "the most that is taken is 20,000" in files[0].detail


def test_one_copy_for_each_process_is_on_the_disk(noises, open_service, tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "AHEAD", 3)
    copies, there, bring = [], [], FarAudio.bring

    def noting(self, address, folder):
        there.append(sum(path.exists() for path in copies))
        copies.append(bring(self, address, folder))
        return copies[-1]

    monkeypatch.setattr(FarAudio, "bring", noting)
    assert open_service(tmp_path / "folder").add(listed="list.jsonl").count("added") == 5
    assert there == [0] * 5


def test_audio_that_was_altered_there_is_not_exported(server, made):
    for name in [name for name in server.objects if name.endswith(".wav")]:
        server.objects[name] = b"RIFF"
    assert run("export", "--format", "wav", "--to", "out", home=HOME).exit_code == 5


def test_an_address_in_place_of_a_file_is_told_how_to_go_about_it(server):
    done = run("add", f"{HOME}/audio", home=OTHER)
    assert done.exit_code == 2
    assert "is an address" in done.stderr
    assert "catalog add --manifest list.jsonl" in done.stderr
