"""Messages of the library name arguments; flags belong to the command line."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

CATALOG = Path(__file__).parents[3] / "catalog"
ROOMS = ("service", "request", "reuse", "history", "store", "search")
FILES = [
    CATALOG / "export.py",
    CATALOG / "web/guard.py",
    *(f for room in ROOMS for f in (CATALOG / room).glob("*.py")),
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(CATALOG).as_posix())
def test_no_message_names_a_flag_outside_a_whole_command(path):
    tree = ast.parse(path.read_text("utf-8"))
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    texts = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings
    ]
    assert not [text for text in texts if re.search(r"--[a-z]", re.sub(r"`catalog [^`]*`", "", text))]
