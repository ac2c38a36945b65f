"""The `catalog` command: parse, call, print. stdout carries data only; progress and notes go to stderr.

Exit codes: 0 ok, 1 failure, 2 usage, 3 nothing found, 4 busy, 5 damage found, 6 generator or model
unavailable, 130 interrupted.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from catalog.errors import CatalogError, InputError, NotFound, Unavailable

if TYPE_CHECKING:
    from catalog import MusicService
    from catalog.client import RunningService
    from catalog.models import Result
    from generator import Progress

__all__ = ["catalog", "main", "musicgen"]

SCHEMA_VERSION = 1
_interrupted = False
MAX_READ_BYTES = 64_000_000
"""More than any context or batch may hold; the rest is not read."""
Function = TypeVar("Function", bound=Callable[..., Any])


class Failure(click.ClickException):
    """A catalog error on its way to the terminal."""

    def __init__(self, error: CatalogError) -> None:
        super().__init__(str(error))
        self.exit_code = error.exit_code  # type: ignore[misc]


class Command(click.Command):
    """A command whose catalog errors become one line and an exit code, also when a host CLI mounts it."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except CatalogError as error:
            raise Failure(error) from error
        except OSError as error:
            if error.errno == errno.EPIPE:
                # The reader of the pipe went away (`| head`); click ends the process quietly.
                raise
            place = f" ({error.filename})" if error.filename else ""
            raise click.ClickException(f"{error.strerror or error}{place}") from error


class Group(click.Group):
    command_class = Command
    group_class = type


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="music-catalog", prog_name="catalog")
def catalog() -> None:
    """Music that fits what your application just said: reuse a close match, or make and insert a new track."""


def main() -> None:
    """Run the command line with one error border."""
    signal.signal(signal.SIGINT, _interrupt)
    try:
        code = catalog.main(standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Exit as stop:
        code = stop.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        # An interrupt inside the exec of a module being imported leaves a mark that would make the interpreter kill
        # itself at its end; the next exec takes it away.
        exec("")
        code = 130
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except OSError as error:
        click.echo(f"Error: standard output cannot be written: {error.strerror}", err=True)
        # What is still in the buffer cannot be written either; the interpreter must not try again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        code = 1
    sys.exit(code if isinstance(code, int) else 0)


def _interrupt(number: int, frame: Any) -> NoReturn:
    """Raise KeyboardInterrupt, and remember it: code that is just being imported may swallow what is raised in it."""
    del number, frame
    global _interrupted
    _interrupted = True
    raise KeyboardInterrupt


def _end_at_once() -> NoReturn:
    """End the process well although a thread still works: the interpreter's end under native code would abort it.

    What such a thread works on is in the log as cancelled, and what is stored is synced.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


# Options that several commands share


def options(*decorators: Callable[[Any], Any]) -> Callable[[Function], Function]:
    def apply(function: Function) -> Function:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return apply


def _complete(kind: str) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    def names(ctx: click.Context, _: click.Parameter, typed: str) -> list[str]:
        try:
            library = _library(ctx.params.get("config"), ctx.params.get("home"))
        except CatalogError:
            return []
        return [name for name in getattr(library, kind) if name.startswith(typed)]

    return names


home_option = click.option(
    "--home",
    envvar="CATALOG_HOME",
    default="data",
    show_default=True,
    show_envvar=True,
    help="The catalog's folder; created on first use.",
)
config_option = click.option(
    "--config",
    envvar="CATALOG_CONFIG",
    type=click.Path(dir_okay=False),
    show_envvar=True,
    help="A configuration file in the musicgen: shape [default: catalog.yaml in the home, if there].",
)
no_server_option = click.option(
    "--no-server",
    envvar="CATALOG_NO_SERVER",
    is_flag=True,
    show_envvar=True,
    help="Do the work here, even where `catalog serve` runs in this home.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
list_output = options(
    json_option, click.option("--jsonl", "as_jsonl", is_flag=True, help="Print one JSON object a line.")
)
context_options = options(
    click.argument("text", required=False),
    click.option(
        "--context-file",
        type=click.Path(dir_okay=False),
        help="Read the context from a file: text, or a JSON payload with an answer, chunk, scene or text.",
    ),
    click.option("--query", help="The question that the context answers."),
    click.option(
        "--environment", help="Where the scene is, when your pipeline knows: forest, rain, ocean, ..."
    ),
    click.option("--time-of-day", help="When the scene is: dawn, morning, day, dusk, evening, night."),
    click.option("--mood", "mood_tags", multiple=True, help="A mood tag your pipeline knows; repeatable."),
    click.option("--valence", type=float, help="Pleasantness, -1 to 1, when your pipeline knows it."),
    click.option("--energy", type=float, help="Energy, -1 to 1, when your pipeline knows it."),
    click.option(
        "--preset", shell_complete=_complete("styles"), help="Style preset; see `catalog presets list`."
    ),
    click.option(
        "--role", shell_complete=_complete("roles"), help="What the music is for: background_bed, ..."
    ),
    click.option("--quality", help="Quality tier: preview, standard or final."),
    click.option("--duration", "duration_s", type=float, help="Length in seconds."),
    click.option("--loop/--no-loop", "loopable", default=None, help="Whether it must loop without a seam."),
    click.option(
        "--seed", type=int, help="Seed for the generator; the same inputs and seed give the same samples."
    ),
    click.option("--backend", help="auto, mlx or procedural."),
    click.option(
        "--continue-from",
        metavar="TRACK",
        help="Go on from this track, by MusicGen; --duration counts what it lasts already.",
    ),
    click.option(
        "--melody",
        type=click.Path(),
        metavar="FILE",
        help="Follow the melody of this recording (.wav, .flac or .ogg, at most 10 minutes).",
    ),
    click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="NAME=VALUE",
        help="Any other generation value, say --set temperature=0.8; repeatable.",
    ),
)
audience_options = options(
    click.option("--listener", help="Who hears it: another fitting track than the one they just heard."),
    click.option("--theme", help="A recurring theme, which keeps its track while that fits."),
)
reuse_options = options(
    click.option(
        "--max-false-reuse",
        type=float,
        help="The share of reused tracks that may turn out not to fit [default: 0.1].",
    ),
    click.option(
        "--min-similarity",
        type=float,
        help="Decide by score: what a candidate needs, -1 to 1, certified or not.",
    ),
)
out_options = options(
    click.option(
        "--out", type=click.Path(dir_okay=False), help="Also write the track here (.wav, .flac or .ogg)."
    ),
    click.option("--force", is_flag=True, help="Let --out replace an existing file."),
)
filter_options = options(
    click.option("--style", shell_complete=_complete("styles"), help="Only this style."),
    click.option("--role", shell_complete=_complete("roles"), help="Only this role."),
    click.option("--min-quality", help="Only this quality tier and better."),
    click.option("--environment", help="Only this environment."),
    click.option("--time-of-day", help="Only this time of day."),
    click.option("--mood", multiple=True, help="Only tracks with this mood tag; repeatable, all must hold."),
    click.option("--loop/--no-loop", "loopable", default=None, help="Only loops, or only one-shots."),
    click.option("--min-duration", "min_duration_s", type=float, help="At least this long, in seconds."),
    click.option("--max-duration", "max_duration_s", type=float, help="At most this long, in seconds."),
    click.option("--min-tempo", "min_tempo_bpm", type=float, help="At least this fast, in BPM."),
    click.option("--max-tempo", "max_tempo_bpm", type=float, help="At most this fast, in BPM."),
    click.option("--made-by", "backend", help="Only tracks of this backend: mlx or procedural."),
)


# The main job


@catalog.command("find-or-make")
@context_options
@audience_options
@click.option("--reuse", default="auto", show_default=True, type=click.Choice(["auto", "always", "never"]))
@reuse_options
@click.option("--dry-run", is_flag=True, help="Decide and stop: make nothing.")
@click.option("--explain", is_flag=True, help="Show features, choices and candidates with their scores.")
@click.option(
    "--batch",
    type=click.Path(dir_okay=False, allow_dash=True),
    help="Serve a file of contexts, one JSON string or payload a line; prints one JSON object a line.",
)
@out_options
@json_option
@home_option
@config_option
@no_server_option
def find_or_make(
    reuse: str,
    max_false_reuse: float | None,
    min_similarity: float | None,
    dry_run: bool,
    explain: bool,
    batch: str | None,
    out: str | None,
    force: bool,
    as_json: bool,
    home: str,
    config: str | None,
    no_server: bool,
    **asked: Any,
) -> None:
    """Reuse a track that fits TEXT, or make one. TEXT may be - for standard input."""
    if batch is not None:
        if out or dry_run or reuse != "auto" or asked.pop("text") or asked.pop("context_file"):
            raise InputError("--batch goes without TEXT, --context-file, --out, --dry-run and --reuse")
        held = {"max_false_reuse": max_false_reuse, "min_similarity": min_similarity}
        _serve_batch(batch, explain, home, config, {**held, **asked})
        return
    if dry_run and out:
        raise InputError("--dry-run makes nothing that --out could write; drop one of them")
    source, asked = _asked(asked)
    asked |= _given({"max_false_reuse": max_false_reuse, "min_similarity": min_similarity})
    _check_out(out, force)
    # What a recording holds is not told by its name, and a service elsewhere may not read it.
    no_server = no_server or "melody" in asked
    told_apart = {"listener", "theme", "melody"} & asked.keys()
    plain = not (dry_run or explain or out or reuse == "never" or told_apart)
    if plain:
        from catalog import shortcut

        call = shortcut.name_of(home, config, source, {**asked, "reuse": reuse})
        if kept := shortcut.answer(home, call):
            _deliver(kept, as_json, explain)
            return
        vouched = shortcut.stamp(home)

    def ask(running: RunningService) -> dict[str, Any]:
        body = {**_body(source, asked), "reuse": reuse, "explain": explain, "dry_run": dry_run}
        told = running.find_or_make(body, _progress)
        return {**told, "path": _downloaded(running, told, out)}

    told = _from_service(home, config, no_server, ask)
    if told is None:
        with _service(home, config) as service, _progress() as on_progress:
            result = service.find_or_make(
                _context(source),
                reuse=reuse,  # type: ignore[arg-type]
                explain=explain,
                dry_run=dry_run,
                on_progress=on_progress,
                **asked,
            )
            if plain:
                shortcut.keep(home, config, call, vouched, service, result)
        told = _told(result, out)
    _deliver(told, as_json, explain)


def _serve_batch(batch: str, explain: bool, home: str, config: str | None, asked: dict[str, Any]) -> None:
    from catalog.context import read_lines
    from catalog.report import result_json

    contexts = read_lines(_read(batch))
    with _service(home, config) as service, _progress() as on_progress:
        results = service.find_or_make_all(contexts, on_progress=on_progress, **_choices(asked))
    for result in results:
        _print_json(result_json(result, result.path, explain=explain))


@catalog.command()
@context_options
@click.option("--explain", is_flag=True, help="Show features, choices and configuration.")
@out_options
@json_option
@home_option
@config_option
def musicgen(
    explain: bool, out: str | None, force: bool, as_json: bool, home: str, config: str | None, **asked: Any
) -> None:
    """Make a new track for TEXT, whatever the catalog holds. TEXT may be - for standard input."""
    source, asked = _asked(asked)
    _check_out(out, force)
    with _service(home, config) as service, _progress() as on_progress:
        result = service.generate(_context(source), on_progress=on_progress, **asked)
    _deliver(_told(result, out), as_json, explain)


@catalog.command()
@context_options
@reuse_options
@click.option("--explain", is_flag=True, help="Show features, choices and candidates with their scores.")
@json_option
@home_option
@config_option
@no_server_option
def find(
    max_false_reuse: float | None,
    min_similarity: float | None,
    explain: bool,
    as_json: bool,
    home: str,
    config: str | None,
    no_server: bool,
    **asked: Any,
) -> None:
    """Find the track that find-or-make would reuse for TEXT; exit 3 when there is none. Never makes."""
    source, asked = _asked(asked)
    asked |= _given({"max_false_reuse": max_false_reuse, "min_similarity": min_similarity})
    no_server = no_server or "melody" in asked
    told = _from_service(home, config, no_server, lambda running: running.find(_body(source, asked)))
    if told is None:
        with _service(home, config, create=False) as service:
            told = _told(service.explain(_context(source), **asked))
    _deliver(told, as_json, explain)
    if told["track"] is None:
        raise NotFound(f"nothing fits: {told['reason']}")


@catalog.command()
@click.argument("words", nargs=-1, required=True, metavar="QUERY...")
@click.option(
    "--by",
    type=click.Choice(["meaning", "words", "both"]),
    default="meaning",
    show_default=True,
    help="Compare meanings, words, or both.",
)
@click.option("--limit", default=10, show_default=True, type=click.IntRange(1, 1000))
@filter_options
@list_output
@home_option
@config_option
@no_server_option
def search(
    words: tuple[str, ...],
    by: str,
    limit: int,
    as_json: bool,
    as_jsonl: bool,
    home: str,
    config: str | None,
    no_server: bool,
    **facts: Any,
) -> None:
    """Search the catalog for QUERY: words, "phrases" and facts such as mood:calm length:30..60 -style:drone."""
    text = " ".join(words)
    body = {"query": text, "by": by, "limit": limit, "facts": _given(facts)}
    told = _from_service(home, config, no_server, lambda running: running.search(body))
    if told is None:
        from catalog.report import hits_json

        with _service(home, config, create=False) as service:
            told = hits_json(service.search(text, by=by, limit=limit, **_given(facts)))  # type: ignore[arg-type]
    _print_rows("hits", told["hits"], as_json, as_jsonl, told["lines"])
    if not told["hits"]:
        raise NotFound(f"no track matches {text!r}; loosen the filters or see `catalog list`")


@catalog.command()
@click.argument("track_id")
@click.option(
    "--by",
    type=click.Choice(["text", "sound"]),
    default="text",
    show_default=True,
    help="Compare what they were made for, or how they sound.",
)
@click.option("--limit", default=10, show_default=True, type=click.IntRange(1, 1000))
@filter_options
@list_output
@home_option
@config_option
def similar(
    track_id: str,
    by: str,
    limit: int,
    as_json: bool,
    as_jsonl: bool,
    home: str,
    config: str | None,
    **facts: Any,
) -> None:
    """List the tracks most like TRACK_ID: made for similar texts, or sounding alike."""
    from catalog.report import hits_json

    with _service(home, config, create=False) as service:
        told = hits_json(service.similar(track_id, by=by, limit=limit, **_given(facts)))  # type: ignore[arg-type]
    _print_rows("hits", told["hits"], as_json, as_jsonl, told["lines"])
    if not told["hits"]:
        raise NotFound(
            "there is no other track to compare with; see `catalog list`, or `catalog doctor` for sounds"
        )


# The catalog


@catalog.command("list")
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
    """List tracks, newest first: all, or those that meet QUERY, such as mood:calm rating:4.. made:7d."""
    from catalog.report import line, track_json

    with _store(home) as store:
        where = _asked_for(words, {**facts, **({"state": "trashed"} if trashed else {})}, home)
        tracks = store.list(where, order=sort, limit=limit, offset=offset)
        total = store.count(where)
        rows = [{"path": str(store.path_of(track)), **track_json(track)} for track in tracks]
    _print_rows("tracks", rows, as_json, as_jsonl, [line(track) for track in tracks])
    if not (as_json or as_jsonl):
        click.echo(f"{len(tracks)} of {total} tracks", err=True)


# Scenes


@catalog.command()
@context_options
@audience_options
@click.option("--explain", is_flag=True, help="Show features, choices and candidates with their scores.")
@out_options
@json_option
@home_option
@config_option
def scene(
    explain: bool, out: str | None, force: bool, as_json: bool, home: str, config: str | None, **asked: Any
) -> None:
    """Find or make a seamless loop for the scene in TEXT; --out writes it as long as --duration (45 s) says."""
    from catalog.scene import write_at_length

    if asked.pop("loopable") is False:
        raise InputError("a scene is a loop; drop --no-loop, or use find-or-make")
    source, asked = _asked(asked)
    _check_out(out, force)
    duration_s = asked.pop("duration_s", 45.0)
    with _service(home, config) as service, _progress() as on_progress:
        result = service.scene(_context(source), duration_s=duration_s, on_progress=on_progress, **asked)
    told = _told(result, None)
    if out is not None and result.path is not None:
        write_at_length(result.path, Path(out).resolve(), duration_s)
        told["path"] = out
    _deliver(told, as_json, explain)


levels_options = options(
    click.option("--voice-lufs", type=float, help="Loudness of the voice [default: -18]."),
    click.option("--bed-lufs", type=float, help="Loudness of the music where nobody speaks [default: -24]."),
    click.option("--stems", type=click.Path(), help="Also write voice and music alone into this folder."),
    click.option(
        "--cues",
        "cue_files",
        multiple=True,
        type=click.Path(dir_okay=False),
        help="Also write what plays when, as .vtt or .json; repeatable.",
    ),
    click.option("--force", is_flag=True, help="Replace files that exist."),
)


@catalog.command()
@click.option("--bed", required=True, help="A track's id, or an audio file.")
@click.option(
    "--narration", required=True, type=click.Path(dir_okay=False), help="The voice: WAV, FLAC or OGG."
)
@click.option("--out", required=True, type=click.Path(dir_okay=False), help="The mix (.wav, .flac or .ogg).")
@click.option("--loop/--no-loop", default=None, help="Repeat the bed [default: if the track is a loop].")
@click.option("--role", help="Duck as for this role [default: the track's].")
@click.option("--depth", "depth_db", type=float, help="Duck by this many dB at the least.")
@click.option("--attack", "attack_s", type=float, help="Seconds in which the bed goes down.")
@click.option("--hold", "hold_s", type=float, help="Seconds it stays down after the last word.")
@click.option("--release", "release_s", type=float, help="Seconds in which it comes back.")
@click.option("--pre-roll", "pre_roll_s", type=float, default=2.0, show_default=True, help="Music before.")
@click.option("--post-roll", "post_roll_s", type=float, default=3.0, show_default=True, help="Music after.")
@levels_options
@json_option
@home_option
def mix(
    bed: str, narration: str, out: str, as_json: bool, home: str, cue_files: tuple[str, ...], **asked: Any
) -> None:
    """Mix a track or file under a narration: the bed gives way to the voice and never clips."""
    from catalog.underlay import mix_under

    def find_track(track_id: str) -> tuple[Any, Path]:
        with _store(home) as store:
            track = store.find_id(track_id)
            return track, store.path_of(track)

    levels = _given({name: asked.pop(name) for name in ("voice_lufs", "bed_lufs")})
    times = _given({name: asked.pop(name) for name in ("depth_db", "attack_s", "hold_s", "release_s")})
    told = mix_under(
        bed, narration, out, find_track, levels=levels, ducking=times, cue_files=cue_files, **asked
    )
    _deliver_mix(told, as_json)


@catalog.command()
@click.argument("story", type=click.Path(dir_okay=False))
@click.option("--out", required=True, type=click.Path(dir_okay=False), help="The mix (.wav, .flac or .ogg).")
@click.option("--narrator", help="Who speaks where a chunk has no narration: espeak-ng, mlx-audio, orpheus.")
@click.option("--cover", help="Who paints a cover beside the mix: mflux.")
@click.option("--quality", help="Quality tier of new loops: preview, standard or final.")
@click.option("--backend", help="auto, mlx or procedural.")
@click.option("--seed", type=int, help="Seed for new loops.")
@click.option("--listener", help="Who hears it: tracks they just heard rest.")
@click.option("--voice-lufs", type=float, help="Loudness of the voice [default: -18].")
@click.option("--bed-lufs", type=float, help="Loudness of the music where nobody speaks [default: -24].")
@click.option("--stems", type=click.Path(), help="Also write voice and music alone into this folder.")
@click.option("--force", is_flag=True, help="Replace files that exist.")
@json_option
@home_option
@config_option
def score(
    story: str,
    out: str,
    narrator: str | None,
    cover: str | None,
    voice_lufs: float | None,
    bed_lufs: float | None,
    as_json: bool,
    home: str,
    config: str | None,
    **asked: Any,
) -> None:
    """Score STORY, one JSON chunk a line, as one timeline; cues (.json, .vtt) and a plot (.svg) go beside --out."""
    from catalog import renderers
    from catalog.score import levels_of
    from catalog.score import score as score_story

    voice = renderers.narrator(narrator) if narrator else None
    painter = renderers.renderer(cover, renderers.COVERS) if cover else None
    levels = levels_of(**_given({"voice_lufs": voice_lufs, "bed_lufs": bed_lufs}))
    with _service(home, config) as service, _progress() as on_progress:
        told = score_story(
            service,
            story,
            out,
            voice=voice,
            cover=painter,
            levels=levels,
            on_progress=on_progress,
            on_scene=lambda line: click.echo(line, err=True),
            **_given(asked),
        )
    _deliver_mix(told, as_json)


def _deliver_mix(told: dict[str, Any], as_json: bool) -> None:
    for warning in told["warnings"]:
        click.echo(f"note: {warning}", err=True)
    if as_json:
        _print_json(told)
    else:
        click.echo(told["path"])


@catalog.command()
@click.argument("track_id")
@json_option
@home_option
def show(track_id: str, as_json: bool, home: str) -> None:
    """Show everything about one track: what it was made for, how, and by what."""
    from catalog.report import shown

    with _store(home) as store:
        track = store.find_id(track_id)
        path = store.path_of(track)
    if as_json:
        _print_json({"path": str(path), **track.model_dump(mode="json")})
        return
    click.echo(f"path: {path}")
    for name, value in track.model_dump(mode="json").items():
        if name == "config":
            for key, setting in value.items():
                click.echo(f"config.{key}: {shown(setting)}  [{track.config_sources.get(key, '')}]")
        elif name != "config_sources":
            click.echo(f"{name}: {shown(value)}")


@catalog.command()
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
    """Export tracks (all, those named, or those the filters leave) with what is known about them."""
    from catalog.export import export_tracks

    with _store(home) as store:
        if track_ids:
            tracks = [store.find_id(track_id) for track_id in track_ids]
        else:
            where = _asked_for((query or "",), facts, home)
            tracks = store.list(where, order="created_at", limit=None)
        written = export_tracks(store, tracks, form, to, force=force)
    for path in written:
        click.echo(str(path))
    click.echo(f"{len(tracks)} tracks exported as {form}", err=True)


@catalog.command()
@click.argument("track_ids", nargs=-1)
@click.option("--purge", is_flag=True, help="Delete for good what is in the trash.")
@click.option(
    "--older-than",
    type=click.FloatRange(0),
    default=0.0,
    help="With --purge: only what was trashed this many days ago.",
)
@home_option
def rm(track_ids: tuple[str, ...], purge: bool, older_than: float, home: str) -> None:
    """Put tracks in the trash; `catalog restore` takes them out again."""
    if bool(track_ids) == purge:
        raise InputError("name the tracks to put in the trash, or --purge to empty it; not both, not neither")
    with _store(home) as store:
        if purge:
            click.echo(f"{store.purge(older_than_s=older_than * 86_400)} tracks deleted for good", err=True)
            return
        for track_id in [store.find_id(name).id for name in track_ids]:
            store.trash(track_id)
            click.echo(track_id)


@catalog.command()
@click.argument("track_ids", nargs=-1, required=True)
@home_option
def restore(track_ids: tuple[str, ...], home: str) -> None:
    """Take tracks out of the trash."""
    with _store(home) as store:
        for track_id in [store.find_id(name).id for name in track_ids]:
            store.restore(track_id)
            click.echo(track_id)


# The service


@catalog.command()
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Where to listen; beyond loopback a token is needed.",
)
@click.option(
    "--port", default=8765, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one."
)
@click.option("--token", envvar="CATALOG_TOKEN", show_envvar=True, help="What callers must show.")
@click.option(
    "--allow-host", "allow_hosts", multiple=True, help="A further name the service is called by; repeatable."
)
@click.option(
    "--queue",
    "queue_limit",
    default=8,
    show_default=True,
    type=click.IntRange(1, 1000),
    help="Makes that may wait.",
)
@click.option(
    "--grace",
    "grace_s",
    default=10.0,
    show_default=True,
    type=click.FloatRange(0),
    help="Seconds a running make gets at a stop.",
)
@click.option("--warm/--no-warm", default=True, show_default=True, help="Load the text encoder at the start.")
@home_option
@config_option
def serve(home: str, config: str | None, **asked: Any) -> None:
    """Serve the catalog over HTTP, with a page at its address, until interrupted."""
    from catalog.presence import settings_of

    try:
        from catalog.web import server
    except ImportError as error:
        raise Unavailable(
            f"the service needs a package that is not installed ({error.name}); "
            "install it with: pip install 'music-catalog[serve]'"
        ) from error
    settings = settings_of(home, config)
    with _service(home, config) as service:
        at_rest = server.serve(service, settings=settings, on_ready=click.echo, **asked)
    if not at_rest:
        _end_at_once()


# What people say


@catalog.command()
@click.option(
    "--labels",
    type=click.Path(dir_okay=False),
    help="Certify on this file of scenes or judged pairs, JSON Lines [default: the shipped scenes].",
)
@click.option(
    "--from-ratings", is_flag=True, help="Certify on what people said of reused tracks in this catalog."
)
@click.option("--max-false-reuse", type=float, help="A rate to certify beside those every certificate has.")
@click.option("--out", type=click.Path(dir_okay=False), help="Write the certificate here, not into the home.")
@json_option
@home_option
@config_option
def calibrate(
    labels: str | None,
    from_ratings: bool,
    max_false_reuse: float | None,
    out: str | None,
    as_json: bool,
    home: str,
    config: str | None,
) -> None:
    """Certify which threshold holds which rate of false reuse, for the encoder in use."""
    from catalog.report import certificate_lines

    with _service(home, config) as service, _progress("reading labels") as on_progress:
        made = service.calibrate(
            labels=labels,
            from_ratings=from_ratings,
            max_false_reuse=max_false_reuse,
            out=out,
            on_progress=on_progress,
        )
    if as_json:
        _print_json(made.model_dump(mode="json"))
        return
    for told in certificate_lines(made):
        click.echo(told)


@catalog.command()
@click.argument("track_id")
@click.argument("rating", required=False, type=click.IntRange(1, 5))
@click.option("--clear", is_flag=True, help="Take the rating back.")
@click.option("--for", "request_id", help="Rate it as the answer to this request; see `catalog history`.")
@click.option("--tag", "add", multiple=True, help="Put a label of your own on it; repeatable.")
@click.option("--untag", "remove", multiple=True, help="Take a label off; repeatable.")
@click.option("--note", help='Write a note on it; "" removes the one there is.')
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
    as_json: bool,
    home: str,
) -> None:
    """Rate a track 1 to 5, label it, or write a note on it."""
    from catalog import feedback
    from catalog.report import track_json

    if clear and rating is not None:
        raise InputError("give a RATING or --clear, not both")
    if rating is None and not (clear or add or remove or note is not None):
        raise InputError(
            "there is nothing to keep; give a RATING from 1 to 5, --clear, --tag, --untag or --note"
        )
    with _store(home) as store:
        track = store.find_id(track_id)
        if clear or rating is not None:
            track = feedback.rate(store, track.id, rating, request_id)
        if add or remove or note is not None:
            track = feedback.label(store, track.id, add=add, remove=remove, note=note)
    if as_json:
        _print_json(track_json(track))
    else:
        click.echo(track.id)


@catalog.command()
@click.argument("track_id")
@click.option("--for", "request_id", help="The request it was wrong for [default: the last it answered].")
@click.option("--undo", is_flag=True, help="Take the rejection back [default: its last one].")
@json_option
@home_option
@config_option
def reject(
    track_id: str, request_id: str | None, undo: bool, as_json: bool, home: str, config: str | None
) -> None:
    """Keep a track from a request it was wrong for, and from requests near it; others still get it."""
    with _service(home, config, create=False) as service:
        said = service.reject(track_id, request_id, undo=undo)
    click.echo(f"{said.verdict}: {said.track_id} for request {said.request_id}", err=True)
    if as_json:
        _print_json(said.model_dump(mode="json"))
    else:
        click.echo(said.track_id)


@catalog.command()
@click.argument("text", required=False)
@click.option(
    "--by",
    type=click.Choice(["meaning", "words"]),
    default="meaning",
    show_default=True,
    help="How to search.",
)
@click.option("--style", shell_complete=_complete("styles"), help="Only requests of this style.")
@click.option("--role", shell_complete=_complete("roles"), help="Only requests of this role.")
@click.option("--action", help="Only what was reused, generated or none.")
@click.option("--listener", help="Only this listener's.")
@click.option("--theme", help="Only those under this theme.")
@click.option("--track", "track_id", help="Only those that this track answered.")
@click.option("--days", type=click.FloatRange(0), help="Only those of the last so many days.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000))
@list_output
@home_option
@config_option
def history(
    text: str | None,
    by: str,
    days: float | None,
    limit: int,
    as_json: bool,
    as_jsonl: bool,
    home: str,
    config: str | None,
    **facts: Any,
) -> None:
    """List what was asked and what came of it, newest first; with TEXT what is most like it."""
    from datetime import datetime, timedelta, timezone

    from catalog.report import past_json, past_line

    since = None if days is None else datetime.now(timezone.utc) - timedelta(days=days)
    with _service(home, config, create=False) as service:
        found = service.history(text, by=by, limit=limit, since=since, **_given(facts))  # type: ignore[arg-type]
    rows, lines = [past_json(one) for one in found], [past_line(one) for one in found]
    _print_rows("requests", rows, as_json, as_jsonl, lines)
    if not found:
        raise NotFound("no request matches; loosen the filters")


@catalog.command()
@json_option
@home_option
def stats(as_json: bool, home: str) -> None:
    """Print requests, hits, seconds saved, the rate of wrong reuses as far as they were judged, and sizes."""
    from catalog.report import figures
    from catalog.statistics import statistics

    with _store(home) as store:
        told = statistics(store)
    if as_json:
        _print_json(told.model_dump(mode="json"))
        return
    for line in figures(told):
        click.echo(line)


# Presets, configuration, models, health


@catalog.group()
def presets() -> None:
    """Style presets: list, show and suggest."""


@presets.command("list", cls=Command)
@list_output
@home_option
@config_option
def presets_list(as_json: bool, as_jsonl: bool, home: str, config: str | None) -> None:
    """List the style presets, roles and quality tiers with a description to choose by."""
    library = _library(config, home)
    sections = {"presets": library.styles, "roles": library.roles, "quality": library.quality}
    rows = [
        {"name": name, "section": section, **entry.model_dump(mode="json")}
        for section, entries in sections.items()
        for name, entry in entries.items()
    ]
    width = max(len(row["name"]) for row in rows)
    lines = [f"{row['section']:8} {row['name']:{width}}  {row['description']}" for row in rows]
    _print_rows("presets", rows, as_json, as_jsonl, lines)


@presets.command("show", cls=Command)
@click.argument("name", shell_complete=_complete("styles"))
@json_option
@home_option
@config_option
def presets_show(name: str, as_json: bool, home: str, config: str | None) -> None:
    """Show every value of one preset, role or quality tier, and where it comes from."""
    from catalog.report import shown
    from catalog.request import preset_errors

    library = _library(config, home)
    section = next((part for part in ("roles", "quality") if name in getattr(library, part)), "presets")
    with preset_errors():
        entry = {"roles": library.role, "quality": library.tier, "presets": library.style}[section](name)
    values = entry.model_dump(mode="json", exclude_none=True)
    if as_json:
        _print_json({"name": name, "section": section, **values})
        return
    for key, value in values.items():
        click.echo(f"{key}: {shown(value)}  [{library.origin(f'{section}.{name}.{key}')}]")


@presets.command("suggest", cls=Command)
@click.argument("query")
@click.option("--limit", default=5, show_default=True, type=click.IntRange(1, 100))
@list_output
@home_option
@config_option
def presets_suggest(
    query: str, limit: int, as_json: bool, as_jsonl: bool, home: str, config: str | None
) -> None:
    """Rank the style presets for QUERY by what served similar requests well, and say what that rests on."""
    with _service(home, config, create=False) as service:
        found = service.suggest_presets(query, limit)
    width = max(len(one.name) for one in found)
    lines = [f"{one.score:5.2f}  {one.name:{width}}  {one.reason}" for one in found]
    _print_rows("presets", [one.model_dump(mode="json") for one in found], as_json, as_jsonl, lines)


@catalog.group("config")
def config_() -> None:
    """Configuration."""


@config_.command("show", cls=Command)
@click.option("--preset", shell_complete=_complete("styles"), help="Show what this style makes of it,")
@click.option("--role", shell_complete=_complete("roles"), help="... in this role,")
@click.option("--quality", help="... at this quality.")
@json_option
@home_option
@config_option
def config_show(
    preset: str | None, role: str | None, quality: str | None, as_json: bool, home: str, config: str | None
) -> None:
    """Print every value with where it came from; with --preset, --role or --quality the merged result."""
    from catalog.report import shown
    from catalog.request import preset_errors

    library = _library(config, home)
    if preset or role or quality:
        with preset_errors():
            resolved = library.resolve(
                preset or "ambient_lofi", role or "background_bed", quality or "standard"
            )
        rows = [(key, value, resolved.sources.get(key, "")) for key, value in resolved.values.items()]
    else:
        rows = list(library.explain())
    if as_json:
        _print_json(
            {"values": [{"key": key, "value": value, "source": source} for key, value, source in rows]}
        )
        return
    for key, value, source in rows:
        click.echo(f"{key}: {shown(value)}  [{source}]")


@catalog.group()
def models() -> None:
    """MusicGen checkpoints: list and pull."""


@models.command("list", cls=Command)
@list_output
def models_list(as_json: bool, as_jsonl: bool) -> None:
    """List the checkpoints: size, type or bits, licence, where they are on this machine."""
    from catalog.doctor import checkpoints

    found = checkpoints()
    forms = [f"{one['bits']} bits" if one["bits"] else one["dtype"] or "" for one in found]
    lines = [
        f"{one['name']:22} {one['size_bytes'] / 1e9:5.1f} GB  {form:9} {one['license']:16} "
        f"{one['path'] or 'not on this machine'}"
        for one, form in zip(found, forms, strict=True)
    ]
    _print_rows("models", found, as_json, as_jsonl, lines)


@models.command("pull", cls=Command)
@click.argument("name")
@click.option("--bits", type=click.Choice(["8", "4"]), help="Quantize the decoder.")
@click.option(
    "--dtype", type=click.Choice(["float32", "float16", "bfloat16"]), help="Convert the decoder to this."
)
def models_pull(name: str, bits: str | None, dtype: str | None) -> None:
    """Fetch the checkpoint NAME (a size, a hub repository or a folder) and convert it once."""
    from catalog.doctor import pull_checkpoint

    click.echo("MusicGen weights are CC-BY-NC-4.0: they may not be used commercially", err=True)
    with _progress("fetching") as on_progress:
        path = pull_checkpoint(name, dtype=dtype, bits=int(bits) if bits else None, on_progress=on_progress)
    click.echo(str(path))


@catalog.command()
@click.option("--deep", is_flag=True, help="Also read every audio file and compare its checksum.")
@click.option("--fix", is_flag=True, help="Mend what can be mended without losing anything.")
@click.option("--reembed", is_flag=True, help="Embed every row again with the encoder in use.")
@json_option
@home_option
@config_option
def doctor(deep: bool, fix: bool, reembed: bool, as_json: bool, home: str, config: str | None) -> None:
    """Check versions, encoder, models, disk and the catalog itself."""
    from catalog.doctor import examine

    checks = examine(home, config=config, deep=deep, fix=fix, reembed=reembed)
    if as_json:
        _print_json({"checks": [check.model_dump(mode="json") for check in checks]})
    else:
        for check in checks:
            click.echo(f"{check.status:7} {check.name}: {check.detail}")
    if any(check.status == "damage" for check in checks):
        raise click.exceptions.Exit(5)


@catalog.command()
@click.option(
    "--transport",
    type=click.Choice(["stdio", "http"]),
    default="stdio",
    show_default=True,
    help="stdio for a client that starts this, http for streamable HTTP on the loopback interface.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="With http: a loopback address.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8766,
    show_default=True,
    help="With http: the port; 0 takes a free one.",
)
@home_option
@config_option
def mcp(transport: str, host: str, port: int, home: str, config: str | None) -> None:
    """Serve the catalog to MCP clients: search, find or make, rate; tracks as resources."""
    from catalog.integrations.mcp import serve

    with _service(home, config) as service:
        at_rest = serve(service, transport=transport, host=host, port=port)  # type: ignore[arg-type]
    if not at_rest:
        _end_at_once()


@catalog.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script for SHELL, to be sourced in its start-up file."""
    from click.shell_completion import get_completion_class

    script = get_completion_class(shell)
    assert script is not None
    click.echo(script(catalog, {}, "catalog", "_CATALOG_COMPLETE").source())


# Reading


def _asked(given: dict[str, Any]) -> tuple[str | bytes, dict[str, Any]]:
    """Split a command's options into the source of the context, text or bytes that were read, and what is asked."""
    text, path = given.pop("text"), given.pop("context_file")
    if (text is None) == (path is None):
        raise InputError("give the context once: as TEXT, as - for standard input, or with --context-file")
    return text if text not in (None, "-") else _read(path or "-"), _choices(given)


def _context(source: str | bytes) -> Any:
    """Return the context in what was given: the text itself, or the text or payload in what was read."""
    from catalog.context import read_bytes

    return source if isinstance(source, str) else read_bytes(source)


def _read(path: str) -> bytes:
    try:
        if path != "-":
            with Path(path).open("rb") as file:
                return file.read(MAX_READ_BYTES)
        if sys.stdin is None:
            raise InputError("standard input is closed; give the context as TEXT or with --context-file")
        return sys.stdin.buffer.read(MAX_READ_BYTES)
    except OSError as error:
        raise InputError(f"the file {path} cannot be read: {error.strerror}") from error


def _choices(given: dict[str, Any]) -> dict[str, Any]:
    generation = dict(_setting(pair) for pair in given.pop("settings"))
    return {**_given(given), **({"generation": generation} if generation else {})}


def _setting(pair: str) -> tuple[str, Any]:
    name, sign, value = pair.partition("=")
    if not sign or not name:
        raise InputError(f"--set {pair!r} is not NAME=VALUE; write it like --set temperature=0.8")
    try:
        return name, json.loads(value)
    except (ValueError, RecursionError):
        return name, value


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None and value != ()}


def _asked_for(words: tuple[str, ...], facts: dict[str, Any], home: str) -> Any:
    """Return the filter of a list: what its query asks for, words in it as words a track must have, and `facts`."""
    from catalog.browse import narrowed
    from catalog.query import as_facts, parse

    text = " ".join(words)
    library = _library(None, home) if ":" in text else None
    known = {"style": library.styles.keys(), "role": library.roles.keys()} if library else {}
    return narrowed(as_facts(parse(text, known)), _given(facts)).where


def _check_out(out: str | None, force: bool) -> None:
    if out is not None:
        from catalog.export import check_target

        check_target(Path(out), force=force)


def _library(config: str | None, home: str | None) -> Any:
    from catalog.request import load_library

    return load_library(config, home or "data")


@contextmanager
def _service(home: str, config: str | None, *, create: bool = True) -> Iterator[MusicService]:
    from catalog import MusicService

    with MusicService.open(home, config=config, create=create) as service:
        yield service


@contextmanager
def _store(home: str) -> Iterator[Any]:
    from catalog.encoder import load
    from catalog.store import Store

    encoder = load()
    store = Store.open(home, encoder=encoder.identity, dimension=encoder.dimension, create=False)
    try:
        yield store
    finally:
        store.close()


def _from_service(
    home: str, config: str | None, no_server: bool, ask: Callable[[RunningService], dict[str, Any]]
) -> dict[str, Any] | None:
    """Return what the service that runs in `home` answers; None where none does, and the work is to be done here."""
    from catalog.client import Gone, running_service

    running = None if no_server else running_service(home, config)
    if running is None:
        return None
    try:
        return ask(running)
    except Gone:
        click.echo("note: the service of this home does not answer; going on without it", err=True)
        return None


def _body(source: str | bytes, asked: dict[str, Any]) -> dict[str, Any]:
    """Return the request to a service for what was asked here."""
    if isinstance(source, str):
        return {"context": source, **asked}
    # Bytes that are no text are kept as they are, so that the service refuses them in the same words.
    return {"context": source.decode("utf-8", "surrogateescape"), "as_read": True, **asked}


def _downloaded(running: RunningService, told: dict[str, Any], out: str | None) -> str | None:
    """Write the track that a service told of to `out`, where that was asked for, and return where the track is."""
    if out is None or told["id"] is None:
        return str(told["path"]) if told["path"] else None
    from catalog.export import write_bytes

    write_bytes(Path(out).resolve(), running.audio(told["id"], Path(out).suffix.lower().lstrip(".")))
    return str(Path(out))


@contextmanager
def _progress(doing: str = "making") -> Iterator[Progress]:
    """Show a bar on stderr once a generator reports progress; a terminal that is none gets nothing."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = TextColumn(doing), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(doing, total=None, visible=False)

        def report(done: int, total: int) -> None:
            if _interrupted:
                raise KeyboardInterrupt
            bar.update(task, completed=done, total=total, visible=True)

        yield report


# Printing


def _told(result: Result, out: str | None = None) -> dict[str, Any]:
    """Return what is to be told of a result; its track is written to `out` where that was asked for."""
    from catalog import report
    from catalog.export import write_audio

    path = result.path
    if out is not None and path is not None:
        write_audio(path, Path(out))
        path = Path(out)
    return report.told(result, path)


def _deliver(told: dict[str, Any], as_json: bool, explain: bool) -> None:
    """Print where the track is, and how it came about."""
    headline, explanation = told.pop("headline"), told.pop("explanation")
    for warning in told["warnings"]:
        click.echo(f"note: {warning}", err=True)
    if as_json:
        whole = () if explain else ("request", "decision")
        _print_json({name: value for name, value in told.items() if name not in whole})
        return
    for line in (*(explanation if explain else ()), headline):
        click.echo(line, err=True)
    if told["path"]:
        click.echo(told["path"])


def _print_json(value: dict[str, Any]) -> None:
    click.echo(json.dumps({"schema_version": SCHEMA_VERSION, **value}, ensure_ascii=False))


def _print_rows(
    name: str, rows: list[dict[str, Any]], as_json: bool, as_jsonl: bool, lines: list[str]
) -> None:
    if as_json:
        _print_json({name: rows})
    elif as_jsonl:
        for row in rows:
            _print_json(row)
    else:
        for told in lines:
            click.echo(told)


if __name__ == "__main__":
    main()
