from __future__ import annotations

import re
import shlex

import click
import pytest

from music_catalog import cli
from music_catalog.request.selection import USUAL_QUALITY
from music_catalog.reuse.certificate import MAX_FALSE_REUSE
from music_catalog.reuse.terms import VARIETY
from music_catalog.soundtrack.mix import Levels
from tests.command_line import run

GROUPS = ["Make and reuse", "Look", "Listen and judge", "Scenes and stories", "Set up", "Serve"]


def commands(group=cli.catalog, path=()):
    for name, command in group.commands.items():
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


def sections(text):
    """Return what stands under each heading of a help."""
    parts = re.split(r"^(\S[^\n]*):\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


LEAVES = [(path, command) for path, command in commands() if not isinstance(command, click.Group)]


def test_help_lists_every_command_in_a_group():
    listed = sections(run("--help").stdout)
    assert list(listed) == ["Options", *GROUPS]
    names = [line.split()[0] for group in GROUPS for line in listed[group].splitlines() if line]
    assert sorted(names) == sorted(cli.catalog.commands)


@pytest.mark.parametrize("group", ["", "presets", "models", "config", "schema"])
def test_help_gives_each_command_one_whole_line(group):
    text = run(*group.split(), "--help").stdout
    of = cli.catalog.commands[group] if group else cli.catalog
    for name, command in of.commands.items():
        (sentence,) = re.findall(rf"^  {re.escape(name)} +(\S.*)$", text, flags=re.MULTILINE)
        assert command.help.startswith(sentence)
        assert sentence.endswith(".")
        assert "..." not in sentence


def test_options_of_find_or_make_are_in_groups():
    listed = sections(run("find-or-make", "--help").stdout)
    assert list(listed) == [
        "What the text is",
        "What is wanted",
        "Reuse",
        "Output",
        "Catalog",
        "Options",
        "Examples",
    ]
    placed = {
        "What the text is": "--context-file --query --mood --batch",
        "What is wanted": "--role --quality --duration --seed --set",
        "Reuse": "--reuse --max-false-reuse --variety --listener --theme",
        "Output": "--json --out --dry-run --explain",
        "Catalog": "--home --config --no-server",
    }
    for heading, names in placed.items():
        assert all(re.search(rf"^  {name}\b", listed[heading], re.MULTILINE) for name in names.split())


def test_few_options_are_one_list():
    assert list(sections(run("show", "--help").stdout)) == ["Options", "Example"]


@pytest.mark.parametrize(("path", "command"), LEAVES, ids=[" ".join(path) for path, _ in LEAVES])
def test_every_command_has_examples_that_parse(path, command):
    assert command.examples
    for example in command.examples:
        line = re.search(r"(?:^|[|(] ?)catalog (.*?)(?:\)\"|$)", example)
        words = shlex.split(line[1])
        assert words[: len(path)] == list(path)
        command.make_context(path[-1], words[len(path) :])
        assert f"  {example}\n" in run(*path, "--help").stdout


@pytest.mark.parametrize(
    ("name", "default"),
    [
        ("--role", "(from the length and the text)"),
        ("--quality", f"({USUAL_QUALITY})"),
        ("--duration", "(from the role)"),
        ("--seed", "(from the text)"),
        ("--variety", f"({VARIETY})"),
        ("--max-false-reuse", f"({MAX_FALSE_REUSE})"),
    ],
)
def test_help_shows_the_defaults(name, default):
    text = " ".join(run("find-or-make", "--help").stdout.split())
    assert re.search(rf" {name} [^[]+\[default: {re.escape(default)}\]", text)


def test_help_of_mix_shows_the_loudness():
    text = " ".join(run("mix", "--help").stdout.split())
    levels = Levels()
    assert f"Loudness of the voice. [default: ({levels.voice_lufs:g})]" in text
    assert f"nobody speaks. [default: ({levels.bed_lufs:g})]" in text
