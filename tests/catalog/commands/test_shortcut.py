from __future__ import annotations

import json
import os
import shutil

import pytest
from click.testing import CliRunner

from music_catalog import cli
from music_catalog.commands import shortcut
from music_catalog.errors import CatalogError

FILES = (
    "cli.py",
    "errors.py",
    "text/heads.py",
    "text/heads.safetensors",
    "reuse/certificate.json",
    "reuse/labels.jsonl",
    "web/routes/music.py",
    "generator/audio/loop.py",
    "presets/roles.yaml",
)
CALL = ["find-or-make", "Soft rain taps on the windows.", "--duration", "2", "--quality", "preview", "--json"]


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Let a folder with files of these names stand for the program."""
    folder = tmp_path / "program"
    for name in FILES:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("as it was")
        os.utime(path, ns=(10**18, 10**18))
    monkeypatch.setattr(shortcut, "PROGRAM", folder)
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a home with the track that answers `CALL`."""
    home = tmp_path_factory.mktemp("made") / "home"
    assert CliRunner().invoke(cli.catalog, [*CALL, "--home", str(home)]).exit_code == 0
    return home


def test_a_change_of_any_file_of_the_program_makes_kept_answers_stale(made, program, tmp_path, monkeypatch):
    home = shutil.copytree(made, tmp_path / "home")

    def refuse(*_, **__):
        raise CatalogError("the long way")

    def answered():
        done = CliRunner().invoke(cli.catalog, [*CALL, "--home", str(home)])
        return (
            done.exit_code == 0 and json.loads(done.stdout)["reason"] == "the same request was served before"
        )

    assert answered()  # the long way, which keeps the answer
    monkeypatch.setattr("music_catalog.service.service.MusicService.open", refuse)
    assert answered()
    for name in FILES:
        os.utime(program / name, ns=(10**18 + 1, 10**18 + 1))
        assert not answered(), f"a change of {name}"
        os.utime(program / name, ns=(10**18, 10**18))
        assert answered()


def test_the_digest_of_the_program_covers_names_and_sizes_and_leaves_out_what_python_writes(program):
    before = shortcut.digest_program(program)
    (program / "__pycache__").mkdir()
    (program / "__pycache__" / "errors.py").write_text("compiled")
    (program / "notes.txt").write_text("not read by the program")
    assert shortcut.digest_program(program) == before
    (program / "text" / "new.py").write_text("")
    added = shortcut.digest_program(program)
    (program / "text" / "new.py").rename(program / "text" / "newer.py")
    assert len({before, added, shortcut.digest_program(program)}) == 3
