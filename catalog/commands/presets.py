"""Commands about presets: list, show and suggest them, and the schema of a brief over them."""

from __future__ import annotations

import shlex

import click

from ..errors import NotFound
from .home import open_library, open_service
from .options import complete_names, config_option, home_option, json_option, list_output
from .terminal import Command, Group, print_json, print_rows

__all__ = ["presets", "presets_list", "presets_show", "presets_suggest", "schema", "schema_brief"]


@click.group(cls=Group)
def presets() -> None:
    """List, show and suggest style presets."""


@presets.command("list", cls=Command, examples=["catalog presets list"])
@list_output
@home_option
@config_option
def presets_list(as_json: bool, as_jsonl: bool, home: str, config: str | None) -> None:
    """List the style presets, roles and quality tiers.

    Each has a description to choose by.
    """
    from ..report import preset_rows

    rows = preset_rows(open_library(config, home))
    width = max(len(row["name"]) for row in rows)
    lines = [f"{row['section']:8} {row['name']:{width}}  {row['description']}" for row in rows]
    print_rows("presets", rows, as_json, as_jsonl, lines)


@presets.command("show", cls=Command, examples=["catalog presets show ambient_lofi"])
@click.argument("name", shell_complete=complete_names("styles"))
@json_option
@home_option
@config_option
def presets_show(name: str, as_json: bool, home: str, config: str | None) -> None:
    """Show every value of one preset, role or quality tier.

    Each value has where it comes from.
    """
    from ..report import shown
    from ..request.builder import preset_errors

    library = open_library(config, home)
    section = next((part for part in ("roles", "quality") if name in getattr(library, part)), "presets")
    with preset_errors():
        entry = {"roles": library.role, "quality": library.tier, "presets": library.style}[section](name)
    values = entry.model_dump(mode="json", exclude_none=True)
    if as_json:
        print_json({"name": name, "section": section, **values})
        return
    for key, value in values.items():
        click.echo(f"{key}: {shown(value)}  [{library.origin(f'{section}.{name}.{key}')}]")


@presets.command("suggest", cls=Command, examples=['catalog presets suggest "heroes rest by the fire"'])
@click.argument("query")
@click.option("--limit", default=5, show_default=True, type=click.IntRange(1, 100))
@list_output
@home_option
@config_option
def presets_suggest(
    query: str, limit: int, as_json: bool, as_jsonl: bool, home: str, config: str | None
) -> None:
    """Rank the style presets that served requests like QUERY well.

    Each has its reason.
    """
    try:
        with open_service(home, config, create=False) as service:
            suggestions = service.suggest_presets(query, limit)
    except NotFound:
        raise NotFound(
            f"there is no catalog in {home} yet, whose log and tracks are asked; make a track first, such as "
            f"`catalog find-or-make {shlex.quote(query)}`, or choose from `catalog presets list`"
        ) from None
    width = max(len(one.name) for one in suggestions)
    rows = [one.model_dump(mode="json") for one in suggestions]
    lines = [f"{one.score:5.2f}  {one.name:{width}}  {one.reason}" for one in suggestions]
    print_rows("presets", rows, as_json, as_jsonl, lines)


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
