"""What docs/TABLE.md and the notebook of the table show runs, and the page names every column."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path

import pytest

from music_catalog import MusicService
from music_catalog.store.cells import NONE
from music_catalog.store.schema import track_schema

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "TABLE.md").read_text("utf-8")
OPENING, *SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
NOTEBOOK = ROOT / "examples" / "browse_the_table.ipynb"
CELLS = [cell for cell in json.loads(NOTEBOOK.read_text("utf-8"))["cells"] if cell["cell_type"] == "code"]
TEXTS = ("Calm rain falls on the empty harbour.", "A storm at sea.", "She reads in the quiet library.")
NEEDS = {"pandas": "to_pandas()", "duckdb": "import duckdb", "polars": "import polars", "IPython": "IPython"}
"""Packages that a reader installs beside this one, and how a snippet that needs one is told."""


def missing(code):
    for package, mark in NEEDS.items():
        if mark in code:
            try:
                importlib.import_module(package)
            except ModuleNotFoundError:
                return package
    return None


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a catalog of three tracks in `data`."""
    folder = tmp_path_factory.mktemp("reader")
    with MusicService.open(folder / "data") as service:
        for text in TEXTS:
            service.find_or_make(text, quality="preview", duration_s=4.0, reuse="never")
    return folder


@pytest.mark.parametrize("code", SNIPPETS, ids=lambda code: code.strip().splitlines()[-1])
def test_the_python_of_the_page_runs(code, folder, monkeypatch, capsys):
    if package := missing(code):
        pytest.skip(f"{package} is not installed")
    monkeypatch.chdir(folder)
    names = {}
    exec(compile(OPENING, "TABLE.md", "exec"), names)
    try:
        if "vector" in code:
            names["vector"] = names["service"].embed("a storm at sea")
        exec(compile(code, "TABLE.md", "exec"), names)
    finally:
        names["service"].close()
    printed = capsys.readouterr().out
    assert printed.startswith("3 tracks\n")
    assert len(printed.splitlines()) > 1 or "print" not in code


def test_the_means_of_the_page_leave_out_what_is_missing(folder):
    pytest.importorskip("pandas", reason="pandas is not installed")
    with MusicService.open(folder / "data") as service:
        tempos = [hit.tempo_bpm for hit in service.store.tracks.list() if hit.tempo_bpm is not None]
        frame = service.tracks_table().to_pandas()
    assert 0 < len(tempos) < 3
    assert frame["tempo_bpm"].mean() == pytest.approx(sum(tempos) / len(tempos))
    assert frame["trashed_at"].isna().all()


def test_the_page_tells_every_column_and_what_is_stored_in_place_of_a_missing_value():
    rows = re.findall(r"^\| (`.*?) \| .*? \| (.*?) ?\|$", PAGE, flags=re.MULTILINE)
    told = {name: stored for names, stored in rows for name in re.findall(r"`(\w+)`", names)}
    columns = track_schema(384, "").names
    assert sorted(set(columns) - told.keys()) == []
    shown = {"": '""', 0: "0", -1000.0: "-1000"}
    for name in {*columns} & NONE.keys():
        assert told[name] == shown.get(NONE[name], "1970-01-01"), name


def test_the_code_of_the_notebook_runs_in_order(tmp_path, monkeypatch):
    monkeypatch.setenv("CATALOG_HOME", str(tmp_path / "home"))
    names = {}
    for number, cell in enumerate(CELLS):
        code = "".join(cell["source"])
        if missing(code) is None:
            exec(compile(code, f"cell {number}", "exec"), names)
    assert "rain" in names["hits"][0].track.context
    assert names["table"].count_rows() == 3


def test_the_notebook_runs_in_a_kernel_and_is_kept_without_outputs(tmp_path, monkeypatch):
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in CELLS)
    for package in ("nbformat", "nbclient", "ipykernel", *NEEDS):
        pytest.importorskip(package, reason=f"{package} is not installed")
    import nbclient
    import nbformat

    monkeypatch.setenv("CATALOG_HOME", str(tmp_path / "home"))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    shown = json.dumps([cell.get("outputs") for cell in notebook.cells])
    assert "audio" in shown
    assert "tempo_bpm" in shown
