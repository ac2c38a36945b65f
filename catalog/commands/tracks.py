"""Commands about tracks in the catalog: list, show, export, remove, restore."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import CatalogError, InputError
from .home import open_store
from .inputs import query_hints, read_filter
from .options import (
    MOST_DAYS,
    days_option,
    filter_options,
    home_option,
    json_option,
    list_output,
)
from .terminal import Command, print_json, print_rows, progress_bar

LONGEST_DRAWN_S = 3_600.0
"""The longest track that is read for a drawing."""
WIDEST = 100
"""Letters in a line of the spectrum."""
NOT_HEARD = "not heard yet; `catalog hear` hears it, or says what that needs"

if TYPE_CHECKING:
    from ..generator import Audio
    from ..models import Track
    from ..portrait.portrait import Portrait
    from ..store.store import Store

__all__ = ["export", "list_", "restore", "rm", "show"]


@click.command(cls=Command, name="list", examples=['catalog list "rating:4.. made:7d"'])
@click.argument("words", nargs=-1, metavar="[QUERY]...")
@filter_options
@click.option("--trashed", is_flag=True, help="List the trash instead.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 100_000))
@click.option("--offset", default=0, show_default=True, type=click.IntRange(0))
@click.option("--sort", default="-created_at", show_default=True, help="A column; - in front reverses.")
@list_output
@home_option
def list_(
    words: tuple[str, ...],
    trashed: bool,
    limit: int,
    offset: int,
    sort: str,
    as_json: bool,
    as_jsonl: bool,
    home: str,
    **facts: Any,
) -> None:
    """List tracks, newest first: all, or those that meet QUERY.

    QUERY holds facts and words, such as mood:calm rating:4.. made:7d.
    """
    from ..report import line, track_json

    with open_store(home) as store:
        facts = {**facts, "state": "trashed" if trashed else None}
        where = read_filter(" ".join(words), facts, home)
        tracks = store.tracks.list(where, order=sort, limit=limit, offset=offset)
        total = store.tracks.count(where)
        rows = [{"path": str(store.audio.path_of(track)), **track_json(track)} for track in tracks]
    print_rows("tracks", rows, as_json, as_jsonl, [line(track) for track in tracks])
    if not tracks and total == 0:
        for hint in query_hints(" ".join(words), facts, home):
            click.echo(f"note: {hint}", err=True)
    if not (as_json or as_jsonl):
        click.echo(f"{len(tracks)} of {total} tracks", err=True)


@click.command(cls=Command, examples=["catalog show 3f2a9c"])
@click.argument("track_id")
@json_option
@home_option
def show(track_id: str, as_json: bool, home: str) -> None:
    """Show everything about one track.

    It tells what the track was made for, how, and by what, and in words how it sounds: beat, key, sections, loudness,
    brightness. A terminal also gets its spectrum in letters.
    """
    from ..hearing.describing import described
    from ..report import shown
    from ..request.builder import load_library

    with open_store(home) as store:
        track = store.tracks.find_id(track_id)
        path = store.audio.path_of(track)
        drawn = _portrait(store, track, picture=not as_json and sys.stdout.isatty())
    if as_json:
        print_json({"path": str(path), **track.model_dump(mode="json"), **drawn.numbers})
        return
    for text in drawn.picture:
        click.echo(text)
    click.echo(f"path: {path}")
    for name, value in track.model_dump(mode="json").items():
        if name == "config":
            for key, setting in value.items():
                click.echo(f"config.{key}: {shown(setting)}  [{track.config_sources.get(key, '')}]")
        elif name not in ("config_sources", "heard"):
            click.echo(f"{name}: {shown(value)}")
    click.echo(f"heard: {track.heard or NOT_HEARD}")
    for name, words in drawn.words.items():
        if name not in ("heard", "suggests"):
            click.echo(f"{name}: {words}")
    click.echo(f"suggests: {described(track, load_library(None, home).styles)}")


def _portrait(store: Store, track: Track, *, picture: bool) -> Portrait:
    """Return beats, sections and words, with a picture as wide as the terminal; nothing for audio that is damaged."""
    from ..generator import AudioError, audio
    from ..portrait.portrait import Portrait, portrait
    from ..web.cache import FileCache

    def samples() -> Audio:
        path = store.audio.verified_path(track)
        return audio.read(path, max_bytes=track.audio_bytes, max_duration_s=LONGEST_DRAWN_S)

    cache = FileCache(store.home / "cache" / "web")
    width = min(WIDEST, shutil.get_terminal_size().columns) if picture else 0
    try:
        return portrait(track, samples, cache.open, width)
    except (AudioError, CatalogError) as error:
        click.echo(f"note: beats and sections are not known: {error}", err=True)
        return Portrait()
    finally:
        cache.close()


@click.command(
    cls=Command,
    examples=[
        "catalog export --format m3u --to all.m3u",
        "catalog export --format flac --to calm --query mood:calm",
    ],
)
@click.argument("track_ids", nargs=-1)
@click.option(
    "--format",
    "form",
    required=True,
    type=click.Choice(["wav", "flac", "ogg", "m3u", "csv", "jsonl", "parquet"]),
    help="Audio files into a folder, or a list of the tracks into a file.",
)
@click.option(
    "--to",
    required=True,
    type=click.Path(),
    help="The folder or file; - for standard output (csv, jsonl, m3u).",
)
@click.option("--force", is_flag=True, help="Replace existing files.")
@click.option("--query", help="Only tracks that meet this query, as for `catalog list`.")
@filter_options
@home_option
def export(
    track_ids: tuple[str, ...],
    form: str,
    to: str,
    force: bool,
    query: str | None,
    home: str,
    **facts: Any,
) -> None:
    """Export tracks with what is known about them.

    Without TRACK_IDS these are all tracks, or those that the filters leave.
    """
    from ..export import export_tracks

    with open_store(home) as store:
        if track_ids:
            tracks = [store.tracks.find_id(track_id) for track_id in track_ids]
        else:
            where = read_filter(query or "", facts, home)
            tracks = store.tracks.list(where, order="created_at", limit=None)
        written = export_tracks(store, tracks, form, to, force=force)
    for path in written:
        click.echo(str(path))
    if not (tracks or track_ids):
        for hint in query_hints(query or "", facts, home):
            click.echo(f"note: {hint}", err=True)
    click.echo(f"{len(tracks)} tracks exported as {form}", err=True)


@click.command(cls=Command, examples=["catalog rm 3f2a9c", "catalog rm --purge --older-than 30"])
@click.argument("track_ids", nargs=-1)
@click.option("--purge", is_flag=True, help="Empty the trash; lost/ keeps it for 7 days.")
@click.option(
    "--older-than",
    type=click.FloatRange(0, MOST_DAYS),
    callback=days_option,
    default=0.0,
    help="With --purge: only what was trashed this many days ago.",
)
@home_option
def rm(track_ids: tuple[str, ...], purge: bool, older_than: float, home: str) -> None:
    """Put tracks in the trash, or empty it.

    `catalog restore` takes them out again.
    """
    if bool(track_ids) == purge:
        raise InputError("name the tracks to put in the trash, or --purge to empty it; not both, not neither")
    with open_store(home) as store:
        if purge:
            count = store.care.purge(older_than_s=older_than * 86_400)
            of_store = "their rows for 7 days; then `catalog care` deletes them and their audio"
            kept = of_store if store.blobs else "them for 7 days"
            place = store.blobs.address if store.blobs else store.address
            click.echo(f"{count} tracks purged; {place}/lost keeps {kept}", err=True)
            return
        for track_id in [store.tracks.find_id(name).id for name in track_ids]:
            store.tracks.trash(track_id)
            click.echo(track_id)


@click.command(cls=Command, examples=["catalog restore 3f2a9c", "catalog restore --from /media/backup"])
@click.argument("track_ids", nargs=-1)
@click.option(
    "--from",
    "backup",
    type=click.Path(file_okay=False),
    metavar="DIR",
    help="Bring the whole catalog back from the backup in DIR into a home that is absent or empty.",
)
@click.option("--snapshot", metavar="NAME", help="With --from: this snapshot [default: the newest].")
@click.option("--list", "listing", is_flag=True, help="With --from: only list the snapshots, newest first.")
@click.option(
    "--force",
    is_flag=True,
    help="With --from: move what the home holds to a folder before-restore-* in it.",
)
@json_option
@home_option
def restore(
    track_ids: tuple[str, ...],
    backup: str | None,
    snapshot: str | None,
    listing: bool,
    force: bool,
    as_json: bool,
    home: str,
) -> None:
    """Take tracks out of the trash, or a catalog from its backup.

    `catalog doctor --backup` makes a backup.
    """
    if bool(track_ids) == (backup is not None):
        raise InputError("name the tracks to take out of the trash, or a backup with --from; one of the two")
    if backup is None:
        if snapshot or listing or force or as_json:
            raise InputError("--snapshot, --list, --force and --json go with --from")
        with open_store(home) as store:
            for track_id in [store.tracks.find_id(name).id for name in track_ids]:
                store.tracks.restore(track_id)
                click.echo(track_id)
    elif listing:
        _print_snapshots(Path(backup), as_json)
    else:
        _bring_back(backup, home, snapshot, force, as_json)


def _print_snapshots(backup: Path, as_json: bool) -> None:
    from ..upkeep.snapshots import summaries

    rows = [summary.model_dump(mode="json") for summary in summaries(backup)]
    lines = [f"{row['name']}  {row['detail']}" for row in rows]
    print_rows("snapshots", rows, as_json, False, lines)


def _bring_back(backup: str, home: str, snapshot: str | None, force: bool, as_json: bool) -> None:
    from ..upkeep.restore import restore as bring_back

    with progress_bar("restoring") as on_progress:
        restored = bring_back(backup, home, snapshot=snapshot, force=force, on_progress=on_progress)
    if restored.aside:
        click.echo(f"note: what was there before is in {restored.aside}", err=True)
    for path in restored.lacking:
        click.echo(f"damage: {path} is not in the backup as it was stored", err=True)
    source = f"the snapshot {restored.snapshot}" if restored.snapshot else backup
    click.echo(
        f"{restored.tracks} tracks, {restored.files} files of {restored.size_bytes / 1e6:.1f} MB from {source}",
        err=True,
    )
    if as_json:
        print_json(restored.model_dump(mode="json"))
    else:
        click.echo(restored.home)
    if restored.lacking:
        raise click.exceptions.Exit(5)
