"""What README and docs/ show must be there: every command line parses, every link leads somewhere, the Python runs."""

from __future__ import annotations

import inspect
import json
import re
import runpy
import shlex
from pathlib import Path
from typing import get_type_hints

import click
import pytest
import yaml

import music_catalog
from music_catalog import cli

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")
COMMANDS = (ROOT / "docs" / "COMMANDS.md").read_text("utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page.read_text("utf-8"), flags=re.DOTALL)


LINES = [
    (page.name, shlex.split(line[line.index("catalog ") :], comments=True)[1:])
    for page in PAGES
    for block in blocks(page, "sh")
    for line in block.replace("\\\n", " ").splitlines()
    if re.match(r"(echo .*\| )?catalog ", line)
]


def commands(group=cli.catalog, path=()):
    for name, command in group.commands.items():
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


@pytest.mark.parametrize(
    ("page", "words"), LINES, ids=lambda value: value if isinstance(value, str) else " ".join(value)
)
def test_every_command_shown_parses(page, words, monkeypatch):
    monkeypatch.chdir(ROOT)
    command, name = cli.catalog, "catalog"
    while isinstance(command, click.Group):
        name = words.pop(0)
        assert name in command.commands, page
        command = command.commands[name]
    command.make_context(name, words)


def test_command_lines_are_read_from_readme_and_docs():
    assert {"README.md", "COMMANDS.md", "TUTORIAL.md", "STOCK.md"} <= {page for page, _ in LINES}


@pytest.mark.parametrize(
    "path", [path for path, command in commands() if not isinstance(command, click.Group)], ids=" ".join
)
def test_every_command_is_told(path):
    assert f"`{' '.join(path)}`" in COMMANDS


def test_the_readme_is_short():
    assert len(README.splitlines()) <= 120


def test_every_link_leads_somewhere():
    for document in (*PAGES, *(ROOT / name for name in ("SECURITY.md", "CHANGELOG.md", "CONTRIBUTING.md"))):
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text("utf-8")):
            assert (document.parent / target).exists(), f"{document.name} links {target}"


def anchors_of(page):
    """Return the anchors that the site gives to the headings of a page."""
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    headings = (re.sub(r"[^\w\s-]", "", heading) for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE))
    return {re.sub(r"[-\s]+", "-", heading.strip().lower()) for heading in headings}


def test_every_link_to_a_part_of_a_page_leads_to_a_heading():
    for document in (*PAGES, *(ROOT / name for name in ("SECURITY.md", "CHANGELOG.md", "CONTRIBUTING.md"))):
        for page, anchor in re.findall(r"\]\(([\w./-]*\.md)?#([^)]+)\)", document.read_text("utf-8")):
            target = document.parent / page if page else document
            assert target.exists(), f"{document.name} links {page}"
            assert anchor in anchors_of(target), f"{document.name} links {page}#{anchor}"


def test_the_python_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    (code,) = blocks(ROOT / "README.md", "python")
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert printed.startswith("generated ")
    assert "ambient_lofi" in printed


def test_the_python_of_the_tutorial_runs_without_the_steps_before_it(tmp_path, monkeypatch, capsys):
    (code,) = blocks(ROOT / "docs" / "TUTORIAL.md", "python")
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "TUTORIAL.md", "exec"), {})
    assert capsys.readouterr().out.startswith("generated environment_ocean ")


@pytest.mark.parametrize(
    "code",
    re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "INTEGRATIONS.md").read_text("utf-8"), re.DOTALL),
)
def test_the_python_of_the_integrations_runs(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "INTEGRATIONS.md", "exec"), {})


API = (ROOT / "docs" / "API.md").read_text("utf-8")


def test_the_python_of_the_api_page_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {}
    for code in re.findall(r"```python\n(.*?)```", API, re.DOTALL):
        exec(compile(code, "API.md", "exec"), names)
    printed = capsys.readouterr().out
    assert printed.startswith("<Result generated <Track ")
    assert "['score', 'path', 'id', 'created_at']" in printed
    names["service"].close()


def test_the_api_page_tells_every_call_and_every_keyword():
    from music_catalog import MusicService
    from music_catalog.models import FilterArguments, RequestArguments
    from music_catalog.reuse.terms import TermArguments

    for arguments in (FilterArguments, RequestArguments, TermArguments):
        for name in get_type_hints(arguments):
            assert f"`{name}`" in API, name
    for name, call in inspect.getmembers(MusicService, inspect.isfunction):
        if name.startswith("_") or name == "close":
            continue
        (shown,) = re.findall(rf"`{name}\(([^)`]*)\)`", API)
        told = {word.strip().lstrip("*") for word in shown.split(",")} - {"", "..."}
        terms = get_type_hints(TermArguments).keys()
        signature = inspect.signature(call).parameters
        named = {one.name for one in signature.values() if one.kind is not one.VAR_KEYWORD} - {"self"}
        assert told <= named | {"log", *terms}, name
        assert named - terms <= told, name


def test_what_mcp_clients_are_configured_with_parses():
    (text,) = re.findall(
        r"```json\n(.*?)```", (ROOT / "docs" / "INTEGRATIONS.md").read_text("utf-8"), re.DOTALL
    )
    started = json.loads(text)["mcpServers"]["music"]
    name, *words = started["args"]
    assert started["command"] == "catalog"
    cli.catalog.commands[name].make_context(name, words)


def test_the_configuration_shown_first_loads(tmp_path):
    from music_catalog import presets

    text = blocks(ROOT / "docs" / "CONFIGURATION.md", "yaml")[0]
    path = tmp_path / "catalog.yaml"
    path.write_text(text, "utf-8")
    assert "night_radio" in presets.load(path).styles


def test_the_site_names_pages_that_are_there():
    site = runpy.run_path(str(ROOT / "docs" / "site.py"))
    generated = {*site["FROM_THE_TOP"], "reference/python.md", "reference/commands.md"}
    named = list(pages_of(yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["nav"]))
    assert {"index.md", "TUTORIAL.md", "reference/python.md"} <= {*named}
    assert [page for page in named if page not in generated and not (ROOT / "docs" / page).is_file()] == []


def pages_of(entries):
    for entry in entries:
        for value in entry.values():
            yield from pages_of(value) if isinstance(value, list) else [value]


def test_links_of_the_readme_lead_to_pages_of_the_site():
    page = runpy.run_path(str(ROOT / "docs" / "site.py"))["page_of"](README)
    assert "](TUTORIAL.md)" in page
    assert "](docs/" not in page
    assert '<audio controls src="sounds/rain-in-the-library.ogg"></audio>' in page


def test_the_reference_names_what_the_package_exports():
    names = runpy.run_path(str(ROOT / "docs" / "site.py"))["public_names"]()
    assert names[0] == "music_catalog.service.service.MusicService"
    assert {name.rsplit(".")[-1] for name in names} == {*music_catalog.__all__} - {"__version__"}


def test_the_reference_has_the_help_of_every_command():
    page = "".join(runpy.run_path(str(ROOT / "docs" / "site.py"))["helps"]())
    for path, _ in commands():
        assert f"\n## catalog {' '.join(path)}\n" in page
    assert "Examples:" in page
