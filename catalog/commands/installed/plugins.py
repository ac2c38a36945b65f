"""The command that lists the plugins of this installation."""

from __future__ import annotations

import click

from ..options import list_output
from ..terminal import Command, print_rows

__all__ = ["plugins"]


@click.command(cls=Command, examples=["catalog plugins", "catalog plugins --json"])
@list_output
def plugins(as_json: bool, as_jsonl: bool) -> None:
    """List generators, encoders, readers and renderers of plugins.

    Each has its package with its version, and its state: ready, or why it cannot be used. A generator that is ready is
    asked for with --backend NAME.
    """
    from ...plugins.installed import plugin_rows

    rows = plugin_rows()
    width = max((len(row["name"]) for row in rows), default=0)
    lines = [
        f"{row['kind']:9} {row['name']:{width}}  {row['package']} {row['version']}  {row['state']}"
        for row in rows
    ]
    print_rows("plugins", rows, as_json, as_jsonl, lines)
    if not rows and not (as_json or as_jsonl):
        click.echo("no plugin is installed; docs/PLUGINS.md says how to write one", err=True)
