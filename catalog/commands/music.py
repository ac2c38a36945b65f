"""Commands that find or make music for a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ..errors import InputError, NotFound
from .inputs import (
    ask_service,
    check_out_file,
    choices_from,
    context_and_choices,
    context_from,
    only_given,
    open_service,
    read_input,
    request_body,
    save_download,
)
from .options import (
    audience_options,
    config_option,
    context_options,
    filter_options,
    home_option,
    json_option,
    list_output,
    no_server_option,
    out_options,
    reuse_options,
)
from .terminal import Command, print_json, print_result, print_rows, progress_bar, result_payload

if TYPE_CHECKING:
    from ..web.client import RunningService

__all__ = ["find", "find_or_make", "musicgen", "search", "similar"]


# The main job


@click.command(cls=Command, name="find-or-make")
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
    source, asked = context_and_choices(asked)
    asked |= only_given({"max_false_reuse": max_false_reuse, "min_similarity": min_similarity})
    check_out_file(out, force)
    # What a recording holds is not told by its name, and a service elsewhere may not read it.
    no_server = no_server or "melody" in asked
    told_apart = {"listener", "theme", "melody"} & asked.keys()
    plain = not (dry_run or explain or out or reuse == "never" or told_apart)
    if plain:
        from . import shortcut

        call = shortcut.name_of(home, config, source, {**asked, "reuse": reuse})
        if kept := shortcut.answer(home, call):
            print_result(kept, as_json, explain)
            return
        vouched = shortcut.stamp(home)

    def ask(running: RunningService) -> dict[str, Any]:
        body = {**request_body(source, asked), "reuse": reuse, "explain": explain, "dry_run": dry_run}
        told = running.find_or_make(body, progress_bar)
        return {**told, "path": save_download(running, told, out)}

    told = ask_service(home, config, no_server, ask)
    if told is None:
        with open_service(home, config) as service, progress_bar() as on_progress:
            result = service.find_or_make(
                context_from(source),
                reuse=reuse,  # type: ignore[arg-type]
                explain=explain,
                dry_run=dry_run,
                on_progress=on_progress,
                **asked,
            )
            if plain:
                shortcut.keep(home, config, call, vouched, service, result)
        told = result_payload(result, out)
    print_result(told, as_json, explain)


def _serve_batch(batch: str, explain: bool, home: str, config: str | None, asked: dict[str, Any]) -> None:
    from ..report import result_json
    from ..request.context import read_lines

    contexts = read_lines(read_input(batch))
    with open_service(home, config) as service, progress_bar() as on_progress:
        results = service.find_or_make_all(contexts, on_progress=on_progress, **choices_from(asked))
    for result in results:
        print_json(result_json(result, result.path, explain=explain))


@click.command(cls=Command)
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
    source, asked = context_and_choices(asked)
    check_out_file(out, force)
    with open_service(home, config) as service, progress_bar() as on_progress:
        result = service.generate(context_from(source), on_progress=on_progress, **asked)
    print_result(result_payload(result, out), as_json, explain)


@click.command(cls=Command)
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
    source, asked = context_and_choices(asked)
    asked |= only_given({"max_false_reuse": max_false_reuse, "min_similarity": min_similarity})
    no_server = no_server or "melody" in asked
    told = ask_service(home, config, no_server, lambda running: running.find(request_body(source, asked)))
    if told is None:
        with open_service(home, config, create=False) as service:
            told = result_payload(service.explain(context_from(source), **asked))
    print_result(told, as_json, explain)
    if told["track"] is None:
        raise NotFound(f"nothing fits: {told['reason']}")


@click.command(cls=Command)
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
    body = {"query": text, "by": by, "limit": limit, "facts": only_given(facts)}
    told = ask_service(home, config, no_server, lambda running: running.search(body))
    if told is None:
        from ..report import hits_json

        with open_service(home, config, create=False) as service:
            told = hits_json(service.search(text, by=by, limit=limit, **only_given(facts)))  # type: ignore[arg-type]
    print_rows("hits", told["hits"], as_json, as_jsonl, told["lines"])
    if not told["hits"]:
        raise NotFound(f"no track matches {text!r}; loosen the filters or see `catalog list`")


@click.command(cls=Command)
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
    from ..report import hits_json

    with open_service(home, config, create=False) as service:
        told = hits_json(service.similar(track_id, by=by, limit=limit, **only_given(facts)))  # type: ignore[arg-type]
    print_rows("hits", told["hits"], as_json, as_jsonl, told["lines"])
    if not told["hits"]:
        raise NotFound(
            "there is no other track to compare with; see `catalog list`, or `catalog doctor` for sounds"
        )
