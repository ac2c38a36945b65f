"""How `--help` is laid out: commands and options in groups, a whole line for each command, examples at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import click

__all__ = [
    "CATALOG",
    "FROM_THE_TEXT",
    "OUTPUT",
    "REUSE",
    "TEXT",
    "TRACKS",
    "WANTED",
    "Option",
    "option_under",
    "write_commands",
    "write_examples",
    "write_options",
]

TEXT = "What the text is"
WANTED = "What is wanted"
REUSE = "Reuse"
TRACKS = "Which tracks"
OUTPUT = "Output"
CATALOG = "Catalog"
OTHER = "Options"
"""Of options under no heading, and of all where there are few."""
FEW = 10
"""So many options are easier to find in one list than in groups."""
FROM_THE_TEXT = "from the text"
"""The default of what is worked out for each text."""


class Option(click.Option):
    """An option that `--help` lists under a heading."""

    def __init__(self, *names: Any, heading: str = OTHER, **attributes: Any) -> None:
        super().__init__(*names, **attributes)
        self.heading = heading


def option_under(heading: str) -> Callable[..., Callable[[Any], Any]]:
    """Return `click.option` for options that are listed under `heading`."""
    return partial(click.option, cls=Option, heading=heading)


def write_commands(
    group: click.Group,
    sections: Mapping[str, Sequence[str]],
    ctx: click.Context,
    formatter: click.HelpFormatter,
) -> None:
    """Write the commands of a group under their headings, each with its whole first paragraph."""
    width = max(len(name) for name in group.commands)
    named = {name for names in sections.values() for name in names}
    others = [name for name in group.list_commands(ctx) if name not in named]
    for heading, names in {**sections, **({"Commands": others} if others else {})}.items():
        rows = [(name.ljust(width), _summary(group.commands[name])) for name in names]
        with formatter.section(heading):
            formatter.write_dl(rows)


def _summary(command: click.Command) -> str:
    """Return the first paragraph of a command's help, which is one sentence."""
    return " ".join((command.help or "").split("\n\n")[0].split())


def write_options(command: click.Command, ctx: click.Context, formatter: click.HelpFormatter) -> None:
    """Write the options under their headings, in one list where they are few."""
    shown = [parameter for parameter in command.get_params(ctx) if isinstance(parameter, click.Option)]
    sections: dict[str, list[tuple[str, str]]] = {}
    for option in shown:
        heading = OTHER if len(shown) <= FEW else getattr(option, "heading", OTHER)
        if record := option.get_help_record(ctx):
            sections.setdefault(heading, []).append(record)
    for heading, records in sections.items():
        with formatter.section(heading):
            formatter.write_dl(records)


def write_examples(examples: Sequence[str], formatter: click.HelpFormatter) -> None:
    """Write the examples as they are typed, on a line each."""
    if examples:
        with formatter.section("Examples" if len(examples) > 1 else "Example"):
            for example in examples:
                formatter.write(f"{'':{formatter.current_indent}}{example}\n")
