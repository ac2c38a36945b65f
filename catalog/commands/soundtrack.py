"""Commands for longer pieces: a scene, a mix under a narration, a whole story."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..errors import InputError
from .flags import in_flags
from .home import open_library, open_service, open_store
from .inputs import check_out_file, present, read_context, read_request
from .options import (
    audience_options,
    config_option,
    context_options,
    explain_option,
    force_option,
    home_option,
    json_option,
    levels_options,
    license_option,
    mix_out_option,
    out_options,
)
from .terminal import Command, print_json, print_result, progress_bar, result_payload

__all__ = ["mix", "scene", "score"]


@click.command(
    cls=Command,
    examples=[
        'catalog scene "The forest lay calm at dawn." --environment forest --duration 180 --out forest.wav'
    ],
)
@context_options
@audience_options
@explain_option
@out_options
@json_option
@home_option
@config_option
def scene(
    explain: bool, out: str | None, force: bool, as_json: bool, home: str, config: str | None, **options: Any
) -> None:
    """Find or make a seamless loop for the scene in TEXT.

    --out writes it as long as --duration says, 45 s where that is not given. TEXT may be - for standard input.
    """
    from ..export import write_at_length
    from ..file_tags import tags_of

    if options.pop("loopable") is False:
        raise InputError("a scene is a loop; drop --no-loop, or use find-or-make")
    source, arguments = read_request(options)
    check_out_file(out, force)
    duration_s = arguments.pop("duration_s", 45.0)
    with open_service(home, config) as service, progress_bar() as on_progress:
        result = service.scene(
            read_context(source), duration_s=duration_s, on_progress=on_progress, **arguments
        )
    payload = result_payload(result)
    if out is not None and result.path is not None and result.track is not None:
        tags = tags_of(result.track)
        write_at_length(result.path, Path(out).resolve(), duration_s, tags=tags)
        payload["path"] = out
    print_result(payload, as_json, explain)


@click.command(
    cls=Command,
    examples=[
        "catalog mix --bed forest.wav --loop --narration voice.wav --out mix.wav --stems stems --cues mix.vtt"
    ],
)
@click.option("--bed", required=True, help="A track's id, or an audio file.")
@click.option(
    "--narration", required=True, type=click.Path(dir_okay=False), help="The voice: WAV, FLAC or OGG."
)
@mix_out_option
@click.option("--loop/--no-loop", default=None, help="Repeat the bed [default: if the track is a loop].")
@click.option("--role", help="Duck as for this role [default: the track's].")
@click.option("--depth", "depth_db", type=float, help="Duck by this many dB at the least.")
@click.option("--attack", "attack_s", type=float, help="Seconds in which the bed goes down.")
@click.option("--hold", "hold_s", type=float, help="Seconds it stays down after the last word.")
@click.option("--release", "release_s", type=float, help="Seconds in which it comes back.")
@click.option("--pre-roll", "pre_roll_s", type=float, default=2.0, show_default=True, help="Music before.")
@click.option("--post-roll", "post_roll_s", type=float, default=3.0, show_default=True, help="Music after.")
@levels_options
@click.option(
    "--cues",
    "cue_files",
    multiple=True,
    type=click.Path(dir_okay=False),
    help="Also write what plays when, as .vtt or .json; repeatable.",
)
@force_option
@json_option
@home_option
def mix(
    bed: str, narration: str, out: str, as_json: bool, home: str, cue_files: tuple[str, ...], **options: Any
) -> None:
    """Mix a track or file under a narration.

    The bed gives way to the voice, and the mix never clips.
    """
    from ..soundtrack.mix import mix_under

    def find_track(track_id: str) -> tuple[Any, Path]:
        with open_store(home) as store:
            track = store.tracks.find_id(track_id)
            return track, store.audio.verified_path(track)

    levels = present({name: options.pop(name) for name in ("voice_lufs", "bed_lufs")})
    ducking = present({name: options.pop(name) for name in ("depth_db", "attack_s", "hold_s", "release_s")})
    payload = mix_under(
        bed,
        narration,
        out,
        find_track,
        open_library(None, home).roles,
        levels=levels,
        ducking=ducking,
        cue_files=cue_files,
        **options,
    )
    _print_mix(payload, as_json)


@click.command(cls=Command, examples=["catalog score story.jsonl --out story.wav --narrator espeak-ng"])
@click.argument("story", type=click.Path(dir_okay=False))
@mix_out_option
@click.option("--narrator", help="Who speaks where a chunk has no narration: espeak-ng, mlx-audio, orpheus.")
@click.option("--cover", help="Who paints a cover beside the mix: mflux.")
@click.option("--quality", help="Quality tier of new loops: preview, standard or final.")
@click.option("--backend", help="auto, mlx, procedural, or a name of `catalog plugins`.")
@license_option
@click.option("--seed", type=int, help="Seed for new loops.")
@click.option("--listener", help="Who hears it; tracks they just heard are avoided.")
@levels_options
@force_option
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
    **options: Any,
) -> None:
    """Score a whole story as one timeline under its narration.

    STORY has one JSON chunk a line. Cues (.json, .vtt) and a plot (.svg) go beside --out.
    """
    from ..soundtrack import renderers
    from ..soundtrack.score import levels_of
    from ..soundtrack.score import score as score_story

    voice = renderers.narrator(narrator) if narrator else None
    painter = renderers.renderer(cover, renderers.COVERS) if cover else None
    levels = levels_of(**present({"voice_lufs": voice_lufs, "bed_lufs": bed_lufs}))
    with open_service(home, config) as service, progress_bar() as on_progress:
        payload = score_story(
            service,
            story,
            out,
            voice=voice,
            cover=painter,
            levels=levels,
            on_progress=on_progress,
            on_scene=lambda line: click.echo(line, err=True),
            **present(options),
        )
    _print_mix(payload, as_json)


def _print_mix(payload: dict[str, Any], as_json: bool) -> None:
    payload = {**payload, "warnings": [in_flags(warning) for warning in payload["warnings"]]}
    for warning in payload["warnings"]:
        click.echo(f"note: {warning}", err=True)
    if as_json:
        print_json(payload)
    else:
        click.echo(payload["path"])
