"""The example of a plugin is built, installed and used as a stranger would."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "examples" / "plugin_generator"


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    """Return the folder that the example is installed into."""
    folder = tmp_path_factory.mktemp("plugin")
    shutil.copytree(EXAMPLE, folder / "source")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    wheel = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder)]
    subprocess.run([*wheel, str(folder / "source")], check=True)
    (built,) = folder.glob("*.whl")
    install = [*pip, "install", "--no-deps", "--no-index", "--target", str(folder / "site"), str(built)]
    subprocess.run(install, check=True)
    return folder / "site"


def started(target, *words, cwd):
    paths = [str(target), *filter(None, [os.environ.get("PYTHONPATH")])]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "NO_COLOR": "1"}
    return subprocess.run([sys.executable, *words], cwd=cwd, env=env, capture_output=True, text=True)


def test_the_example_is_listed_and_makes_music(target, tmp_path):
    listed = started(target, "-m", "music_catalog", "plugins", "--json", cwd=tmp_path)
    (row,) = json.loads(listed.stdout)["plugins"]
    assert (row["name"], row["package"], row["state"]) == ("bells", "plugin-generator", "ready")
    words = ("find-or-make", "Snow falls on the old square.", "--backend", "bells", "--license", "commercial")
    short = ("--duration", "3", "--quality", "preview", "--home", "home", "--json")
    made = started(target, "-m", "music_catalog", *words, *short, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    track = json.loads(made.stdout)["track"]
    assert (track["backend"], track["model"], track["weights_license"]) == ("bells", "bells", "none")


def test_the_example_passes_the_tests_that_it_brings(target, tmp_path):
    shutil.copytree(EXAMPLE / "tests", tmp_path / "tests")
    done = started(target, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout
