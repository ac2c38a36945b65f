"""Playlists and saved searches on the command line."""

from __future__ import annotations

import io
import json
import zipfile

import pytest

from tests.command_line import SHORT, data, run


@pytest.fixture
def tracks(copy):
    """Return a home of two tracks and their ids, the newest first."""
    assert run("find-or-make", "Wolves howl in the snowy, tense valley.", *SHORT, home=copy).exit_code == 0
    return copy, [one["id"] for one in data(run("list", "--json", home=copy))["tracks"]]


def test_a_playlist_is_made_filled_shown_and_deleted(tracks):
    home, (newer, older) = tracks
    made = data(run("playlists", "create", "Podcast", older[:6], "--json", home=home))
    assert made["track_ids"] == [older]
    assert run("playlists", "add", "podcast", newer, older, home=home).stdout == "Podcast  2 tracks\n"
    shown = data(run("playlists", "show", "Podcast", "--json", home=home))["tracks"]
    assert [one["id"] for one in shown] == [older, newer]
    run("rm", newer, home=home)
    lines = run("playlists", "show", "Podcast", home=home).stdout.splitlines()
    assert [line.endswith("(in the trash)") for line in lines] == [False, True]
    run("restore", newer, home=home)
    assert run("playlists", "list", home=home).stdout == "Podcast  2 tracks\n"
    assert run("playlists", "remove", made["id"], older[:6], home=home).stdout == "Podcast  1 track\n"
    gone = run("playlists", "remove", "Podcast", older, home=home)
    assert (gone.exit_code, "has no track" in gone.stderr) == (2, True)
    assert run("playlists", "change", "Podcast", "--name", "Show", home=home).stdout == "Show  1 track\n"
    assert run("playlists", "create", "show", home=home).exit_code == 2
    deleted = run("playlists", "delete", "Show", home=home)
    assert deleted.exit_code == 0
    assert "deleted; `catalog playlists restore Show` brings it back for a week" in deleted.stderr
    assert data(run("playlists", "list", "--json", home=home))["playlists"] == []
    wrong = run("playlists", "restore", "Shw", home=home)
    assert (wrong.exit_code, "did you mean Show" in wrong.stderr) == (3, True)
    assert run("playlists", "restore", "show", home=home).stdout == "Show  1 track\n"
    assert run("playlists", "delete", "Show", home=home).exit_code == 0
    assert run("playlists", "create", "Show", older, newer, home=home).exit_code == 0
    taken = run("playlists", "restore", "Show", home=home)
    assert (taken.exit_code, "choose another name" in taken.stderr) == (2, True)
    run("playlists", "delete", "Show", home=home)
    assert run("playlists", "restore", "Show", home=home).stdout == "Show  2 tracks\n"
    run("playlists", "delete", "Show", home=home)
    missing = run("playlists", "show", "Podcast", home=home)
    assert (missing.exit_code, "no collection" in missing.stderr) == (3, True)


def test_a_saved_search_follows_its_query_which_can_be_changed(tracks):
    home, (newer, older) = tracks
    assert run("playlists", "create", "Rain", "--query", "rain", home=home).stdout == "Rain  search: rain\n"
    listed = run("playlists", "show", "Rain", "--jsonl", home=home).stdout.splitlines()
    assert [json.loads(one)["id"] for one in listed] == [older]
    assert run("playlists", "change", "Rain", "--query", "wolves", home=home).exit_code == 0
    assert [one["id"] for one in data(run("playlists", "show", "Rain", "--json", home=home))["tracks"]] == [
        newer
    ]
    for refused in (
        ("change", "Rain", "--query", "stile:x"),
        ("change", "Rain"),
        ("create", "Both", older, "--query", "rain"),
        ("add", "Rain", older),
    ):
        assert run("playlists", *refused, home=home).exit_code == 2, refused


def test_a_playlist_is_exported_as_a_list_and_with_its_audio(tracks, tmp_path):
    home, (newer, older) = tracks
    run("playlists", "create", "Podcast", older, newer, home=home)
    target = tmp_path / "podcast.zip"
    written = run("playlists", "export", "Podcast", "--format", "zip", "--to", str(target), home=home)
    assert written.stdout == f"{target}\n"
    with zipfile.ZipFile(io.BytesIO(target.read_bytes())) as archive:
        assert archive.testzip() is None
        assert [name[:3] for name in archive.namelist()] == ["01 ", "02 ", "pla"]
    again = run("playlists", "export", "Podcast", "--format", "zip", "--to", str(target), home=home)
    assert (again.exit_code, "--force" in again.stderr) == (2, True)
    lines = run("playlists", "export", "Podcast", "--format", "m3u", "--to", "-", home=home).stdout
    assert len([line for line in lines.splitlines() if not line.startswith("#")]) == 2
    assert run("rm", newer, home=home).exit_code == 0
    table = run("playlists", "export", "Podcast", "--format", "csv", "--to", "-", home=home).stdout
    assert len(table.splitlines()) == 2
