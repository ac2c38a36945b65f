"""The command that takes in music which others made."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...errors import InputError, NotFound
from ..home import open_service
from ..options import complete_names, config_option, home_option, json_option
from ..terminal import Command, print_json, progress_bar

if TYPE_CHECKING:
    from ...models import AddedFile, Batch, Outcome
    from ...service.service import MusicService

__all__ = ["add"]


SYMBOLS = {"added": "+", "present": "=", "copy": "~", "failed": "!"}


@click.command(
    cls=Command,
    examples=[
        "catalog add ~/Music/beds --license CC-BY-4.0 --dry-run",
        "catalog add ~/Music/beds --license CC-BY-4.0 --role background_bed",
        "catalog add --manifest tracks.csv",
        "catalog add --undo last",
    ],
)
@click.argument("paths", nargs=-1, type=click.Path())
@click.option(
    "--role", shell_complete=complete_names("roles"), help="What the music is for [default: background_bed]."
)
@click.option("--license", help="The licence of the music, such as CC-BY-4.0.")
@click.option("--source", help="Where the music is from: a site, a shop, a person.")
@click.option("--rights", help="What may be done with it, in your words.")
@click.option(
    "--style", shell_complete=complete_names("styles"), help="A style preset [default: by its words]."
)
@click.option("--tag", "tags", multiple=True, help="A label for every track; may be given again.")
@click.option("--loop/--no-loop", "loopable", default=None, help="Every file repeats without a seam.")
@click.option(
    "--ai-generated/--not-ai-generated",
    default=None,
    help="A model made the music [default: what JSON beside a file says].",
)
@click.option(
    "--manifest",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A CSV or JSON Lines file with a column `path` and what is known of each file.",
)
@click.option(
    "--beets",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The database of a beets library, whose files are added.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be added: write nothing.")
@click.option("--undo", metavar="BATCH", help='Move a batch to the trash; "last" is the newest one.')
@json_option
@home_option
@config_option
def add(
    paths: tuple[str, ...],
    manifest: Path | None,
    beets: Path | None,
    dry_run: bool,
    undo: str | None,
    as_json: bool,
    home: str,
    config: str | None,
    **said: Any,
) -> None:
    """Take in music from files and folders, with what their tags say.

    What is in the catalog already, as the same bytes or the same recording, is left out. A file that cannot be read is
    named and passed over; then the exit code is 1. The same command again adds what is missing.
    """
    named = bool(paths or manifest or beets)
    if named == (undo is not None):
        raise InputError("name files or folders to add, or a batch with --undo; one of the two")
    options = {name: value for name, value in said.items() if value not in (None, ())}
    with open_service(home, config) as service:
        if undo is not None:
            _undo(service, undo, as_json)
            return
        if not dry_run:
            options |= _asked(service, paths, manifest, beets, options)
        with progress_bar("reading" if dry_run else "adding") as on_progress:
            batch = service.add(
                *paths,
                listed=manifest,
                beets=beets,
                dry_run=dry_run,
                on_progress=on_progress,
                on_file=None if as_json else _print,
                **options,
            )
    if as_json:
        print_json(batch.model_dump(mode="json"))
    _sum_up(batch)
    if not batch.files:
        raise NotFound("no audio file was found there; `catalog add --help` names what is read")
    if batch.count("failed"):
        raise click.exceptions.Exit(1)


def _undo(service: MusicService, batch: str, as_json: bool) -> None:
    moved = service.undo_add(batch)
    if as_json:
        print_json({"trashed": [track.id for track in moved]})
        return
    for track in moved:
        click.echo(track.id)
    click.echo(f"{len(moved)} tracks are in the trash; `catalog restore ID` brings one back", err=True)


def _asked(
    service: MusicService,
    paths: tuple[str, ...],
    manifest: Path | None,
    beets: Path | None,
    options: dict[str, Any],
) -> dict[str, str]:
    """Return the licence that a person types, where some file states none and somebody is there to ask."""
    if "license" in options or not sys.stdin.isatty():
        return {}
    if service.states_licenses(*paths, listed=manifest, beets=beets):
        return {}
    answer = click.prompt(
        "Some files state no licence. Under which may this music be used (Enter: unknown)?",
        default="",
        show_default=False,
        err=True,
    )
    return {"license": answer.strip()} if answer.strip() else {}


def _print(one: AddedFile) -> None:
    from ...report import shown

    told = one.detail
    if one.outcome == "added":
        length = "" if one.duration_s is None else f"{one.duration_s:.0f} s"
        facts = (one.track_id, one.title, ", ".join(one.genres), _style(one), one.role, one.license, length)
        told = " | ".join(filter(None, (*facts, one.detail)))
    # A name may hold what breaks a line, or what steers a terminal.
    click.echo(shown(f"{SYMBOLS[one.outcome]} {one.path}: {told}"), err=one.outcome != "added")


def _style(one: AddedFile) -> str:
    return one.style if not one.sure else f"{one.style} (from its words, {one.sure:.0%} sure)"


def _sum_up(batch: Batch) -> None:
    outcomes: tuple[Outcome, ...] = ("added", "present", "copy", "failed")
    count = {name: batch.count(name) for name in outcomes}
    would = "would be added" if batch.dry_run else "added"
    click.echo(
        f"{count['added']} {would}, {count['present']} there already, {count['copy']} copies of other files, "
        f"{count['failed']} not readable",
        err=True,
    )
    unknown = sum(one.outcome == "added" and one.license == "unknown" for one in batch.files)
    if unknown:
        click.echo(
            f"note: {unknown} state no licence and are kept as unknown; say it with --license", err=True
        )
    if count["added"] and not batch.dry_run:
        click.echo(f"batch {batch.id}; `catalog add --undo {batch.id}` takes it back", err=True)
