"""Commands to listen to a track and to judge it: play, rate, reject, and hear, by which the ear listens."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from ..errors import InputError, NotFound
from .home import open_library, open_service, open_store, workers_at
from .options import config_option, home_option, json_option, workers_option
from .terminal import Command, print_json, progress_bar

if TYPE_CHECKING:
    from ..models import Track
    from ..service.service import MusicService

__all__ = ["hear", "play", "rate", "reject"]

LONGEST_S = 86_400.0
_ID = re.compile(r"(?=.*[0-9])[0-9a-f]{4,}")
"""What nobody types as a query: a mistyped id must not play another track."""


@click.command(
    cls=Command,
    examples=["catalog play 3f2a9c", 'catalog play "calm rain at night" --seconds 10'],
)
@click.argument("words", nargs=-1, required=True, metavar="TRACK")
@click.option(
    "--seconds",
    type=click.FloatRange(0.1, LONGEST_S),
    show_default="to the end",
    help="Stop after this many seconds.",
)
@home_option
@config_option
def play(words: tuple[str, ...], seconds: float | None, home: str, config: str | None) -> None:
    """Play a track with a player of this machine.

    TRACK is an id or its beginning; or a query, as for `catalog search`, whose first hit is played.
    """
    from ..player import find_player, play_file
    from ..report import line

    with open_service(home, config, create=False) as service:
        track = _named(service, " ".join(words))
        path = service.store.audio.verified_path(track)
    player = find_player(path)
    click.echo(f"playing with {player}: {line(track)}", err=True)
    play_file(player, path, seconds)
    click.echo(str(path))


def _named(service: MusicService, text: str) -> Track:
    """Return the track with the id `text`, else the first hit of a search for it."""
    try:
        return service.store.tracks.find_id(text)
    except NotFound:
        if _ID.fullmatch(text):
            raise
        hits = service.search(text, limit=1)
    if not hits:
        raise NotFound(f"no track has the id {text!r} or matches it; see `catalog list`")
    return hits[0].track


@click.command(cls=Command, examples=['catalog rate 3f2a9c 5 --tag favourite --note "for the opening"'])
@click.argument("track_id")
@click.argument("rating", required=False, type=click.IntRange(1, 5))
@click.option("--clear", is_flag=True, help="Take the rating back.")
@click.option("--for", "request_id", help="Rate it as the answer to this request; see `catalog history`.")
@click.option("--tag", "add", multiple=True, help="Put a label of your own on it; repeatable.")
@click.option("--untag", "remove", multiple=True, help="Take a label off; repeatable.")
@click.option("--note", help='Write a note on it; "" removes the one there is.')
@click.option("--title", help='Call it this; "" takes the title away.')
@json_option
@home_option
def rate(
    track_id: str,
    rating: int | None,
    clear: bool,
    request_id: str | None,
    add: tuple[str, ...],
    remove: tuple[str, ...],
    note: str | None,
    title: str | None,
    as_json: bool,
    home: str,
) -> None:
    """Rate a track 1 to 5, label it, name it, or write a note on it."""
    from ..history import feedback
    from ..report import track_json

    if clear and rating is not None:
        raise InputError("give a RATING or --clear, not both")
    if rating is None and not (clear or add or remove or note is not None or title is not None):
        raise InputError(
            "there is nothing to keep; give a RATING from 1 to 5, --clear, --tag, --untag, --note or --title"
        )
    with open_store(home) as store:
        track = store.tracks.find_id(track_id)
        if clear or rating is not None:
            track = feedback.rate(store, track.id, rating, request_id)
        if add or remove or note is not None or title is not None:
            track = feedback.label(store, track.id, add=add, remove=remove, note=note, title=title)
    if as_json:
        print_json(track_json(track))
    else:
        click.echo(track.id)


@click.command(cls=Command, examples=["catalog reject 3f2a9c"])
@click.argument("track_id")
@click.option("--for", "request_id", help="The request it was wrong for [default: the last it answered].")
@click.option("--undo", is_flag=True, help="Take the rejection back [default: its last one].")
@json_option
@home_option
@config_option
def reject(
    track_id: str, request_id: str | None, undo: bool, as_json: bool, home: str, config: str | None
) -> None:
    """Keep a track from a request that it was wrong for.

    Requests near that one do not get it either; others still do.
    """
    with open_service(home, config, create=False) as service:
        judgement = service.reject(track_id, request_id, undo=undo)
    click.echo(f"{judgement.verdict}: {judgement.track_id} for request {judgement.request_id}", err=True)
    if as_json:
        print_json(judgement.model_dump(mode="json"))
    else:
        click.echo(judgement.track_id)


@click.command(cls=Command, examples=["catalog hear", "catalog hear 3f2a9c", "catalog hear --limit 500"])
@click.argument("track_ids", nargs=-1)
@click.option("--limit", type=click.IntRange(1, 1_000_000), help="Hear so many tracks at most.")
@click.option(
    "--ear", "model", help="Another ear than that of the configuration: a name, a repository or a folder."
)
@click.option(
    "--made",
    is_flag=True,
    help="Hear what was made in the last hour, when the processor has nothing else to do; what a service runs.",
)
@json_option
@home_option
@config_option
@workers_option
def hear(
    track_ids: tuple[str, ...],
    limit: int | None,
    model: str | None,
    made: bool,
    as_json: bool,
    home: str,
    config: str | None,
    workers: str | None,
) -> None:
    """Hear the tracks that the ear has not heard yet.

    Without TRACK_IDS these are all such tracks, the newest first. A run that is stopped goes on where it was.
    """
    from ..ear.loading import load
    from ..ear.tags import Tagger
    from ..service.ears.filling import hear_all
    from ..service.ears.made import hear_made

    if made and (track_ids or limit):
        raise InputError("--made goes without TRACK_IDS and --limit")
    if workers is not None and (track_ids or model or made):
        raise InputError(
            "--workers goes without TRACK_IDS, --ear and --made; name the ear in the configuration"
        )
    shared, library = workers_at(workers), open_library(config, home)
    ear = load(model or library.ear.model)
    tagger = Tagger(ear, library.styles)
    if shared is not None:
        from ..bulk import listening

        with open_service(home, config, create=False) as service, progress_bar("hearing") as on_progress:
            done = listening.hear_all(shared, service.flow, ear, limit=limit, on_progress=on_progress)
    else:
        with open_store(home) as store, progress_bar("hearing") as on_progress:
            tracks = [store.tracks.find_id(name) for name in track_ids] or None
            if made:
                done = hear_made(store, ear, tagger)
            else:
                done = hear_all(store, ear, tagger, tracks, limit=limit, on_progress=on_progress)
    if as_json:
        print_json(done.model_dump(mode="json"))
        return
    click.echo(f"{done.heard} tracks heard by {done.ear}, {done.tagged} of them tagged; {done.left} are left")
    if done.failed:
        click.echo(
            f"note: the audio of {', '.join(done.failed[:5])} cannot be heard; see `catalog doctor --deep`",
            err=True,
        )
    if done.heard > done.tagged:
        click.echo(
            "note: this ear reads no texts, so it tags nothing; `catalog models pull clap-general` does",
            err=True,
        )
