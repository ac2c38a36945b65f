"""Every public module lists what it exports, sorted, and everything listed is there and documented."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = {
    "catalog": "music_catalog",
    "generator": "music_catalog.generator",
    "presets": "music_catalog.presets",
}
MODULES = [
    ".".join((package, *path.relative_to(ROOT / folder).with_suffix("").parts)).removesuffix(".__init__")
    for folder, package in PACKAGES.items()
    for path in sorted((ROOT / folder).rglob("*.py"))
]


@pytest.mark.parametrize("name", MODULES)
def test_exports_are_listed_sorted_and_there(name):
    module = importlib.import_module(name)
    if name not in PACKAGES.values() and not hasattr(module, "__all__"):
        pytest.skip("exports nothing by name")
    listed = module.__all__
    assert listed == sorted(listed, key=_ruff_order)
    for member in listed:
        assert hasattr(module, member)


@pytest.mark.parametrize("name", PACKAGES.values())
def test_public_names_have_docstrings(name):
    module = importlib.import_module(name)
    for member in module.__all__:
        value = getattr(module, member)
        if callable(value) and getattr(value, "__module__", "").startswith("music_catalog."):
            assert value.__doc__, f"{name}.{member} has no docstring"


def _ruff_order(member: str) -> tuple[int, str]:
    """Return the key of an isort-style sort: constants, then classes, then the rest."""
    kind = 0 if member.isupper() and len(member) > 1 else 1 if member[:1].isupper() else 2
    return kind, member
