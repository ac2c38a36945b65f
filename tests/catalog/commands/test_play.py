"""`catalog play` with a fake player on the path, which writes down what it was started with."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from tests.command_line import CALM, data, run

PLAYS = """#!{python}
import sys, pathlib
pathlib.Path({note!r}).write_text("\\n".join(sys.argv[1:]))
"""
LASTS = (
    PLAYS
    + """
import signal, time
signal.signal(signal.SIGTERM, lambda *_: (pathlib.Path({note!r} + ".ended").write_text(""), sys.exit(0)))
pathlib.Path({note!r} + ".ready").write_text("")
time.sleep(60)
"""
)
FAILS = """#!{python}
import sys
sys.exit("no sound card\\nthe device is busy")
"""


@pytest.fixture
def player(tmp_path, monkeypatch):
    """Return a function that puts a player on the path, alone, and returns the file that it writes."""
    folder, note = tmp_path / "bin", tmp_path / "played"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def put(name, program=PLAYS):
        (folder / name).write_text(program.format(python=sys.executable, note=str(note)), "utf-8")
        (folder / name).chmod(0o755)
        return note

    return put


def track_of(home):
    (track,) = data(run("list", "--json", home=home))["tracks"]
    return track


@pytest.mark.parametrize("named", ["id", "beginning", "query"])
def test_play_hands_the_file_to_the_player(home, player, named):
    note, track = player("afplay"), track_of(home)
    words = {"id": [track["id"]], "beginning": [track["id"][:8]], "query": ["soft", "rain", "mood:calm"]}[
        named
    ]
    done = run("play", *words, home=home)
    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == track["path"]
    assert done.stderr.startswith(f"playing with afplay: {track['id']}")
    assert note.read_text("utf-8").splitlines() == [track["path"]]


def test_a_player_that_opens_windows_is_kept_from_it(home, player):
    note = player("ffplay")
    assert run("play", "rain", home=home).exit_code == 0
    assert note.read_text("utf-8").splitlines()[:2] == ["-nodisp", "-autoexit"]


def test_seconds_end_the_player(home, player):
    note = player("mpv", LASTS)
    begun = time.monotonic()
    done = run("play", "rain", "--seconds", "3", home=home)
    assert done.exit_code == 0, done.output
    assert Path(f"{note}.ready").exists()
    assert Path(f"{note}.ended").exists()
    assert time.monotonic() - begun >= 3


def test_without_a_player_one_sentence_names_the_file(home, player):
    done = run("play", "rain", home=home)
    assert done.exit_code == 6
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: no player is on this machine (afplay, ffplay, ")
    assert track_of(home)["path"] in line


def test_a_player_that_fails_is_one_sentence(home, player):
    player("paplay", FAILS)
    done = run("play", "rain", home=home)
    assert done.exit_code == 6
    assert done.stderr.splitlines()[-1].endswith(".wav: the device is busy")


def test_a_mistyped_id_plays_nothing(home, player):
    note = player("afplay")
    done = run("play", "0" * 16, home=home)
    assert done.exit_code == 3
    assert "there is no track" in done.stderr
    assert not note.exists()


def test_altered_audio_is_not_played(copy, player):
    note, path = player("afplay"), Path(track_of(copy)["path"])
    path.write_bytes(path.read_bytes()[:-1] + b"\x7f")
    assert run("play", CALM, home=copy).exit_code == 5
    assert not note.exists()


def test_a_query_without_a_hit_says_so(home, player):
    done = run("play", "mood:angry", home=home)
    assert done.exit_code == 3
    assert "no track" in done.stderr
