"""Options that several commands share."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import click

from ..errors import CatalogError
from .home import open_library

__all__ = [
    "MOST_DAYS",
    "Function",
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
    "list_output",
    "mix_out_option",
    "no_server_option",
    "options",
    "out_options",
    "reuse_options",
]

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
explain_option = click.option(
    "--explain", is_flag=True, help="Show features, choices and candidates with their scores."
)
force_option = click.option("--force", is_flag=True, help="Replace files that exist.")
mix_out_option = click.option(
    "--out", required=True, type=click.Path(dir_okay=False), help="The mix (.wav, .flac or .ogg)."
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
        "--brief",
        type=click.Path(dir_okay=False, allow_dash=True),
        metavar="FILE",
        help="Which music would serve the text, as JSON; see `catalog schema brief`.",
    ),
    click.option(
        "--preset", shell_complete=complete_names("styles"), help="Style preset; see `catalog presets list`."
    ),
    click.option(
        "--role", shell_complete=complete_names("roles"), help="What the music is for: background_bed, ..."
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
        help="Continue this track, with MusicGen; --duration counts its length too.",
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
    click.option(
        "--listener", help="Who hears it; they get another fitting track than the one they just heard."
    ),
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
    click.option(
        "--reach",
        type=click.Choice(["music", "scene"]),
        help="Reuse every track whose music serves the text, or only those of the same scene [default: music].",
    ),
    click.option(
        "--fit",
        type=click.Choice(["passable", "fits"]),
        help="How choosy: a track of another scene must be passable, or fit more likely than not [default: passable].",
    ),
    click.option(
        "--variety",
        type=int,
        metavar="N",
        help="Until N tracks serve a text, some requests make another one; 1 for none [default: 15].",
    ),
)
out_options = options(
    click.option(
        "--out", type=click.Path(dir_okay=False), help="Also write the track here (.wav, .flac or .ogg)."
    ),
    click.option("--force", is_flag=True, help="Let --out replace an existing file."),
)
levels_options = options(
    click.option("--voice-lufs", type=float, help="Loudness of the voice [default: -18]."),
    click.option("--bed-lufs", type=float, help="Loudness of the music where nobody speaks [default: -24]."),
    click.option("--stems", type=click.Path(), help="Also write voice and music alone into this folder."),
)
filter_options = options(
    click.option("--style", shell_complete=complete_names("styles"), help="Only this style."),
    click.option("--role", shell_complete=complete_names("roles"), help="Only this role."),
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
