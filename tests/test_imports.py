"""The import arrows of the design, read from the source, and what starting up may not cost."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("catalog", "generator", "presets")
FILES = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
HEAVY = (
    "lancedb",
    "pyarrow",
    "mlx",
    "torch",
    "transformers",
    "sentence_transformers",
    "scipy",
    "librosa",
    "tokenizers",
    "langchain_core",
    "llama_index",
    "mcp",
)
LATE = {
    "browse": 1,
    "sound": 1,
    "history": 1,
    "feedback": 1,
    "listening": 1,
    "past": 1,
    "statistics": 1,
    "suggestions": 1,
    "making": 1,
    "export": 1,
    "report": 1,
    "doctor": 2,
    "flow": 2,
    "batches": 2,
    "service": 2,
    "underlay": 2,
    "score": 3,
    "client": 1,
    "jobs": 3,
    "shortcut": 4,
    "web": 4,
    "integrations": 4,
}
"""Modules of catalog that stand right of the others; the rest stand left of these and know none of them."""


def imported(path: Path, *, top_level: bool = False) -> Iterator[str]:
    tree = ast.parse(path.read_text("utf-8"))
    nodes = tree.body if top_level else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path} uses a relative import; write the full name"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_arrows_between_rooms(path):
    room = path.relative_to(ROOT).parts[0]
    allowed = {"catalog": {"catalog", "generator", "presets"}}.get(room, {room})
    used = {name.split(".")[0] for name in imported(path)} & {*ROOMS, "cli"}
    assert used <= allowed


def test_cli_reaches_only_the_catalog():
    own = {name.split(".")[0] for name in imported(ROOT / "cli.py")} & set(ROOMS)
    assert own <= {"catalog", "generator"}
    # The generator room is named for a type only.
    assert "generator.weights" not in set(imported(ROOT / "cli.py"))


@pytest.mark.parametrize("path", sorted((ROOT / "catalog").glob("*.py")), ids=lambda path: path.name)
def test_arrows_inside_catalog(path):
    mine = LATE.get(path.stem, 0)
    if path.stem == "__init__":
        return
    for name in imported(path):
        parts = name.split(".")
        if parts[0] == "catalog" and len(parts) > 1:
            assert LATE.get(parts[1], 0) <= mine, f"{path.stem} imports {parts[1]}, which stands right of it"


@pytest.mark.parametrize("room", ROOMS)
def test_no_cycles(room):
    graph = {
        path.stem: {
            parts[1]
            for name in imported(path)
            if (parts := name.split("."))[0] == room
            and len(parts) > 1
            and (ROOT / room / f"{parts[1]}.py").exists()
        }
        for path in (ROOT / room).glob("*.py")
        if path.stem != "__init__"
    }
    while free := [name for name, uses in graph.items() if not uses & graph.keys()]:
        for name in free:
            del graph[name]
    assert not graph, f"import cycle among {sorted(graph)}"


@pytest.mark.parametrize(
    ("library", "owners"),
    [("click", {"cli.py"}), ("lancedb", {"catalog/store.py"})],
)
def test_one_file_owns_a_library(library, owners):
    users = {
        path.relative_to(ROOT).as_posix()
        for path in [*FILES, ROOT / "cli.py"]
        if any(name.split(".")[0] == library for name in imported(path))
    }
    assert users == owners


@pytest.mark.parametrize("module", ["catalog", "generator", "presets", "catalog.service", "cli"])
def test_importing_brings_nothing_heavy(module):
    code = f"import sys, {module}; print(*[n for n in {HEAVY!r} if n in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""
