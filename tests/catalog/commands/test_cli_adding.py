"""`catalog add`: files in, words told, copies and what is broken named, and a batch taken back."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import soundfile

from tests.command_line import data, run

RATE = 22_050


@pytest.fixture
def music(prepared_here, tmp_path):
    folder = tmp_path / "beds"
    folder.mkdir()
    for seed, name in ((1, "Smoky Jazz Bar.wav"), (2, "Ocean Waves.flac")):
        time = np.arange(6 * RATE) / RATE
        hz = 220.0 * 2.0 ** (np.random.default_rng(seed).integers(0, 24, 64)[(time * 4).astype(int)] / 12)
        soundfile.write(folder / name, 0.3 * np.sin(2 * np.pi * np.cumsum(hz) / RATE), RATE)
    (folder / "broken.mp3").write_bytes(b"nonsense" * 50)
    return folder


def test_a_folder_is_tried_added_found_and_taken_back(tmp_path, music):
    home = tmp_path / "home"
    tried = run("add", str(music), "--dry-run", home=home)
    assert tried.exit_code == 1
    assert "Smoky Jazz Bar | jazz_lounge (from its words" in tried.stdout
    assert "2 would be added, 0 there already, 0 copies of other files, 1 not readable" in tried.stderr
    assert re.search(r"! .*broken.mp3: it is damaged", tried.stderr)

    added = run("add", str(music), "--license", "CC-BY-4.0", "--tag", "beds", home=home)
    assert added.exit_code == 1
    assert added.stdout.count("CC-BY-4.0") == 2
    batch = re.search(r"--undo (\S+)`", added.stderr)[1]
    (hit,) = data(run("search", "smoky license:cc-by tag:beds", "--by", "words", "--json", home=home))["hits"]
    assert hit["title"] == "Smoky Jazz Bar"

    (music / "broken.mp3").unlink()
    again = run("add", str(music), "--json", home=home)
    assert again.exit_code == 0
    assert [one["outcome"] for one in json.loads(again.stdout)["files"]] == ["present", "present"]

    undone = run("add", "--undo", batch, home=home)
    assert undone.exit_code == 0
    assert len(undone.stdout.split()) == 2
    assert run("list", home=home).stdout == ""
    assert run("add", "--undo", "last", home=home).exit_code == 3


def test_music_without_a_licence_is_kept_as_unknown_and_told(tmp_path, music):
    added = run("add", str(music / "Ocean Waves.flac"), home=tmp_path / "home")
    assert added.exit_code == 0
    assert "1 state no licence and are kept as unknown; say it with --license" in added.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ((), 2, "name files or folders to add, or a batch with --undo"),
        (("x", "--undo", "last"), 2, "one of the two"),
        (("nowhere",), 3, "no file or folder nowhere"),
        (("--manifest", "nowhere.csv"), 2, "the list nowhere.csv cannot be read"),
        (("--beets", "nowhere.db"), 2, "no beets library nowhere.db"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_sentence(tmp_path, arguments, code, says):
    refused = run("add", *arguments, home=tmp_path / "home")
    assert (refused.exit_code, says in refused.stderr) == (code, True), refused.stderr


def test_a_folder_without_audio_is_told(tmp_path):
    (tmp_path / "empty").mkdir()
    found = run("add", str(tmp_path / "empty"), home=tmp_path / "home")
    assert found.exit_code == 3
    assert "no audio file was found there" in found.stderr


def test_a_name_breaks_no_line_and_steers_no_terminal(tmp_path, music):
    (music / "Smoky Jazz Bar.wav").rename(music / "Smoky\nJazz\x1b[31m Bar.wav")
    (music / "broken.mp3").rename(music / "bro\x1b]0;ken.mp3")
    tried = run("add", str(music), "--dry-run", home=tmp_path / "home")
    assert len(tried.stdout.splitlines()) == 2
    assert r"Smoky\x0aJazz\x1b[31m Bar.wav: " in tried.stdout
    assert r"bro\x1b]0;ken.mp3: it is damaged" in tried.stderr


def test_a_style_that_is_stated_is_not_told_as_guessed(tmp_path, music):
    home = tmp_path / "home"
    added = run("add", str(music / "Ocean Waves.flac"), "--style", "lullaby", home=home)
    assert " | lullaby | background_bed | " in added.stdout
    shown = run("show", added.stdout.split(": ")[1].split(" ")[0], home=home).stdout
    assert "config.style_by: whoever added it" in shown
    assert "its words" not in shown
    assert "it was asked for" not in shown
