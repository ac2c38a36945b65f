"""Tracks out of a home on an object store, by a machine that has none of their audio yet, and into another home."""

from __future__ import annotations

import json
import zipfile

import pytest
from command_line import data, run
from fake_s3 import BUCKET

from music_catalog.export import zip_of

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


@pytest.mark.parametrize(
    ("place", "says"),
    [
        (f"{HOME}/audio/ab/{'0' * 64}.wav", "there is no audio"),
        (f"{HOME}/home.json", "names an address that is no audio of a catalog"),
        ("s3://who:hidden@bucket/audio/ab/" + "0" * 64 + ".wav", "must have no user name"),
    ],
)
def test_a_place_that_cannot_be_brought_is_refused(made, place, says, tmp_path):
    (tmp_path / "list.jsonl").write_text(json.dumps({"path": place}))
    done = run("add", "--manifest", "list.jsonl", home=OTHER)
    assert done.exit_code in (2, 3)
    assert says in done.stderr
    assert "hidden" not in done.output


def test_audio_that_was_altered_there_is_not_added(server, made, tmp_path):
    assert run("export", "--format", "jsonl", "--to", "all.jsonl", home=HOME).exit_code == 0
    for name in [name for name in server.objects if name.endswith(".wav")]:
        server.objects[name] = b"RIFF"
    done = run("add", "--manifest", "all.jsonl", home="folder")
    assert (done.exit_code, "no longer holds what was stored" in done.stderr) == (5, True)
    assert run("export", "--format", "wav", "--to", "out", home=HOME).exit_code == 5


def test_an_address_in_place_of_a_file_is_told_how_to_go_about_it(server):
    done = run("add", f"{HOME}/audio", home=OTHER)
    assert done.exit_code == 2
    assert "is an address" in done.stderr
    assert "catalog add --manifest list.jsonl" in done.stderr
