"""Where the catalog is when nobody says: the command line, the library and the cold repeat agree."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from music_catalog import MusicService, home
from music_catalog.home import default_home, find_home
from tests.command_line import CALM, SHORT, data, run
from tests.fakes import WordHashEncoder


@pytest.fixture(autouse=True)
def somewhere(tmp_path, monkeypatch):
    """Stand in an empty folder, as a user with an empty folder of their own."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))


def begin(folder):
    (folder / "lance" / "tracks.lance").mkdir(parents=True)


def test_the_first_rule_that_holds_decides(tmp_path, monkeypatch):
    assert find_home() == (str(tmp_path / "share" / "music-catalog"), "XDG_DATA_HOME")
    begin(Path("data"))
    assert find_home() == ("data", "the catalog in this folder")
    monkeypatch.setenv("CATALOG_HOME", "mine")
    assert find_home() == ("mine", "CATALOG_HOME")
    monkeypatch.setenv("CATALOG_HOME", "")
    assert default_home() == "data"


@pytest.mark.parametrize("held", ["README.md", "lance/chunks.lance", "audio/x"])
def test_a_data_folder_of_another_use_is_not_taken(tmp_path, held):
    (Path("data") / held).mkdir(parents=True)
    assert default_home() == str(tmp_path / "share" / "music-catalog")


def test_a_data_folder_with_a_configuration_is_taken():
    Path("data").mkdir()
    Path("data/catalog.yaml").write_text("musicgen: {}", "utf-8")
    assert default_home() == "data"


@pytest.mark.parametrize("value", [None, "", "relative/share"])
@pytest.mark.parametrize(
    ("platform", "place"),
    [("linux", ".local/share"), ("darwin", "Library/Application Support")],
)
def test_without_xdg_it_is_the_usual_folder_of_the_system(tmp_path, monkeypatch, value, platform, place):
    monkeypatch.setattr(sys, "platform", platform)
    if value is None:
        monkeypatch.delenv("XDG_DATA_HOME")
    else:
        monkeypatch.setenv("XDG_DATA_HOME", value)
    assert find_home() == (str(tmp_path / "user" / place / "music-catalog"), "the user's folder")


def test_a_user_without_a_folder_has_the_catalog_here(monkeypatch):
    def nowhere():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setattr(home.Path, "home", nowhere)
    assert default_home() == "data"


def test_every_folder_has_the_same_catalog_and_the_library_has_it_too(tmp_path, monkeypatch):
    made = data(run("find-or-make", CALM, *SHORT, "--json"))
    assert made["action"] == "generated"
    assert Path(made["path"]).is_relative_to(tmp_path / "share" / "music-catalog")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    again = data(run("find-or-make", CALM, *SHORT, "--json"))
    assert (again["action"], again["id"]) == ("reused", made["id"])
    with MusicService.open(encoder=WordHashEncoder()) as service:
        assert service.store.home == tmp_path / "share" / "music-catalog"
    assert list(tmp_path.joinpath("elsewhere").iterdir()) == []


def test_a_catalog_made_in_data_before_is_found_as_before(tmp_path):
    made = data(run("find-or-make", CALM, *SHORT, "--json", "--home", "data"))
    again = data(run("find-or-make", CALM, *SHORT, "--json"))
    assert (again["action"], again["id"]) == ("reused", made["id"])
    assert not (tmp_path / "share").exists()


def test_doctor_shows_the_home_and_why(tmp_path):
    def shown(*args):
        return {check["name"]: check for check in data(run("doctor", "--json", *args))["checks"]}["home"]

    assert shown()["detail"] == f"{tmp_path / 'share' / 'music-catalog'} (XDG_DATA_HOME)"
    assert shown("--home", "mine")["detail"] == f"{tmp_path / 'here' / 'mine'} (named by the caller)"
