"""The import floors of the house, read from the source, and what starting up may not cost."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FLOORS = {
    "catalog": (
        "errors version home",
        "models",
        "validation mounts player checkpoints objects glossary",
        "disk plugins file_tags",
        "text search collections",
        "brief ear hearing portrait",
        "request store reuse",
        "history export upkeep",
        "report doctor intake testing",
        "service",
        "soundtrack bulk",
        "web integrations",
        "commands",
        "cli",
        "__main__",
    ),
    "generator": (
        "protocol errors",
        "networks audio memory thread",
        "device",
        "weights synth listening",
        "cpu remote",
        "musicgen",
        "loading",
        "loaded",
    ),
}
"""From the ground up. A room imports rooms of lower floors, never of its own floor or of a higher one."""
OWNERS = {
    "click": ("catalog/cli.py", "catalog/commands/"),
    "lancedb": ("catalog/disk/lance.py",),
    "obstore": ("catalog/objects/blobs.py",),
    "numba": ("generator/cpu/",),
    "llvmlite": ("generator/cpu/",),
    "ray": ("catalog/integrations/ray.py",),
    "httpx": ("catalog/brief/endpoint.py", "generator/remote/exchange.py"),
    "huggingface_hub": ("generator/weights/hub.py", "catalog/text/encoder_files.py"),
}
"""Who may import a library: a file, or a folder where the name ends in a slash."""
MOST_MODULES = 16
"""Modules that a folder may hold, its face not counted."""
HEAVY = (
    "lancedb",
    "obstore",
    "pyarrow",
    "mlx",
    "torch",
    "transformers",
    "sentence_transformers",
    "scipy",
    "librosa",
    "tokenizers",
    "httpx",
    "langchain_core",
    "llama_index",
    "mcp",
    "ray",
)

PACKAGE = "music_catalog"
"""What is installed: `catalog/`, with `generator/` and `presets/` in it."""
TOP = ("catalog", "generator", "presets")
FILES = [path.relative_to(ROOT) for top in TOP for path in sorted((ROOT / top).rglob("*.py"))]
FLOOR_OF = {
    (top, room): number
    for top, floors in FLOORS.items()
    for number, rooms in enumerate(floors)
    for room in rooms.split()
}


@cache
def imports(path: Path) -> list[ast.Import | ast.ImportFrom]:
    """Return the import statements of a file, which is read once for all tests."""
    nodes = ast.walk(ast.parse((ROOT / path).read_text("utf-8")))
    return [node for node in nodes if isinstance(node, (ast.Import, ast.ImportFrom))]


def imported(path: Path) -> Iterator[tuple[str, ...]]:
    """Yield the whole dotted name of each module that a file imports, and of each name that it takes from one."""
    package = (PACKAGE, *path.parent.parts[path.parts[0] == "catalog" :])
    for node in imports(path):
        if isinstance(node, ast.Import):
            yield from (placed(tuple(alias.name.split("."))) for alias in node.names)
        else:
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = (*above, *(node.module.split(".") if node.module else ()))
            yield placed(module)
            yield from (placed((*module, alias.name)) for alias in node.names)


def placed(name: tuple[str, ...]) -> tuple[str, ...]:
    """Return a dotted name as the path of its folder: what is `music_catalog.text` to Python is in `catalog/text`."""
    if name[0] != PACKAGE:
        return name
    return name[1:] if name[1:2] in {("generator",), ("presets",)} else ("catalog", *name[1:])


def room_of(name: tuple[str, ...]) -> str | None:
    """Return the room of a dotted name: the part after the top, where the house has a room of that name."""
    return name[1] if len(name) > 1 and (name[0], name[1]) in FLOOR_OF else None


@pytest.mark.parametrize("path", FILES, ids=str)
def test_only_the_catalog_reaches_another_top_folder(path):
    top = path.parts[0]
    allowed = {"catalog": {"catalog", "generator", "presets"}}.get(top, {top})
    assert {name[0] for name in imported(path)} & {*TOP} <= allowed


@pytest.mark.parametrize("path", FILES, ids=str)
def test_imports_inside_the_package_are_relative(path):
    for node in imports(path):
        if isinstance(node, ast.ImportFrom) and not node.level:
            assert node.module.split(".")[0] not in (PACKAGE, *TOP, "cli"), f"{path} names {node.module}"


def test_every_room_has_a_floor():
    rooms = {(path.parts[0], Path(path.parts[1]).stem) for path in FILES if path.parts[0] in FLOORS}
    assert rooms - {(top, "__init__") for top in FLOORS} == FLOOR_OF.keys()


@pytest.mark.parametrize("path", [path for path in FILES if path.parts[0] in FLOORS], ids=str)
def test_imports_go_down(path):
    top, mine = path.parts[0], Path(path.parts[1]).stem
    if mine == "__init__":
        return
    for name in imported(path):
        room = room_of(name)
        if name[0] == top and room not in (None, mine):
            assert FLOOR_OF[top, room] < FLOOR_OF[top, mine], (
                f"{path} imports {'.'.join(name)}, which is no lower"
            )


@pytest.mark.parametrize("top", TOP)
def test_no_cycles_between_modules(top):
    modules = {
        path.with_suffix("").parts for path in FILES if path.parts[0] == top and path.stem != "__init__"
    }
    graph = {
        path.with_suffix("").parts: {name for name in imported(path) if name in modules}
        for path in FILES
        if path.with_suffix("").parts in modules
    }
    while free := [module for module, uses in graph.items() if not uses & graph.keys()]:
        for module in free:
            del graph[module]
    assert not graph, f"import cycle among {sorted('.'.join(module) for module in graph)}"


@pytest.mark.parametrize(("library", "owners"), OWNERS.items())
def test_few_files_own_a_library(library, owners):
    for path in FILES:
        if any(name[0] == library for name in imported(path)):
            assert path.as_posix().startswith(owners), f"{path} imports {library}, which is for {owners}"


@pytest.mark.parametrize("folder", sorted({path.parent for path in FILES}), ids=str)
def test_no_folder_is_crowded(folder):
    modules = [path.name for path in FILES if path.parent == folder and path.stem != "__init__"]
    assert len(modules) <= MOST_MODULES, f"{folder} holds {len(modules)} modules"


@pytest.mark.parametrize("module", ["", ".generator", ".presets", ".service.service", ".cli"])
def test_importing_brings_nothing_heavy(module):
    code = f"import sys, {PACKAGE}{module}; print(*[n for n in {HEAVY!r} if n in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""
