"""The command that makes tracks ahead of requests, for a corpus."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import click

from ..errors import InputError
from .home import open_service, workers_at
from .inputs import present
from .options import complete_names, config_option, home_option, json_option, license_option, workers_option
from .terminal import Command, print_json, progress_bar

if TYPE_CHECKING:
    from ..models import Stock, StockPlan

__all__ = ["stock"]


@click.command(
    cls=Command,
    examples=[
        "catalog stock answers.jsonl --tracks 16 --dry-run",
        "catalog stock answers.jsonl --tracks 400 --workers ray://head:10001 --yes",
    ],
)
@click.argument("corpus", type=click.Path())
@click.option("--tracks", required=True, type=click.IntRange(1), help="How many tracks to plan.")
@click.option("--table", help="The table, where CORPUS is the folder of a LanceDB database.")
@click.option("--column", help="The column or JSON key with the text [default: text, answer, chunk, ...].")
@click.option(
    "--sample",
    default=2_000,
    show_default=True,
    type=click.IntRange(1),
    help="Read this many texts of a larger corpus.",
)
@click.option(
    "--sample-seed",
    default=0,
    show_default=True,
    type=int,
    help="Which texts those are; others by another seed.",
)
@click.option(
    "--role", shell_complete=complete_names("roles"), help="What the music is for: background_bed, ..."
)
@click.option("--quality", help="Quality tier: preview, standard or final.")
@click.option("--duration", "duration_s", type=float, help="Length in seconds.")
@click.option("--backend", help="auto, mlx, procedural, or a name of `catalog plugins`.")
@license_option
@click.option("--dry-run", is_flag=True, help="Show the plan and its cost: make nothing.")
@click.option("--yes", is_flag=True, help="Make the tracks without asking.")
@json_option
@home_option
@config_option
@workers_option
def stock(
    corpus: str,
    tracks: int,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    home: str,
    config: str | None,
    workers: str | None,
    **options: Any,
) -> None:
    """Make the tracks that serve most of a corpus in advance.

    CORPUS is a file of JSON Lines, a folder of .txt and .md files, or the folder of a LanceDB database. Tracks that
    are in the catalog count first. The same command again goes on.
    """
    from ..bulk.reading import read_calls
    from ..bulk.stocking import make_stock
    from ..models import Stock

    shared = workers_at(workers)
    with open_service(home, config) as service:
        with progress_bar("reading") as on_progress:
            plan = service.plan_stock(
                corpus,
                tracks,
                on_progress=on_progress,
                read_calls=None if shared is None else partial(read_calls, shared),
                **present(options),
            )
        made = Stock(plan=plan)
        if not as_json:
            _show(plan, err=not dry_run)
        if plan.missing and not dry_run and (yes or _confirmed(plan)):
            with progress_bar() as on_progress:
                if shared is None:
                    made = service.make_stock(plan, on_progress=on_progress)
                else:
                    made = make_stock(service, shared, plan, on_progress=on_progress)
    _print(made, as_json)


def _show(plan: StockPlan, *, err: bool) -> None:
    from ..report import stock_lines

    for line in stock_lines(plan):
        click.echo(line, err=err)


def _confirmed(plan: StockPlan) -> bool:
    from ..report import duration

    question = f"Make {len(plan.missing)} tracks, in about {duration(plan.cost_s)}?"
    try:
        return click.confirm(question, err=True)
    except click.Abort:
        click.echo(err=True)
        raise InputError(
            "nobody answered whether to make the tracks; pass --yes to make them, or --dry-run to see the plan"
        ) from None


def _print(made: Stock, as_json: bool) -> None:
    """Print the tracks that were made, or plan and tracks as JSON."""
    from ..report import line, stock_json, track_json

    if as_json:
        print_json({"plan": stock_json(made.plan), "made": [track_json(track) for track in made.tracks]})
        return
    for track in made.tracks:
        click.echo(line(track))
