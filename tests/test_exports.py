"""Every public module lists what it exports, sorted, and everything listed is there and documented."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = [
    path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
    for room in ("catalog", "generator", "presets")
    for path in sorted((ROOT / room).rglob("*.py"))
]


@pytest.mark.parametrize("name", MODULES)
def test_exports_are_listed_sorted_and_there(name):
    module = importlib.import_module(name)
    if name.count(".") and not hasattr(module, "__all__"):
        pytest.skip("exports nothing by name")
    listed = module.__all__
    assert listed == sorted(listed, key=_ruff_order)
    for member in listed:
        assert hasattr(module, member)


@pytest.mark.parametrize("name", ["catalog", "generator", "presets"])
def test_public_names_have_docstrings(name):
    module = importlib.import_module(name)
    for member in module.__all__:
        value = getattr(module, member)
        if callable(value) and getattr(value, "__module__", "").split(".")[0] == name:
            assert value.__doc__, f"{name}.{member} has no docstring"


def _ruff_order(member: str) -> tuple[int, str]:
    """Return the key of an isort-style sort: constants, then classes, then the rest."""
    kind = 0 if member.isupper() and len(member) > 1 else 1 if member[:1].isupper() else 2
    return kind, member
