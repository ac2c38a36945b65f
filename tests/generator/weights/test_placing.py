"""A model folder is replaced whole, and a model can be found at every moment of it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from music_catalog.generator import weights
from music_catalog.generator.weights import placing


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """A models home with an older model in it, and a newer one that is ready beside."""
    monkeypatch.setenv("CATALOG_MODELS", str(tmp_path / "models"))
    for folder, content in (("models/musicgen-small", "old"), ("new/musicgen-small", "new")):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "manifest.json").write_text(content)
    return tmp_path


@pytest.fixture
def by_renames(monkeypatch):
    """A file system whose folders cannot trade names."""
    monkeypatch.setattr(placing, "_traded", lambda *_: False)


def content(folder: Path | None) -> str:
    assert folder is not None
    return (folder / "manifest.json").read_text()


def test_the_newer_folder_takes_the_place_of_the_older_and_nothing_is_left(home):
    placing.place(home / "new/musicgen-small", home / "models/musicgen-small")
    assert content(weights.find("small")) == "new"
    assert [path.name for path in (home / "models").iterdir()] == ["musicgen-small"]


def test_folders_trade_names_so_that_the_place_is_never_empty(home, monkeypatch):
    def never(*_):
        pytest.fail("a rename leaves the place empty for a moment")

    monkeypatch.setattr(Path, "rename", never)
    placing.place(home / "new/musicgen-small", home / "models/musicgen-small")
    assert content(home / "models/musicgen-small") == "new"
    assert content(home / "new/musicgen-small") == "old", (
        "its caller deletes it with the folder that it is in"
    )


@pytest.mark.usefixtures("by_renames")
def test_a_model_is_found_between_the_renames(home, monkeypatch):
    found, rename = [], Path.rename

    def watched(self: Path, target: Path) -> Path:
        found.append(content(weights.find("small")))
        assert weights.present() == ["small"]
        done = rename(self, target)
        found.append(content(weights.find("small")))
        assert weights.present() == ["small"]
        return done

    monkeypatch.setattr(Path, "rename", watched)
    placing.place(home / "new/musicgen-small", home / "models/musicgen-small")
    assert found == ["old", "old", "old", "new"]


def test_a_kill_between_the_renames_leaves_the_older_model(home):
    target = home / "models/musicgen-small"
    code = f"""
import os
from pathlib import Path
from music_catalog.generator.weights import placing

placing._traded = lambda *_: False
rename, target = Path.rename, Path({str(target)!r})

def killed(self, to):
    if Path(to) == target:
        os._exit(9)
    return rename(self, to)

Path.rename = killed
placing.place(Path({str(home / "new/musicgen-small")!r}), target)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == 9
    assert not target.exists()
    assert content(weights.find("small")) == "old"
    placing.place(home / "new/musicgen-small", target)
    assert content(weights.find("small")) == "new"
    assert [path.name for path in (home / "models").iterdir()] == ["musicgen-small"]


@pytest.mark.usefixtures("by_renames")
def test_a_rename_that_fails_leaves_the_older_model_in_its_place(home, monkeypatch):
    target, rename = home / "models/musicgen-small", Path.rename

    def failing(self: Path, to: Path) -> Path:
        if self == home / "new/musicgen-small":
            raise OSError("no room")
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OSError, match="no room"):
        placing.place(home / "new/musicgen-small", target)
    assert content(target) == "old"


@pytest.mark.usefixtures("by_renames")
def test_content_is_on_the_disk_before_its_name_and_the_name_before_the_older_folder_goes(home, monkeypatch):
    steps, fsync, rename = [], os.fsync, Path.rename

    def synced(descriptor: int) -> None:
        steps.append("sync folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "sync file")
        fsync(descriptor)

    def renamed(self: Path, target: Path) -> Path:
        steps.append("rename")
        return rename(self, target)

    def deleted(path: Path, **_: object) -> None:
        steps.append("delete")

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "rename", renamed)
    monkeypatch.setattr(placing.shutil, "rmtree", deleted)
    placing.place(home / "new/musicgen-small", home / "models/musicgen-small")
    assert steps == ["sync file", "sync folder", "delete", "rename", "rename", "sync folder", "delete"]
