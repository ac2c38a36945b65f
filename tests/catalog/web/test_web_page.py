"""The files of the page: each is reached, imports only what lies below it, and uses the words of the service."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

import pytest

from music_catalog.models import Environment, QualityName, TimeOfDay
from music_catalog.models.request import Source
from music_catalog.store.requests import LOOKING

STATIC = Path(__file__).resolve().parents[3] / "catalog" / "web" / "static"
SCRIPTS = sorted(STATIC.rglob("*.js"))
STYLES = sorted(STATIC.rglob("*.css"))
INDEX = (STATIC / "index.html").read_text("utf-8")
FLOORS = ("lib", "parts", "views", "main.js")
MOST_LINES = {".js": 250, ".css": 400}


MOST_BYTES_AT_FIRST = 200_000


def imports(script, pattern=r'(?:from |import\()"(\.[^"]+)"'):
    return [(script.parent / name).resolve() for name in re.findall(pattern, script.read_text("utf-8"))]


def floor(script):
    return FLOORS.index(script.relative_to(STATIC).parts[0])


def words(name):
    """Return the words of an array, or the keys of an object, in vocabulary.js."""
    text = (STATIC / "lib" / "vocabulary.js").read_text("utf-8")
    body = re.search(rf"export const {name} = (\[.*?\]|\{{.*?\}});", text, re.DOTALL)[1]
    if body.startswith("["):
        return json.loads(body)
    return re.findall(r"^\s*(\w+):", body, re.MULTILINE)


@pytest.mark.parametrize(
    "script", [one for one in SCRIPTS if one.name != "theme.js"], ids=lambda one: one.name
)
def test_a_script_imports_files_that_are_there_and_no_higher_floor(script):
    for target in imports(script):
        assert target.is_file(), target
        assert floor(target) <= floor(script), target


def test_every_script_and_style_sheet_is_used():
    linked = {STATIC / path for path in re.findall(r'(?:src|href)="static/([^"]+)"', INDEX)}
    late = re.search(r"const STYLED = (\[.*?\])", (STATIC / "main.js").read_text("utf-8"))[1]
    with_views = {STATIC / "styles" / f"{view}.css" for view in json.loads(late)}
    assert set(STYLES) == with_views | {path for path in linked if path.suffix == ".css"}
    assert all(path.is_file() for path in linked)
    assert {target for script in SCRIPTS for target in imports(script)} | linked >= set(SCRIPTS)


def test_what_a_visitor_fetches_at_first_is_small():
    fetched, waiting = set(), [STATIC / "main.js"]
    while waiting:
        script = waiting.pop()
        fetched.add(script)
        waiting += set(imports(script, r'from "(\.[^"]+)"')) - fetched
    assert len(fetched) < len(SCRIPTS)
    linked = {STATIC / path for path in re.findall(r'(?:src|href)="static/([^"]+)"', INDEX)}
    files = {STATIC / "index.html", *linked, *fetched}
    assert sum(file.stat().st_size for file in files) <= MOST_BYTES_AT_FIRST


@pytest.mark.parametrize("file", [*SCRIPTS, *STYLES], ids=lambda one: one.name)
def test_no_file_is_long(file):
    assert len(file.read_text("utf-8").splitlines()) <= MOST_LINES[file.suffix]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("PLACES", get_args(Environment)),
        ("TIMES", get_args(TimeOfDay)),
        ("QUALITIES", get_args(QualityName)),
        ("SOURCES", get_args(Source)),
        ("LOOKING", LOOKING),
    ],
)
def test_the_page_knows_the_words_of_the_service(name, values):
    assert words(name) == list(values)
