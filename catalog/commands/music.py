"""Commands that find or make music for a text."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import click

from ..errors import InputError, NotFound
from .flags import result_in_flags
from .home import ask_service, open_service, request_body, save_download, workers_at
from .inputs import (
    check_out_file,
    present,
    query_hints,
    read_arguments,
    read_context,
    read_input,
    read_request,
)
from .options import (
    about_text,
    audience_options,
    config_option,
    context_options,
    explain_option,
    filter_options,
    home_option,
    json_option,
    list_output,
    no_server_option,
    on_output,
    on_reuse,
    out_options,
    reuse_options,
    takes_options,
    workers_option,
)
from .terminal import Command, print_json, print_result, print_rows, progress_bar, result_payload

if TYPE_CHECKING:
    from ..models import Result
    from ..web.client import RunningService
    from .heard.playing import Playing
    from .shortcut import KeptCall

__all__ = ["find", "find_or_make", "musicgen", "search", "similar"]


@click.command(
    cls=Command,
    name="find-or-make",
    examples=[
        'catalog find-or-make "Waves roll onto an empty beach at dusk, slow and peaceful." --duration 20',
        'echo "The heroes storm the gate." | catalog find-or-make - --json',
        "catalog find-or-make --context-file payload.json --role narration_bed --out answer.flac",
    ],
)
@context_options
@takes_options
@on_reuse(
    "--reuse",
    default="auto",
    show_default=True,
    type=click.Choice(["auto", "always", "never"]),
    help="Reuse what fits and else make; only reuse; only make.",
)
@audience_options
@reuse_options
@on_output("--dry-run", is_flag=True, help="Decide and stop: make nothing.")
@on_output(
    "--play", is_flag=True, help="Play it with a player of this machine, while it is made where that can be."
)
@explain_option
@about_text(
    "--batch",
    type=click.Path(dir_okay=False, allow_dash=True),
    help="Serve a file of contexts, one JSON string or payload a line; prints one JSON object a line.",
)
@out_options
@json_option
@home_option
@config_option
@no_server_option
@workers_option
def find_or_make(
    dry_run: bool,
    play: bool,
    explain: bool,
    batch: str | None,
    out: str | None,
    force: bool,
    as_json: bool,
    home: str,
    config: str | None,
    no_server: bool,
    workers: str | None,
    **options: Any,
) -> None:
    """Reuse a track that fits TEXT, or make one.

    TEXT may be - for standard input.
    """
    if batch is not None:
        text, path, reuse = (options.pop(name) for name in ("text", "context_file", "reuse"))
        if text or path or out or dry_run or play or reuse != "auto":
            raise InputError(
                "--batch goes without TEXT, --context-file, --out, --dry-run, --play and --reuse"
            )
        _serve_batch(batch, explain, home, config, workers, options)
        return
    if workers is not None:
        raise InputError("--workers goes with --batch")
    if dry_run and out:
        raise InputError("--dry-run makes nothing that --out could write; drop one of them")
    if dry_run and play:
        raise InputError("--dry-run makes nothing that --play could play; drop one of them")
    source, arguments = read_request(options)
    check_out_file(out, force)
    playing = _playing() if play else None
    call = None if dry_run or explain or out else _call_to_keep(home, config, source, arguments)

    def ask(running: RunningService) -> dict[str, Any]:
        body = {**request_body(source, arguments), "explain": explain, "dry_run": dry_run}
        follow = None if playing is None else partial(playing.follow, running)
        payload = running.find_or_make(body, progress_bar, follow)
        return {**payload, "path": save_download(running, payload, out)}

    def serve() -> dict[str, Any]:
        asked: dict[str, Any] = {"explain": explain, **arguments}
        with open_service(home, config) as service, progress_bar() as on_progress:
            asked["on_progress"] = on_progress
            if playing is not None:
                result: Result = playing.stream(service.stream_music(read_context(source), **asked))
            else:
                result = service.find_or_make(read_context(source), dry_run=dry_run, **asked)
            if call is not None:
                call.keep(service, result)
        return result_payload(result, out)

    payload = call.answer() if call is not None else None
    payload = payload or ask_service(home, config, no_server or "melody" in arguments, ask) or serve()
    print_result(payload, as_json, explain)
    if playing is not None:
        playing.finish(payload)


def _playing() -> Playing:
    from .heard.playing import Playing

    return Playing()


def _call_to_keep(
    home: str, config: str | None, source: str | bytes, arguments: dict[str, Any]
) -> KeptCall | None:
    """Return the call whose answer may be kept; None where another answer may be right the next time.

    A listener and a theme have a history of their own, the name of a recording does not say what is in it, and other
    replicas write to a remote home.
    """
    if arguments["reuse"] == "never" or {"listener", "theme", "melody"} & arguments.keys() or "://" in home:
        return None
    from .shortcut import KeptCall

    return KeptCall(home, config, source, arguments)


def _serve_batch(
    batch: str, explain: bool, home: str, config: str | None, workers: str | None, options: dict[str, Any]
) -> None:
    from ..bulk.reading import read_calls
    from ..report import result_json
    from ..request.context import read_lines

    contexts, arguments = read_lines(read_input(batch)), read_arguments(options)
    shared = workers_at(workers)
    with open_service(home, config, makers=workers) as service, progress_bar() as on_progress:
        if shared is not None:
            arguments["read_calls"] = partial(read_calls, shared)
        results = service.find_or_make_all(contexts, on_progress=on_progress, **arguments)
    for result in results:
        print_json(result_in_flags(result_json(result, result.path, explain=explain)))


@click.command(
    cls=Command,
    examples=[
        'catalog musicgen "A tavern fills up." --style environment_tavern --duration 20 --out tavern.wav'
    ],
)
@context_options
@takes_options
@on_output("--explain", is_flag=True, help="Show features, choices and configuration.")
@out_options
@json_option
@home_option
@config_option
def musicgen(
    explain: bool, out: str | None, force: bool, as_json: bool, home: str, config: str | None, **options: Any
) -> None:
    """Make a new track for TEXT, whatever the catalog holds.

    TEXT may be - for standard input.
    """
    source, arguments = read_request(options)
    check_out_file(out, force)
    with open_service(home, config) as service, progress_bar() as on_progress:
        result = service.generate(read_context(source), on_progress=on_progress, **arguments)
    print_result(result_payload(result, out), as_json, explain)


@click.command(
    cls=Command, examples=['catalog find "Slow, peaceful waves on an empty beach at dusk." --explain']
)
@context_options
@reuse_options
@explain_option
@json_option
@home_option
@config_option
@no_server_option
def find(
    explain: bool, as_json: bool, home: str, config: str | None, no_server: bool, **options: Any
) -> None:
    """Find the track that find-or-make would reuse for TEXT.

    It never makes one, and ends with exit code 3 when nothing fits.
    """
    source, arguments = read_request(options)

    def ask(running: RunningService) -> dict[str, Any]:
        return running.find(request_body(source, arguments))

    def look() -> dict[str, Any]:
        with open_service(home, config, create=False) as service:
            return result_payload(service.explain(read_context(source), **arguments))

    payload = ask_service(home, config, no_server or "melody" in arguments, ask) or look()
    if payload["track"] is not None:
        print_result(payload, as_json, explain)
        return
    # The error says what the headline would.
    told = [one for one in payload["warnings"] if as_json or one not in payload["headline"]]
    print_result({**payload, "warnings": told, "headline": ""}, as_json, explain)
    raise NotFound(f"nothing fits: {payload['reason']}")


@click.command(
    cls=Command,
    examples=[
        "catalog search 'calm \"empty beach\" mood:peaceful,calm duration:5..60 -environment:city'",
        'catalog search --by sound "slow felt piano with rain"',
    ],
)
@click.argument("words", nargs=-1, required=True, metavar="QUERY...")
@click.option(
    "--by",
    type=click.Choice(["meaning", "words", "both", "sound"]),
    default="meaning",
    show_default=True,
    help="Compare meanings, words, both, or the words with the sound, by the ear.",
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
    """Search the catalog by meaning, words and facts.

    QUERY holds words, "phrases" and facts such as mood:calm duration:30..60 -style:drone.
    """
    text = " ".join(words)
    facts = present(facts)

    def ask(running: RunningService) -> dict[str, Any]:
        return running.search({"query": text, "by": by, "limit": limit, "facts": facts})

    def look() -> dict[str, Any]:
        from ..report import hits_json

        with open_service(home, config, create=False) as service:
            return hits_json(service.search(text, by=by, limit=limit, **facts))  # type: ignore[arg-type]

    payload = ask_service(home, config, no_server, ask) or look()
    print_rows("hits", payload["hits"], as_json, as_jsonl, payload["lines"])
    if not payload["hits"]:
        advice = query_hints(text, facts, home, config) or ["loosen the filters or see `catalog list`"]
        raise NotFound(f"no track matches {text!r}; {'; '.join(advice)}")


@click.command(
    cls=Command,
    examples=["catalog similar 3f2a9c --by sound --limit 5", "catalog similar 3f2a9c --from 10 --to 20"],
)
@click.argument("track_id")
@click.option(
    "--by",
    type=click.Choice(["text", "sound", "ear"]),
    show_default="text; sound with --from or --to",
    help="Compare what they were made for, how they sound as measured, or as the ear hears them.",
)
@click.option("--from", "start_s", type=float, metavar="SECONDS", help="Compare the part of it from here on.")
@click.option("--to", "end_s", type=float, metavar="SECONDS", help="Compare the part of it up to here.")
@click.option("--limit", default=10, show_default=True, type=click.IntRange(1, 1000))
@filter_options
@list_output
@home_option
@config_option
def similar(
    track_id: str,
    by: str | None,
    start_s: float | None,
    end_s: float | None,
    limit: int,
    as_json: bool,
    as_jsonl: bool,
    home: str,
    config: str | None,
    **facts: Any,
) -> None:
    """List the tracks most like one.

    They were made for texts like that of TRACK_ID, or sound like it or like a part of it.
    """
    from ..report import hits_json

    by = by or ("text" if start_s is None and end_s is None else "sound")

    with open_service(home, config, create=False) as service:
        part: Any = {"by": by, "start_s": start_s, "end_s": end_s}
        hits = service.similar(track_id, limit=limit, **part, **present(facts))
        payload = hits_json(hits)
    print_rows("hits", payload["hits"], as_json, as_jsonl, payload["lines"])
    if not payload["hits"]:
        raise NotFound(
            "there is no other track to compare with; see `catalog list`, or `catalog doctor` for sounds"
        )
