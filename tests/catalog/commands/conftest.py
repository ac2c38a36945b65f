from __future__ import annotations

import shutil

import pytest

from tests.command_line import CALM, SHORT, run


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    """Return a home with one track in it; tests that change the catalog take a copy."""
    home = tmp_path_factory.mktemp("cli") / "home"
    made = run("find-or-make", CALM, *SHORT, "--json", home=home)
    assert made.exit_code == 0, made.output
    return home


@pytest.fixture
def copy(home, tmp_path):
    return shutil.copytree(home, tmp_path / "home")
