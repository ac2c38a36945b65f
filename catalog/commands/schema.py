"""Commands that print what a pipeline hands in."""

from __future__ import annotations

import click

from .home import open_library
from .options import config_option, home_option
from .terminal import Command, Group

__all__ = ["schema", "schema_brief"]


@click.group(cls=Group)
def schema() -> None:
    """Print the JSON schema of what a pipeline may hand in."""


@schema.command("brief", cls=Command, examples=["catalog schema brief", "catalog schema brief --prompt"])
@click.option("--prompt", is_flag=True, help="Print the instructions for a language model instead.")
@home_option
@config_option
def schema_brief(prompt: bool, home: str, config: str | None) -> None:
    """Print the JSON schema of a brief over the styles on offer.

    It is for the structured output of a language model.
    """
    import json

    from ..brief import asked

    styles = open_library(config, home).styles
    text = asked.instructions(styles) if prompt else json.dumps(asked.schema(styles), indent=2)
    click.echo(text)
