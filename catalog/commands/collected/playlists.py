"""Commands about playlists and saved searches: list, show, make, change, delete, restore and export them."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...errors import InputError
from ..home import open_service
from ..options import force_option, home_option, json_option, list_output
from ..terminal import Command, Group, print_json, print_rows

if TYPE_CHECKING:
    from ...models import Collection

__all__ = ["playlists"]


FORMATS = ("m3u", "zip", "csv", "jsonl")
MOST_SHOWN = 10_000
name_argument = click.argument("name")
tracks_argument = click.argument("track_ids", nargs=-1, required=True, metavar="TRACK...")


@click.group(cls=Group)
def playlists() -> None:
    """List, make, fill and export playlists and saved searches."""


@playlists.command("list", cls=Command, examples=["catalog playlists list"])
@list_output
@home_option
def playlists_list(as_json: bool, as_jsonl: bool, home: str) -> None:
    """List the playlists and saved searches by name.

    A playlist has a number of tracks, a saved search its query.
    """
    with open_service(home, None, create=False) as service:
        found = service.collections.list()
    rows = [one.model_dump(mode="json") for one in found]
    width = max((len(one.name) for one in found), default=0)
    print_rows("playlists", rows, as_json, as_jsonl, [f"{one.name:{width}}  {_what(one)}" for one in found])


@playlists.command("show", cls=Command, examples=['catalog playlists show "Rainy podcast"'])
@name_argument
@list_output
@home_option
def playlists_show(name: str, as_json: bool, as_jsonl: bool, home: str) -> None:
    """Show the tracks of a playlist in its order.

    A saved search is asked anew. NAME is a name or an id.
    """
    from ...report import line, track_json

    with open_service(home, None, create=False) as service:
        tracks = service.collected(name, limit=_most(service, name)).tracks
        rows = [{"path": str(service.store.audio.path_of(track)), **track_json(track)} for track in tracks]
    lines = [
        f"{line(track)}  (in the trash)" if track.state == "trashed" else line(track) for track in tracks
    ]
    print_rows("tracks", rows, as_json, as_jsonl, lines)


@playlists.command(
    "create",
    cls=Command,
    examples=[
        'catalog playlists create "Rainy podcast" 3f2a9c 81bd02',
        'catalog playlists create "Calm and rated" --query "mood:calm rating:4.."',
    ],
)
@name_argument
@click.argument("track_ids", nargs=-1, metavar="[TRACK]...")
@click.option("--query", help="Keep this search instead, as for `catalog search`.")
@json_option
@home_option
def playlists_create(
    name: str, track_ids: tuple[str, ...], query: str | None, as_json: bool, home: str
) -> None:
    """Make a playlist of TRACKs, or keep a search.

    The tracks play in the order given.
    """
    if query is not None and track_ids:
        raise InputError("a playlist has tracks or a query; pass one of the two")
    with open_service(home, None, create=False) as service:
        if query is None:
            made = service.collections.create(name, track_ids)
        else:
            service.browse(query, by="both", narrow=True, limit=1)  # refuses a query that cannot be read
            made = service.collections.save_search(name, query)
    _print(made, as_json)


@playlists.command(
    "change", cls=Command, examples=['catalog playlists change "Calm" --query "mood:calm rating:5"']
)
@name_argument
@click.option("--name", "new_name", help="Its new name.")
@click.option("--query", help="The new query of a saved search.")
@json_option
@home_option
def playlists_change(name: str, new_name: str | None, query: str | None, as_json: bool, home: str) -> None:
    """Rename a playlist or give a saved search another query.

    NAME is a name or an id.
    """
    if new_name is None and query is None:
        raise InputError("there is nothing to change; pass --name or --query")
    with open_service(home, None, create=False) as service:
        changed = service.collections.get(name)
        if query is not None:
            service.browse(query, by=changed.by, sort=changed.sort, narrow=True, limit=1)
            changed = service.collections.change_search(changed.id, query=query)
        if new_name is not None:
            changed = service.collections.rename(changed.id, new_name)
    _print(changed, as_json)


@playlists.command("add", cls=Command, examples=['catalog playlists add "Rainy podcast" 5c77e1'])
@name_argument
@tracks_argument
@json_option
@home_option
def playlists_add(name: str, track_ids: tuple[str, ...], as_json: bool, home: str) -> None:
    """Add TRACKs at the end of a playlist.

    One that is in it stays where it is.
    """
    with open_service(home, None, create=False) as service:
        changed = service.collections.add(name, track_ids)
    _print(changed, as_json)


@playlists.command("remove", cls=Command, examples=['catalog playlists remove "Rainy podcast" 5c77e1'])
@name_argument
@tracks_argument
@json_option
@home_option
def playlists_remove(name: str, track_ids: tuple[str, ...], as_json: bool, home: str) -> None:
    """Take TRACKs out of a playlist; they stay in the catalog.

    The beginning of an id is enough.
    """
    with open_service(home, None, create=False) as service:
        held = service.collections.get(name).track_ids or ()
        gone = [one for one in held if any(one.startswith(each) for each in track_ids)]
        if missing := [each for each in track_ids if not any(one.startswith(each) for one in held)]:
            raise InputError(f"{name!r} has no track {missing[0]!r}; `catalog playlists show` lists them")
        changed = service.collections.remove(name, gone)
    _print(changed, as_json)


@playlists.command("delete", cls=Command, examples=['catalog playlists delete "Rainy podcast"'])
@name_argument
@json_option
@home_option
def playlists_delete(name: str, as_json: bool, home: str) -> None:
    """Delete a playlist or saved search, not its tracks.

    NAME is a name or an id. `catalog playlists restore` brings it back for a week.
    """
    from ...report import shown

    with open_service(home, None, create=False) as service:
        deleted = service.collections.delete(name)
    _print(deleted, as_json)
    command = shown(f"catalog playlists restore {shlex.quote(deleted.name)}")
    click.echo(f"deleted; `{command}` brings it back for a week", err=True)


@playlists.command("restore", cls=Command, examples=['catalog playlists restore "Rainy podcast"'])
@name_argument
@json_option
@home_option
def playlists_restore(name: str, as_json: bool, home: str) -> None:
    """Bring back a playlist or saved search that was deleted.

    NAME is a name or an id; of several of a name it is the one deleted last.
    """
    with open_service(home, None, create=False) as service:
        restored = service.collections.restore(name)
    _print(restored, as_json)


@playlists.command(
    "export",
    cls=Command,
    examples=['catalog playlists export "Rainy podcast" --format zip --to podcast.zip'],
)
@name_argument
@click.option(
    "--format", "form", required=True, type=click.Choice(FORMATS), help="A playlist, audio in a ZIP, a table."
)
@click.option("--to", required=True, type=click.Path(), help="The file; - for standard output (not zip).")
@force_option
@home_option
def playlists_export(name: str, form: str, to: str, force: bool, home: str) -> None:
    """Export a playlist as a list or with its audio.

    What is in the trash is left out.
    """
    from ...export import check_target, export_tracks, write_zip

    with open_service(home, None, create=False) as service:
        tracks = [
            track
            for track in service.collected(name, limit=_most(service, name)).tracks
            if track.state == "ready"
        ]
        if form == "zip":
            check_target(Path(to), force=force, suffixes=None)
            write_zip(service.store, tracks, Path(to))
            written = [Path(to)]
        else:
            written = export_tracks(service.store, tracks, form, to, force=force)
    for path in written:
        click.echo(str(path))


def _most(service: Any, name: str) -> int:
    """Return how many tracks to ask for: all of a playlist, of a search as many as it keeps."""
    from ...service.browse import BEST

    return MOST_SHOWN if service.collections.get(name).query is None else BEST


def _what(one: Collection) -> str:
    if one.query is not None:
        return f"search: {one.query}"
    count = len(one.track_ids or ())
    return f"{count} track{'' if count == 1 else 's'}"


def _print(one: Collection, as_json: bool) -> None:
    if as_json:
        print_json(one.model_dump(mode="json"))
    else:
        click.echo(f"{one.name}  {_what(one)}")
