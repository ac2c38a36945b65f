"""The error where a framework is missing; the import is blocked in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from music_catalog.errors import MissingExtra, Unavailable
from music_catalog.integrations.optional import extra

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("name", "package"), [("langchain", "langchain_core"), ("llamaindex", "llama_index"), ("mcp", "mcp")]
)
def test_a_missing_framework_is_one_sentence_with_what_to_install(name, package):
    code = (
        f"import sys; sys.modules[{package!r}] = None\n"
        f"try:\n    import music_catalog.integrations.{name}\n"
        "except ImportError as error:\n    print(type(error).__name__, error.exit_code, error)"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    message = f"the package {package} is not installed; pip install 'music-catalog[{name}]'"
    assert run.stdout == f"MissingExtra 6 {message}\n"


def test_a_failure_inside_an_installed_framework_is_not_taken_for_a_missing_one():
    with pytest.raises(ModuleNotFoundError) as raised, extra("mcp", "mcp"):
        raise ModuleNotFoundError("No module named 'pyjwt'", name="pyjwt")
    assert not isinstance(raised.value, MissingExtra)


def test_callers_may_catch_it_as_either():
    assert issubclass(MissingExtra, ImportError)
    assert issubclass(MissingExtra, Unavailable)


def test_the_command_tells_it_in_one_line(tmp_path):
    code = (
        "import sys; sys.modules['mcp'] = None; sys.argv = ['catalog', 'mcp']; "
        "from music_catalog import cli; cli.main()"
    )
    env = {**os.environ, "CATALOG_HOME": str(tmp_path)}
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    message = "Error: the package mcp is not installed; pip install 'music-catalog[mcp]'\n"
    assert (run.returncode, run.stdout, run.stderr) == (6, "", message)
