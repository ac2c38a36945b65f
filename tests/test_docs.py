"""What the README shows must be there: every command and flag it names, every file it links, and its Python runs."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import click
import pytest

from music_catalog import cli

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, flags=re.DOTALL)
LINES = [
    line.split("|")[-1].strip()
    for kind, block in BLOCKS
    if kind == "sh"
    for line in block.splitlines()
    if re.match(r"(echo .*\| )?catalog ", line)
]


def commands(group=cli.catalog, path=()):
    for name, command in group.commands.items():
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


@pytest.mark.parametrize("line", LINES)
def test_every_command_shown_parses(line):
    words = shlex.split(line)[1:]
    command, name = cli.catalog, "catalog"
    while isinstance(command, click.Group):
        name = words.pop(0)
        assert name in command.commands, line
        command = command.commands[name]
    command.make_context(name, words)


@pytest.mark.parametrize(
    "path", [path for path, command in commands() if not isinstance(command, click.Group)], ids=" ".join
)
def test_every_command_is_told_in_the_readme(path):
    assert f"`{' '.join(path)}`" in README


def test_every_link_leads_somewhere():
    documents = [ROOT / "README.md", ROOT / "SECURITY.md", *(ROOT / "docs").glob("*.md")]
    for document in documents:
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text("utf-8")):
            assert (document.parent / target).exists(), f"{document.name} links {target}"


def test_the_python_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    (code,) = [block for kind, block in BLOCKS if kind == "python"]
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert printed.startswith("generated ")
    assert "ambient_lofi" in printed


@pytest.mark.parametrize(
    "code",
    re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "INTEGRATIONS.md").read_text("utf-8"), re.DOTALL),
)
def test_the_python_of_the_integrations_runs(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "INTEGRATIONS.md", "exec"), {})


def test_what_mcp_clients_are_configured_with_parses():
    (text,) = re.findall(
        r"```json\n(.*?)```", (ROOT / "docs" / "INTEGRATIONS.md").read_text("utf-8"), re.DOTALL
    )
    started = json.loads(text)["mcpServers"]["music"]
    name, *words = started["args"]
    assert started["command"] == "catalog"
    cli.catalog.commands[name].make_context(name, words)


def test_the_configuration_of_the_readme_loads(tmp_path):
    from music_catalog import presets

    (text,) = [block for kind, block in BLOCKS if kind == "yaml"]
    path = tmp_path / "catalog.yaml"
    path.write_text(text, "utf-8")
    assert "night_radio" in presets.load(path).styles
