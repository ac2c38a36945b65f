"""Options that several commands share."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import click

from ..errors import CatalogError
from ..home import default_home
from .help import CATALOG, FROM_THE_TEXT, OUTPUT, REUSE, TEXT, TRACKS, WANTED, option_under
from .home import open_library

__all__ = [
    "MOST_DAYS",
    "STYLE",
    "Function",
    "about_text",
    "audience_options",
    "complete_names",
    "config_option",
    "context_options",
    "days_option",
    "explain_option",
    "filter_options",
    "force_option",
    "home_option",
    "json_option",
    "levels_options",
    "license_option",
    "list_output",
    "mix_out_option",
    "no_server_option",
    "on_output",
    "on_reuse",
    "options",
    "out_options",
    "reuse_options",
    "takes_options",
    "workers_option",
]

DEFAULT_QUALITY = "standard"
"""The tier where none is named, as `request.selection` picks it; not read there, since that loads more."""
STYLE = ("--style", "--preset", "preset")
"""The names of the option for the wanted style; the second is what earlier versions called it."""
MOST_DAYS = 36_500
"""The longest time, in days, that an option takes: a hundred years."""
Function = TypeVar("Function", bound=Callable[..., Any])


def options(*decorators: Callable[[Any], Any]) -> Callable[[Function], Function]:
    """Return one decorator that adds several options, in the order in which `--help` lists them."""

    def apply(function: Function) -> Function:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return apply


def complete_names(section: str) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """Return a completion for the names in a section of the configuration, such as "styles"."""

    def names(ctx: click.Context, _: click.Parameter, typed: str) -> list[str]:
        try:
            library = open_library(ctx.params.get("config"), ctx.params.get("home"))
        except CatalogError:
            return []
        return [name for name in getattr(library, section) if name.startswith(typed)]

    return names


def days_option(_: click.Context, parameter: click.Parameter, value: float | None) -> float | None:
    """Return a number of days; raises BadParameter for NaN, which is in every range that click checks."""
    if value is not None and math.isnan(value):
        raise click.BadParameter(f"nan is not in the range 0<=x<={MOST_DAYS}.", param=parameter)
    return value


about_text = option_under(TEXT)
wanted = option_under(WANTED)
on_reuse = option_under(REUSE)
on_tracks = option_under(TRACKS)
on_output = option_under(OUTPUT)
on_catalog = option_under(CATALOG)

home_option = on_catalog(
    "--home",
    envvar="CATALOG_HOME",
    default=default_home,
    show_default="./data where that holds a catalog, else a folder of yours; see `catalog doctor`",
    show_envvar=True,
    help="The catalog's folder, or an address such as s3://bucket/prefix or db://NAME?blobs=s3://bucket/prefix; "
    "created on first use.",
)
config_option = on_catalog(
    "--config",
    envvar="CATALOG_CONFIG",
    type=click.Path(dir_okay=False),
    show_envvar=True,
    show_default="catalog.yaml in the home, if there",
    help="A configuration file in the musicgen: shape.",
)
no_server_option = on_catalog(
    "--no-server",
    envvar="CATALOG_NO_SERVER",
    is_flag=True,
    show_envvar=True,
    help="Do the work here, even where `catalog serve` runs in this home.",
)
workers_option = on_catalog(
    "--workers",
    metavar="ADDRESS",
    help="Have the work done by Ray: local (all processors here), auto, host:port or ray://host:port.",
)
json_option = on_output("--json", "as_json", is_flag=True, help="Print one JSON object.")
list_output = options(
    json_option, on_output("--jsonl", "as_jsonl", is_flag=True, help="Print one JSON object a line.")
)
explain_option = on_output(
    "--explain", is_flag=True, help="Show features, choices and candidates with their scores."
)
force_option = on_output("--force", is_flag=True, help="Replace files that exist.")
mix_out_option = on_output(
    "--out", required=True, type=click.Path(dir_okay=False), help="The mix (.wav, .flac or .ogg)."
)
license_option = wanted(
    "--license",
    type=click.Choice(["commercial"]),
    help="Serve and make only music that may be used so, by its licence.",
)
context_options = options(
    click.argument("text", required=False),
    about_text(
        "--context-file",
        type=click.Path(dir_okay=False),
        help="Read the context from a file: text, or a JSON payload with an answer, chunk, scene or text.",
    ),
    about_text("--query", help="The question that the context answers."),
    about_text(
        "--application",
        show_default="as configured",
        help='What your application is, in a sentence: "the support chat of a bank". Music that suits it is likelier.',
    ),
    about_text(
        "--environment",
        show_default=FROM_THE_TEXT,
        help="Where the scene is, when your pipeline knows: forest, rain, ocean, ...",
    ),
    about_text(
        "--time-of-day",
        show_default=FROM_THE_TEXT,
        help="When the scene is: dawn, morning, day, dusk, evening, night.",
    ),
    about_text(
        "--mood",
        "mood_tags",
        multiple=True,
        show_default=FROM_THE_TEXT,
        help="A mood tag your pipeline knows; repeatable.",
    ),
    about_text(
        "--valence",
        type=float,
        show_default=FROM_THE_TEXT,
        help="Pleasantness, -1 to 1, when your pipeline knows it.",
    ),
    about_text(
        "--energy",
        type=float,
        show_default=FROM_THE_TEXT,
        help="Energy, -1 to 1, when your pipeline knows it.",
    ),
    about_text(
        "--brief",
        type=click.Path(dir_okay=False, allow_dash=True),
        metavar="FILE",
        show_default=FROM_THE_TEXT,
        help="Which music would serve the text, as JSON; see `catalog schema brief`.",
    ),
    wanted(
        *STYLE,
        shell_complete=complete_names("styles"),
        show_default=FROM_THE_TEXT,
        help="The style preset; see `catalog presets list`.",
    ),
    wanted(
        "--role",
        shell_complete=complete_names("roles"),
        show_default="from the length and the text",
        help="What the music is for: background_bed, ... Up to 8 s it is a sound or a sting unless named.",
    ),
    wanted("--quality", show_default=DEFAULT_QUALITY, help="Quality tier: preview, standard or final."),
    wanted("--duration", "duration_s", type=float, show_default="from the role", help="Length in seconds."),
    wanted(
        "--loop/--no-loop",
        "loopable",
        default=None,
        show_default="from the role",
        help="Whether it must loop without a seam.",
    ),
    wanted(
        "--seed",
        type=int,
        show_default=FROM_THE_TEXT,
        help="Seed for the generator; the same inputs and seed give the same samples.",
    ),
    wanted("--backend", show_default="auto", help="auto, mlx, procedural, or a name of `catalog plugins`."),
    license_option,
    wanted(
        "--continue-from",
        metavar="TRACK",
        help="Continue this track, with MusicGen; --duration counts its length too.",
    ),
    wanted(
        "--melody",
        type=click.Path(),
        metavar="FILE",
        help="Follow the melody of this recording (.wav, .flac or .ogg, at most 10 minutes).",
    ),
    wanted(
        "--set",
        "settings",
        multiple=True,
        metavar="NAME=VALUE",
        help="Any other generation value, say --set temperature=0.8; repeatable.",
    ),
)
takes_options = options(
    wanted(
        "--takes",
        type=int,
        metavar="N",
        show_default="1",
        help="Where a track is made, make N takes with different seeds and keep the best.",
    ),
    wanted(
        "--retakes",
        type=int,
        metavar="N",
        show_default="1, by check: in the configuration",
        help="How often to make again what fails the check after making.",
    ),
    wanted(
        "--keep-takes",
        is_flag=True,
        default=None,
        help="Keep the other takes that pass the check, as variants of the best.",
    ),
)
audience_options = options(
    on_reuse("--listener", help="Who hears it; they get another fitting track than the one they just heard."),
    on_reuse("--theme", help="A recurring theme, which keeps its track while that fits."),
)
reuse_options = options(
    on_reuse(
        "--max-false-reuse",
        type=float,
        show_default="0.1",
        help="The share of reused tracks that may turn out not to fit.",
    ),
    on_reuse(
        "--min-similarity",
        type=float,
        help="Decide by score: what a candidate needs, -1 to 1, certified or not.",
    ),
    on_reuse(
        "--reach",
        type=click.Choice(["music", "scene"]),
        show_default="music",
        help="Reuse every track whose music serves the text, or only those of the same scene.",
    ),
    on_reuse(
        "--fit",
        type=click.Choice(["passable", "fits"]),
        show_default="passable",
        help="How choosy: a track of another scene must be passable, or fit more likely than not.",
    ),
    on_reuse(
        "--variety",
        type=int,
        metavar="N",
        show_default="12",
        help="Until N tracks serve a text, some requests make another one; 1 for none.",
    ),
)
out_options = options(
    on_output(
        "--out", type=click.Path(dir_okay=False), help="Also write the track here (.wav, .flac or .ogg)."
    ),
    on_output("--force", is_flag=True, help="Let --out replace an existing file."),
)
levels_options = options(
    on_output("--voice-lufs", type=float, show_default="-18", help="Loudness of the voice."),
    on_output(
        "--bed-lufs", type=float, show_default="-24", help="Loudness of the music where nobody speaks."
    ),
    on_output("--stems", type=click.Path(), help="Also write voice and music alone into this folder."),
)
filter_options = options(
    on_tracks("--style", shell_complete=complete_names("styles"), help="Only this style."),
    on_tracks("--role", shell_complete=complete_names("roles"), help="Only this role."),
    on_tracks("--min-quality", help="Only this quality tier and better."),
    on_tracks("--environment", help="Only this environment."),
    on_tracks("--time-of-day", help="Only this time of day."),
    on_tracks("--mood", multiple=True, help="Only tracks with this mood tag; repeatable, all must hold."),
    on_tracks("--loop/--no-loop", "loopable", default=None, help="Only loops, or only one-shots."),
    on_tracks("--min-duration", "min_duration_s", type=float, help="At least this long, in seconds."),
    on_tracks("--max-duration", "max_duration_s", type=float, help="At most this long, in seconds."),
    on_tracks("--min-tempo", "min_tempo_bpm", type=float, help="At least this fast, in BPM."),
    on_tracks("--max-tempo", "max_tempo_bpm", type=float, help="At most this fast, in BPM."),
    on_tracks("--made-by", "backend", help="Only tracks of this backend: mlx, procedural, a plugin."),
    on_tracks(
        "--license",
        type=click.Choice(["commercial"]),
        help="Only tracks that may be used so, by their licence.",
    ),
)
